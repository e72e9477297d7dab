"""adff-predict by a run, a SavedModel and a `.tflite`: output, plots, errors and exit status."""

import contextlib
import csv
import functools
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
import soundfile

from adff_tf import predict
from adff_tf.audio import AudioError
from adff_tf.inference.model import EmotionModel
from adff_tf.support import console

from . import commands
from .artifacts import (
    RATE,
    assert_same,
    flatbuffer,
    music,
    save_run,
    write,
    write_saved_model,
)
from .audio.test_audio import encode

SVG = "{http://www.w3.org/2000/svg}svg"
PROGRAM = [sys.executable, "-m", "adff_tf.predict"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def models(run, tmp_path_factory):
    """The run and its exports."""
    folder = tmp_path_factory.mktemp("exports")
    return {
        "run": run,
        "saved_model": write_saved_model(run, folder / "saved_model" / "1"),
        "tflite": write(folder / "adff_float32.tflite", *flatbuffer(run)),
    }


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder with two songs, one of them in a folder of its own, and a text."""
    folder = tmp_path_factory.mktemp("songs")
    (folder / "album").mkdir()
    soundfile.write(folder / "b.wav", music(2.0, 1), RATE)
    soundfile.write(folder / "album" / "a$1.flac", music(0.7, 2), RATE)
    (folder / "notes.txt").write_text("no song")
    return folder


ask = functools.partial(commands.ask, predict.main)


def test_json_is_what_python_gives(run, songs, capsys):
    status, out, _ = ask([run, songs / "b.wav", "--format", "json", "--hop", "0.25"], capsys)
    wanted = EmotionModel.load(run).predict(songs / "b.wav", hop_s=0.25).as_dict()
    found = json.loads(out)
    assert status == 0 and found["path"] == wanted["path"] and len(found["curve"]) == 5
    assert found["valence"] == pytest.approx(wanted["valence"], abs=1e-6)


def test_without_a_model_the_shipped_one_answers(songs, capsys):
    status, out, err = ask([songs / "b.wav", "--format", "json"], capsys)
    assert status == 0 and "the one that ships; CC BY-NC-SA 4.0" in err and "4QAED" in err
    wanted = EmotionModel.load().predict(songs / "b.wav").as_dict()
    assert_same(json.loads(out), json.loads(json.dumps(wanted)))
    both = ask([songs / "b.wav", songs / "album"], capsys)
    assert both[0] == 0 and len(both[1].splitlines()) == 3


def test_the_level_of_the_interval(run, songs, capsys):
    widths = []
    for level in ("0.5", "0.9"):
        arguments = [run, songs / "b.wav", "--format", "json", "--level", level]
        status, out, _ = ask(arguments, capsys)
        found = json.loads(out)["interval"]
        assert status == 0 and found["level"] == float(level)
        widths.append(found["valence"][1] - found["valence"][0])
    assert widths[0] < widths[1]


def test_csv_of_a_folder_in_another_scale(run, songs, capsys):
    status, out, err = ask([run, songs, "--format", "csv", "--scale", "1", "9"], capsys)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and [Path(row["path"]).name for row in rows] == ["a$1.flac", "b.wav"]
    assert [row["padded"] for row in rows] == ["True", "False"] and "songs (2)" in err
    whole = EmotionModel.load(run).predict(songs / "b.wav")
    assert float(rows[1]["valence"]) == pytest.approx(1 + (whole.valence + 1) * 4, abs=1e-4)
    assert float(rows[1]["arousal_std"]) == pytest.approx(4 * whole.std["arousal"], abs=1e-4)
    assert rows[1]["quadrant"] == whole.quadrant


def test_csv_of_the_curve(run, songs, capsys):
    _, out, _ = ask([run, songs / "b.wav", "--format", "csv", "--curve"], capsys)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["start"], row["end"]) for row in rows] == [("0", "1"), ("0.5", "1.5"), ("1", "2")]
    assert list(rows[0]) == ["path", "start", "end", "valence", "arousal"]


def test_the_table_notes_a_padded_song(run, songs, capsys):
    _, out, _ = ask([run, songs], capsys)
    head, short, long = out.splitlines()
    assert (
        head.split()[:4] == ["seconds", "valence", "interval", ".9"]
        and "padded with silence" in short
        and "padded" not in long
    )


def test_classes_as_csv(tmp_path, songs, capsys):
    run = save_run(tmp_path / "quadrant", "quadrant")
    _, out, _ = ask([run, songs / "b.wav", "--format", "csv"], capsys)
    (row,) = csv.DictReader(io.StringIO(out))
    shares = {name: float(row[f"p_{name}"]) for name in ("Q1", "Q2", "Q3", "Q4")}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-4) and row["label"] == max(
        shares, key=shares.get
    )


def test_a_pipe(run, songs):
    """A recording from standard input, and a reader that goes away after a line."""
    content = (songs / "b.wav").read_bytes()
    command = [sys.executable, "-m", "adff_tf.predict", str(run)]
    done = subprocess.run([*command, "-", "--format", "json"], input=content, capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    row = json.loads(done.stdout)
    assert row["path"] == "-" and row["valence"] == pytest.approx(
        EmotionModel.load(run).predict(content).valence, abs=1e-6
    )

    many = " ".join([str(songs / "b.wav"), *(f"{songs}/../{songs.name}/b.wav" for _ in range(2))])
    shell = f"{' '.join(command)} {many} --format json --hop 0.01 | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr and done.returncode in (0, 141)


def test_options_are_checked_before_any_song(run, songs, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    for options, says in (
        (["--scale", "9", "1"], "give the lower end first"),
        (["--out", tmp_path / "x"], "add --plot"),
        (["--plot", "--out", file / "x"], "cannot be written: Not a directory"),
    ):
        status, out, err = ask([run, songs, *options], capsys)
        assert status == 2 and not out and err.count("error:") == 1 and says in err, err


def test_an_empty_argument_is_not_the_current_folder(run, songs, capsys, monkeypatch):
    monkeypatch.chdir(songs)
    status, out, err = ask([run, ""], capsys)
    assert status == 2 and not out and "argument 2 is empty" in err


def test_progress_within_a_song(run, songs, monkeypatch, capsys):
    """A terminal shows the minute of a long song beside the bar."""
    notes = []

    @contextlib.contextmanager
    def bar(self, label, total, passing=False, minutely=False):
        yield lambda steps=1, note="": notes.append((steps, note))

    monkeypatch.setattr(console.Terminal, "bar", bar)
    soundfile.write(songs.parent / "[b] minute.wav", music(61.5, 3), RATE)
    ask([run, songs.parent / "[b] minute.wav", "--hop", "1"], capsys)
    assert notes[0] == (0, "[b] minute.wav, 0:08") and notes[-2:] == [
        (0, "[b] minute.wav, 1:01"),
        (1, ""),
    ]


def test_paths_without_recordings_do_not_stop_the_others(run, songs, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    status, out, err = ask(
        [run, tmp_path / "empty", "~nobody-of-that-name/x.mp3", "a" * 300, songs / "b.wav"], capsys
    )
    assert status == 2 and "b.wav" in out and "3 of 4 songs could not be used" in err
    assert (
        "holds no recordings" in err
        and "File name too long" in err
        and "Give the path in full" in err
    )


def test_a_folder_that_cannot_be_read_is_named(run, songs, capsys, monkeypatch):
    scandir = os.scandir

    def locked(path):
        if str(path).endswith("album"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    status, out, err = ask([run, songs], capsys)
    assert status == 2 and "b.wav" in out and "album cannot be read: Permission denied" in err


def test_plots_are_there_as_soon_as_their_song_is_predicted(run, songs, tmp_path, monkeypatch):
    model, seen = EmotionModel.load(run), []
    predict_song = model.predict

    def stopped_at_the_second(song, **options):
        seen.append(song)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return predict_song(song, **options)

    monkeypatch.setattr(model, "predict", stopped_at_the_second)
    found, _ = predict.find_songs([songs])
    with pytest.raises(KeyboardInterrupt):
        predict.predict_songs(model, found, predict.Output(plot=True, out=tmp_path / "plots"))
    assert {file.name for file in (tmp_path / "plots").iterdir()} == {
        "a_1-curve.png", "a_1-curve.svg", "a_1-path.png", "a_1-path.svg"
    }  # fmt: skip


def test_a_full_disk_behind_standard_output(run, songs):
    command = (
        f"{sys.executable} -m adff_tf.predict {run} {songs / 'b.wav'} --format json > /dev/full"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (
        done.returncode == 2
        and "the disk of standard output is full" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_a_name_of_odd_bytes(run, songs, tmp_path):
    name = os.fsencode(tmp_path) + b"/so\xffng \xe2\x82\xac\n.wav"
    os.link(songs / "b.wav", name)
    command = [sys.executable, "-m", "adff_tf.predict", str(run), str(tmp_path)]
    done = subprocess.run([*command, "--format", "json"], capture_output=True)
    assert done.returncode == 0 and os.fsencode(json.loads(done.stdout)["path"]) == name, (
        done.stderr.decode()
    )
    done = subprocess.run(
        [*command, "--plot", "--out", str(tmp_path / "plots")], capture_output=True
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode()
    head, row = done.stdout.splitlines()
    assert row.endswith(name.replace(b"\n", b"\\n")), "a song takes one line"


def test_broken_songs_do_not_stop_the_others(run, songs, tmp_path, capsys):
    bad = {
        "empty.wav": b"",
        "text.mp3": b"these are words and no music at all",
        "noise.flac": np.random.default_rng(0).bytes(3000),
        "cut.wav": (songs / "b.wav").read_bytes()[:20],
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, "float32"), RATE, subtype="FLOAT")
    (tmp_path / "good.wav").write_bytes((songs / "b.wav").read_bytes())
    status, out, err = ask([run, tmp_path, tmp_path / "missing.wav", "--format", "json"], capsys)
    assert (
        status == 2 and len(out.splitlines()) == 1 and json.loads(out)["path"].endswith("good.wav")
    )
    assert "6 of 7 songs could not be used" in err and "Traceback" not in err
    for name in (*bad, "nan.wav", "missing.wav"):
        assert err.count(name) >= 2  # when it came, and in the list at the end


def test_three_hundred_damaged_files_give_a_value_or_a_message(run, tmp_path):
    """Bytes changed, cut out, doubled, or the end missing, in five formats; seeded."""
    rng, samples = np.random.default_rng(7), np.stack([music(1.2, 4), music(1.2, 5)], axis=1)
    contents = [encode(tmp_path / "a.m4a", "aac", samples, RATE).read_bytes()]
    for suffix, options in ((".wav", {}), (".flac", {}), (".ogg", {}), (".mp3", {})):
        soundfile.write(tmp_path / f"a{suffix}", samples, RATE, **options)
        contents.append((tmp_path / f"a{suffix}").read_bytes())
    model, predicted, refused = EmotionModel.load(run), 0, 0
    for number in range(300):
        content = bytearray(contents[number % 5])
        for _ in range(rng.integers(1, 4)):
            at, length = rng.integers(len(content)), int(rng.integers(1, 400))
            match rng.integers(4):
                case 0:
                    content[at : at + length] = rng.bytes(len(content[at : at + length]))
                case 1:
                    del content[at : at + length]
                case 2:
                    content[at:at] = content[at : at + length]
                case 3:
                    del content[max(1, at) :]
        try:
            emotion = model.predict(bytes(content))
        except AudioError as error:
            assert str(error)
            refused += 1
        else:
            assert np.isfinite([emotion.valence, emotion.arousal]).all()
            predicted += 1
    assert predicted > 100 and refused > 10


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{run}"], "no song was given"),
        (["{run}", "{songs}/missing.wav"], "missing.wav"),
        ([], "no song was given"),
        (["{songs}/no-run", "{songs}/b.wav"], "no-run is not there: give a model"),
        (["{songs}/none.tflite", "{songs}/b.wav"], "none.tflite cannot be read"),
        (["{run}", "{songs}/b.wav", "--level", "90"], "a level of 90"),
        (["{run}", "{songs}/b.wav", "--backend", "litert"], "has no backend litert"),
        (["{run}", "{songs}/b.wav", "--hop", "0"], "a hop of 0.0 s"),
        (["{run}", "{songs}/b.wav", "--scale", "9", "1"], "scale from 9 to 1"),
        (["{run}", "{empty}"], "holds no recordings"),
        (["{run}", "{songs}/b.wav", "--hop", "nan"], "a hop of nan s"),
        (["{run}", "{songs}/b.wav", "--hop", "9"], "at most a window, 1 s"),
        (["{run}", "{songs}/b.wav", "--hop", "x"], "hop"),
        (["{run}", "{songs}/b.wav", "--plot", "--out", "{songs}/notes.txt"], "is a file"),
    ],
)
def test_mistakes_are_one_message(run, songs, tmp_path, capsys, arguments, says):
    given = [argument.format(run=run, songs=songs, empty=tmp_path) for argument in arguments]
    status, out, err = ask(given, capsys)
    assert status == 2 and says in err and not out and "Traceback" not in err


def test_plots(run, songs, tmp_path, capsys):
    out = tmp_path / "plots"
    status, _, err = ask([run, songs, "--plot", "--out", out], capsys)
    names = {"a_1-curve", "a_1-path", "b-curve", "b-path", "songs"}
    assert status == 0 and {path.name for path in out.iterdir()} == {
        f"{n}{s}" for n in names for s in (".png", ".svg")
    }
    for path in out.glob("*.svg"):
        assert xml.etree.ElementTree.parse(path).getroot().tag == SVG and str(path) in err
    status, _, err = ask([run, songs, "--plot", "--out", out], capsys)
    assert status == 2 and "holds plots already" in err
    assert ask([run, songs / "b.wav", "--plot", "--out", out, "--overwrite"], capsys)[0] == 0


# === Three forms of one model ===


def in_every_form(models, capsys, arguments) -> list[str]:
    """Return what the program prints by each model, after the run's own."""
    printed = []
    for model in models.values():
        status, out, err = ask([model, *arguments], capsys)
        assert status == 0, err
        printed.append(out)
    return printed


def test_json_by_every_model(models, songs, capsys):
    wanted, *others = in_every_form(models, capsys, [songs, "--format", "json", "--hop", "0.25"])
    assert len(wanted.splitlines()) == 2
    for found in others:
        for ours, theirs in zip(found.splitlines(), wanted.splitlines(), strict=True):
            assert_same(json.loads(ours), json.loads(theirs))


@pytest.mark.parametrize("options", [["--format", "csv"], ["--format", "csv", "--curve"], []])
def test_csv_and_the_table_by_every_model(models, songs, tmp_path, capsys, options):
    """Word by word, except where two runtimes round float32 differently."""
    odd = shutil.copy(songs / "b.wav", tmp_path / "two\nlines.wav")
    wanted, *others = in_every_form(models, capsys, [songs, odd, *options])
    for found in others:
        assert found.splitlines()[0] == wanted.splitlines()[0]
        words = zip(found.replace(",", " ").split(), wanted.replace(",", " ").split(), strict=True)
        for word, meant in words:
            assert word == meant or float(word) == pytest.approx(float(meant), abs=2e-3)
    if not options:
        assert len(wanted.splitlines()) == 4, "a song takes one line"


def test_threads(models, songs, capsys):
    song = songs / "b.wav"
    one = ask([models["tflite"], song, "--threads", "1"], capsys)
    assert one[0] == 0 and one[1] == ask([models["tflite"], song], capsys)[1]
    status, out, err = ask([models["tflite"], song, "--threads", "0"], capsys)
    assert status == 2 and not out and "threads=0" in err and "Traceback" not in err


def test_a_model_that_is_none(songs, tmp_path, capsys):
    (tmp_path / "text.tflite").write_text("these are words")
    for name, says in (
        ("text.tflite", "is no .tflite file"),
        ("missing.tflite", "No such file"),
        ("missing", "is not there: give a model"),
    ):
        status, out, err = ask([tmp_path / name, songs / "b.wav"], capsys)
        assert status == 2 and not out and says in err and "Traceback" not in err


def test_errors_have_a_line_a_song(models, songs, tmp_path, capsys):
    soundfile.write(tmp_path / "short.wav", music(0.4), RATE)
    (tmp_path / "text.wav").write_text("no song")
    names = [tmp_path / "missing.wav", tmp_path / "short.wav", tmp_path / "text.wav"]
    status, out, err = ask([models["tflite"], songs / "b.wav", *names], capsys)
    head, long, short = out.splitlines()
    assert status == 2 and head.split()[:2] == ["seconds", "valence"]
    assert "padded" in short and "padded" not in long
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "missing.wav" in errors[0] and "text.wav" in errors[1] and "2 of 4" in errors[2]


# === Pipes and signals ===


def test_a_device_pipe(models, songs):
    """A recording from standard input, and a reader that goes away."""
    song = songs / "b.wav"
    command = [*PROGRAM, str(models["tflite"])]
    done = subprocess.run(
        [*command, "-", "--format", "json"], input=song.read_bytes(), capture_output=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    wanted = EmotionModel.load(models["tflite"]).predict(song, name="-")
    assert_same(json.loads(done.stdout), wanted.as_dict())
    many = " ".join(f"{song.parent}/{'./' * k}b.wav" for k in range(20))
    shell = f"{' '.join(command)} {many} --format json --hop 0.01 | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr and done.returncode in (0, 141)


def test_closed_streams_and_a_full_disk(models, songs):
    command = " ".join([*PROGRAM, str(models["tflite"])])

    def shell(rest: str) -> subprocess.CompletedProcess:
        return subprocess.run(["bash", "-c", f"{command} {rest}"], capture_output=True, text=True)

    done = shell("- <&-")
    assert done.returncode == 2 and "standard input is closed" in done.stderr
    assert "Traceback" not in done.stderr
    done = shell(f"{songs / 'b.wav'} > /dev/full")
    assert done.returncode == 2 and "the disk of standard output is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell(f"{songs / 'b.wav'} >&- 2>&-").returncode == 0
    done = shell("''")
    assert done.returncode == 2 and "argument 2 is empty" in done.stderr


def test_ctrl_c(models, songs, tmp_path):
    names = [shutil.copy(songs / "b.wav", tmp_path / f"{k}.wav") for k in range(1000)]
    command = [
        *PROGRAM,
        str(models["tflite"]),
        *map(str, names),
        "--format",
        "json",
        "--hop",
        "0.01",
    ]
    # a shell's background commands ignore SIGINT
    restore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=restore
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (
        process.returncode == 130 and err.decode().splitlines()[-1] == f"error: {predict.STOPPED}"
    )


# === Songs and names ===


def test_folders_are_searched_for_recordings(tmp_path):
    """Hidden files and folders are skipped. A linked folder is searched once, never in itself."""
    for name in ("in/a.wav", "in/._a.wav", "in/.trash/b.wav", "in/c/d.mp3", "out/e.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "x").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "y").symlink_to(tmp_path / "out")
    songs, unusable = predict.find_songs([tmp_path / "in"])
    assert [str(song.relative_to(tmp_path / "in")) for song in songs] == [
        "a.wav",
        "c/d.mp3",
        "x/e.ogg",
    ] and not unusable
