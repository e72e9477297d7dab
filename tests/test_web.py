"""The program `adff-web`, as a user runs it, on a stand-in for the built page."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from adff_tf import web
from adff_tf.model import shipped
from adff_tf.page import built

from .commands import ask

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "tests" / "regression" / "adff_int8.tflite"
PROGRAM = """
import sys
from pathlib import Path
from adff_tf import web
from adff_tf.page import built
built.STATIC = Path(sys.argv.pop(1))
web.main()
"""


@pytest.fixture
def static(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("the page")
    monkeypatch.setattr(built, "STATIC", tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", [shipped.SMALL, MODEL])
def test_it_serves_until_ctrl_c(static, model):
    given = [] if model == shipped.SMALL else [str(model)]
    command = [sys.executable, "-c", PROGRAM, str(static), *given, "--port", "0", "--no-open"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        url = re.match(r"(http://127\.0\.0\.1:\d+/)   \(Ctrl-C ends\)", running.stdout.readline())[
            1
        ]
        with urllib.request.urlopen(f"{url}model.tflite") as answer:
            assert answer.read() == model.read_bytes()
        running.send_signal(signal.SIGINT)
        printed, errors = running.communicate(timeout=20)
    assert running.returncode == 0 and "the page is no longer served" in printed
    assert "Traceback" not in errors and "error" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing"),
        ([ROOT / "README.md"], "README.md"),
        (["--port", "70000"], "give 0 to 65535"),
        (["--host", "256.0.0.1", "--port", "0"], "cannot be bound"),
    ],
)
def test_a_mistake_is_one_line(static, arguments, message, capsys):
    status, printed, errors = ask(web.main, arguments, capsys)
    assert status == 2 and not printed
    assert message in errors and "Traceback" not in errors


def test_a_damaged_model(static, tmp_path, capsys):
    (tmp_path / "cut.tflite").write_bytes(MODEL.read_bytes()[:50_000])
    status, _, errors = ask(web.main, [tmp_path / "cut.tflite"], capsys)
    assert status == 2 and "cut off or damaged" in errors


def test_a_model_without_tflite(static, tmp_path, capsys):
    export = tmp_path / "export" / "saved_model" / "1"
    export.mkdir(parents=True)
    (export / "saved_model.pb").write_bytes(b"")
    status, _, errors = ask(web.main, [tmp_path / "export"], capsys)
    assert status == 2 and "has no .tflite" in errors and "adff-export" in errors


def test_a_checkout_without_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(built, "STATIC", tmp_path)
    status, _, errors = ask(web.main, ["--no-open"], capsys)
    assert status == 2 and "cd web && npm ci && npm run build" in errors
