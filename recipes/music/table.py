"""OUT/sources.csv: `file,source,licence,seconds,sha256`, a row for every file of the corpus.

`file` is relative to OUT. A row is appended once its file is complete, so that a stopped run goes
on after the last row. No two rows have the same hash.
"""

import csv
import dataclasses
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from adff_tf.errors import InputError
from adff_tf.reports.markdown import format_table

FILE = "sources.csv"
LEAST_FREE_BYTES = 2**30
RATE_HZ = 32000  # of all audio that is rendered here


@dataclasses.dataclass(frozen=True)
class Row:
    """One file of the corpus."""

    file: str
    source: str
    licence: str
    seconds: float
    sha256: str


HEADER = [field.name for field in dataclasses.fields(Row)]


class Table:
    """The rows of OUT/sources.csv, in memory and in the file."""

    def __init__(self, out: Path):
        """Read the table of an existing folder, or begin it. Raises InputError for another."""
        self.out = out
        self.rows = {row.file: row for row in self._read() if (out / row.file).is_file()}
        self._hashes = {row.sha256 for row in self.rows.values()}
        with open(out / FILE, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows(map(dataclasses.astuple, self.rows.values()))

    def __contains__(self, file: Path) -> bool:
        return str(file.relative_to(self.out)) in self.rows

    def add(self, file: Path, source: str, licence: str, seconds: float) -> bool:
        """Add a complete file, or delete it where its content is there already.

        Args:
            file: inside OUT.
            source, licence, seconds: the row's.

        Returns:
            Whether it was added.
        """
        digest = sha256(file)
        if digest in self._hashes:
            file.unlink()
            return False
        name = str(file.relative_to(self.out))
        self.rows[name] = Row(name, source, licence, round(seconds, 2), digest)
        self._hashes.add(digest)
        with open(self.out / FILE, "a", newline="", encoding="utf-8") as table:
            csv.writer(table).writerow(dataclasses.astuple(self.rows[name]))
        return True

    def check_space(self) -> None:
        """Raise InputError where less than a gibibyte is free."""
        free = shutil.disk_usage(self.out).free
        if free < LEAST_FREE_BYTES:
            raise InputError(
                f"{self.out} has {free / 2**20:.0f} MiB free; at least 1024 are needed. Make room "
                "and give the same command again: finished files are kept"
            )

    def summary(self) -> str:
        """Return a Markdown table: files, hours and licences by source."""
        lines = []
        for source in dict.fromkeys(row.source for row in self.rows.values()):
            rows = [row for row in self.rows.values() if row.source == source]
            licences = sorted({row.licence for row in rows})
            lines.append((source, str(len(rows)), _hours(rows), " / ".join(licences)))
        lines.append(("all", str(len(self.rows)), _hours(self.rows.values()), ""))
        return format_table(("source", "files", "hours", "licence"), lines)

    def _read(self) -> Iterator[Row]:
        path = self.out / FILE
        if not path.exists():
            return
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, HEADER)
            if header != HEADER:
                raise InputError(
                    f"{path} has the columns {', '.join(header)}, not {', '.join(HEADER)}; "
                    "give another folder for the corpus"
                )
            for cells in reader:
                if len(cells) == len(HEADER) and len(cells[-1]) == 64:  # else torn by a kill
                    yield Row(*cells[:3], float(cells[3]), cells[4])


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _hours(rows) -> str:
    return f"{sum(row.seconds for row in rows) / 3600:.1f}"
