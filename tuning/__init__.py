"""Installs as `adff_tf.tuning`: the search over `seg_num`, `seg_len` and the rest of an experiment's settings.

Nothing is here yet. What belongs here: the search space as one function from hyperparameters and a base `Experiment` to an
`Experiment`, the KerasTuner run over `adff_tf.training`, its report, and the command line. Imports from adff_tf are relative
(`from .. import config`); adff_tf imports nothing from here, and neither does `export`.
"""
