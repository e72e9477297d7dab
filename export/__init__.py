"""A trained run as artifacts that other programs load. Installs as `adff_tf.export`.

    __main__.py            the program `adff-export`
    artifacts.py           `export`: the folder, written whole or not at all
    trained_model.py       the model, its description and its reference predictions
    comparison_windows.py  music and stress windows
    parity.py              differences from the Keras model, and their bounds
    saved_model.py         the SavedModel and its signatures
    tflite.py              the TFLite files
    hub.py                 the folder for the Hugging Face Hub
    warmup.py              warm-up requests for TensorFlow Serving
    serving/               configuration of TensorFlow Serving's container
    client.py              the program `adff-client`: predicts by TensorFlow Serving
    server.py              a served model: its description, its backend, errors
    grpc_server.py, rest_server.py   the two protocols

Imports from adff_tf are absolute. Neither adff_tf nor `tuning` imports this room.
Importing this package loads no TensorFlow.
"""
