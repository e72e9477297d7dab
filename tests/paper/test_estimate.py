"""The estimate of hours."""

import pytest

from adff_tf import reproduce
from adff_tf.paper import cells, cost, estimate, grid, work
from adff_tf.training import fit as fits

from .making import TINY


def test_the_estimate_is_steps_times_seconds(monkeypatch, tmp_path):
    class Model:
        def estimate(self, experiment):
            return cost.StepTime(10.0, 2.0)

    measured = []
    monkeypatch.setattr(cost, "measure", measured.append)
    monkeypatch.setattr(cost, "fit_costs", lambda found: Model())
    base = reproduce.parse(["figure3", *TINY])[1]
    training = base.training.model_copy(update={"epochs": 7, "batch_size": 2})
    base = base.model_copy(update={"training": training})
    prepared = cells.prepare_data([base], tmp_path / "out", tmp_path / "features")
    table = grid.figure3(prepared[0].base).narrow(
        lambda cell: cell.experiment.segments.seg_num in (1, 16)
    )
    found = estimate.estimate_hours(table.cells, tmp_path / "out", prepared)
    assert len(measured) == 2  # for all lengths and targets: with and without Bi-LSTMs
    assert "of 2 small networks" in found.method and "the 2 shapes" in found.method
    row = found.runs.set_index("cell").loc["arousal-simple-20s-seg_num1"]
    # ten clips in two folds: five segments are two batches of two
    assert (row["fits"], row["steps"]) == (2, 2 * 7 * 2)
    assert row["hours"] == pytest.approx((2 * 10 + 28 * 2) / 3600, abs=1e-4)


def test_a_dry_run_trains_nothing(tmp_path, ask, monkeypatch):
    monkeypatch.setattr(fits, "fit", lambda *args: pytest.fail("trained"))
    arguments = ["figure3", *TINY, "--seg-nums", "16", "--out", tmp_path, "--dry-run"]
    status, out, err = ask(arguments)
    assert (status, err) == (0, "") and out.count("to come") == 2
    for cell in ("arousal-simple-20s-seg_num16", "valence-simple-20s-seg_num16"):
        (tmp_path / "cells" / cell).mkdir(parents=True)
        (tmp_path / "cells" / cell / "report.md").touch()
    status, out, err = ask(arguments)
    assert (status, err) == (0, "")
    assert out.count("to come") == 0 and "every run is finished" in out
    assert "figure3: 2 runs, 0.00 hours to go" in out


def test_on_a_gpu_every_shape_is_measured_at_its_batch_size(monkeypatch, tmp_path):
    timed = []

    def measure(experiment, batches):
        timed.append(experiment)
        assert set(batches) == {experiment.training.batch_size}
        return cost.Measured(work.count(experiment), 8.0, {batches[0]: 2.0})

    monkeypatch.setattr(cost, "measure", measure)
    monkeypatch.setattr(estimate.tf.config, "list_logical_devices", lambda kind: ["GPU:0"])
    base = reproduce.parse(["figure3", *TINY])[1]
    prepared = cells.prepare_data([base], tmp_path / "out", tmp_path / "features")
    table = grid.figure3(prepared[0].base).narrow(
        lambda cell: cell.experiment.segments.seg_num in (1, 16)
    )
    found = estimate.estimate_hours(table.cells, tmp_path / "out", prepared)
    assert len(timed) == 2  # the networks of arousal and valence have one shape
    assert (found.runs["step_s"] == 2.0).all() and "each shape" in found.method
