"""The space: the paper's values, and texts that narrow it."""

import pytest

from adff_tf.config import Experiment
from adff_tf.errors import InputError
from adff_tf.tuning.space import PAPER, SECTIONS, Choice, Range, narrow, value_of


def test_the_space_is_the_papers():
    assert PAPER.parameters["seg_num"].values == (1, 2, 4, 6, 8, 10, 12, 14, 16)
    assert PAPER.parameters["seg_len"].values == (5, 10, 15, 20, 25, 30)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("seg_num=6", Choice((6,))),
        ("seg_num=16,1,6,1", Choice((1, 6, 16))),
        ("seg-num=3:10", Choice((4, 6, 8, 10))),
        ("seg_len=5:8:1.5", Choice((5.0, 6.5, 8.0))),
        ("seg_len=7.5", Choice((7.5,))),
        ("dropout=0.1", Choice((0.1,))),
        ("dropout=0:0.3:0.1", Choice((0.0, 0.1, 0.2, 0.3))),
        ("learning_rate=1e-5:1e-4", Range(1e-5, 1e-4, log=True)),
        ("level_end=norm-relu", Choice(("norm-relu",))),
    ],
)
def test_narrowing(text, expected):
    name = text.split("=")[0].replace("-", "_")
    assert narrow(PAPER, [text], Experiment()).parameters[name] == expected


ALL_FIXED = [f"{name}={value_of(Experiment(), name)}" for name in SECTIONS]


@pytest.mark.parametrize(
    "texts, message",
    [
        (["tempo=3"], "tempo is no hyperparameter; those that can be searched are seg_num, seg_l"),
        (["seg_num"], "seg_num has no values; give NAME=VALUE"),
        (["seg_num=65"], "allowed is a whole number at least 1 and at most 64"),
        (["seg_num=2.5"], "allowed is a whole number"),
        (["dropout=0:1"], "allowed is a number at least 0 and below 1"),
        (["learning_rate=0:1"], "allowed is a number above 0"),
        (["level_end=relu"], "allowed is pool-relu-norm or norm-relu"),
        (["level_end=a:b"], "no number"),
        (["seg_num=9:9"], "leaves no value of seg_num, so the space is empty"),
        (["seg_num="], "leaves no value of seg_num"),
        (["seg_num=8:2"], "ends before it begins; give the lower value first: seg_num=2:8"),
        (["seg_len=5:30:0"], "a step is above 0"),
        (["seg_num=1", "seg-num=2"], "seg_num is given twice"),
        (
            ["seg_num=16", "seg_len=5"],
            "no configuration in it can work: seg_num 16 cuts 500 frames into parts of 31",
        ),
        (ALL_FIXED, "every hyperparameter is fixed"),
    ],
)
def test_texts_that_leave_no_space_are_refused(texts, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        narrow(PAPER, texts, Experiment())
