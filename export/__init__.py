"""Installs as `adff_tf.export`: a trained run as artifacts that other programs load (`python -m adff_tf.export`).

    artifacts.py    export(): the folder, whole or not at all            about.py      what every artifact tells about itself
    saved_model.py  the SavedModel and its signatures                    tflite.py     the TFLite files
    parity.py       how each agrees with the Keras model                 windows.py    what they are compared and calibrated on
    warmup.py       the requests TensorFlow Serving warms up with        serving/      configuration of its container
    client.py       `python -m adff_tf.export.client`: asks a server     __main__.py   the command line

Imports from adff_tf are relative (`from .. import features`); adff_tf imports nothing from here, and neither does `tuning`.
Importing this loads no TensorFlow.
"""
