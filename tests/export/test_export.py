"""Exports: every artifact against the Keras model and against other loaders, what is in the folder, and what is refused."""

import errno
import functools
import hashlib
import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.core.protobuf import saved_model_pb2

from adff_tf import presets
from adff_tf.errors import InputError
from adff_tf.export import __main__ as command
from adff_tf.export import artifacts, parity, tflite, windows
from adff_tf.export.artifacts import export
from adff_tf.inference.model import EmotionModel
from adff_tf.model.model_file import load_network
from adff_tf.model.network import build_adff

from .. import commands, tiny
from ..inference.test_model import RATE, WINDOW, music, save_run

TFLITE = ["adff_float16.tflite", "adff_float32.tflite", "adff_int8.tflite", "adff_int8_full.tflite"]


@pytest.fixture(scope="module", params=["both", "quadrant"])
def exported(request, tmp_path_factory):
    """A run, its model, and its export."""
    folder = tmp_path_factory.mktemp(request.param)
    run = save_run(folder / "run", request.param)
    return run, EmotionModel.load(run), export(run, folder / "export")


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported[2].folder / "saved_model/1")).signatures


def some_windows(count: int = 3) -> np.ndarray:
    return np.stack([music(1.0, seed) for seed in range(count)])


# === The folder ===


def test_the_folder_holds_what_it_should(exported):
    run, _, done = exported
    held = {path.name for path in done.folder.iterdir()}
    beside = {
        "saved_model",
        "serving",
        "adff_litert.py",
        "requirements.txt",
        "model.keras",
        "config.json",
        "adff.json",
        "parity.json",
    }
    assert held == beside | set(TFLITE) | {"adff_log_mel_float32.tflite"}
    assert (done.folder / "model.keras").read_bytes() == (run / "model.keras").read_bytes()
    assert json.loads((done.folder / "parity.json").read_text()) == done.report
    assert (
        done.folder / "saved_model/1/assets.extra/tf_serving_warmup_requests"
    ).stat().st_size > 0
    assert not [path for path in done.folder.parent.iterdir() if path.name.startswith(".")]


def test_every_artifact_agrees_with_the_model(exported):
    done = exported[2]
    assert done.passed and len(done.report["windows"]["names"]) >= 32
    assert {found.artifact for found in done.artifacts if found.is_within} >= {
        "saved_model", "saved_model/log_mel", "adff_float32.tflite", "adff_float16.tflite", "adff_log_mel_float32.tflite"
    }  # fmt: skip
    assert len({found.worst for found in done.artifacts}) > 4  # each was asked for itself


# === SavedModel ===


def test_signatures_answer_as_the_model_for_any_batch(exported, signatures):
    _, model, _ = exported
    for batch in (1, 3):
        waveforms = some_windows(batch)
        wanted = model.answer(waveforms)
        found = signatures["serving_default"](waveform=tf.constant(waveforms))
        assert set(found) == set(wanted)
        for name, values in wanted.items():
            assert found[name].shape == values.shape
            np.testing.assert_allclose(found[name], values, atol=1e-5)


@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.3, 3.75])
def test_a_whole_recording_is_cut_as_prediction_cuts_it(exported, signatures, seconds):
    _, model, _ = exported
    waveform, hop_s = music(seconds, 4), 0.5
    wanted = model.predict(waveform, RATE, hop_s)
    found = signatures["recording"](
        waveform=tf.constant(waveform), hop=tf.constant(round(hop_s * RATE))
    )
    np.testing.assert_allclose(found["start"], wanted.start, atol=1e-4)
    for name, values in wanted.windows.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)


@pytest.mark.parametrize(
    "hop, samples", [(0, WINDOW), (-5, WINDOW), (WINDOW + 1, WINDOW), (100, 0)]
)
def test_a_recording_is_refused(signatures, hop, samples):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="hop is in samples|the waveform is empty"
    ):
        signatures["recording"](waveform=tf.zeros(samples), hop=tf.constant(hop))


