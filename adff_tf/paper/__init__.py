"""The paper's tables, and what this machine measures beside them.

    published.py  the paper's numbers, as data
    grid.py       each table as a grid of entries: what is published, and the run that gives ours
    cells.py      the runs, one by one, shared among processes, never done twice
    estimate.py   how long they will take, from one measured step a shape of network
    tables.py     the tables in the paper's layout, from the folder's files alone

`python -m adff_tf.reproduce` is the command line. Importing this loads no TensorFlow.
"""
