"""Installs as `adff_tf.export`: a trained run as artifacts that other programs load.

Nothing is here yet. What belongs here: the servable function from waveform to valence and arousal, SavedModel, TFLite, their
parity with the Keras model, the TensorFlow Serving kit and client, and the command line. Imports from adff_tf are relative
(`from .. import features`); adff_tf imports nothing from here, and neither does `tuning`.
"""
