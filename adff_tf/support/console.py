"""Output of programs: lines, progress bars, and one clear line for an error.

Long work takes a `Reporter` and calls its `log` and `bar`; `SILENT` prints nothing.
"""

import contextlib
import logging
import os
import platform
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import InputError
from .files import disk_full_error, is_disk_full

Advance = Callable[..., None]  # advance(steps=1, note="")

LOG_INTERVAL_S = 60  # between the lines that stand for a long bar outside a terminal

EXTRAS = {  # module: the extra that installs it
    "tensorflow": "train", "keras": "train", "librosa": "train", "sklearn": "train",
    "pandas": "train", "keras_tuner": "train", "tensorboard": "train", "psutil": "train",
    "ai_edge_quantizer": "train", "matplotlib": "plot", "pyarrow": "score", "filelock": "score",
    "grpc": "serve", "google": "serve", "ray": "ray", "huggingface_hub": "hub",
    "demucs": "stems",
}  # fmt: skip


class Reporter(Protocol):
    """Receives the progress of long work."""

    def log(self, text: str) -> None:
        """Print a line that is worth keeping."""

    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> contextlib.AbstractContextManager[Advance]:
        """Show a bar over `total` steps; the block calls the `Advance` it is given once a step.

        passing: a line with the result follows, so that none is printed outside a terminal.
        minutely: outside a terminal, print a line a minute.
        """


class Silent:
    """Prints nothing."""

    def log(self, text: str) -> None:
        pass

    @contextlib.contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        yield lambda steps=1, note="": None


SILENT = Silent()


class BarsOnly:
    """Passes bars on and drops lines, for a fit that is one of many."""

    def __init__(self, reporter: Reporter) -> None:
        self.bar = reporter.bar

    def log(self, text: str) -> None:
        pass


class Terminal:
    """Prints lines and bars; outside a terminal a bar is a line.

    stderr: print to standard error, which leaves standard output to a program's results.
    """

    def __init__(self, stderr: bool = False) -> None:
        self._stderr = stderr
        self._console: Any = None

    @property
    def console(self) -> Any:
        """The rich console, imported at the first line."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(
                highlight=False, soft_wrap=True, emoji=False, stderr=self._stderr
            )
        return self._console

    def log(self, text: str) -> None:
        self.console.print(text, markup=False)

    @contextlib.contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        stream = sys.stderr if self._stderr else sys.stdout
        if not stream or not stream.isatty():
            if not passing:
                self.log(f"{label} ({total}) …")
            yield self._lines(label, total) if minutely else lambda steps=1, note="": None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),  # a song's name may hold brackets
        )
        with Progress(
            *columns, console=self.console, transient=True, redirect_stdout=sys.stdout.isatty()
        ) as progress:
            bar = progress.add_task(label, total=total, note="")

            def advance(steps: int = 1, note: str = "") -> None:
                progress.update(bar, advance=steps, note=note)

            yield advance

    def _lines(self, label: str, total: int) -> Advance:
        """Return an `Advance` that prints a line a minute."""
        done, logged = 0, time.monotonic()

        def advance(steps: int = 1, note: str = "") -> None:
            nonlocal done, logged
            done += steps
            if time.monotonic() - logged >= LOG_INTERVAL_S:
                logged = time.monotonic()
                self.log(f"{label}: {done} of {total}" + (f", {note}" if note else ""))

        return advance


# === TensorFlow's environment and output ===


def prepare_tensorflow() -> None:
    """Set what TensorFlow reads at its import: no start-up lines, and oneDNN on x86.

    TensorFlow turns oneDNN on by itself only where a CPU has AVX-512 VNNI. On others a training
    step of a narrow network takes four fifths of the time with it (docs/results.md).
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Drop standard error during the block, also from C++, which writes to the descriptor."""
    if sys.stderr is None:  # closed
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with warnings.catch_warnings(), open(os.devnull, "wb") as null:
            warnings.simplefilter("ignore")
            os.dup2(null.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)


def import_tensorflow() -> None:
    """Import TensorFlow and find accelerators, without the lines that new releases print then."""
    with silence_stderr():
        import tensorflow as tf

        tf.config.list_logical_devices()
    # TensorFlow warns when a second network is traced, which every fold does
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


# === Command lines ===

Options = TypeVar("Options")


def parse(
    program: str,
    description: str,
    options: type[Options],
    arguments: Sequence[str],
    default: Options | None = None,
) -> Options:
    """Return a command line's options. --help and an unknown option exit.

    Args:
        program, description: for --help.
        options: a dataclass.
        arguments: the command line's.
        default: replaces the dataclass's own defaults.
    """
    import tyro

    # None is a default, not a value to type
    config = (tyro.conf.DisallowNone,)
    given: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(
        options, args=arguments, description=description, prog=program, config=config, **given
    )


def run(
    command: Callable[[list[str]], None],
    arguments: Sequence[str] | None = None,
    stopped: str = "stopped. The same command goes on from here.",
) -> None:
    """Run a command line.

    A user's mistake prints one message on standard error and exits with 2, and so does a missing
    extra. Ctrl-C, SIGTERM and SIGHUP end the work tidily, print `stopped` and exit with 130, 143
    and 129.

    Args:
        command: called with the arguments.
        arguments: the process's own if None. An empty one is refused: as a path it would mean the
            current folder, and a shell makes it from an unset variable in quotes.
        stopped: message after a signal.
    """
    prepare_tensorflow()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None where a daemon closed it
            stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # any bytes
    os.environ.setdefault("PYDANTIC_ERRORS_INCLUDE_URL", "0")
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if "" in given:
            raise InputError(
                f"argument {given.index('') + 1} is empty; leave it out, or check the shell's "
                "variable"
            )
        with _stopped_by_signals():
            command(given)
    except InputError as error:
        sys.exit(_fail(str(error), 2))
    except BrokenPipeError:  # the reader has enough, as `| head`
        discard_stdout()
        sys.exit(141)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        sys.exit(_fail(missing_extra(module), 2))
    except OSError as error:
        if not is_disk_full(error):
            raise
        sys.exit(_fail(str(disk_full_error(Path(error.filename or "."))), 2))
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, _Stopped) else signal.SIGINT
        sys.exit(_fail(stopped, 128 + number))


def missing_extra(module: str) -> str:
    """Return the message for a module of an extra that is not installed."""
    return f'this needs {module}, which is not installed: pip install "adff-tf[{EXTRAS[module]}]"'


class _Stopped(KeyboardInterrupt):
    """A signal that ends the program as Ctrl-C does."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `_Stopped`; leave signals that are handled or ignored alone."""

    def stop(number: int, _) -> None:
        raise _Stopped(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has one
    numbers = [getattr(signal, name) for name in names]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():  # only it receives signals
        taken = []
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def printable(name: str) -> str:
    """Return a file's name on one line, with control characters as Python escapes them."""
    controls = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
    return re.sub(controls, lambda match: repr(match[0])[1:-1], name)


def discard_stdout() -> None:
    """Drop the buffered rest of standard output, whose write would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(text: str, status: int) -> int:
    """Print an error, with the flags of the settings that it names. Return the exit status."""
    flagged = re.sub(r"`(\w+)`", lambda match: "--" + match[1].replace("_", "-"), text)
    print(f"error: {flagged}", file=sys.stderr)
    return status
