"""Damaged files by the hundred: recordings through decoding processes; models, settings and lists
through their loaders.

A case depends on its index alone, so that a failure can be repeated: `mutated(original, index)`.
"""

import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from adff_tf.catalogue import sources
from adff_tf.catalogue.decoder import Setup
from adff_tf.catalogue.decoder_pool import SLOTS, DecodedWindow, DecoderPool
from adff_tf.errors import InputError
from adff_tf.inference.backends import locate
from adff_tf.inference.model import EmotionModel
from adff_tf.model.model_file import load_network

from ..artifacts import RATE, flatbuffer, music, save_run
from ..artifacts import write as write_tflite
from ..audio.test_audio import encode, write

GROWTH_MB = 300  # of a decoder's memory, from the first damaged file to the last

# === The mutator ===


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 4, 64])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_head(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 2, 8])):
        data[rng.randrange(min(len(data), 128))] = rng.choice(
            [0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)]
        )


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _remove(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice([1, 100, 5000])]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice([1, 100, 5000]))


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.choice([4, 400, 20000])]


def _zero(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    size = len(data[at : at + rng.choice([4, 400, 20000])])
    data[at : at + size] = bytes(size)


def _number(data: bytearray, rng: random.Random) -> None:
    """Put a number into the head that no header should hold."""
    at = rng.randrange(min(len(data), 256))
    value = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x00FFFFFF, 65535])
    data[at : at + 4] = value.to_bytes(4, rng.choice(["little", "big"]))


MUTATIONS = (_flip, _flip_head, _cut, _remove, _insert, _repeat, _zero, _number)


def mutated(original: bytes, number: int) -> bytes:
    rng, data = random.Random(number), bytearray(original)
    for _ in range(rng.choice([1, 1, 2, 4])):
        if data:
            rng.choice(MUTATIONS)(data, rng)
    return bytes(data)


