"""An export: a trained run as a folder of artifacts, whole or not at all.

saved_model/1/               for TensorFlow Serving, see saved_model.py
adff_float32.tflite …        for devices, see tflite.py
adff_litert.py               runs them without TensorFlow (adff_tf/litert.py), with requirements.txt
serving/                     configuration of a TensorFlow Serving container
model.keras, config.json     what all of it was made from, so that it can be made again; model_card.md where the run has one
adff.json                    the description that every artifact carries (about.py)
parity.json                  written last: how each artifact agrees with model.keras
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
import numpy as np
import tensorflow as tf

from .. import datasets, litert
from ..config import Experiment
from ..errors import InputError
from ..inference import model as inference_model
from ..model import log_mel, model_file, servable
from ..model.network import build_adff
from ..support import claims
from ..support.console import SILENT, Reporter, silence_stderr
from ..support.files import check_empty, expand_user
from . import about, parity, saved_model, tflite, warmup, windows

Format = Literal["saved_model", "tflite"]
COMPARED, CALIBRATED = (
    24,
    32,
)  # windows of music to compare on, beside the hostile ones, and to calibrate on


@dataclass(frozen=True)
class Export:
    """A finished export: its folder, how each artifact agrees with the model, and the content of `parity.json`."""

    folder: Path
    artifacts: tuple[parity.Parity, ...]
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
    """Write a trained run's artifacts into `folder` and compare each with the Keras model.

    model: a run folder or a `model.keras` in one. Nothing is left of an export that is stopped; what one leaves that is killed goes
    with the next. Raises InputError for a model that cannot be used, before any work for a folder that is not empty or that another
    export is writing, and for a full disk.
    """
    folder = expand_user(folder)
    for found, what in (
        (folder.resolve() == Path.cwd(), "the current folder"),
        (os.path.ismount(folder), "a file system of its own"),
    ):
        if found:  # the export takes the place of its folder
            raise InputError(f"--out {folder} is {what}; give a folder in it or elsewhere")
    check_empty(folder, "the export")
    file, experiment = model_file.find_model(model)
    with _partial(folder) as partial, servable.explain_full_disk(folder, goes_on=False):
        source = _Source.of(file, experiment)
        reporter.log(f"comparing on {len(source.windows)} windows: {source.music} and hostile ones")
        made = [
            found
            for form in dict.fromkeys(formats)
            for found in _FORMS[form](source, partial, reporter)
        ]
        _lay_beside(source, partial, formats)
        report = _report(source, made)
        (partial / "parity.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
    return Export(folder, tuple(made), report)


@contextlib.contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write to, `.NAME.part`; it takes the place of `folder` when the block ends without an error.

    Held by a claim in it meanwhile: of two exports to one place the second is refused, and what a killed one left is removed.
    """
    place = folder.resolve()  # a link stays one
    partial = place.with_name(f".{place.name}.part")
    is_ours = (
        partial.is_dir()
        and not partial.is_symlink()
        and (not any(partial.iterdir()) or any(partial.glob("export.claim-*")))
    )
    if os.path.lexists(partial) and not is_ours:
        raise InputError(
            f"{partial} is in the way, where the export is written first; remove it, or give another folder by --out"
        )
    with _writing(folder):
        partial.mkdir(parents=True, exist_ok=True)
    with claims.held(partial / "export", f"an export to {folder}") as claim:
        try:
            for old in set(partial.iterdir()) - {claim.file}:
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            yield partial
            with _writing(folder):
                os.replace(partial, place)
            (place / claim.file.name).unlink()
        finally:
            if not claim.check():
                shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}; give another folder by --out"
        ) from None


# === What is exported ===


@dataclass(frozen=True)
class _Source:
    """A trained model, what its artifacts say of themselves, and the windows that they are compared on.

    network: float32 and without cuDNN. music: where the windows are from. wanted: the Keras model's answers to `windows`.
    """

    file: Path
    experiment: Experiment
    network: keras.Model
    about: dict
    music: str
    windows: dict[str, np.ndarray]
    wanted: dict[str, np.ndarray]

    @classmethod
    def of(cls, file: Path, experiment: Experiment) -> "_Source":
        network = servable.without_cudnn(model_file.load_network(file))
        _check_network(file, network, experiment)
        told = about.about(experiment, _terms(model_file.run_folder_of(file)))
        music, found = windows.of_music(
            model_file.run_folder_of(file), COMPARED, told["window"], told["sample_rate_hz"], seed=0
        )
        named = {f"{windows.MUSIC} {k}": window for k, window in enumerate(found)}
        named |= windows.hostile(told["window"], told["sample_rate_hz"])
        wanted = parity.reference(
            inference_model.EmotionModel.of(network, experiment).answer, named
        )
        inference_model.check_finite(wanted)
        return cls(file, experiment, network, told, music, named, wanted)

    def calibration(self) -> list[np.ndarray]:
        """Windows of music to calibrate on, drawn apart from those that are compared on."""
        return windows.of_music(
            model_file.run_folder_of(self.file),
            CALIBRATED,
            self.about["window"],
            self.about["sample_rate_hz"],
            seed=1,
        )[1]

    def log_mels(self) -> dict[str, np.ndarray]:
        """The windows as log-mels `(frames, mels)`."""
        frontend, frames = self.experiment.frontend, self.experiment.frames
        return {
            name: log_mel.log_mel(window[None], frontend)[0, :frames].numpy()
            for name, window in self.windows.items()
        }


