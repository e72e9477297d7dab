"""The client's command line in this process, and comparisons with adff-predict's output."""

import functools
from pathlib import Path

import pytest

from adff_tf import predict
from adff_tf.export import client
from adff_tf.inference.model import EmotionModel

from .. import commands

ask = functools.partial(commands.ask, client.main)


def predicted(model: EmotionModel, songs: Path, capsys, **options) -> str:
    """Return the output of adff-predict."""
    output = predict.Output(**options)
    predict.predict_songs(model, predict.find_songs([songs])[0], output)
    return capsys.readouterr().out


def refused(arguments, capsys) -> str:
    """Return the single error of a command that prints nothing else."""
    status, out, err = ask(arguments, capsys)
    is_clean = err.startswith("error: ") and "Traceback" not in err
    assert status == 2 and not out and is_clean, (status, out, err)
    return err


def assert_close(found, expected, path="") -> None:
    """Assert that two JSON values are alike, with numbers within 1e-5."""
    assert type(found) is type(expected), path
    if isinstance(expected, dict):
        assert list(found) == list(expected), path
        for key in expected:
            assert_close(found[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            assert_close(a, b, f"{path}[{k}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-5), path
    else:
        assert found == expected, path
