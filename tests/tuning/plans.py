"""Plans small enough for fast tests, and trials that raise."""

from adff_tf.config import Data
from adff_tf.tuning import trials
from adff_tf.tuning.plan import Plan
from adff_tf.tuning.space import PAPER, narrow

from .. import tiny

FIXED = {
    "seg_len": "1",
    "learning_rate": "0.001",
    "dropout": "0",
    "lstm_units": "3",
    "se_ratio": "2",
    "width": "0.05",
    "level_end": "norm-relu",
}


class Killed(BaseException):
    """Stands for `kill -9`: no code catches it."""


def make_plan(manifest, *texts, algorithm="grid", folds=3, task="arousal", **training):
    """Return a plan of tiny networks, narrowed by `texts`; other hyperparameters are fixed."""
    base = tiny.experiment(task=task, tflm=False, training=training)
    validation = base.validation.model_copy(update={"folds": folds, "final_model": False})
    data = Data(data=manifest, label_range=(-1, 1))
    base = base.model_copy(update={"data": data, "validation": validation})
    named = {text.split("=")[0] for text in texts}
    fixed = [f"{name}={value}" for name, value in FIXED.items() if name not in named]
    return Plan(base, narrow(PAPER, [*texts, *fixed], base), algorithm)


def raise_at_seg_num_2(monkeypatch, error):
    before = trials._fit_and_score

    def score(settings, *args):
        if settings.segments.seg_num == 2:
            raise error
        return before(settings, *args)

    monkeypatch.setattr(trials, "_fit_and_score", score)
