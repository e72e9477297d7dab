"""Command lines asked as a user asks them, in this process."""

from collections.abc import Callable, Sequence


def ask(main: Callable, arguments: Sequence, capsys) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a program's `main`."""
    status = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code or 0
    return status, *capsys.readouterr()
