"""Tests marked slow run with --slow; TensorFlow's start-up lines are kept quiet."""

import pytest

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()


def pytest_addoption(parser):
    parser.addoption(
        "--slow",
        action="store_true",
        help="also run what takes minutes, such as the notebook",
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
