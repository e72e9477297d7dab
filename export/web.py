"""A trained model with the page that shows its answers, as a folder for any static host.

index.html, page.js, page.css    the page
adff.js, worker.js, capture.js   the model in a worker, for pages of one's own too
litert_wasm_*                    LiteRT's WebAssembly
model.tflite                     adff_int8.tflite under another name
"""

import shutil
from pathlib import Path

from adff_tf.page.built import MODEL, find_static

from . import tflite
from .trained_model import TrainedModel

FOLDER = "web"


def write(trained: TrainedModel, folder: Path) -> Path:
    """Write the page's folder of a trained model, and return the model's file.

    Args:
        trained: the model.
        folder: new; the folder above may hold an export's adff_int8.tflite.

    Raises:
        InputError: the page is not built.
    """
    shutil.copytree(find_static(), folder)
    settings = trained.network, trained.experiment, trained.description
    (folder / MODEL).write_bytes(tflite.one_file("int8", folder.parent, *settings))
    return folder / MODEL
