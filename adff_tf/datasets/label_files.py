"""Label files: CSV tables as data sets publish them, read with every mistake named by its line."""

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError, format_list


def read_table(
    path: Path, columns: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> pd.DataFrame:
    """Return the named columns of a CSV file, indexed by the line number in the file.

    The file has commas, a header and UTF-8 text. White space around names and cells is removed.

    Args:
        columns: name to str, float or int. A str may be empty; a number must be finite.
        optional: columns that may be missing.

    Raises:
        InputError: the file is missing, unreadable, not CSV or without rows; a column is missing; a
            row has another length than the header; a cell is not a number (all lines named).
    """
    header, rows = _read_csv(path)
    wanted = dict(columns) | {
        name: kind for name, kind in (optional or {}).items() if name in header
    }
    _check_header(path, header, columns, wanted)
    ragged = [f"line {line}: {len(row)}" for line, row in rows.items() if len(row) != len(header)]
    if ragged:
        raise InputError(
            f"{path}: the header has {len(header)} columns, but {len(ragged)} rows have another "
            f"number:\n{format_list(ragged)}\nPut a field that holds a comma in double quotes."
        )
    if not rows:
        raise InputError(f"{path} holds no rows below its header: at least one is needed.")
    table = pd.DataFrame(list(rows.values()), index=list(rows), columns=header)
    return _parse_numbers(path, table[list(wanted)], wanted)


def read_header(path: Path) -> list[str]:
    """Return the names of a CSV file's columns. Raises InputError as `read_table`."""
    return _read_csv(path)[0]


def _read_csv(path: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header, and the rows by line number without blank lines."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with open(path, newline="", encoding="utf-8-sig") as file:
            # strict: else a quote that never closes would swallow the rest of the file silently.
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = {}
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    rows[reader.line_num] = cells
    except FileNotFoundError:
        raise InputError(
            f"There is no file {path}. Check the path, or whether the archive was unpacked whole."
        ) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. Give a CSV file that this user may read."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} is no CSV file in UTF-8 ({error}). Save it as comma-separated UTF-8 text."
        ) from None
    return header, rows


def _check_header(
    path: Path, header: Sequence[str], columns: Collection[str], wanted: Collection[str]
) -> None:
    missing = [name for name in columns if name not in header]
    repeated = [name for name in wanted if header.count(name) > 1]
    if missing:
        problem = f"has no column {', '.join(missing)}"
    elif repeated:
        problem = f"has the column {', '.join(repeated)} more than once"
    else:
        return
    advice = "Name each of them once in the first line."
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        advice = "Save it with commas between the columns."
    raise InputError(
        f"{path} {problem}. Found: {', '.join(header) or '(an empty file)'}. "
        f"Needed: {', '.join(columns)}. {advice}"
    )


def _parse_numbers(path: Path, table: pd.DataFrame, kinds: Mapping[str, type]) -> pd.DataFrame:
    """Return the table with its int and float columns converted from text."""
    bad, numbers = [], {}
    for name, kind in kinds.items():
        if kind is str:
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype("float64")
        wrong = ~np.isfinite(values)
        if kind is int:
            wrong |= values % 1 != 0
        bad += [f"line {line}: {name} is {cell!r}" for line, cell in table.loc[wrong, name].items()]
        numbers[name] = values
    if bad:
        raise InputError(
            f"{path}: {len(bad)} cells hold no number where one is needed:\n{format_list(bad)}\n"
            "Correct or remove these rows."
        )
    types = {name: "int64" if kinds[name] is int else "float64" for name in numbers}
    return table.assign(**numbers).astype(types)
