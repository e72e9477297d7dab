"""What surrounds the model when a catalogue is scored: sources, decoding in processes of its own, and the tables on disk."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from adff_tf import audio
from adff_tf.catalogue import sources, table, worker
from adff_tf.catalogue.decoders import SLOTS, Decoders, Window
from adff_tf.errors import InputError
from adff_tf.inference.emotion import Emotion
from adff_tf.inference.windows import cut_windows
from adff_tf.tasks import TASKS

RATE = 8000
SETUP = worker.Setup(RATE, window=RATE, hop=RATE // 2, slots=SLOTS, decode="tests.hostile:blocks")


def noise(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    return (
        np.random.default_rng(seed)
        .normal(0, 0.1, (int(seconds * RATE), channels))
        .astype("float32")
    )


# === Sources ===


@pytest.fixture
def library(tmp_path):
    """Two albums, a text, a name in odd bytes, a link to nowhere."""
    for name in ("b/2.wav", "b/1.MP3", "a/x.flac", "a/notes.txt", "a/deep/y.ogg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/caf\xe9.wav")).touch()
    (tmp_path / "b" / "gone.wav").symlink_to("nowhere")
    return tmp_path


def found(*given) -> list[str]:
    return [
        os.fsdecode(path)
        for path in sources.find([str(source) for source in given]).paths.to_pylist()
    ]


def relative(library: Path, paths: list[str]) -> list[str]:
    return [os.path.relpath(path, library) for path in paths]


def test_a_folder_is_searched_to_its_bottom_in_order(library):
    names = relative(library, found(library))
    assert names == [
        "a/caf\udce9.wav",
        "a/x.flac",
        "a/deep/y.ogg",
        "b/1.MP3",
        "b/2.wav",
        "b/gone.wav",
    ]


def test_a_file_named_twice_is_one(library, monkeypatch):
    monkeypatch.chdir(library)
    twice = found(library / "b", "b/2.wav", library / "a" / ".." / "b" / "2.wav", "b/*")
    assert relative(library, twice) == ["b/1.MP3", "b/2.wav", "b/gone.wav"]


def test_patterns(library):
    assert relative(library, found(library / "**" / "*.wav"))[-1] == "b/gone.wav"
    assert len(found(library / "**" / "*.wav")) == 3
    assert len(found(library / "?")) == 6  # the two folders
    assert len(found(library / "**")) == 7  # every file, whatever its suffix


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_lists_are_relative_to_their_own_folder_and_need_not_be_true(library, suffix):
    file = library / f"list{suffix}"
    rows = pd.DataFrame(
        {"number": [1, 2, 3, 4], "path": ["a/x.flac", "not there.wav", str(library / "b"), None]}
    )
    rows.to_csv(file, index=False) if suffix == ".csv" else rows.to_parquet(file)
    assert relative(library, found(file)) == ["a/x.flac", "not there.wav", "b"]


def test_a_binary_column_names_odd_bytes(library):
    odd = os.fsencode(library) + b"/a/caf\xe9.wav"
    pa.parquet.write_table(pa.table({"path": pa.array([odd])}), library / "odd.parquet")
    assert sources.find([str(library / "odd.parquet")]).paths.to_pylist() == [odd]


@pytest.mark.parametrize(
    "content, told",
    [
        (b"artist,title\na,b\n", "has no column path, but artist, title"),
        (b"", "has no column path, but nothing"),
        (b"path\n", "names no recording"),
        (b"path\n" + b"a" * 200_000, "field larger than field limit"),
    ],
)
def test_lists_that_are_none(tmp_path, content, told):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(InputError, match=told):
        found(tmp_path / "list.csv")


def test_parquet_lists_that_are_none(tmp_path):
    for name, content in {"numbers": {"path": [1, 2]}, "other": {"file": ["a"]}}.items():
        pd.DataFrame(content).to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "text.parquet").write_text("path\na.wav\n")
    for name, told in {
        "numbers": "holds int64",
        "other": "has no column path, but file",
        "text": "damaged or no Parquet",
    }.items():
        with pytest.raises(InputError, match=told):
            found(tmp_path / f"{name}.parquet")


@pytest.mark.parametrize(
    "given", ["nothing/here", "*.nothing", "a" * 300, "~nobody-of-that-name/x"]
)
def test_a_source_that_names_nothing(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="names no recording|cannot be"):
        found(given)


def test_an_empty_folder_is_no_source(tmp_path):
    with pytest.raises(InputError, match="no file of a known kind"):
        found(tmp_path)


# === Decoding ===


def decoded(paths, processes: int = 2, patience_s: float = 60.0, setup: worker.Setup = SETUP):
    """Windows by path, as (start, samples), and how each file ended."""
    seen: dict[bytes, list] = {}
    ended: dict[bytes, worker.Ended] = {}
    with Decoders(setup, processes, patience_s) as decoders:
        for event in decoders.events(os.fsencode(path) for path in paths):
            if isinstance(event, Window):
                seen.setdefault(event.path, []).append((event.start, event.samples.copy()))
            else:
                assert event.path not in ended, "a file that ended twice"
                ended[event.path] = event.ended
    return seen, ended


def test_windows_are_those_of_the_waveform(tmp_path):
    files = []
    for k, (seconds, rate, suffix) in enumerate(
        [(3.3, 8000, "wav"), (0.4, 44100, "flac"), (9.0, 22050, "ogg"), (2.0, 48000, "mp3")]
    ):
        files.append(tmp_path / f"{k}.{suffix}")
        soundfile.write(files[-1], noise(seconds * rate / RATE, 2, k), rate)
    seen, ended = decoded(files)
    for file in files:
        path = os.fsencode(file)
        waveform = audio.load(file, RATE)
        wanted = list(cut_windows([waveform], SETUP.window, SETUP.hop))
        assert [start for start, _ in seen[path]] == [start for start, _ in wanted]
        np.testing.assert_array_equal(
            [samples for _, samples in seen[path]], [samples for _, samples in wanted]
        )
        assert (
            ended[path].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
            and not ended[path].error
        )
        assert (ended[path].samples, ended[path].rate_hz) == (
            len(waveform),
            soundfile.info(file).samplerate,
        )


def test_what_hangs_crashes_or_devours_costs_one_file(tmp_path):
    names = ["good0", "hangs", "good1", "crashes", "good2", "devours", "good3", "slow", "good4"]
    for k, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.wav", noise(2.0, seed=k), RATE)
    began = time.monotonic()
    seen, ended = decoded([tmp_path / f"{name}.wav" for name in names], patience_s=1.5)
    errors = {Path(os.fsdecode(path)).stem: one.error for path, one in ended.items()}
    assert {name for name, error in errors.items() if not error} == {
        "good0",
        "good1",
        "good2",
        "good3",
        "good4",
        "slow",
    }
    assert errors["hangs"] == "its decoder got nowhere for 1.5 s, and was ended"
    assert errors["crashes"] == "its decoder crashed (SIGSEGV)"
    assert "more memory" in errors["devours"] and time.monotonic() - began < 60


def test_broken_files_have_reasons(tmp_path):
    folder = broken(tmp_path)
    _, ended = decoded(
        sorted(folder.iterdir()) + [folder / "vanished.wav", Path(f"{folder}/nul\0.wav")]
    )
    reasons = {Path(os.fsdecode(path)).name: one.error for path, one in ended.items()}
    for name, told in BROKEN.items():
        assert told in reasons[name], (name, reasons[name])
    good = {name for name, error in reasons.items() if not error}
    assert good == {"wrong suffix.mp3", "24 channels.wav", "caf\udce9.wav", "link.wav"}


BROKEN = {
    "truncated.wav": "cut off or damaged",
    "empty.mp3": "is empty (0 bytes)",
    "text.wav": "is no audio or damaged",
    "no samples.wav": "holds no samples",
    "1 Hz.wav": "sample rate of 1 Hz",
    "1 MHz.wav": "sample rate of 1000000 Hz",
    "nan.wav": "NaN or infinite",
    "a folder.wav": "is a folder or a device",
    "a pipe.wav": "is a folder or a device",
    "dangling.wav": "No such file or directory",
    "vanished.wav": "No such file or directory",
    "nul\0.wav": "is a folder or a device",
}


def broken(folder: Path) -> Path:
    """A folder of what real libraries hold: the names in BROKEN, and four files that are odd and good."""
    folder = folder / "broken"
    folder.mkdir()
    good = noise(2.0)
    soundfile.write(folder / "truncated.wav", good, RATE)
    content = (folder / "truncated.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(content[: len(content) // 2])
    (folder / "empty.mp3").touch()
    (folder / "text.wav").write_text("no sound at all, whatever the name says")
    soundfile.write(folder / "no samples.wav", good[:0], RATE)
    for name, rate in {"1 Hz.wav": 1, "1 MHz.wav": 1_000_000}.items():
        (folder / name).write_bytes(content[:24] + rate.to_bytes(4, "little") + content[28:])
    soundfile.write(
        folder / "nan.wav",
        np.where(np.arange(len(good)) == 999, np.nan, good[:, 0]),
        RATE,
        subtype="FLOAT",
    )
    (folder / "a folder.wav").mkdir()
    os.mkfifo(folder / "a pipe.wav")
    (folder / "dangling.wav").symlink_to("nowhere")
    soundfile.write(folder / "wrong suffix.mp3", good, RATE, format="FLAC")
    soundfile.write(folder / "24 channels.wav", noise(2.0, 24), RATE)
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav")).write_bytes(content)
    (folder / "link.wav").symlink_to("24 channels.wav")
    return folder


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_no_permission(tmp_path):
    soundfile.write(tmp_path / "locked.wav", noise(1.0), RATE)
    (tmp_path / "locked.wav").chmod(0)
    _, ended = decoded([tmp_path / "locked.wav"], 1)
    assert "Permission denied" in next(iter(ended.values())).error


def test_decoding_processes_do_not_outlive_the_run(tmp_path):
    """Also where the run is killed while a decoder hangs."""
    (tmp_path / "hangs.wav").write_bytes(b"x")
    code = (
        "import os, sys; from adff_tf.catalogue import decoders; from tests.catalogue.test_files import SETUP;"
        "pool = decoders.Decoders(SETUP, 2); print(*(p._process.pid for p in pool._processes), flush=True);"
        f"list(pool.events([{os.fsencode(tmp_path / 'hangs.wav')!r}]))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    workers = [int(pid) for pid in run.stdout.readline().split()]
    time.sleep(2)
    run.kill()
    run.wait()
    until = time.monotonic() + 20
    while any(_runs(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in workers)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# === Tables ===


def emotion(path: str, count: int, seed: int = 0, task: str = "both") -> Emotion:
    rng = np.random.default_rng(seed)
    start = np.arange(count) * 0.5
    values = {name: rng.normal(size=count).astype("float32") for name in TASKS[task].outputs}
    return Emotion(TASKS[task], path, count * 0.5 + 0.5, 1.0, 0.5, start, start + 1, values)


def rows(columns: table.Columns, names) -> pa.Table:
    """Files that were answered, and every third one an error."""
    made = []
    for k, name in enumerate(names):
        ended = worker.Ended(f"{k:064x}", 44100, 100, "is broken" if k % 3 == 2 else "")
        made.append(
            columns.error(name, ended)
            if ended.error
            else columns.ok(name, ended, emotion("x", k % 4 + 1, k))
        )
    return columns.table(made)


def test_rows_and_curves(tmp_path):
    columns = table.Columns.of(TASKS["both"])
    parts = table.Parts(tmp_path, columns)
    parts.add(rows(columns, [b"/a", b"/b\xff", b"/c", b"/d"]))
    songs, curves = pd.read_parquet(tmp_path / "songs"), pd.read_parquet(tmp_path / "curves")
    assert list(songs["path"]) == ["/a", "/b\\xff", "/c", "/d"] and list(songs["status"]) == [
        "ok",
        "ok",
        "error",
        "ok",
    ]
    assert songs["path_bytes"][1] == b"/b\xff" and songs["path_bytes"].isna().sum() == 3
    for k in (0, 1, 3):
        wanted = emotion("x", k % 4 + 1, k)
        mine = curves[curves["path"] == songs["path"][k]]
        assert songs["valence"][k] == wanted.valence and songs["quadrant"][k] == wanted.quadrant
        np.testing.assert_array_equal(mine["arousal"], wanted.windows["arousal"])
        np.testing.assert_array_equal(mine["start"], wanted.start)
    assert songs["valence_std"][3] == pytest.approx(
        np.std(emotion("x", 4, 3).windows["valence"], ddof=1)
    )
    assert np.isnan(songs["valence_std"][0]), "one window has no std"
    assert parts.done().to_pylist() == [b"/a", b"/b\xff", b"/c", b"/d"]


@given(cut=st.integers(0, 11))
@settings(deadline=None, max_examples=12)
def test_a_kill_between_any_two_writes_leaves_whole_parts(tmp_path_factory, cut):
    """Ten files, a part each: every write of a file is a moment to be killed at."""
    folder, columns = tmp_path_factory.mktemp("kill"), table.Columns.of(TASKS["both"])
    names = [b"/%d" % k for k in range(10)]
    with pytest.MonkeyPatch.context() as patch:
        left, replace = [cut], os.replace

        def killed(*paths):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            replace(*paths)

        patch.setattr(os, "replace", killed)
        parts = table.Parts(folder, columns)
        with pytest.raises(KeyboardInterrupt):
            for name in names:
                parts.add(rows(columns, [name]))
    parts = table.Parts(folder, columns)
    done = parts.done().to_pylist()
    assert done == names[: cut // 2]
    for name in names[len(done) :]:
        parts.add(rows(columns, [name]))
    assert list(pd.read_parquet(folder / "songs")["path"]) == list(
        pd.read_parquet(folder / "curves")["path"]
    )
    assert sorted(pd.read_parquet(folder / "songs")["path"]) == [f"/{k}" for k in range(10)]


def test_errors_are_counted_by_kind_and_can_be_forgotten(tmp_path):
    columns = table.Columns.of(TASKS["both"])
    parts = table.Parts(tmp_path, columns)
    reasons = ["states 3.0 s and holds 1.5 s", "states 9 s and holds 4.25 s", "is empty"]
    parts.add(
        columns.table(
            [
                columns.error(b"/%d" % k, worker.Ended(error=reason))
                for k, reason in enumerate(reasons)
            ]
        )
    )
    parts.add(rows(columns, [b"/good"]))
    assert parts.counted() == table.Counts(1, {"states … s and holds … s": 2, "is empty": 1})
    assert parts.forget_errors() == 3 and parts.done().to_pylist() == [b"/good"]


def test_a_damaged_part_is_named(tmp_path):
    columns = table.Columns.of(TASKS["both"])
    parts = table.Parts(tmp_path, columns)
    parts.add(rows(columns, [b"/a"]))
    (tmp_path / "songs" / "part-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="part-00000.parquet is damaged"):
        parts.done()
