"""Predictions on a whole catalogue: hundreds of thousands of files, on machines that get killed.

    settings.py      how a run uses its machines
    sources.py       folders, patterns and lists to paths, each once
    decoder.py       a process that decodes: a file that hangs or crashes it costs that file alone
    decoder_pool.py  the pool of those processes: paths to windows
    engine.py        the engine on one machine: windows of many files share batches
    ray_engine.py    the engine on a Ray cluster: `engine.py` in each actor
    table.py         rows, and their Parquet files, each whole or not at all
    run.py           the run: resumes what is in its folder, and writes the engine's rows

An engine maps paths to rows (`table.Row`). The engine and the batches change no value by more than
1e-5. The room needs the extra `score`, and TensorFlow for models other than `.tflite`.
"""
