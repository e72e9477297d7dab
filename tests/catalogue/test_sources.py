"""Sources: folders, patterns and lists to paths, each once."""

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from adff_tf.catalogue import sources
from adff_tf.errors import InputError


@pytest.fixture
def library(tmp_path):
    """Two albums, a text, a name that is not UTF-8, a link to nowhere."""
    for name in ("b/2.wav", "b/1.MP3", "a/x.flac", "a/notes.txt", "a/deep/y.ogg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/caf\xe9.wav")).touch()
    (tmp_path / "b" / "gone.wav").symlink_to("nowhere")
    return tmp_path


def find(*given) -> list[str]:
    return [
        os.fsdecode(path)
        for path in sources.find([str(source) for source in given]).paths.to_pylist()
    ]


def relative(library: Path, paths: list[str]) -> list[str]:
    return [os.path.relpath(path, library) for path in paths]


def test_a_folder_is_searched_to_its_bottom_in_order(library):
    names = relative(library, find(library))
    in_a = ["a/caf\udce9.wav", "a/x.flac", "a/deep/y.ogg"]
    assert names == [*in_a, "b/1.MP3", "b/2.wav", "b/gone.wav"]


def test_a_file_named_twice_is_one(library, monkeypatch):
    monkeypatch.chdir(library)
    twice = find(library / "b", "b/2.wav", library / "a" / ".." / "b" / "2.wav", "b/*")
    assert relative(library, twice) == ["b/1.MP3", "b/2.wav", "b/gone.wav"]


def test_patterns(library):
    assert relative(library, find(library / "**" / "*.wav"))[-1] == "b/gone.wav"
    assert len(find(library / "**" / "*.wav")) == 3
    assert len(find(library / "?")) == 6  # the two folders
    assert len(find(library / "**")) == 7  # every file, whatever its suffix


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_lists_are_relative_to_their_own_folder_and_may_name_missing_files(library, suffix):
    file = library / f"list{suffix}"
    rows = pd.DataFrame(
        {"number": [1, 2, 3, 4], "path": ["a/x.flac", "not there.wav", str(library / "b"), None]}
    )
    rows.to_csv(file, index=False) if suffix == ".csv" else rows.to_parquet(file)
    assert relative(library, find(file)) == ["a/x.flac", "not there.wav", "b"]


def test_a_binary_column_names_odd_bytes(library):
    odd = os.fsencode(library) + b"/a/caf\xe9.wav"
    pa.parquet.write_table(pa.table({"path": pa.array([odd])}), library / "odd.parquet")
    assert sources.find([str(library / "odd.parquet")]).paths.to_pylist() == [odd]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"artist,title\na,b\n", "has no column path, but artist, title"),
        (b"", "has no column path, but nothing"),
        (b"path\n", "names no recording"),
        (b"path\n" + b"a" * 200_000, "field larger than field limit"),
    ],
)
def test_broken_csv_lists(tmp_path, content, reason):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        find(tmp_path / "list.csv")


def test_broken_parquet_lists(tmp_path):
    for name, content in {"numbers": {"path": [1, 2]}, "other": {"file": ["a"]}}.items():
        pd.DataFrame(content).to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "text.parquet").write_text("path\na.wav\n")
    for name, reason in {
        "numbers": "holds int64",
        "other": "has no column path, but file",
        "text": "damaged or no Parquet",
    }.items():
        with pytest.raises(InputError, match=reason):
            find(tmp_path / f"{name}.parquet")


@pytest.mark.parametrize(
    "given", ["nothing/here", "*.nothing", "a" * 300, "~nobody-of-that-name/x"]
)
def test_a_source_that_names_nothing(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="names no recording|cannot be"):
        find(given)


def test_an_empty_folder_is_no_source(tmp_path):
    with pytest.raises(InputError, match="no file of a known kind"):
        find(tmp_path)