def _check_network(file: Path, network: keras.Model, experiment: Experiment) -> None:
    """Raise InputError where the settings, which the artifacts state, are of another network."""
    described = [weight.shape for weight in build_adff(experiment, "float32").weights]
    if described != [weight.shape for weight in network.weights]:
        raise InputError(
            f"{file} and the config.json of its run do not belong together: the settings of network and segments there describe "
            "another network. Copy both from the run again"
        )


def _terms(run: Path) -> str:
    """Licence and citation of the data: of the source that a run's metrics.json tells, or as an export's description has them.

    Raises InputError where that file is damaged.
    """
    for file, read in (
        (run / "metrics.json", lambda told: datasets.terms(told["source"])),
        (run / about.FILE, lambda told: told["terms"]),
    ):
        if file.is_file():
            try:
                return read(json.loads(file.read_text()))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(
                    f"{file} is damaged ({type(error).__name__}: {error}); copy it from the run again"
                ) from None
    return "not known: the run has no metrics.json"


# === Artifacts ===


def _saved_model(source: _Source, folder: Path, reporter: Reporter) -> Iterator[parity.Parity]:
    reporter.log("saved_model …")
    place = folder / "saved_model" / "1"
    saved_model.write(source.network, source.experiment, source.about, place)
    warmup.write(place, source.about)
    signatures = tf.saved_model.load(str(place)).signatures
    by_waveform, by_log_mel = signatures["serving_default"], signatures["log_mel"]
    yield parity.compare(
        "saved_model", lambda window: by_waveform(waveform=window), source.windows, source.wanted
    )
    yield parity.compare(
        "saved_model/log_mel",
        lambda window: by_log_mel(log_mel=window),
        source.log_mels(),
        source.wanted,
    )


def _tflite(source: _Source, folder: Path, reporter: Reporter) -> Iterator[parity.Parity]:
    for name, content in tflite.files(
        source.network, source.experiment, source.about, source.calibration()
    ):
        reporter.log(f"{name} …")
        (folder / name).write_bytes(content)
        if "log_mel" in name:
            yield parity.compare(
                name, tflite.answering(folder / name), source.log_mels(), source.wanted
            )
        else:
            with silence_stderr():  # of the delegate that it makes
                answer = litert.EmotionRunner.load(folder / name).answer
            yield parity.compare(
                name, lambda window, answer=answer: answer(window[0]), source.windows, source.wanted
            )
    shutil.copyfile(litert.__file__, folder / "adff_litert.py")
    (folder / "requirements.txt").write_text("\n".join(litert.REQUIREMENTS) + "\n")


_FORMS = {"saved_model": _saved_model, "tflite": _tflite}


def _lay_beside(source: _Source, folder: Path, formats: Sequence[Format]) -> None:
    """What the artifacts were made from, what they say of themselves, and how to serve them."""
    shutil.copyfile(source.file, folder / "model.keras")
    (folder / "config.json").write_text(source.experiment.to_json())
    (folder / about.FILE).write_text(json.dumps(source.about, indent=2) + "\n")
    card = model_file.run_folder_of(source.file) / "model_card.md"
    if card.is_file():
        shutil.copyfile(card, folder / card.name)
    if "saved_model" in formats:
        shutil.copytree(
            Path(__file__).with_name("serving"),
            folder / "serving",
            ignore=shutil.ignore_patterns("__pycache__"),
        )


def _report(source: _Source, made: Sequence[parity.Parity]) -> dict:
    """The content of parity.json."""
    spread = parity.spread(source.wanted)
    return {
        "passed": all(found.is_within for found in made if not found.may_miss),
        "windows": {"music": source.music, "names": list(source.windows)},
        "spread": spread,
        "telling": min(spread.values()) >= parity.TELLING,
        "artifacts": {found.artifact: found.as_dict() for found in made},
        "made_with": {
            "adff_tf": source.about["adff_tf"],
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
