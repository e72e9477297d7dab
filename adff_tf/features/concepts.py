"""Mid-level features of tracks, which a network with concepts is taught beside the emotions.

They stand in the tracks' table, a column each, in [-1, 1]. On the built-in music they are the
factors that it was made from, which every track has. Otherwise they are those of the mid-level data
set, whose clips have no emotion: their weight in the emotions' loss is 0.
"""

import dataclasses
from pathlib import Path

import numpy as np

from ..config import Experiment
from ..datasets import mid_level, synthetic
from ..support.console import SILENT, Reporter
from ..support.files import expand_user
from .tracks import Tracks, prepare_tracks


def with_concepts(
    experiment: Experiment,
    tracks: Tracks,
    made: Path,
    folder: str | Path,
    reporter: Reporter = SILENT,
) -> tuple[Tracks, Tracks | None]:
    """Return tracks with the concepts of an experiment, and tracks that have nothing else.

    Args:
        experiment: its concepts are not empty.
        tracks: those with emotions.
        made: folder of the built-in music.
        folder: the feature store's.
        reporter: takes progress and notes.

    Raises:
        InputError: as `mid_level.read` and `prepare_tracks`.
    """
    names, place = experiment.concepts, experiment.data.mid_level_data
    if place is None:
        known = synthetic.scaled_factors(made).loc[tracks.table["track_id"], list(names)]
        table = tracks.table.assign(**{name: known[name].to_numpy() for name in names})
        return dataclasses.replace(tracks, table=table, concepts=names), None
    clips, notes = mid_level.read(expand_user(place))
    for note in notes:
        reporter.log(f"  note: {note}")
    skip = experiment.data.skip_bad_audio
    others, _ = prepare_tracks(clips, folder, experiment.frontend, skip, reporter)
    table = tracks.table.assign(**dict.fromkeys(names, np.nan))
    return (
        dataclasses.replace(tracks, table=table, concepts=names),
        dataclasses.replace(others, concepts=names),
    )