@pytest.mark.parametrize("samples", [WINDOW - 1, WINDOW + 1, 2 * WINDOW, WINDOW // 2])
def test_what_is_no_window_is_refused(signatures, samples):
    """Neither a session nor a traced function holds its input to the declared shape by itself."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="EnsureShape"):
        signatures["serving_default"](waveform=tf.zeros((1, samples)))


def test_what_is_no_log_mel_of_a_window_is_refused(exported, signatures):
    experiment = exported[1].experiment
    with pytest.raises(tf.errors.InvalidArgumentError, match="EnsureShape"):
        signatures["log_mel"](
            log_mel=tf.zeros((1, experiment.frames + 1, experiment.frontend.mels))
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_window_that_is_no_number_spoils_no_other(signatures, bad):
    waveforms = some_windows(2)
    alone = signatures["serving_default"](waveform=tf.constant(waveforms[:1]))
    waveforms[1, 7] = bad
    for name, value in signatures["serving_default"](waveform=tf.constant(waveforms)).items():
        assert np.isnan(value[1]).all()
        np.testing.assert_allclose(value[0], alone[name][0], atol=1e-6)


def test_it_tells_what_it_is(exported, signatures):
    (told,) = signatures["about"](query=tf.constant([""]))["about"].numpy()
    told = json.loads(told)
    assert told == json.loads((exported[2].folder / "adff.json").read_text())
    assert (told["sample_rate_hz"], told["window"], told["frames"], told["mels"]) == (
        RATE,
        WINDOW,
        100,
        128,
    )
    assert told["task"] == exported[1].task.name and told["scale"] == [-1, 1]


def test_core_operations_alone(exported):
    """No custom operation and none of cuDNN: `tf.raw_ops` holds TensorFlow's own and no others."""
    found = saved_model_pb2.SavedModel.FromString(
        (exported[2].folder / "saved_model/1/saved_model.pb").read_bytes()
    )
    graph = found.meta_graphs[0].graph_def
    ops = {node.op for node in graph.node} | {
        node.op for function in graph.library.function for node in function.node_def
    }
    functions = {function.signature.name for function in graph.library.function}
    assert len(ops) > 30 and "Conv2D" in ops
    strangers = {op for op in ops - functions if not hasattr(tf.raw_ops, op)}
    assert not strangers and not [op for op in ops if "cudnn" in op.lower()]


def test_the_session_loader_of_tensorflow_serving(exported, tmp_path):
    """TensorFlow's C API, in a process that never imports TensorFlow."""
    _, model, done = exported
    place = done.folder / "saved_model/1"
    meta = saved_model_pb2.SavedModel.FromString(
        (place / "saved_model.pb").read_bytes()
    ).meta_graphs[0]
    signature, waveforms = meta.signature_def["serving_default"], some_windows(2)
    names = {name: tensor.name for name, tensor in signature.outputs.items()}
    np.savez(tmp_path / "in.npz", **{signature.inputs["waveform"].name: waveforms})
    library = Path(importlib.util.find_spec("tensorflow").origin).parent
    script = Path(__file__).parents[1] / "c_session.py"
    command = [
        sys.executable,
        script,
        library,
        place,
        tmp_path / "in.npz",
        tmp_path / "out.npz",
        *names.values(),
    ]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npz")
    for name, values in model.answer(waveforms).items():
        np.testing.assert_allclose(found[names[name]], values, atol=1e-5)


def test_saved_model_cli(exported, tmp_path):
    _, model, done = exported
    np.save(tmp_path / "waveform.npy", some_windows(1))
    tool = [
        sys.executable,
        "-m",
        "tensorflow.python.tools.saved_model_cli",
        "run",
        "--dir",
        str(done.folder / "saved_model/1"),
    ]
    asked = [
        "--tag_set",
        "serve",
        "--signature_def",
        "serving_default",
        "--inputs",
        f"waveform={tmp_path / 'waveform.npy'}",
    ]
    ran = subprocess.run([*tool, *asked, "--outdir", str(tmp_path)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for name, values in model.answer(some_windows(1)).items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), values, atol=1e-5)


# === TFLite ===


@pytest.mark.parametrize("name", [*TFLITE, "adff_log_mel_float32.tflite"])
def test_tflite_files(exported, name):
    _, model, done = exported
    content = (done.folder / name).read_bytes()
    about = json.loads(zipfile.ZipFile(done.folder / name).read("adff.json"))
    assert (
        content[4:8] == b"TFL3"
        and hashlib.sha256(content[: about["size"]]).hexdigest() == about["sha256"]
    )
    interpreter = Interpreter(model_path=str(done.folder / name))
    signature = interpreter.get_signature_list()["serving_default"]
    assert signature["inputs"] == ["log_mel" if "log_mel" in name else "waveform"]
    assert sorted(signature["outputs"]) == sorted(model.task.outputs)
    ops = {op["op_name"] for op in interpreter._get_ops_details()}
    assert len(ops) > 10 and not [op for op in ops if op.startswith("Flex") or "CUSTOM" in op]
    shapes = {tuple(tensor["shape"]) for tensor in interpreter.get_tensor_details()}
    assert (
        max(np.prod(shape) for shape in shapes) < 100 * 4096 * 2 + 1
    )  # no index of every sample of every frame


def test_int8_files_are_int8(exported):
    def pooled(name):
        """The types that the levels' pools work in."""
        tensors = Interpreter(model_path=str(exported[2].folder / name)).get_tensor_details()
        return {tensor["dtype"].__name__ for tensor in tensors if "MaxPool2d" in tensor["name"]}

    assert "int8" in pooled("adff_int8_full.tflite") and pooled("adff_int8.tflite") == pooled(
        "adff_float32.tflite"
    ) == {"float32"}
    size = {name: (exported[2].folder / name).stat().st_size for name in TFLITE}
    assert size["adff_int8.tflite"] < size["adff_float16.tflite"] < size["adff_float32.tflite"]


# === Parity ===


def test_parity_is_counted_over_every_window_and_output():
    asked = {
        "music 0": np.zeros(3, "float32"),
        "b": np.ones(3, "float32"),
        "music 1": np.ones(3, "float32"),
    }
    wanted = {"valence": np.array([0.0, 0.5, 1.0]), "arousal": np.array([0.0, 0.0, 0.25])}
    found = parity.compare(
        "adff_int8.tflite",
        lambda window: {"valence": window.mean(), "arousal": np.zeros(1)},
        asked,
        wanted,
    )
    assert (found.worst, found.at, found.music) == (0.5, "b", 0.25) and found.mean == pytest.approx(
        0.75 / 6
    )
    assert not found.is_within and found.may_miss
    assert parity.spread(wanted) == {
        "valence": pytest.approx(np.std([0, 0.5, 1])),
        "arousal": pytest.approx(np.std([0, 0, 0.25])),
    }


def test_an_answer_that_is_no_number_is_not_within():
    asked = {"a": np.zeros(3, "float32"), "b": np.ones(3, "float32")}
    found = parity.compare(
        "saved_model", lambda _: {"valence": np.array([np.nan])}, asked, {"valence": np.zeros(2)}
    )
    assert not found.is_within and found.worst == np.inf and not found.may_miss


def test_an_int8_file_that_gives_no_numbers_fails():
    asked = {"music 0": np.zeros(3, "float32"), "b": np.ones(3, "float32")}
    found = parity.compare(
        "adff_int8.tflite",
        lambda _: {"valence": np.array([np.nan])},
        asked,
        {"valence": np.zeros(2)},
    )
    assert not found.is_within and not found.may_miss
    assert json.dumps(found.as_dict(), allow_nan=False) and found.as_dict()["worst"] is None


def test_hostile_windows_are_what_they_say():
    found = windows.hostile(WINDOW, RATE)
    assert len(found) == 8 and all(
        window.shape == (WINDOW,) and np.isfinite(window).all() for window in found.values()
    )
    assert not found["silence"].any() and set(np.unique(found["full-scale square wave"])) == {
        -1.0,
        1.0,
    }
    assert np.count_nonzero(found["impulse"]) == 1 and found[
        "noise at -90 dB"
    ].std() == pytest.approx(10 ** (-90 / 20), rel=0.1)


def test_music_is_the_runs_own_where_it_is_there(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(2 * WINDOW, 0.25), RATE)
    (tmp_path / "index.csv").write_text(
        f"track_id,path\na,{tmp_path / 'a.wav'}\nb,{tmp_path / 'gone.wav'}\n"
    )
    whence, found = windows.of_music(tmp_path, 4, WINDOW, RATE, 0)
    assert whence == "the run's recordings" and len(found) == 4
    np.testing.assert_allclose(found, 0.25, atol=1e-4)
    whence, found = windows.of_music(tmp_path / "nowhere", 2, WINDOW, RATE, 0)
    assert whence == "music made in code" and len(found) == 2 and found[0].std() > 1e-3
    assert not np.array_equal(
        found[0], windows.of_music(tmp_path / "nowhere", 2, WINDOW, RATE, 1)[1][0]
    )


# === The command, and what is refused ===


ask = functools.partial(commands.ask, command.main)


def test_the_command_prints_a_table_and_what_comes_next(tmp_path, capsys):
    """Of the one format that was asked for."""
    run = save_run(tmp_path / "run")
    status, out, err = ask([run, "--out", tmp_path / "out", "--formats", "tflite"], capsys)
    assert status == 0 and not err, err
    table = [line.split() for line in out.splitlines() if line.startswith("adff_")]
    assert sorted(row[0] for row in table if len(row) > 2) == sorted(
        [*TFLITE, "adff_log_mel_float32.tflite"]
    )
    assert "adff_litert.py" in out and "docker" not in out and "hardly differ" in out  # untrained
    assert (
        not (tmp_path / "out" / "saved_model").exists()
        and not (tmp_path / "out" / "serving").exists()
    )


def test_an_artifact_beyond_its_bound_fails_the_export(tmp_path, capsys, monkeypatch):
    run = save_run(tmp_path / "run")
    monkeypatch.setitem(parity.WORST, "adff_float32", 1e-12)
    monkeypatch.setitem(parity.MEAN, "adff_int8", 1e-12)
    status, out, _ = ask([run, "--out", tmp_path / "out", "--formats", "tflite"], capsys)
    report = json.loads((tmp_path / "out/parity.json").read_text())
    assert (
        status == 1
        and not report["passed"]
        and not report["artifacts"]["adff_float32.tflite"]["passed"]
    )
    assert (
        "beyond its bound of 1e-12, at " in out
        and "usable, but not as exact" in out
        and "next" not in out
    )
    monkeypatch.undo()
    monkeypatch.setitem(parity.MEAN, "adff_int8", 1e-12)
    assert ask([run, "--out", tmp_path / "marked", "--formats", "tflite"], capsys)[0] == 0


def test_what_cannot_be_exported(tmp_path, capsys):
    run = save_run(tmp_path / "run")
    (tmp_path / "unfinished").mkdir()
    shutil.copy(run / "config.json", tmp_path / "unfinished")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("mine")
    other = save_run(tmp_path / "other")
    (other / "config.json").write_text(tiny.experiment("quadrant").to_json())
    newer = save_run(tmp_path / "newer")
    config = json.loads((newer / "config.json").read_text())
    (newer / "config.json").write_text(json.dumps(config | {"unheard_of": 1}))
    (newer / "environment.json").write_text(json.dumps({"adff_tf": "9.0"}))
    faster = save_run(
        tmp_path / "faster"
    )  # as many frames of as many mels a window, so that the network takes them
    config["frontend"]["sample_rate_hz"] = 48000
    (faster / "config.json").write_text(json.dumps(config))
    damaged = save_run(tmp_path / "damaged")
    (damaged / "model.keras").write_bytes((run / "model.keras").read_bytes()[:5000])
    for arguments, told in (
        ([tmp_path / "unfinished", "--out", tmp_path / "x"], "model.keras is missing"),
        ([tmp_path / "nowhere", "--out", tmp_path / "x"], "there is no model"),
        ([run, "--out", tmp_path / "full"], "is not empty, and was left as it is"),
        ([run, "--out", run / "config.json"], "is a file"),
        ([run, "--out", run / "config.json" / "x"], "cannot be written: Not a directory"),
        ([other, "--out", tmp_path / "x"], "do not belong together"),
        ([newer, "--out", tmp_path / "x"], "made with adff-tf 9.0"),
        (
            [faster, "--out", tmp_path / "x"],
            "sample_rate_hz: 44100 in the model, 48000 in config.json",
        ),
        ([damaged, "--out", tmp_path / "x"], "is damaged or no model"),
        ([run, "--out", tmp_path / "x", "--formats"], "--formats"),
        ([run, "--out", tmp_path / "x", "--formats", "onnx"], "onnx"),
    ):
        status, _, err = ask(arguments, capsys)
        assert status == 2 and told in err and "Traceback" not in err, (arguments, err)
    assert (tmp_path / "full" / "kept.txt").read_text() == "mine" and not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "file, content, told",
    [
        ("metrics.json", "", "metrics.json is damaged"),
        ("metrics.json", "{}", "metrics.json is damaged .KeyError: 'source'"),
        ("index.csv", "", "index.csv is damaged"),
        ("index.csv", "track_id\na\n", "index.csv is damaged"),
        (
            "index.csv",
            "track_id,path\na,{folder}/config.json\n",
            "one of the run's recordings, which artifacts are compared on",
        ),
    ],
)
def test_a_damaged_run_is_told(tmp_path, file, content, told):
    run = save_run(tmp_path / "run")
    (run / file).write_text(content.replace("{folder}", str(run)))
    with pytest.raises(InputError, match=told):
        export(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_settings_of_another_network_and_a_model_of_no_numbers(tmp_path):
    run = save_run(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    for group, setting, value in (
        ("segments", "seg_num", 1),
        ("network", "width", 0.125),
        ("network", "lstm_units", 9),
    ):
        (run / "config.json").write_text(
            json.dumps(config | {group: config[group] | {setting: value}})
        )
        with pytest.raises(
            InputError, match="the settings of network and segments there describe another network"
        ):
            export(run, tmp_path / "out")
    (run / "config.json").write_text(json.dumps(config))
    network = load_network(run / "model.keras")
    network.get_layer("valence").set_weights([np.full((8, 1), np.nan), np.zeros(1)])
    network.save(run / "model.keras")
    with pytest.raises(InputError, match="answers valence with NaN"):
        export(run, tmp_path / "out")


def test_terms_of_a_source_and_of_an_export(tmp_path):
    (tmp_path / "metrics.json").write_text('{"source": "unheard 1.0"}')
    assert artifacts._terms(tmp_path) == "not known: unheard 1.0 is no data set of this version"
    (tmp_path / "metrics.json").unlink()
    assert artifacts._terms(tmp_path) == "not known: the run has no metrics.json"
    (tmp_path / "adff.json").write_text('{"terms": "ours"}')
    assert artifacts._terms(tmp_path) == "ours"


@pytest.mark.parametrize("what", ["file", "link", "folder"])
def test_what_is_not_an_exports_is_left_alone(tmp_path, what):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.txt").write_text("mine")
    place = tmp_path / ".out.part"
    if what == "file":
        place.write_text("mine")
    elif what == "link":
        place.symlink_to("mine")
    else:
        (tmp_path / "mine").rename(place)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"\.out\.part is in the way"):
        export(save_run(tmp_path / "run"), tmp_path / "out")
    assert (
        sorted(
            p.relative_to(tmp_path)
            for p in tmp_path.rglob("*")
            if p.relative_to(tmp_path).parts[0] != "run"
        )
        == before
    )


def test_a_stopped_export_leaves_nothing(tmp_path, monkeypatch):
    run = save_run(tmp_path / "run")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tflite, "_ranges", stop)
    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "out", ["tflite"])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_export_is_tidied_away(tmp_path, number):
    """By itself where the signal lets it, and else by the next."""
    run = save_run(tmp_path / "run")
    command = [
        sys.executable,
        "-m",
        "adff_tf.export",
        str(run),
        "--out",
        str(tmp_path / "out"),
        "--formats",
        "tflite",
    ]
    heed = (
        functools.partial(signal.signal, number, signal.SIG_DFL)
        if number != signal.SIGKILL
        else None
    )
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=heed
    ) as process:
        process.stdout.readline()  # "comparing on …"
        process.stdout.readline()  # the first artifact
        with pytest.raises(
            InputError, match=f"an export to {tmp_path / 'out'} is held by process {process.pid}"
        ):
            export(run, tmp_path / "out")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    left = {path.name for path in tmp_path.iterdir()} - {"run"}
    if number == signal.SIGKILL:
        assert process.returncode == -number and left == {".out.part"}
        (tmp_path / ".out.part" / "folder").mkdir()
    else:
        assert process.returncode == 128 + number and not left
        assert err == b"error: stopped. Nothing was left behind.\n"
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")  # another way to the same place
    done = export(run, tmp_path / "link", ["tflite"])
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out", "link"} and (
        tmp_path / "link"
    ).is_symlink()
    assert {"adff_int8.tflite", "parity.json"} < {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert not [
        path.name for path in done.folder.iterdir() if "claim" in path.name or path.name == "folder"
    ]


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "saved_model.pb; No space left on device"),
        OSError(errno.ENOSPC, "No space left on device"),  # of a write, which names no file
    ],
    ids=["tensorflow", "python"],
)
def test_a_full_disk_is_told(tmp_path, monkeypatch, error):
    run = save_run(tmp_path / "run")

    def full(*_, **__):
        raise error

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(
        InputError,
        match=rf"The disk is full: {tmp_path / 'out'} cannot .* the same command again\.$",
    ):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# === Full size ===


@pytest.mark.slow
def test_sizes_at_full_width(tmp_path):
    experiment = presets.paper()
    keras.utils.set_random_seed(0)
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(experiment.to_json())
    build_adff(experiment, "float32").save(run / "model.keras")
    done = export(run, tmp_path / "out", ["tflite"])
    size = {name: (done.folder / name).stat().st_size / 1e6 for name in TFLITE}
    assert size["adff_float32.tflite"] < 105 and size["adff_int8.tflite"] < 27 and done.passed


def test_the_current_folder_and_a_file_system_are_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is the current folder; give a folder in it or elsewhere"):
        export("anything", ".")
    with pytest.raises(
        InputError, match="is a file system of its own; give a folder in it or elsewhere"
    ):
        export("anything", "/proc")
