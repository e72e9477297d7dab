"""Installs as `adff_tf.tuning`: the search over `seg_num`, `seg_len` and the rest of an experiment's settings.

    space.py    which settings are tried, narrowed by the user; from their values and a base to an `Experiment`
    trials.py   one trial: trained on some songs, scored on others by song; its seconds, its memory, why it failed
    oracles.py  KerasTuner's four algorithms, made to survive kills of the search, of the chief and of its workers
    search.py   search(): the folder, the split, KerasTuner's search alone or as chief and workers
    report.py   trials.csv, best.json, report.md, plots/, made from the folder's files
    __main__.py the command line, `python -m adff_tf.tuning`

Imports from adff_tf are relative (`from .. import config`); adff_tf imports nothing from here, and neither does `export`.
Importing this loads no TensorFlow.
"""
