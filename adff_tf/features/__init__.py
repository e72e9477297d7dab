"""An index of recordings to batches for training.

store.py     log-mels, one file a recording, named by content
tracks.py    an index with its log-mels
stems.py     tracks with the log-mels of their separated sources
embedding.py MusiCNN's embedding of tracks
segments.py  tracks to segments
batches.py   segments to tf.data batches
"""