# === Recordings ===


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    samples = np.stack([music(1.5, 1), music(1.5, 2)], axis=1)
    files = [write(folder / f"a.{suffix}", samples) for suffix in ("mp3", "flac", "ogg", "wav")]
    files.append(encode(folder / "a.m4a", "aac", samples, RATE))
    return {file.suffix: file.read_bytes() for file in files}


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_recordings_decode_or_have_a_reason(originals, tmp_path, count):
    setup = Setup(RATE, window=RATE, hop=RATE // 2, slots=SLOTS)
    kinds, wrong, good, memory = list(originals.items()), [], 0, []

    def cases():
        for number in range(count):
            suffix, original = kinds[number % len(kinds)]
            file = tmp_path / f"{number}{suffix}"
            file.write_bytes(mutated(original, number))
            yield os.fsencode(file)

    with DecoderPool(setup, 2, patience_s=20) as pool:
        for event in pool.decode(cases()):
            if isinstance(event, DecodedWindow):
                assert np.isfinite(event.samples).all() and np.abs(event.samples).max() <= 100
                continue
            os.unlink(event.path)
            error = event.info.error
            good += not error
            if error.startswith("its decoder") or error.partition(" ")[0].endswith("Error:"):
                wrong.append(f"{os.path.basename(event.path).decode()}: {error}")
            memory.append(sum(_peak_mb(process) for process in pool._processes))
    assert not wrong, "\n".join(wrong)
    growth = memory[-1] - memory[count // 10]
    assert 0 < good < count and growth < GROWTH_MB, (good, memory[:: count // 10])
    assert not list(tmp_path.iterdir()), "something was written"


def _peak_mb(process) -> float:
    status = Path(f"/proc/{process._process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3 if "VmHWM:" in status else 0.0


# === Models, settings and lists ===


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("fuzz") / "run")


def loads_or_says_why(load, folder: Path, wrong: list[str], name: str) -> bool:
    """Return whether `load` succeeds; note errors other than InputError, and files that appear."""
    before = held(folder)
    try:
        load()
    except InputError as error:
        if not str(error).strip():
            wrong.append(f"{name}: an error without a message")
        return False
    except BaseException as error:  # the finding
        wrong.append(f"{name}: {type(error).__name__}: {error}")
        return False
    finally:
        if held(folder) != before:
            wrong.append(f"{name}: wrote {held(folder) ^ before}")
    return True


def held(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def predict(path: Path) -> None:
    outputs = EmotionModel.load(path, threads=1).predict_windows(music(1.0)[None])
    assert set(outputs) == {"valence", "arousal"}, "other outputs"


@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_damaged_keras_files(run, tmp_path, count):
    content, wrong = (run / "model.keras").read_bytes(), []
    shutil.copy(run / "config.json", tmp_path)
    for number in range(count):
        (tmp_path / "model.keras").write_bytes(
            mutated(content, number) if number % 2 else inside(content, number)
        )
        loads_or_says_why(lambda: predict(tmp_path), tmp_path, wrong, f"case {number}")
    assert not wrong, "\n".join(wrong)


def inside(archive: bytes, number: int) -> bytes:
    """Return the archive with one damaged member, whose checksum is right."""
    import io

    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = random.Random(number).choice(list(members))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for member, content in members.items():
            new.writestr(member, mutated(content, number) if member == name else content)
    return out.getvalue()


@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_damaged_settings(run, tmp_path, count):
    content, wrong = (run / "config.json").read_bytes(), []
    (tmp_path / "model.keras").symlink_to(run / "model.keras")
    for number in range(count):
        (tmp_path / "config.json").write_bytes(mutated(content, number))
        loads_or_says_why(lambda: locate(tmp_path), tmp_path, wrong, f"case {number}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def tflite(run, tmp_path_factory):
    file = tmp_path_factory.mktemp("tflite") / "model.tflite"
    return write_tflite(file, *flatbuffer(run)).read_bytes()


@pytest.mark.parametrize("count", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_damaged_tflite_files(tflite, tmp_path, count):
    wrong: list[str] = []
    for number in range(count):
        tail = len(tflite) - 2000  # the description behind the model
        start = 0 if number % 2 else tail
        damaged, file = mutated(tflite[start:], number), tmp_path / "model.tflite"
        file.write_bytes(tflite[:start] + damaged)
        loads_or_says_why(
            lambda: predict(tmp_path / "model.tflite"), tmp_path, wrong, f"case {number}"
        )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind, count", [("parquet", 50), ("csv", 50)])
def test_damaged_lists(tmp_path, kind, count):
    table = pd.DataFrame({"path": [f"songs/{k}.mp3" for k in range(300)]})
    file, wrong = tmp_path / f"list.{kind}", []
    table.to_parquet(file) if kind == "parquet" else table.to_csv(file, index=False)
    content = file.read_bytes()
    for number in range(count):
        file.write_bytes(mutated(content, number))
        loads_or_says_why(lambda: sources.find([str(file)]), tmp_path, wrong, f"case {number}")
    assert not wrong, "\n".join(wrong)


# === Hostile model files ===


def test_an_archive_writes_nothing_outside(run, tmp_path):
    folder = tmp_path / "deep" / "run"
    shutil.copytree(run, folder)
    with zipfile.ZipFile(folder / "model.keras", "a") as archive:
        for name in (
            "../outside.txt",
            "assets/../../../outside.txt",
            f"{tmp_path}/outside.txt",
            "_layer_checkpoint/../../outside.txt",
        ):
            archive.writestr(name, "harm")
    before = held(tmp_path)
    loads_or_says_why(lambda: predict(folder), tmp_path, [], "archive")
    assert held(tmp_path) == before and not Path("/tmp/outside.txt").exists()


HARM = "import pathlib; pathlib.Path({!r}).touch()"


def _lambda(evil: str) -> dict:
    """Return a layer whose function is stored as bytecode."""
    layer = keras.layers.Lambda(eval(f"lambda x: exec({evil!r}) or x"))
    return keras.saving.serialize_keras_object(layer)


def _layer(module: str, name: str, config, registered_name: str | None):
    """Return a function that makes a layer of another class; `{}` stands for the harm."""

    def make(evil: str) -> dict:
        stated = config.format(evil) if isinstance(config, str) else config
        return {
            "module": module, "class_name": name, "config": stated,
            "registered_name": registered_name,
        }  # fmt: skip

    return make


@pytest.mark.parametrize(
    "harm",
    [
        _lambda,
        _layer("builtins", "exec", "{}", None),
        _layer("os", "system", "touch {}", "system"),
        _layer("subprocess", "Popen", {"args": ["true"]}, None),
        _layer("builtins", "function", "exec", "function"),
        lambda evil: {"class_name": "__lambda__", "config": {"value": "AAAA"}},
    ],
)
def test_a_model_that_brings_code_is_refused(run, tmp_path, harm):
    import io

    content = (run / "model.keras").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    config = json.loads(members["config.json"])
    touched = tmp_path / "touched"
    layers = config["config"]["layers"]
    layers[-1] = {**layers[-1], **harm(HARM.format(str(touched)))}
    members["config.json"] = json.dumps(config).encode()
    shutil.copy(run / "config.json", tmp_path)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as new:
        for name, member in members.items():
            new.writestr(name, member)
    with pytest.raises(InputError, match="is damaged or no model|holds another network than ADFF"):
        EmotionModel.load(tmp_path)
    with pytest.raises(InputError, match="is damaged or no model"):  # by Keras itself
        load_network(tmp_path / "model.keras")
    assert not touched.exists()
