"""One contract suite over all loaders, numbers worked by hand for each, and what users do wrong.

The folders are tiny and made here; their audio files are empty, since loaders do not decode.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adff_tf import datasets
from adff_tf.datasets import csv_file, deam, emomusic, index, pmemo, quadrants, synthetic
from adff_tf.errors import InputError

PMEMO_LABELS = "annotations/static_annotations.csv"
DEAM_LABELS = "DEAM_Annotations/annotations/annotations averaged per song/song_level/static_annotations_averaged_songs_"


def fill(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return root


def make_pmemo(root: Path) -> Path:
    return fill(
        root,
        {
            "metadata.csv": 'musicId,fileName,title,artist\n10,10.mp3,"A, B","Tyler, The Creator"\n2,2.mp3,X,21 Savage\n'
            "3,3.mp3,Y,21 Savage\n4,4.mp3,Z,\n21,21.mp3,W,Future\n5,5.mp3,V,Future\n",
            PMEMO_LABELS: "musicId,Arousal(mean),Valence(mean)\r\n10,1,0\r\n2,0.4,0.575\r\n3,0.5,0.5\r\n4,0.25,0.75\r\n",
            "chorus/10.FLAC": "",
            "chorus/2.mp3": "",
            "chorus/4.mp3": "",
            "chorus/3.txt": "",
            "chorus/._3.mp3": "",
            "chorus/5.mp3": "",
            "chorus/99.mp3": "",
        },
    )


def make_deam(root: Path) -> Path:
    return fill(
        root,
        {
            DEAM_LABELS
            + "1_2000.csv": "song_id, valence_mean, valence_std, arousal_mean, arousal_std\r\n"
            "1001,9,0.5,5,0.6\r\n1000,9,0.5,1,0.6\r\n2,3.1,0.94,3,0.63\r\n",
            DEAM_LABELS
            + "2000_2058.csv": "song_id, valence_mean, valence_std, valence_ max_mean, arousal_mean, arousal_std\r\n"
            "2001,3.0,0.98,5.0,7.0,0.8\r\n",
            "DEAM_audio/MEMD_audio/2.mp3": "",
            "DEAM_audio/MEMD_audio/1000.mp3": "",
            "DEAM_audio/MEMD_audio/1001.mp3": "",
            "DEAM_audio/MEMD_audio/2001.mp3": "",
        },
    )


def make_emomusic(root: Path) -> Path:
    return fill(
        root,
        {
            "static_annotations.csv": "song_id,mean_arousal,std_arousal,mean_valence,std_valence\n"
            "12,9,1,1,1\n3,3.5,1.8409,3.3,1.7029\n7,5,1,6,1\n",
            "songs_info.csv": '"song_id","file_name","Artist","Song title"\n3,"\t3.mp3","Kevin MacLeod\t","\tDD Groove\t"\n'
            '12,"\t12.mp3","Kevin MacLeod","\tSlow Burn\t"\n7,"\t7.mp3","\t","\tNothing\t"\n',
            "clips_45seconds/3.mp3": "",
            "clips_45seconds/12.mp3": "",
            "clips_45seconds/7.mp3": "",
        },
    )


def make_emopia(root: Path) -> Path:
    return fill(
        root,
        {
            "label.csv": "ID,4Q,annotator\nQ2_5N_W0_10,2,D\nQ2_5N_W0_9,2,D\nQ3_5N_W0_1,3,C\nQ1__ab_0,1,C\nQ4_x_0,4,C\n",
            "audio/Q2_5N_W0_10.wav": "",
            "audio/Q2_5N_W0_9.ogg": "",
            "audio/Q3_5N_W0_1.wav": "",
            "Q1__ab_0.opus": "",
        },
    )


def make_folders(root: Path) -> Path:
    return fill(
        root,
        {
            "Q1/b.wav": "",
            "Q2/a.mp3": "",
            "Q3/c10.m4a": "",
            "Q3/c9.aac": "",
            "Q4/d.ogg": "",
            "Q4/cover.jpg": "",
        },
    )


def make_manifest(root: Path) -> Path:
    fill(
        root,
        {
            "my songs.csv": 'path,valence,arousal,group\n"b, live.mp3",1,9,\nsub/a.wav,5,3,The Band\nnone.mp3,2.5,7,The Band\n'
        },
    )
    fill(root, {"b, live.mp3": "", "sub/a.wav": ""})
    return root / "my songs.csv"


def make_synthetic(root: Path) -> Path:
    return synthetic.make(root, clips=3, seconds=2.0, seed=1, workers=1)


@dataclasses.dataclass(frozen=True)
class Case:
    """A data set as it lies on disk, and what its index must be, worked by hand: (track_id, valence, arousal, group)."""

    module: object
    make: Callable[[Path], Path]
    rows: list[tuple[str, float, float, str]] | None
    labelled: int
    notes: tuple[str, ...] = ()
    label_range: tuple[float, float] | None = None

    @property
    def options(self) -> dict:
        return {"label_range": self.label_range} if self.label_range else {}


CASES = {
    "pmemo": Case(
        pmemo,
        make_pmemo,
        [
            ("2", 0.15, -0.2, "21 Savage"),
            ("4", 0.5, -0.5, "4"),
            ("10", -1, 1, "Tyler, The Creator"),
        ],
        4,
        (
            "2 of the 6 songs in metadata.csv have no static label and are left out: 5, 21.",
            "1 of the 4 labelled tracks have no audio in chorus/: 3 are used.",
            "1 audio files in chorus/ have no label and are left out: 99.",
            "1 tracks have no artist in metadata.csv, each is a group of its own: 4.",
        ),
    ),
    "deam": Case(
        deam,
        make_deam,
        [
            ("2", -0.5, -0.475, "2"),
            ("1000", -1, 1, "1000"),
            ("1001", 1, 0, "1001"),
            ("2001", -0.5, 0.5, "2001"),
        ],
        4,
        (
            "The valence and arousal columns of the 2 songs with song_id <= 1000 are swapped in the published file and "
            "were set right.",
        ),
    ),
    "emomusic": Case(
        emomusic,
        make_emomusic,
        [
            ("3", -0.425, -0.375, "Kevin MacLeod"),
            ("7", 0.25, 0, "7"),
            ("12", -1, 1, "Kevin MacLeod"),
        ],
        3,
        ("1 tracks have no artist in songs_info.csv, each is a group of its own: 7.",),
    ),
    "emopia": Case(
        quadrants,
        make_emopia,
        [
            ("Q1__ab_0", 1, 1, "_ab"),
            ("Q2_5N_W0_9", -1, 1, "5N_W0"),
            ("Q2_5N_W0_10", -1, 1, "5N_W0"),
            ("Q3_5N_W0_1", -1, -1, "5N_W0"),
        ],
        5,
        (
            "1 of the 5 labelled tracks have no audio in audio/ or the folder itself: 4 are used.",
            "No track of quadrant Q4 is there.",
        ),
    ),
    "folders": Case(
        quadrants,
        make_folders,
        [
            ("a", -1, 1, "a"),
            ("b", 1, 1, "b"),
            ("c9", -1, -1, "c9"),
            ("c10", -1, -1, "c10"),
            ("d", 1, -1, "d"),
        ],
        5,
    ),
    "csv": Case(
        csv_file,
        make_manifest,
        [
            ("b, live.mp3", -1, 1, "b, live.mp3"),
            ("none.mp3", -0.625, 0.5, "The Band"),
            ("sub/a.wav", 0, -0.5, "The Band"),
        ],
        3,
        label_range=(1, 9),
    ),
    "synthetic": Case(synthetic, make_synthetic, None, 3),
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> dict[str, Path]:
    """Every data set once; read only."""
    return {name: case.make(tmp_path_factory.mktemp("sets") / name) for name, case in CASES.items()}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture
def root(request, case, roots) -> Path:
    return next(roots[name] for name in CASES if CASES[name] is case)


# --- The contract, over all loaders ---


def test_every_kind_has_a_case():
    assert {case.module.NAME for case in CASES.values()} == set(datasets.KINDS)


def test_index_keeps_the_contract(case, root):
    found = case.module.index(root, **case.options)
    tracks = found.tracks
    assert list(tracks.columns) == ["track_id", "path", "valence", "arousal", "group"]
    assert isinstance(tracks.index, pd.RangeIndex) and len(tracks) > 0
    for name in ("track_id", "path", "group"):
        assert all(type(value) is str and value for value in tracks[name])
    assert tracks["track_id"].is_unique and tracks["path"].is_unique
    for name in ("valence", "arousal"):
        assert tracks[name].dtype == np.float64 and tracks[name].abs().max() <= 1
    assert all(os.path.isabs(path) for path in tracks["path"])
    assert [
        path
        for path in tracks["path"]
        if not Path(path).is_file() and not path.endswith("none.mp3")
    ] == []
    assert found.labels == ("quadrant" if case.module is quadrants else "continuous")
    if found.labels == "quadrant":
        assert set(tracks["valence"]) | set(tracks["arousal"]) == {-1, 1}
    assert isinstance(found.notes, tuple) and all(note.endswith(".") for note in found.notes)
    assert str(root) in found.source
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.labels = "quadrant"


def test_layout_is_recognised_by_one_module_alone(case, root):
    matching = [module.NAME for module in datasets._MODULES.values() if module.matches(root)]
    assert matching == [case.module.NAME]
    auto, named = (
        datasets.load(root, **case.options),
        datasets.load(str(root), case.module.NAME, **case.options),
    )
    pd.testing.assert_frame_equal(auto.tracks, named.tracks)
    assert auto.notes == named.notes


def test_labels_hold_every_labelled_track(case, root):
    labels = case.module.labels(root, **case.options)
    assert list(labels.columns) == ["track_id", "valence", "arousal", "group"]
    assert len(labels) == case.labelled and labels["track_id"].is_unique
    tracks = case.module.index(root, **case.options).tracks
    both = tracks.merge(labels, on="track_id", suffixes=("", "_label"))
    assert len(both) == len(tracks)
    for name in ("valence", "arousal", "group"):
        assert both[name].tolist() == both[f"{name}_label"].tolist()


def test_values_worked_by_hand(case, root):
    if case.rows is None:
        written = pd.read_csv(root / "labels.csv", dtype={"track_id": str, "group": str})
        rows = list(
            written[["track_id", "valence", "arousal", "group"]].itertuples(index=False, name=None)
        )
    else:
        rows = case.rows
    tracks = case.module.index(root, **case.options).tracks
    assert tracks["track_id"].tolist() == [row[0] for row in rows]
    np.testing.assert_allclose(
        tracks[["valence", "arousal"]], [row[1:3] for row in rows], atol=1e-12
    )
    assert tracks["group"].tolist() == [row[3] for row in rows]
    if case.rows is not None:
        assert case.module.index(root, **case.options).notes == case.notes


def test_relative_folder_gives_absolute_paths(case, root, monkeypatch):
    monkeypatch.chdir(root.parent)
    relative = datasets.load(root.name, **case.options)
    assert (
        relative.tracks["path"].tolist()
        == datasets.load(root, **case.options).tracks["path"].tolist()
    )


def test_label_range_is_refused_where_the_set_knows_its_own(case, root):
    if case.module is csv_file:
        with pytest.raises(InputError, match="--label-range 1 9"):
            datasets.load(root)
    else:
        with pytest.raises(InputError, match="knows its own"):
            datasets.load(root, label_range=(1, 9))


def test_another_kind_is_refused(case, root):
    other = "deam" if case.module is not deam else "pmemo"
    with pytest.raises(InputError, match=f"not laid out as {other}"):
        datasets.load(root, other)


def test_import_is_light():
    code = "import sys, adff_tf.datasets; print([m for m in ('tensorflow', 'keras', 'librosa') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- What users do wrong: the folder ---


def error(*args, **options) -> str:
    with pytest.raises(InputError) as caught:
        datasets.load(*args, **options)
    return str(caught.value)


def test_missing_folder(tmp_path):
    message = error(tmp_path / "nope")
    assert "There is no folder or file" in message and str(tmp_path / "nope") in message
    assert all(module.LAYOUT in message for module in datasets._MODULES.values())


def test_unknown_kind(tmp_path):
    message = error(tmp_path, "pmemo2")
    assert "'pmemo2'" in message and all(kind in message for kind in ("auto", *datasets.KINDS))


def test_folder_that_is_no_data_set(tmp_path):
    assert "(nothing)" in error(tmp_path)
    (tmp_path / "holiday.jpg").touch()
    (tmp_path / "chorus").mkdir()
    message = error(tmp_path)
    assert "  chorus/\n  holiday.jpg\n" in message
    assert all(module.LAYOUT in message for module in datasets._MODULES.values())


def test_folder_that_is_two_data_sets(tmp_path):
    make_pmemo(tmp_path)
    make_folders(tmp_path)
    message = error(tmp_path)
    assert (
        "several" in message
        and "pmemo:" in message
        and "quadrants:" in message
        and "deam:" not in message
    )
    assert len(datasets.load(tmp_path, "pmemo").tracks) == 3


@pytest.mark.parametrize("denied", [".", "chorus"])
def test_unreadable_folder(tmp_path, monkeypatch, denied):
    folder, iterdir = make_pmemo(tmp_path) / denied, Path.iterdir

    def refuse(path):  # chmod does not stop a test that runs as root
        if path == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert (
        error(tmp_path)
        == f"{folder} cannot be read: Permission denied. Give a folder that this user may read."
    )


@pytest.mark.parametrize(
    ("name", "audio"),
    [
        ("pmemo", "chorus"),
        ("deam", "MEMD_audio"),
        ("emomusic", "clips_45seconds"),
        ("emopia", "audio"),
    ],
)
def test_no_audio_at_all_says_where_it_was_sought(tmp_path, name, audio):
    root = CASES[name].make(tmp_path)
    for path in list(root.rglob("*")):
        if path.suffix.lower() in index.SUFFIXES:
            path.unlink()
    message = error(root)
    assert (
        f"None of the {CASES[name].labelled} labelled tracks" in message
        and str(root) in message
        and audio in message
    )
    assert len(CASES[name].module.labels(root)) == CASES[name].labelled
    if audio != "audio":
        shutil.rmtree(next(root.rglob(audio)))
        assert error(root) == message


def test_empty_quadrant_folders(tmp_path):
    (tmp_path / "Q1").mkdir()
    assert "no audio in the folders Q1 to Q4" in error(tmp_path)


def test_one_quadrant_missing_is_noted(tmp_path):
    fill(tmp_path, {"Q1/a.mp3": "", "Q2/b.mp3": "", "Q4/c.mp3": ""})
    assert datasets.load(tmp_path).notes == ("No track of quadrant Q3 is there.",)


def test_two_files_for_one_track(tmp_path):
    fill(make_pmemo(tmp_path / "pmemo"), {"chorus/2.wav": ""})
    message = error(tmp_path / "pmemo")
    assert (
        "1 tracks have more than one audio file" in message
        and "2.mp3" in message
        and "2.wav" in message
    )
    fill(make_folders(tmp_path / "folders"), {"Q3/b.mp3": ""})
    message = error(tmp_path / "folders")
    assert "Q1/b.wav" in message and "Q3/b.mp3" in message


@pytest.mark.parametrize("audio", ["MEMD_audio", "DEAM_audio/MEMD_audio"])
@pytest.mark.parametrize("top", ["DEAM_Annotations", "."])
def test_deam_as_its_archives_unpack(tmp_path, audio, top):
    made = make_deam(tmp_path / "made")
    root = tmp_path / "deam"
    (root / top).mkdir(parents=True)
    shutil.move(made / "DEAM_Annotations/annotations", root / top / "annotations")
    (root / audio).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made / "DEAM_audio/MEMD_audio", root / audio)
    assert datasets.load(root).tracks["track_id"].tolist() == ["2", "1000", "1001", "2001"]


# --- What users do wrong: the label file ---

FILES = {
    "pmemo": PMEMO_LABELS,
    "deam": DEAM_LABELS + "1_2000.csv",
    "emomusic": "static_annotations.csv",
    "emopia": "label.csv",
    "csv": "my songs.csv",
}


@pytest.fixture(params=FILES)
def spoilt(request, tmp_path) -> Callable[[Callable[[str], str]], str]:
    """Rewrites the label file of a good data set, loads it, and returns the message."""
    case = CASES[request.param]
    root = case.make(tmp_path)
    file = tmp_path / FILES[request.param]

    def spoil(change: Callable[[str], str]) -> str:
        good = file.read_text(encoding="utf-8")
        changed = change(good)
        assert changed != good
        file.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        message = error(root, **case.options)
        assert (
            str(tmp_path / "DEAM_Annotations") if request.param == "deam" else str(file)
        ) in message
        return message

    return spoil


def cell(text: str, row: int, column: int, value: str) -> str:
    """The table with one cell replaced; row 1 is the first below the header."""
    table = pd.DataFrame(
        [line.split(",") for line in text.replace('"b, live.mp3"', "b.mp3").splitlines()]
    )
    table.iloc[row, column] = value
    return table.to_csv(header=False, index=False)


@pytest.mark.parametrize("value", ["", "nan", "NaN", "inf", "-inf", "high", "1;5", "n/a"])
def test_cells_that_are_no_numbers(spoilt, value):
    message = spoilt(lambda text: cell(cell(text, 2, 1, value), 3, 1, value))
    assert "2 cells hold no number" in message and "line 3: " in message and "line 4: " in message
    assert repr(value) in message


@pytest.mark.parametrize("value", ["-7", "9.5", "100"])
def test_labels_out_of_range(tmp_path, value):
    for name, file in FILES.items():
        if name == "emopia":
            continue
        case = CASES[name]
        root = case.make(tmp_path / name)
        text = (tmp_path / name / file).read_text(encoding="utf-8")
        (tmp_path / name / file).write_text(
            cell(cell(text, 1, 1, value), 2, 1, value), encoding="utf-8"
        )
        message = error(root, **case.options)
        low, high = (0, 1) if name == "pmemo" else (1, 9)
        assert f"2 labels are not numbers from {low} to {high}:" in message
        assert message.count(f" {value}\n") == 2
        assert all(
            track in message
            for track in {"pmemo": ("10:", "2:"), "deam": ("1001:", "1000:")}.get(name, ())
        )


def test_duplicate_ids(spoilt):
    message = spoilt(lambda text: text + text.splitlines()[-1] + "\n")
    assert "1 values of track_id are there more than once" in message and "(2 times)" in message


def test_empty_ids(tmp_path):
    root = make_pmemo(tmp_path)
    (root / PMEMO_LABELS).write_text("musicId,Arousal(mean),Valence(mean)\n,0.5,0.5\n2,0.5,0.5\n")
    assert "1 rows have an empty id" in error(root)


def test_wrong_columns_say_what_was_found_and_what_is_needed(spoilt):
    message = spoilt(
        lambda text: "who,what,ever,else,more,and\n" + "".join(text.splitlines(keepends=True)[1:])
    )
    assert (
        "has no column" in message and "Found: who, what, ever" in message and "Needed: " in message
    )


def test_a_column_twice(tmp_path):
    (tmp_path / "a.csv").write_text("path,valence,valence,arousal\na.mp3,0,0,0\n")
    assert "has the column valence more than once" in error(tmp_path / "a.csv", label_range=(0, 1))


def test_semicolons(spoilt):
    message = spoilt(lambda text: text.replace('"b, live.mp3"', "b.mp3").replace(",", ";"))
    assert "Save it with commas" in message


def test_header_alone(spoilt):
    assert "holds no rows" in spoilt(lambda text: text.splitlines()[0] + "\n")


def test_empty_file(spoilt):
    assert "(an empty file)" in spoilt(lambda text: "")


def test_rows_of_another_length(spoilt):
    message = spoilt(lambda text: text + "1\n1,2,3,4,5,6,7,8\n")
    assert "2 rows have another number" in message


def test_text_that_is_not_utf8(spoilt):
    assert "no CSV file in UTF-8" in spoilt(
        lambda text: text.encode() + "Beyoncé,1,1\n".encode("latin-1")
    )


def test_a_quote_that_never_closes(spoilt):
    assert "no CSV file in UTF-8" in spoilt(lambda text: text + '"Q1_a_0,1,1\n')


def test_a_folder_instead_of_the_file(tmp_path):
    make_deam(tmp_path)
    file = tmp_path / f"{DEAM_LABELS}2000_2058.csv"
    file.unlink()
    assert f"There is no file {file}" in error(tmp_path)
    file.mkdir()
    assert f"{file} cannot be read" in error(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Q4_x_0,4", "Q4_x_0,5", "line 6: Q4_x_0 is in quadrant 5"),
        ("Q4_x_0,4", "x,0", "line 6: x is in quadrant 0"),
        ("Q4_x_0,4", "Q4_x_0,3", "line 6: Q4_x_0 is in quadrant 3"),
        ("Q4_x_0,4", "Q4_x_0,3.5", "line 6: 4Q is '3.5'"),
    ],
)
def test_quadrants_that_cannot_be(tmp_path, old, new, named):
    root = make_emopia(tmp_path)
    (root / "label.csv").write_text((root / "label.csv").read_text().replace(old, new))
    assert named in error(root)


def test_names_that_state_no_quadrant_and_no_song(tmp_path):
    fill(tmp_path, {"label.csv": "ID,4Q\nplain,3\none_two,4\n", "plain.mp3": "", "one_two.mp3": ""})
    tracks = datasets.load(tmp_path).tracks
    assert tracks["group"].tolist() == ["one_two", "plain"] and tracks["valence"].tolist() == [
        1,
        -1,
    ]


# --- The CSV table ---


def table(tmp_path: Path, text: str, label_range=(0.0, 1.0)) -> pd.DataFrame:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    return datasets.load(tmp_path / "a.csv", label_range=label_range).tracks


def test_paths_are_relative_to_the_table(tmp_path, monkeypatch):
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    tracks = table(tmp_path, f"path,valence,arousal\nx/../b.mp3,0,1\n{other}/c.mp3,1,0\n")
    assert sorted(tracks["path"]) == [f"{tmp_path}/b.mp3", f"{other}/c.mp3"]
    assert set(tracks["track_id"]) == {"x/../b.mp3", f"{other}/c.mp3"}
    assert tracks["group"].tolist() == tracks["track_id"].tolist()


def test_ids_groups_white_space_and_a_byte_order_mark(tmp_path):
    tracks = table(
        tmp_path,
        "\ufeffpath , valence,arousal, track_id,mood,group\n a.mp3 , 0.5,1 , 07,x, A \n\nb.mp3,0,0,8,y,\n",
    )
    assert tracks["track_id"].tolist() == ["07", "8"] and tracks["group"].tolist() == ["A", "8"]
    assert tracks["valence"].tolist() == [0, -1]


def test_one_recording_under_two_ids(tmp_path):
    with pytest.raises(InputError, match="values of path are there more than once"):
        table(tmp_path, "path,valence,arousal,track_id\na.mp3,0,0,1\n./a.mp3,1,1,2\n")


def test_empty_path(tmp_path):
    with pytest.raises(InputError, match="1 rows have an empty path:\n  line 3"):
        table(tmp_path, "path,valence,arousal,track_id\na.mp3,0,0,1\n,1,1,2\n")


@pytest.mark.parametrize("label_range", [(1, 1), (9, 1), (float("nan"), 1), (0, float("inf"))])
def test_label_range_that_is_none(tmp_path, label_range):
    with pytest.raises(InputError, match="give the lowest and then the highest"):
        table(tmp_path, "path,valence,arousal\na.mp3,0,0\n", label_range)


# --- The shared parts ---

TRACKS = pd.DataFrame(
    {
        "track_id": ["a", "b"],
        "path": ["/a", "/b"],
        "valence": [0.0, 1.0],
        "arousal": [-1.0, 0.5],
        "group": ["a", "b"],
    }
)


def test_validate_returns_the_table():
    assert index.validate(TRACKS) is TRACKS


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (
            TRACKS.drop(columns="group"),
            "track_id, path, valence, arousal; expected are exactly .*, group",
        ),
        (TRACKS.assign(fold=1), "fold; expected"),
        (TRACKS.iloc[:0], "no tracks"),
        (TRACKS.assign(track_id="a"), r"a \(2 times\)"),
        (TRACKS.assign(path="/a"), r"/a \(2 times\)"),
        (TRACKS.assign(track_id=["a", ""]), "empty id"),
        (TRACKS.assign(valence=[0, float("nan")]), "b: valence nan"),
        (TRACKS.assign(arousal=[float("inf"), 0]), "a: arousal inf"),
        (TRACKS.assign(arousal=[0, 1.01]), "b: arousal 1.01"),
    ],
)
def test_validate_refuses(bad, named):
    with pytest.raises(InputError, match=named):
        index.validate(bad)
    with pytest.raises(InputError, match=named):
        index.Index(bad, "continuous", (), "")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.lists(st.floats(0, 1), min_size=1))
def test_scale_stays_within_and_keeps_the_order(low, width, parts):
    high = low + width
    values = pd.Series([low, high, *(min(max(low + part * width, low), high) for part in parts)])
    scaled = index.scale(values, low, high)
    assert scaled[0] == -1 and scaled[1] == 1 and scaled.abs().max() <= 1
    assert scaled[values.argsort()].is_monotonic_increasing
    np.testing.assert_allclose(scaled, np.interp(values, [low, high], [-1, 1]), atol=1e-6)


def test_natural_order():
    assert (
        index.join_ids(["b2", "a10", "10", "a9", "2", "a", "01", "1"])
        == "01, 1, 2, 10, a, a9, a10, b2"
    )


def test_names_that_are_not_utf8_are_told(tmp_path):
    for quadrant in "1234":
        (tmp_path / f"Q{quadrant}").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/Q1/caf\xe9.wav")).touch()
    for place in (tmp_path, tmp_path / os.fsdecode(b"\xe9")):
        with pytest.raises(InputError, match=r"1 names are not UTF-8.*:\n(.|\n)*\nRename them"):
            datasets.load(place)
