"""Command lines: options, lines, errors and signals."""

import configparser
import errno
import importlib
import os
import signal
import sys
import warnings
from pathlib import Path

import pytest

from adff_tf.errors import InputError
from adff_tf.support import console

from ..commands import ask

SETUP = Path(__file__).parents[2] / "setup.cfg"


def programs() -> list[str]:
    """Return `name = module:function` of every installed program."""
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    return setup["options.entry_points"]["console_scripts"].strip().splitlines()


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.split()[0])
def test_help_and_an_unknown_option(program, capsys):
    name, _, entry = program.partition(" = ")
    module, _, function = entry.partition(":")
    main = getattr(importlib.import_module(module), function)
    status, out, err = ask(main, ["--help"], capsys)
    assert status == 0 and out.startswith(f"usage: {name} ") and not err
    assert "{None}" not in out and "{None," not in out, "None is a default, not a value to type"
    status, out, err = ask(main, ["--no-such-option"], capsys)
    assert status == 2 and not out and "Traceback" not in err
    assert "--no-such-option" in err or "Missing argument" in err, "tyro names one mistake"
    status, out, err = ask(main, ["", "--help"], capsys)
    assert status == 2 and not out and "argument 1 is empty" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_program_as_ctrl_c_does(number, capsys):
    tidied = []
    before = signal.signal(number, signal.SIG_DFL)

    def command(arguments):
        try:
            signal.raise_signal(number)
        finally:
            tidied.append(True)

    try:
        status, _, err = ask(lambda _: console.run(command, [], "stopped here."), [], capsys)
        assert (status, err, tidied) == (128 + number, "error: stopped here.\n", [True])
        assert signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # as under nohup
        assert ask(lambda _: console.run(command, []), [], capsys)[0] == 0
        assert tidied == [True, True]
    finally:
        signal.signal(number, before)


def failing(error: BaseException):
    """Return a program that raises an error."""

    def command(arguments):
        raise error

    return lambda arguments: console.run(command, arguments)


def test_a_missing_extra_is_one_line(capsys):
    error = ModuleNotFoundError("No module named 'keras.layers'", name="keras.layers")
    assert ask(failing(error), [], capsys) == (
        2, "", 'error: this needs keras, which is not installed: pip install "adff-tf[train]"\n',
    )  # fmt: skip
    with pytest.raises(ModuleNotFoundError, match="of_my_own"):  # a mistake in the program
        failing(ModuleNotFoundError("No module of_my_own", name="of_my_own"))([])


def test_errors_end_the_program_by_their_kind(capsys):
    assert ask(failing(InputError("this is wrong")), [], capsys) == (
        2,
        "",
        "error: this is wrong\n",
    )
    status, _, err = ask(failing(OSError(errno.ENOSPC, "No space left", "/tmp/x")), [], capsys)
    assert status == 2 and err.startswith("error: The disk is full: /tmp/x cannot be written")
    assert ask(failing(KeyboardInterrupt()), [], capsys)[0] == 130
    with pytest.raises(PermissionError):
        failing(PermissionError(errno.EACCES, "Permission denied"))([])


def test_lines_are_printed_as_they_are(capsys):
    console.Terminal().log("Take :100: [bold]or[/bold] less")
    assert capsys.readouterr().out == "Take :100: [bold]or[/bold] less\n"


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("song.wav", "song.wav"),
        ("two\nlines\r\t.wav", r"two\nlines\r\t.wav"),
        ("\x1b[31mred\x7f\x9f", r"\x1b[31mred\x7f\x9f"),
        ("a\u2028b\u2029c ä 音", r"a\u2028b\u2029c ä 音"),
    ],
)
def test_a_printable_name_has_one_line(name, printed):
    assert console.printable(name) == printed


def test_what_is_silenced_is_gone_and_the_rest_is_not(capfd):
    with console.silence_stderr():
        os.write(2, b"from C++")
        warnings.warn("a warning", stacklevel=1)
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
