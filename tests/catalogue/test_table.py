"""Rows, and their Parquet files: whole or missing whenever the process is killed."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adff_tf.catalogue.decoder import FileInfo
from adff_tf.catalogue.table import Columns, Counts, Parts
from adff_tf.errors import InputError
from adff_tf.inference.emotion import Emotion
from adff_tf.tasks import TASKS


def emotion(path: str, count: int, seed: int = 0, task: str = "both") -> Emotion:
    rng = np.random.default_rng(seed)
    start = np.arange(count) * 0.5
    values = {name: rng.normal(size=count).astype("float32") for name in TASKS[task].outputs}
    return Emotion(TASKS[task], path, count * 0.5 + 0.5, 1.0, 0.5, start, start + 1, values)


def rows(columns: Columns, names) -> pa.Table:
    """Return rows of files; every third one is an error."""
    made = []
    for k, name in enumerate(names):
        info = FileInfo(f"{k:064x}", 44100, 100, "is broken" if k % 3 == 2 else "")
        good = columns.row(name, info, emotion("x", k % 4 + 1, k))
        made.append(columns.error_row(name, info) if info.error else good)
    return columns.table(made)


def test_rows_and_curves(tmp_path):
    columns = Columns.of(TASKS["both"])
    parts = Parts(tmp_path, columns)
    parts.add(rows(columns, [b"/a", b"/b\xff", b"/c", b"/d"]))
    songs, curves = pd.read_parquet(tmp_path / "songs"), pd.read_parquet(tmp_path / "curves")
    assert list(songs["path"]) == ["/a", "/b\\xff", "/c", "/d"]
    assert list(songs["status"]) == ["ok", "ok", "error", "ok"]
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
    assert parts.paths().to_pylist() == [b"/a", b"/b\xff", b"/c", b"/d"]


@given(cut=st.integers(0, 11))
@settings(deadline=None, max_examples=12)
def test_a_kill_between_any_two_writes_leaves_whole_parts(tmp_path_factory, cut):
    """Ten files, a part each; the process is killed at one of the writes."""
    folder, columns = tmp_path_factory.mktemp("kill"), Columns.of(TASKS["both"])
    names = [b"/%d" % k for k in range(10)]
    with pytest.MonkeyPatch.context() as patch:
        left, replace = [cut], os.replace

        def killed(*paths):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            replace(*paths)

        patch.setattr(os, "replace", killed)
        parts = Parts(folder, columns)
        with pytest.raises(KeyboardInterrupt):
            for name in names:
                parts.add(rows(columns, [name]))
    parts = Parts(folder, columns)
    done = parts.paths().to_pylist()
    assert done == names[: cut // 2]
    for name in names[len(done) :]:
        parts.add(rows(columns, [name]))
    songs, curves = (list(pd.read_parquet(folder / name)["path"]) for name in ("songs", "curves"))
    assert songs == curves and sorted(songs) == [f"/{k}" for k in range(10)]


def test_errors_are_counted_by_kind_and_can_be_forgotten(tmp_path):
    columns = Columns.of(TASKS["both"])
    parts = Parts(tmp_path, columns)
    reasons = ["states 3.0 s and holds 1.5 s", "states 9 s and holds 4.25 s", "is empty"]
    infos = enumerate(FileInfo(error=reason) for reason in reasons)
    parts.add(columns.table([columns.error_row(b"/%d" % k, info) for k, info in infos]))
    parts.add(rows(columns, [b"/good"]))
    assert parts.count() == Counts(1, {"states … s and holds … s": 2, "is empty": 1})
    assert parts.forget_errors() == 3 and parts.paths().to_pylist() == [b"/good"]


def test_a_damaged_part_is_named(tmp_path):
    columns = Columns.of(TASKS["both"])
    parts = Parts(tmp_path, columns)
    parts.add(rows(columns, [b"/a"]))
    (tmp_path / "songs" / "part-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="part-00000.parquet is damaged"):
        parts.paths()
