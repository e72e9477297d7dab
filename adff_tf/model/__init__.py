"""The network, from waveform to outputs.

log_mel.py     waveform to log-mel in TensorFlow, the reference
numpy_log_mel.py  the same in NumPy
layers.py      the paper's layers
lstm.py        the Bi-LSTM with one time loop for both directions
network.py     ADFF: levels, fusion, head
networks.py    every network behind one interface
emomucs.py     EmoMucs's source models
mlem.py        MLEM's network
musicnn.py     MusiCNN in Keras, and the same in NumPy
musicnn_linear.py  a linear model on its embedding
musicnn_files.py  its checkpoint: where it lies, and whether it is whole
convert.py     waveform to outputs as a TFLite FlatBuffer
model_file.py  `model.keras` and the settings beside it
shipped.py     the model that ships with the package
servable.py    waveform to outputs as one TensorFlow function, saved with a run
"""
