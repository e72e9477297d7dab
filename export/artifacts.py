"""An export: a trained run as a folder of artifacts, written whole or not at all.

saved_model/1/               for TensorFlow Serving, see saved_model.py
adff_float32.tflite …        for devices, see tflite.py
hub/                         for the Hugging Face Hub, see hub.py
web/                         a page for any static host, see web.py
example.py                   predicts by a .tflite, with requirements.txt
serving/                     configuration of a TensorFlow Serving container
model.keras, config.json     the source of the artifacts; model_card.md where the run has one
trained_on.csv               content keys of the training tracks, where the run has an index.csv
adff.json                    the description that every artifact carries (`inference.description`)
parity.json                  written last: how far each artifact differs from model.keras
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from adff_tf import __version__
from adff_tf.errors import InputError
from adff_tf.inference.description import FILE
from adff_tf.inference.hub import TFLITE, import_hub
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable
from adff_tf.model.model_file import find_model, load_network
from adff_tf.page.built import find_static
from adff_tf.support.console import SILENT, Reporter
from adff_tf.support.files import check_empty, expand_user
from adff_tf.support.locks import LOCK, lock_folder

from . import saved_model, tflite, warmup, web
from .parity import INFORMATIVE_STD, Parity, compare, prediction_std
from .trained_model import TRAINED_ON, TrainedModel

Format = Literal["saved_model", "tflite", "hub", "web"]

EXAMPLE = '''"""Predict the emotion of a song: python example.py adff_int8.tflite song.wav"""

import sys

from adff_tf import EmotionModel

model = EmotionModel.load(sys.argv[1])
emotion = model.predict(sys.argv[2])
print(emotion.label or emotion.values)  # the class, or valence and arousal from -1 to 1
print(emotion.curve[0])  # the first window of the curve
'''
REQUIREMENTS = f"adff-tf>={__version__}\n"


@dataclass(frozen=True)
class Export:
    """A finished export.

    Attributes:
        folder: the artifacts' folder.
        artifacts: the parity of each artifact.
        report: the content of `parity.json`.
    """

    folder: Path
    artifacts: tuple[Parity, ...]
    report: dict

    @property
    def passed(self) -> bool:
        return self.report["passed"]


def export(
    model: str | Path,
    folder: str | Path,
    formats: Sequence[Format] = ("saved_model", "tflite"),
    reporter: Reporter = SILENT,
) -> Export:
    """Write a trained run's artifacts, and compare each with the Keras model.

    An export that is stopped leaves nothing. After `kill -9`, the next export removes what was
    left.

    Args:
        model: a run folder or a `model.keras` in one.
        folder: for the artifacts, new or empty.
        formats: kinds of artifact.
        reporter: receives the progress.

    Raises:
        LockedError: another export writes to `folder`.
        InputError: a model that cannot be used, a folder that is not empty, a full disk, `hub`
            without huggingface_hub, or `web` in a checkout where the page is not built.
    """
    if "hub" in formats:
        import_hub()  # raises before any work
    if "web" in formats:
        find_static()
    folder = expand_user(folder)
    if folder.resolve() == Path.cwd():  # the export replaces its folder
        raise InputError(f"`out` {folder} is the current folder; give a folder in it or elsewhere")
    check_empty(folder, "the export")
    file, experiment = find_model(model)
    with _partial_folder(folder) as partial, servable.explain_full_disk(folder, is_resumable=False):
        trained = TrainedModel.load(file, experiment)
        reporter.log(
            f"comparing on {len(trained.windows)} windows: {trained.music_source} and "
            "stress windows"
        )
        artifacts = [
            parity
            for name in dict.fromkeys(formats)
            for parity in _WRITERS[name](trained, partial, reporter)
        ]
        _write_companions(trained, partial, formats)
        report = _report(trained, artifacts)
        (partial / "parity.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
    return Export(folder, tuple(artifacts), report)


@contextlib.contextmanager
def _partial_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder, and rename it to `folder` when the block succeeds.

    The new folder lies in `.NAME.part` beside `folder`. `.NAME.part` is locked during the block and
    removed at its end.
    """
    place = folder.resolve()  # a link stays a link
    locked = place.with_name(f".{place.name}.part")
    partial = locked / place.name
    with contextlib.ExitStack() as stack:
        with _explain_os_errors(folder):
            check_empty(locked, "the export", may_hold=[LOCK, partial.name])
            locked.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_folder(locked, "an export"))
        stack.callback(shutil.rmtree, locked, ignore_errors=True)
        with _explain_os_errors(folder):
            shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
            partial.mkdir()
        yield partial
        with _explain_os_errors(folder):
            os.replace(partial, place)


