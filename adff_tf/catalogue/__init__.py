"""A whole catalogue scored: hundreds of thousands of files, some broken, on machines that get killed.

    sources.py   folders, globs and lists  ->  the paths, each once
    worker.py    a process of its own that decodes: what hangs or crashes there costs one file
    decoding.py  the pool of those processes: paths -> windows, and how each file ended
    models.py    a run, an export's SavedModel or a .tflite -> EmotionModel
    local.py     the engine on one machine: decoding and network at once, windows of many files in one batch
    on_ray.py    the engine on a Ray cluster: `local.py` in an actor a machine or GPU
    table.py     the rows, and Parquet files of them, whole or not at all
    run.py       the run: what is done already, the engine, what it gives to disk

An engine is a function from paths to rows (`table.Row`); whichever it is, and however windows share batches, the values are the
same within 1e-5.
"""
