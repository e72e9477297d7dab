"""An index of recordings to batches for training.

store.py     log-mels, one file a recording, named by content
tracks.py    an index with its log-mels
segments.py  tracks to segments
batches.py   segments to tf.data batches
"""
