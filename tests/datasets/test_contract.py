"""One contract for all loaders, on an example of each data set; expected values worked by hand."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf import datasets
from adff_tf.datasets import csv_file, deam, emomusic, merge, panda4q, pmemo, quadrants
from adff_tf.errors import InputError

from .examples import CASES, Case


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


def test_every_kind_has_a_case():
    assert {case.module.NAME for case in CASES.values()} == set(datasets.KINDS)


def test_index_keeps_the_contract(case, root):
    found = case.module.index(root, **case.options)
    tracks = found.tracks
    assert list(tracks.columns) == [
        "track_id", "path", "valence", "arousal", "group", "source", "labels", "split", "weight"
    ]  # fmt: skip
    assert isinstance(tracks.index, pd.RangeIndex) and len(tracks) > 0
    for name in ("track_id", "path", "group", "source"):
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
    assert tracks["source"].nunique() == 1 and (tracks["weight"] == 1).all()
    has_quadrants = case.module in (panda4q, quadrants)
    assert found.labels == ("quadrant" if has_quadrants else "continuous")
    assert set(tracks["labels"]) == {found.labels}
    assert tracks["split"].tolist() == list(case.split or [""] * len(tracks))
    assert found.has_artists == (case.module in (emomusic, merge, panda4q, pmemo))
    if found.labels == "quadrant":
        assert set(tracks["valence"]) | set(tracks["arousal"]) == {-1, 1}
    assert isinstance(found.notes, tuple) and all(note.endswith(".") for note in found.notes)
    assert str(root) in found.source
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.source = "elsewhere"


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
        with pytest.raises(InputError, match="`label_range` is missing.*as in 1 9"):
            datasets.load(root)
    else:
        with pytest.raises(InputError, match="knows its own"):
            datasets.load(root, label_range=(1, 9))


def test_another_kind_is_refused(case, root):
    other = "deam" if case.module is not deam else "pmemo"
    with pytest.raises(InputError, match=f"not laid out as {other}"):
        datasets.load(root, other)


def test_import_is_light():
    code = (
        "import sys, adff_tf.datasets; "
        "print([m for m in ('tensorflow', 'keras', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
