"""What all command lines share."""

import configparser
import importlib
import signal
from pathlib import Path

import pytest

from adff_tf.support import console

from ..commands import ask

SETUP = Path(__file__).parents[2] / "setup.cfg"


def programs() -> list[str]:
    """`name = module:function` of every program that an installation brings."""
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    return setup["options.entry_points"]["console_scripts"].strip().splitlines()


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.split()[0])
def test_help_and_what_is_no_option(program, capsys):
    name, _, entry = program.partition(" = ")
    module, _, function = entry.partition(":")
    main = getattr(importlib.import_module(module), function)
    status, out, err = ask(main, ["--help"], capsys)
    assert status == 0 and out.startswith(f"usage: {name} ") and not err
    assert "{None}" not in out and "{None," not in out, (
        "None is what an option is without, and nothing to type"
    )
    status, out, err = ask(main, ["--no-such-option"], capsys)
    assert status == 2 and not out and "Traceback" not in err
    assert "--no-such-option" in err or "Missing argument" in err, (
        "tyro tells of one mistake at a time"
    )
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
        status, _, err = ask(
            lambda arguments: console.run(command, arguments, "stopped here."), [], capsys
        )
        assert (status, err, tidied) == (128 + number, "error: stopped here.\n", [True])
        assert signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # as nohup has it
        assert ask(lambda arguments: console.run(command, arguments), [], capsys)[
            0
        ] == 0 and tidied == [True, True]
    finally:
        signal.signal(number, before)
