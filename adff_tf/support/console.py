"""What a person at the terminal sees: lines, progress bars, one clear line for an error. Knows nothing of music.

Parts that take long accept a `Reporter` and tell it what happens; `SILENT` is for callers that want to hear nothing.
"""

import contextlib
import logging
import os
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


class Reporter(Protocol):
    """Someone who is told how the work goes."""

    def log(self, text: str) -> None:
        """A line worth keeping."""

    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> contextlib.AbstractContextManager[Advance]:
        """A bar over `total` steps; the block calls what it is given once a step. A passing one is followed by a line; a minutely
        one, of hours, gives a line a minute where no bar is shown."""


class Silent:
    """Hears nothing."""

    def log(self, text: str) -> None:
        pass

    @contextlib.contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        yield lambda steps=1, note="": None


SILENT = Silent()


class BarsOnly:
    """Passes a reporter's bars on and keeps its lines: where a fit is one of many, its epochs are not worth one each."""

    def __init__(self, reporter: Reporter) -> None:
        self.bar = reporter.bar

    def log(self, text: str) -> None:
        pass


class Terminal:
    """Lines on standard output; bars on it too while it is a terminal, and only a line each where it is not.

    With `stderr` all of it goes to standard error, which leaves standard output to a program's results.
    """

    def __init__(self, stderr: bool = False) -> None:
        from rich.console import Console

        self.console = Console(highlight=False, soft_wrap=True, emoji=False, stderr=stderr)

    def log(self, text: str) -> None:
        self.console.print(text, markup=False)

    @contextlib.contextmanager
    def bar(
        self, label: str, total: int, passing: bool = False, minutely: bool = False
    ) -> Iterator[Advance]:
        if not self.console.is_terminal:
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
        """A line a minute in a bar's place."""
        done, told = 0, time.monotonic()

        def advance(steps: int = 1, note: str = "") -> None:
            nonlocal done, told
            done += steps
            if time.monotonic() - told >= 60:
                told = time.monotonic()
                self.log(f"{label}: {done} of {total}" + (f", {note}" if note else ""))

        return advance


def quiet_tensorflow() -> None:
    """Keep TensorFlow's start-up lines off the terminal. Works before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Nothing reaches the terminal, not even from C++, which writes to the descriptor."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with warnings.catch_warnings(), open(os.devnull, "wb") as nowhere:
            warnings.simplefilter("ignore")
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)


def import_tensorflow() -> None:
    """Import TensorFlow and have it look for accelerators; new releases print lines then whatever the environment says."""
    with silence_stderr():
        import tensorflow as tf

        tf.config.list_logical_devices()
    logging.getLogger("tensorflow").setLevel(
        logging.ERROR
    )  # it warns where a second network is traced: that is what folds are


Options = TypeVar("Options")


def parse(
    program: str,
    description: str,
    options: type[Options],
    arguments: Sequence[str],
    default: Options | None = None,
) -> Options:
    """The options, a dataclass, that a command line names. --help and what is no option exit.

    program, description: for --help. default: what the arguments change, where it is not the dataclass's own defaults. None is an
    option's default and nothing to type.
    """
    import tyro

    given: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(
        options,
        args=arguments,
        description=description,
        prog=program,
        config=(tyro.conf.DisallowNone,),
        **given,
    )


def run(
    command: Callable[[list[str]], None],
    arguments: Sequence[str] | None = None,
    stopped: str = "stopped. The same command goes on from here.",
) -> None:
    """Run a command line: a user's mistake is one line on standard error and exit status 2. Ctrl-C, SIGTERM (`kill`, a container's
    end) and SIGHUP (the terminal is closed) let the work tidy up, and then are `stopped` and status 130, 143 and 129.

    arguments: what the command is called with; the process's own if None. An empty one is a mistake: as a path it would mean the
    current folder, and it is what a shell makes of a variable in quotes that holds nothing.
    """
    quiet_tensorflow()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as where a daemon closed it
            stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # a file's name may hold any bytes
    os.environ.setdefault("PYDANTIC_ERRORS_INCLUDE_URL", "0")  # a user has no use for it
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if "" in given:
            raise InputError(
                f"argument {given.index('') + 1} is empty; leave it out, or see what the shell's variable holds"
            )
        with _stopped_by_signals():
            command(given)
    except InputError as error:
        sys.exit(_fail(str(error), 2))
    except BrokenPipeError:  # whoever read the results wants no more of them, as `| head`
        discard_stdout()
        sys.exit(141)
    except OSError as error:
        if not is_disk_full(error):
            raise
        sys.exit(_fail(str(disk_full_error(Path(error.filename or "."))), 2))
    except KeyboardInterrupt as stop:
        sys.exit(
            _fail(stopped, 128 + (stop.number if isinstance(stop, _Stopped) else signal.SIGINT))
        )


class _Stopped(KeyboardInterrupt):
    """A signal that ends the program, met as Ctrl-C is."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Those that nobody has seen to: one that is ignored, as SIGHUP by nohup, stays so."""

    def stop(number: int, _) -> None:
        raise _Stopped(number)

    numbers = [
        getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
    ]  # Windows has one of them
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        taken = []
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def discard_stdout() -> None:
    """What standard output still holds back is not written at the end, which would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(text: str, status: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return status
