"""The notebook docs/first_steps.ipynb: it holds no outputs, and it runs."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from adff_tf import EmotionModel

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first_steps.ipynb"
RESULT = """
import json
print(json.dumps({"tuned": tuned.predict(songs[-1]).values, "exported": answers[0],
                  "shipped": pair[-1].values, "songs": finished.metrics["tracks"]}))
"""


def cells(kind: str) -> list[dict]:
    return [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == kind]


def test_it_is_stored_without_outputs():
    for cell in cells("code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None, cell["id"]


def test_ids_are_words_and_occur_once():
    """Jupyter writes random ids for new cells, which make a diff of every save."""
    ids = [cell["id"] for kind in ("code", "markdown") for cell in cells(kind)]
    assert len(set(ids)) == len(ids)
    assert all(name.replace("-", "").isalpha() and name.islower() for name in ids)


def test_every_cell_is_python():
    for cell in cells("code"):
        ast.parse("".join(cell["source"]).removeprefix("%matplotlib inline\n"), cell["id"])


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    """In a new folder, as a newcomer runs it; its own files are read again outside of it."""
    import nbclient  # here, so that the fast tests need neither
    import nbformat

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(RESULT))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()

    pictures = [c.id for c in notebook.cells if "image/png" in str(c.get("outputs"))]
    assert pictures == ["curve", "path", "compare"]
    result = json.loads(notebook.cells[-1].outputs[-1]["text"])
    assert result["songs"] == 10
    run = EmotionModel.load(tmp_path / "first_steps" / "run", backend="keras")
    again = run.predict(tmp_path / "first_steps" / "music" / "audio" / "11.flac").values
    for name, value in again.items():
        for written in ("exported", "tuned"):  # both are float32 files
            assert result[written][name] == pytest.approx(value, abs=1e-3)
        assert np.abs(result["shipped"][name] - value) > 1e-3  # the fine-tuning changed it
