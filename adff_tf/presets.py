"""Experiments with a name: functions that return an `Experiment`, to start from and change."""

from .config import Data, Experiment, Network, Segments, Training, Validation


def paper() -> Experiment:
    """Section 3.2 of the paper: 20 s, seg_num 6, one random segment a song, 200 epochs of Adam at 1e-5, five folds, float32."""
    return Experiment(
        segments=Segments(seg_len=20.0, seg_num=6, sampling="simple"), training=Training(), validation=Validation(folds=5)
    )


def fast() -> Experiment:
    """Good scores in a fraction of the paper's time: half width, bfloat16, a higher rate under one cosine, a fifth held out."""
    return Experiment(
        segments=Segments(seg_len=20.0, seg_num=6, sampling="full", fresh=True),
        network=Network(width=0.5),
        training=Training(epochs=12, batch_size=8, learning_rate=3e-4, schedule="cosine", precision="mixed_bfloat16"),
        validation=Validation(hold_out=True),
    )


def demo() -> Experiment:
    """The built-in synthetic set in minutes on two cores: the real architecture at a quarter of the width, on 4 s."""
    return Experiment(
        data=Data(clips=540, clip_s=8.0),
        segments=Segments(seg_len=4.0, seg_num=4, sampling="full", fresh=True),
        network=Network(width=0.25, dropout=0.0),
        training=Training(epochs=26, batch_size=16, learning_rate=1e-3, schedule="cosine", precision="mixed_bfloat16"),
        validation=Validation(hold_out=True, final_model=False),
    )


PRESETS = {"paper": paper, "fast": fast, "demo": demo}
