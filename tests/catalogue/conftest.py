"""A run folder and songs, made once a file of tests."""

import pytest

from .songs import predict_each, save_quick_run, write_songs

SECONDS = [0.6, 1.0, 1.3, 2.2, 3.0, 7.5, 1.1, 4.0]  # shorter than a window too


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_quick_run(tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return write_songs(tmp_path_factory.mktemp("songs") / "songs", SECONDS)


@pytest.fixture(scope="module")
def wanted(model, songs):
    """The prediction for each song by itself."""
    return predict_each(model, songs)