@contextlib.contextmanager
def _explain_os_errors(folder: Path) -> Iterator[None]:
    """Turn the system's refusal to use the folder into InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; give another folder by `out`"
        ) from None


# === Artifacts ===


def _write_saved_model(trained: TrainedModel, folder: Path, reporter: Reporter) -> Iterator[Parity]:
    reporter.log("saved_model …")
    version = folder / "saved_model" / "1"
    saved_model.write(trained.network, trained.experiment, trained.description, version)
    warmup.write(version, trained.description)
    signatures = tf.saved_model.load(str(version)).signatures
    by_waveform, by_log_mel = signatures["serving_default"], signatures["log_mel"]
    yield compare(
        "saved_model",
        lambda window: by_waveform(waveform=window),
        trained.windows,
        trained.reference,
    )
    yield compare(
        "saved_model/log_mel",
        lambda window: by_log_mel(log_mel=window),
        trained.log_mels(),
        trained.reference,
    )


def _write_tflite(trained: TrainedModel, folder: Path, reporter: Reporter) -> Iterator[Parity]:
    calibration = trained.calibration_windows()
    for name, content in tflite.files(
        trained.network, trained.experiment, trained.description, calibration
    ):
        reporter.log(f"{name} …")
        file = folder / name
        file.write_bytes(content)
        if "log_mel" in name:
            predict, windows = tflite.load_function(file), trained.log_mels()
        else:
            predict, windows = EmotionModel.load(file).predict_windows, trained.windows
        yield compare(name, predict, windows, trained.reference)
    (folder / "example.py").write_text(EXAMPLE)
    (folder / "requirements.txt").write_text(REQUIREMENTS)


def _write_hub(trained: TrainedModel, folder: Path, reporter: Reporter) -> Iterator[Parity]:
    from . import hub  # needs the extra

    reporter.log("hub …")
    place = folder / hub.FOLDER
    hub.write(trained, place)
    network = servable.without_cudnn(load_network(place))
    for name, model in (
        (hub.FOLDER, EmotionModel.from_network(network, trained.experiment)),
        (f"{hub.FOLDER}/{TFLITE}", EmotionModel.load(place)),
    ):
        yield compare(name, model.predict_windows, trained.windows, trained.reference)


def _write_web(trained: TrainedModel, folder: Path, reporter: Reporter) -> Iterator[Parity]:
    reporter.log("web …")
    model = web.write(trained, folder / web.FOLDER)
    predict = EmotionModel.load(model).predict_windows
    yield compare(web.FOLDER, predict, trained.windows, trained.reference)


_WRITERS = {
    "saved_model": _write_saved_model,
    "tflite": _write_tflite,
    "hub": _write_hub,
    "web": _write_web,
}


def _write_companions(trained: TrainedModel, folder: Path, formats: Sequence[Format]) -> None:
    """Write the files beside the artifacts that every format shares, and the server's settings."""
    shutil.copyfile(trained.file, folder / "model.keras")
    (folder / "config.json").write_text(trained.experiment.to_json())
    content = json.dumps(trained.description, indent=2) + "\n"
    (folder / FILE).write_text(content)
    card = trained.run / "model_card.md"
    if card.is_file():
        shutil.copyfile(card, folder / card.name)
    if trained.trained_on is not None:
        trained.trained_on.to_csv(folder / TRAINED_ON, index=False)
    if "saved_model" in formats:
        kit = Path(__file__).with_name("serving")
        shutil.copytree(kit, folder / "serving", ignore=shutil.ignore_patterns("__pycache__"))


def _report(trained: TrainedModel, artifacts: Sequence[Parity]) -> dict:
    """Return the content of parity.json."""
    std = prediction_std(trained.reference)
    return {
        "passed": all(parity.is_within for parity in artifacts if not parity.may_miss),
        "windows": {"music": trained.music_source, "names": list(trained.windows)},
        "prediction_std": std,
        "informative": min(std.values()) >= INFORMATIVE_STD,
        "artifacts": {parity.artifact: parity.as_dict() for parity in artifacts},
        "made_with": {
            "adff_tf": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
