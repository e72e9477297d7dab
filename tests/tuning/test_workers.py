"""Chief and workers: shared trials, a killed worker, roles from the environment."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.features.tracks import prepare_tracks
from adff_tf.training.run import load_index
from adff_tf.tuning.workers import choose_role

from .plans import make_plan

ROOT = Path(__file__).parents[2]
PROCESS = """
import sys, time
from adff_tf.support import console
console.prepare_tensorflow(); console.import_tensorflow()
from pathlib import Path
from adff_tf.tuning import trials
from adff_tf.tuning.plan import Budget, Plan
from adff_tf.tuning.search import search
from adff_tf.tuning.workers import choose_role

def score(settings, songs, folder, label, reporter):
    time.sleep(1.0)
    return {"arousal": {"r2": 1 / settings.segments.seg_num, "rmse": 0.5}}

trials._fit_and_score = score
folder, name, address, features = sys.argv[1:]
plan = Plan.from_json(Path(folder + ".plan.json").read_text())
role = choose_role(name == "chief", None if name == "chief" else name, address)
search(plan, folder, Budget(trials=8), features, role, console.Terminal(), lease_s=4.0)
"""


def test_chief_and_workers_share_the_trials_and_lose_none_when_one_is_killed(
    manifest, features, tmp_path
):
    wanted = make_plan(manifest, "seg_num=1,2,3", "lstm_units=1,2,3", algorithm="random")
    tracks = load_index(wanted.base, tmp_path).tracks
    prepare_tracks(tracks, features, wanted.base.frontend)
    folder, address = tmp_path / "s", f"127.0.0.1:{free_port()}"
    Path(f"{folder}.plan.json").write_text(wanted.to_json())
    logs = {name: tmp_path / f"{name}.log" for name in ("chief", "a", "b")}
    processes = {}
    for name, file in logs.items():
        arguments = [sys.executable, "-c", PROCESS, folder, name, address, features]
        with open(file, "w") as log:
            processes[name] = subprocess.Popen(
                arguments, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT
            )
    try:
        killed = kill_in_second_trial(processes["b"], logs["b"])
        for name in ("a", "chief"):
            assert processes[name].wait(timeout=120) == 0, logs[name].read_text()
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    table = pd.read_csv(folder / "trials.csv")
    assert list(table["trial"]) == list(range(8)) and (table["status"] == "completed").all()
    assert set(table["worker"]) == {"a", "b"}
    assert table.set_index("trial")["worker"][killed] == "a"
    np.testing.assert_allclose(table["score"], 1 / table["seg_num"])
    assert (folder / "report.md").exists()
    best = Experiment.from_json((folder / "best.json").read_text())
    assert best.segments.seg_num == 1


def kill_in_second_trial(process, log):
    """Kill a worker in a trial after its first; return that trial's index."""
    while True:
        assert process.poll() is None, log.read_text()
        lines = log.read_text().splitlines()
        starts = [line for line in lines if line.startswith("trial") and "seg_num" in line]
        begun = [line.split(":")[0] for line in starts]
        done = [line for line in lines if line.endswith(": done")]
        if done and len(begun) > len(done):
            os.kill(process.pid, signal.SIGKILL)
            return int(begun[-1].removeprefix("trial"))
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_environment_names_the_role_as_in_keras_tuner(monkeypatch):
    for name, value in (("TUNER_ID", "chief"), ("ORACLE_IP", "10.0.0.1"), ("ORACLE_PORT", "8000")):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    role = choose_role(False, None, "127.0.0.1:7077")
    assert role.is_chief and role.address == "10.0.0.1:8000"
    assert choose_role(False, "w1", "127.0.0.1:7077").address == "127.0.0.1:7077"
    monkeypatch.delenv("KERASTUNER_ORACLE_PORT")
    with pytest.raises(InputError, match="KERASTUNER_ORACLE_PORT is not; set all three"):
        choose_role(False, None, "127.0.0.1:7077")
