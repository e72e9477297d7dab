"""Networks and experiments small enough for fast tests."""

from adff_tf.config import Data, Experiment, Network, Segments, Training, Validation


def experiment(
    task: str = "both",
    seg_len: float = 1.0,
    seg_num: int = 2,
    training: dict | None = None,
    **network,
) -> Experiment:
    """Return an experiment in miniature: the real architecture, a few channels, two epochs."""
    return Experiment(
        task=task,
        data=Data(clips=12, clip_s=2.0),
        segments=Segments(seg_len=seg_len, seg_num=seg_num, sampling="simple"),
        network=Network(**{"width": 0.05, "lstm_units": 3, "fc": (8,), "se_ratio": 2, **network}),
        training=Training(
            **{"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, **(training or {})}
        ),
        validation=Validation(folds=2, hold_out=True),
    )
