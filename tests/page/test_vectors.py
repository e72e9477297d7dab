"""The numbers that the page and Python share, and the page's own tests of them, by Node."""

import json
import shutil
import subprocess

import pytest

from .vectors import FILE, vectors

WEB = FILE.parents[1]


def test_the_file_is_what_python_computes():
    """Rewrite it after a change: python -m tests.page.vectors."""
    wanted = json.loads(json.dumps(vectors()))
    found = json.loads(FILE.read_text())
    resampled = found.pop("resampling"), wanted.pop("resampling")
    assert found == wanted
    for stored, computed in zip(*resampled, strict=True):
        assert stored["length"] == computed["length"]
        assert stored["samples"] == pytest.approx(computed["samples"], abs=2e-5)  # soxr's release


def test_the_page_computes_the_same():
    if not (WEB / "node_modules").is_dir() or not shutil.which("npm"):
        pytest.skip("npm ci has not run in web/: the page's own tests did not run")
    done = subprocess.run(["npm", "test"], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "# pass 27" in done.stdout, done.stdout
