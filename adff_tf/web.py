"""`adff-web`, also `python -m adff_tf.web`: a page that shows how songs feel, in the browser."""

import contextlib
import dataclasses
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from .errors import InputError
from .inference.backends import load_backend, locate
from .model import shipped
from .page.server import HOST, PORT, PageServer
from .support import console

DESCRIPTION = """Show how songs feel, on a page in the browser.

adff-web: the page with the model that ships. Drop songs there, or turn on the microphone.

adff-web runs/PMEmo2019-both: with a model of your own.

The page is served on this machine alone, and computes in the browser. Ctrl-C ends it."""


@dataclasses.dataclass(frozen=True)
class Options:
    model: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="[MODEL]")]] = Path(
        shipped.NAME
    )
    """A run folder of adff-train, an export's .tflite, or hf://USER/NAME on the Hugging Face Hub;
    the model that ships by default."""
    port: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Port of the page; 0 for any free one, 8417 by default."""
    host: str = HOST
    """Address to bind. Others than 127.0.0.1 show the page to other machines, where browsers allow
    the microphone on https alone."""
    open: bool = True
    """Open the page in the browser."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program until Ctrl-C. Exits with 2 for a user's mistake."""
    console.run(_main, arguments, "stopped.")


def _main(arguments: list[str]) -> None:
    options = console.parse("adff-web", DESCRIPTION, Options, arguments)
    if options.port is not None and not 0 <= options.port < 2**16:
        raise InputError(f"--port {options.port} was given; give 0 to 65535, such as {PORT}")
    with PageServer(find_tflite(options.model), options.host, options.port) as server:
        terminal = console.Terminal()
        terminal.log(f"{server.url}   (Ctrl-C ends)")
        if options.open and not webbrowser.open(server.url):
            terminal.log("no browser opened: open the address in one")
        with contextlib.suppress(KeyboardInterrupt):  # its regular end
            server.serve_forever()
        terminal.log("the page is no longer served")


def find_tflite(model: Path) -> Path:
    """Return a model's `.tflite` for the page.

    Raises InputError for no model, a damaged one, and one that has no `.tflite`.
    """
    if str(model) == shipped.NAME:
        return shipped.SMALL
    location = locate(model)
    if location.needs_tensorflow:
        raise InputError(
            f"{model} has no .tflite, which the page needs; make one: "
            f"adff-export {model} --out exports/NAME"
        )
    load_backend(location)  # raises for a damaged file
    return location.path


if __name__ == "__main__":
    main()
