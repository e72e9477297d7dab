"""Users' mistakes in the label file of any data set (`index.read_table`, `index.scale_labels`)."""

from collections.abc import Callable

import pandas as pd
import pytest

from .examples import CASES, DEAM_LABELS, PMEMO_LABELS, error, make_pmemo

FILES = {
    "pmemo": PMEMO_LABELS,
    "deam": DEAM_LABELS + "1_2000.csv",
    "emomusic": "static_annotations.csv",
    "emopia": "label.csv",
    "csv": "my songs.csv",
}


@pytest.fixture(params=FILES)
def spoilt(request, tmp_path) -> Callable[[Callable[[str], str]], str]:
    """Rewrite the label file of a good data set, load it, and return the message."""
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
    """Return the table with one cell replaced; row 1 is the first below the header."""
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


def test_wrong_columns_name_those_found_and_needed(spoilt):
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
