"""The page's server, by HTTP, on a stand-in for the built page."""

import contextlib
import http.client
import socket
import threading
import urllib.error
import urllib.request

import pytest

from adff_tf.errors import InputError
from adff_tf.page import built, server
from adff_tf.page.server import PageServer


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("the page")
    (folder / "litert.wasm").write_bytes(b"\0asm")
    (folder / "empty").mkdir()
    (tmp_path / "secret").write_text("no")
    monkeypatch.setattr(built, "STATIC", folder)
    return folder


@contextlib.contextmanager
def serve(model, **options):
    with PageServer(model, **options) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


def test_the_page_and_the_model(static, tmp_path):
    model = tmp_path / "other name.tflite"
    model.write_bytes(b"a model")
    with serve(model, port=0) as running:
        assert running.url.startswith("http://127.0.0.1:")
        for path, content, kind in (
            ("", b"the page", "text/html; charset=utf-8"),
            ("litert.wasm", b"\0asm", "application/wasm"),
            ("model.tflite", b"a model", "application/octet-stream"),
            ("model.tflite?again", b"a model", "application/octet-stream"),
        ):
            with urllib.request.urlopen(running.url + path) as answer:
                assert answer.read() == content
                assert answer.headers["Content-Type"] == kind
                assert answer.headers["Cache-Control"] == "no-cache"


def test_a_browser_never_keeps_the_model_of_another_run(static, tmp_path):
    model = tmp_path / "older.tflite"
    model.write_bytes(b"older")
    with serve(model, port=0) as running:
        kept = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}  # of a newer model
        request = urllib.request.Request(f"{running.url}model.tflite", headers=kept)
        with urllib.request.urlopen(request) as answer:
            assert answer.read() == b"older"


@pytest.mark.parametrize("path", ["/nothing", "/empty/", "/../secret", "/%2e%2e/secret"])
def test_nothing_else(static, tmp_path, path):
    with serve(tmp_path / "model", port=0) as running:
        connection = http.client.HTTPConnection(*running.server_address)
        connection.request("GET", path)
        assert connection.getresponse().status == 404


def test_only_the_loopback_address_is_bound(static, tmp_path):
    with serve(tmp_path / "model", port=0) as running:
        assert running.server_address[0] == "127.0.0.1"
        elsewhere = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)[0][4][0]
        if elsewhere.startswith("127."):
            pytest.skip("this machine has no address but the loopback's")
        with (
            pytest.raises(OSError),
            socket.create_connection((elsewhere, running.server_address[1]), timeout=2),
        ):
            pass


def test_a_taken_port(static, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"{port} cannot be bound .*give another --port"):
            PageServer(tmp_path / "model", port=port)
        monkeypatch.setattr(server, "PORT", port)
        with PageServer(tmp_path / "model") as running:
            assert running.server_address[1] != port


def test_a_checkout_without_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(built, "STATIC", tmp_path)
    with pytest.raises(InputError, match="not built; .*: cd web && npm ci && npm run build$"):
        PageServer(tmp_path / "model")
