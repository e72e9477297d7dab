"""Digits of samples, and servers that are not TensorFlow Serving's."""

import contextlib
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import numpy as np

from adff_tf.export.rest_server import as_json

from ..serving import http_server
from .client_commands import refused


def test_digits_give_float32_back():
    edges = [0, -0.0, 1, -1, 1e-38, 1.17549435e-38, 1e-45, 3.4028235e38, 0.1, 1 / 3]
    noise = np.random.default_rng(0).normal(0, 0.1, 1000)
    samples = np.concatenate([np.array(edges, "float32"), noise.astype("float32")])
    np.testing.assert_array_equal(np.array(json.loads(as_json(samples)), "float32"), samples)


class _Page(BaseHTTPRequestHandler):
    """A web server of another kind."""

    def do_POST(self):
        code = 200 if "page" in self.path else 502
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def garbage_server():
    """Serve garbage to anyone and hang up; yield the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            self.request.sendall(b"\x00\x01garbage\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_servers_of_another_kind(songs, grpc_host, capsys):
    def error(host, *options):
        return refused([host, songs / "short.flac", "--retries", "0", *options], capsys)

    with http_server(_Page) as page:
        assert "(HTTP 200) is not TensorFlow Serving's" in error(f"{page}/page")
        assert "(HTTP 502 Bad Gateway) is not TensorFlow Serving's" in error(page)
        assert "does not answer" in error(page.removeprefix("http://"))
        assert "TLS" in error(page.replace("http:", "https:"))
    with garbage_server() as port:
        assert "is not TensorFlow Serving's" in error(f"http://127.0.0.1:{port}")
        assert "does not answer" in error(f"127.0.0.1:{port}")
    assert grpc_host in error(f"http://{grpc_host}", "--deadline", "2")
