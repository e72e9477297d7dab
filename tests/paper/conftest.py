"""The program as a user runs it, and fits that end at once."""

import functools

import pandas as pd
import pytest

from adff_tf import reproduce
from adff_tf.training import fit as fits

from .. import commands


@pytest.fixture
def ask(capsys):
    """Run adff-reproduce; return its exit status, standard output and standard error."""
    return functools.partial(commands.ask, reproduce.main, capsys=capsys)


@pytest.fixture
def untrained(monkeypatch):
    """Replace the fit by one that trains nothing; the list of folders that were fitted."""
    fitted = []

    def fit(experiment, tracks, folder, *_):
        fitted.append(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"epoch": [1], "loss": [1.0], "seconds": [36.0]}).to_csv(
            folder / "history.csv", index=False
        )
        model, _ = fits.new_model(experiment, 1)
        model.get_layer("standardise").set_weights(list(tracks.standardisation()))
        return fits.Fit(model, pd.DataFrame())

    monkeypatch.setattr(fits, "fit", fit)
    return fitted
