"""The paper's tables, with the numbers measured on this machine beside the published ones.

    published.py  the paper's numbers, as data
    grid.py       every table as a grid: the published number and the run that measures ours
    table1.py     Table 1, with the models of other papers
    cells.py      the runs, shared among processes, each done once
    leases.py     which process works on which run
    estimate.py   the hours that the runs will take
    cost.py       seconds of a training step, by a fitted model
    work.py       the work of a training step, counted from the settings
    results.py    our numbers, read from the finished runs
    significance.py  whether rows of Table 1 differ
    choices.py    what the paper leaves open, and the settings that differ from the paper's
    tables.py     the tables as Markdown and CSV
    figures.py    the figures

`python -m adff_tf.reproduce` is the program. Importing this package loads no TensorFlow.
"""
