"""Installs as `adff_tf.tuning`: a search over `seg_num`, `seg_len` and other settings.

    space.py     the settings that a search varies and their values, narrowed by the user
    plan.py      base, space, algorithm and budget; from a trial's values to an `Experiment`
    trials.py    one trial: training and scoring, seconds and memory, the reason of a failure
    oracles.py   KerasTuner's four algorithms, made to survive kills of search, chief and workers
    workers.py   chief and workers: roles, addresses, KerasTuner's environment variables
    search.py    search(): the folder, the split, KerasTuner's search
    results.py   trials.csv and best.json, read from the folder's files
    report.py    report.md and plots/        plots.py    the figures
    __main__.py  the command line, `python -m adff_tf.tuning`

Imports from adff_tf are absolute. Neither adff_tf nor `export` imports
this room. Importing the room loads no TensorFlow.
"""
