"""A loopback server that speaks the part of the Hugging Face Hub's API that downloads use.

huggingface_hub finds it by `HF_ENDPOINT`, which it reads when it is imported: set it for a process
that starts, and not for a running one.
"""

import contextlib
import hashlib
import http.server
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", COMMIT)
GATED = "user/gated"


@contextlib.contextmanager
def serve(repositories: dict[str, Path]) -> Iterator[str]:
    """Serve folders as repositories, by `user/name`, and yield the address."""

    class Handler(_Handler):
        folders = repositories

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def environment(endpoint: str, cache: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a process that takes `endpoint` for the hub."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "NO_PROXY": "127.0.0.1"}
    return kept | own | changes


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers as https://huggingface.co, with its error codes."""

    folders: dict[str, Path] = {}
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        api = re.fullmatch(
            r"/api/models/([^/]+/[^/]+?)(?:/(revision|tree)/([^/?]+))?(\?.*)?", self.path
        )
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)", self.path)
        found = api or file
        if not found:
            return self._fail(404, "EntryNotFound")
        name, revision = found[1], (api[3] if api else file[2]) or "main"
        if name == GATED:
            return self._fail(403, "GatedRepo")
        if name not in self.folders:
            return self._fail(401, "RepoNotFound")  # as the hub, which hides private ones
        if revision not in REVISIONS:
            return self._fail(404, "RevisionNotFound")
        folder = self.folders[name]
        if file:
            return self._send_file(folder / file[3])
        files = sorted(path for path in folder.iterdir() if path.is_file())
        if api[2] == "tree":
            return self._send_json([_entry(path) for path in files])
        siblings = [{"rfilename": path.name} for path in files]
        return self._send_json({"id": name, "sha": COMMIT, "siblings": siblings, "tags": []})

    do_HEAD = do_GET

    def _send_file(self, path: Path) -> None:
        if not path.is_file():
            return self._fail(404, "EntryNotFound")
        content = path.read_bytes()
        self._send(200, content, ETag=f'"{_git_hash(content)}"')

    def _send_json(self, content: dict | list) -> None:
        self._send(200, json.dumps(content).encode())

    def _fail(self, status: int, code: str) -> None:
        self._send(status, b"{}", **{"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in ({"X-Repo-Commit": COMMIT} | headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Print nothing."""


def _git_hash(content: bytes) -> str:
    """Return git's hash of a file, the hub's ETag."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path: Path) -> dict:
    content = path.read_bytes()
    return {"type": "file", "path": path.name, "size": len(content), "oid": _git_hash(content)}
