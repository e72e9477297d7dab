"""Clips by adff-tf's own composer, as FLAC in OUT/composer/audio."""

import soundfile

from adff_tf.datasets import synthetic
from adff_tf.support.console import Reporter

from .table import RATE_HZ, Table

SECONDS = 30.0


def gather(table: Table, clips: int, seed: int, reporter: Reporter) -> None:
    """Compose clips and add them to the table. Raises InputError.

    Args:
        table: of OUT.
        clips: their number.
        seed: another than 0 gives other music than the built-in data set.
        reporter: receives progress.
    """
    table.check_space()
    folder = table.out / "composer"
    with reporter.bar("composed clips", clips, minutely=True) as advance:
        synthetic.make(folder, clips, SECONDS, seed, advance, RATE_HZ, workers=1)
    for file in sorted((folder / "audio").glob("*.flac")):
        if file not in table:
            seconds = soundfile.info(file).duration
            table.add(file, "composer", "free of any terms", seconds)
