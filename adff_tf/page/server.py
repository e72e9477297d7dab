"""A web server for the page and one model, meant for the machine that it runs on."""

import http.server
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError
from .built import MODEL, find_static

HOST, PORT = "127.0.0.1", 8417


class PageServer(http.server.ThreadingHTTPServer):
    """Serves the built page, and a `.tflite` as its model.

    Attributes:
        url: the page's address.
    """

    daemon_threads = True

    def __init__(self, model: Path, host: str = HOST, port: int | None = None):
        """Bind the address.

        Args:
            model: a `.tflite` that takes a waveform.
            host: the address to bind, a name or number of this machine.
            port: 0 for any free one; PORT by default, or any free one where that is taken.

        Raises:
            InputError: the page is not built, or the address cannot be bound.
        """
        self.model, self.folder = model, find_static()
        try:
            super().__init__((host, PORT if port is None else port), _Handler)
        except OSError as error:
            if port is not None or host != HOST:
                raise InputError(
                    f"{host}:{PORT if port is None else port} cannot be bound ({error.strerror}); "
                    "give another --port, or 0 for any free one"
                ) from None
            super().__init__((host, 0), _Handler)
        self.url = f"http://{host}:{self.server_address[1]}/"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Answers GET and HEAD with the page's files and the model, and with nothing else."""

    server: PageServer
    extensions_map = {
        ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript",
        ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm",
        "": "application/octet-stream",
    }  # fmt: skip

    def __init__(self, request: Any, client_address: Any, server: PageServer):
        super().__init__(request, client_address, server, directory=str(server.folder))

    def translate_path(self, path: str) -> str:
        if urlsplit(path).path == f"/{MODEL}":
            return str(self.server.model)
        return super().translate_path(path)

    def send_head(self) -> Any:
        del self.headers["If-Modified-Since"]  # an older model may come to the same address
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # another model may come to the same address
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows the address alone."""
