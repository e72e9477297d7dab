"""What all command lines share."""

import configparser
import importlib
from pathlib import Path

import pytest

from .commands import ask

SETUP = Path(__file__).parents[1] / "setup.cfg"


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
    assert "{None}" not in out and "{None," not in out, "None is what an option is without, and nothing to type"
    status, out, err = ask(main, ["--no-such-option"], capsys)
    assert status == 2 and not out and "Traceback" not in err
    assert "--no-such-option" in err or "Missing argument" in err, "tyro tells of one mistake at a time"
    status, out, err = ask(main, ["", "--help"], capsys)
    assert status == 2 and not out and "argument 1 is empty" in err
