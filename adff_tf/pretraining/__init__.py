"""Pre-training: ADFF learns the features of a music tagger on recordings without labels.

settings.py    every setting of a pre-training
recordings.py  files and folders to recordings, named by content, held out or not
augment.py     random changes of a waveform, before teacher and student see it
labelling.py   recordings to log-mels and targets on disk
windows.py     windows of labelled recordings, their targets, batches
student.py     the network, its loss, its explained variance
learning.py    the training: epochs, checkpoints, the best epoch
run.py         all of these together, in a folder
"""
