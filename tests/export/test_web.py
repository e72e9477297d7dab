"""The format `web`: the page with the run's int8 model."""

import json

import pytest

from adff_tf.errors import InputError
from adff_tf.export.__main__ import main
from adff_tf.export.artifacts import export
from adff_tf.inference.model import EmotionModel
from adff_tf.page import built

from ..artifacts import save_run
from ..commands import ask


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    folder.mkdir()
    for name in ("index.html", "worker.js"):
        (folder / name).write_text(name)
    monkeypatch.setattr(built, "STATIC", folder)
    return folder


def test_the_folder(static, tmp_path, capsys):
    run, out = save_run(tmp_path / "songs"), tmp_path / "export"
    status, printed, _ = ask(main, [run, "--out", out, "--formats", "tflite", "web"], capsys)
    assert status == 0, printed
    assert f"python -m http.server -d {out}/web" in printed
    assert {file.name for file in (out / "web").iterdir()} == {
        "index.html", "worker.js", "model.tflite"
    }  # fmt: skip
    model = out / "web" / "model.tflite"
    assert model.read_bytes() == (out / "adff_int8.tflite").read_bytes()
    parity = json.loads((out / "parity.json").read_text())["artifacts"]
    assert parity["web"]["worst"] == parity["adff_int8.tflite"]["worst"] <= 0.08
    alone = export(run, tmp_path / "alone", ["web"]).folder / "web" / "model.tflite"
    assert alone.read_bytes() == model.read_bytes()
    assert EmotionModel.load(alone).task.name == "both"


def test_without_the_built_page_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(built, "STATIC", tmp_path / "nothing")
    with pytest.raises(InputError, match="the page is not built"):
        export(save_run(tmp_path / "songs"), tmp_path / "out", ["web"])
    assert not (tmp_path / "out").exists()
