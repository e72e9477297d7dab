"""Choices where the paper is silent, and settings that differ from the paper's.

Both are lines of Markdown that stand below every table.
"""

from .. import presets
from ..config import Experiment, Network

PAPER_SETTINGS = {
    "frontend": ("sample_rate_hz", "mels", "win_length_s", "hop_length_s"),
    "segments": ("fresh",),
    "network": ("width",),
    "training": (
        "epochs", "batch_size", "learning_rate", "schedule", "decay_epochs", "weight_decay",
        "early_stopping",
    ),
    "validation": ("folds", "hold_out"),
}  # fmt: skip
"""Settings that the paper gives or implies, by section of `Experiment`."""


def list_departures(base: Experiment) -> list[str]:
    """Return a line for each setting of the paper that `base` changes."""
    lines = []
    for section, names in PAPER_SETTINGS.items():
        theirs, ours = getattr(presets.paper(), section), getattr(base, section)
        lines += [
            f"- {section}.{name}: {getattr(theirs, name)} in the paper, {getattr(ours, name)} here"
            for name in names
            if getattr(theirs, name) != getattr(ours, name)
        ]
    return lines


def list_choices(base: Experiment) -> list[str]:
    """Return a line for each choice where the paper is silent."""
    frontend, network, training = base.frontend, base.network, base.training
    assert isinstance(network, Network)  # the rivals' choices are notes of Table 1
    choices = {
        "n_fft": f"{frontend.n_fft}; the window is {1000 * frontend.win_length_s:g} ms",
        "log": f"10·log10 of the power, at least {frontend.floor_db:g} dB, not relative to the "
        "clip's maximum",
        "standardisation": "by mel band, from the training fold only, inside the model",
        "frames that seg_num does not divide": "the last ones are dropped",
        "end of a level": network.level_end,
        "batch norm momentum": f"{network.norm_momentum:g}",
        "Bi-LSTM": f"2 layers of {network.lstm_units} units a direction; E_N is the last state of "
        "both directions",
        "squeeze-and-excitation ratio": f"{network.se_ratio}",
        "w/o TFLM": "S_N averaged over time and mel",
        "fully connected layers": f"{', '.join(map(str, network.fc))}, dropout {network.dropout:g}",
        "learning rate": _describe_learning_rate(base),
        "weight decay": f"{training.weight_decay:g} as L2 in the gradient, as in PyTorch's Adam",
        "precision": training.precision,
        "loss": "mean squared error; for both targets together their plain sum; for classes "
        "cross-entropy",
        "epoch that counts": _describe_epoch(base),
        "folds": f"{base.validation.folds}, grouped by song, or by artist where known; "
        f"seed {training.seed}",
        "unit of the scores": "a song, by the mean of its segments; for full sets the score by "
        "segment stands beside it",
        "classes": "valence or arousal >= 0 is the positive class",
    }
    return [f"- {name}: {choice}" for name, choice in choices.items()]


def _describe_learning_rate(base: Experiment) -> str:
    training = base.training
    if training.schedule == "cosine":
        return f"{training.learning_rate:g}, a linear rise over the first tenth and half a cosine"
    epochs = ", ".join(map(str, training.decay_epochs))
    return (
        f"{training.learning_rate:g}, times {training.decay_factor:g} after epochs {epochs} "
        "(the factor is not published)"
    )


def _describe_epoch(base: Experiment) -> str:
    if not base.training.early_stopping:
        return "the last"
    return (
        f"the best on {base.training.inner_fraction:.0%} of the training songs, held out by group"
    )
