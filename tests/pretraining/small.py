"""A pre-training in miniature: a few noises, a tiny network, a teacher of random projections."""

import numpy as np
import soundfile

from adff_tf.config import Augmentation, Network
from adff_tf.model.musicnn import BANDS, TARGETS
from adff_tf.pretraining.settings import Labelling, Learning, Plan

RATE_HZ = 16_000


class TinyTeacher:
    """Projects a patch's mean over time at random; counts its calls."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.matrices = {name: rng.normal(size=(BANDS, size)) for name, size in TARGETS.items()}
        self.calls = 0

    def predict(self, patches):
        self.calls += 1
        mean = patches.mean(axis=1)
        return {name: (mean @ m).astype("float32") for name, m in self.matrices.items()}


def make_plan(copies=1, augmentation=None, **learning) -> Plan:
    return Plan(
        network=Network(width=0.05, tflm=False, fc=(8,)),
        seg_len=1.0,
        seg_num=2,
        augmentation=augmentation or Augmentation(masks=1, mask_frames=10, bandwidth=0.5),
        labelling=Labelling(copies=copies),
        learning=Learning(**{"epochs": 2, "batch_size": 4, "held_out": 0.3, **learning}),
    )


def make_music(folder, count=4, seconds=7.0):
    """Write noises of different colour, the last files of a folder first by name."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(count)
    for k in range(count):
        white = rng.uniform(-0.5, 0.5, int(seconds * RATE_HZ))
        smooth = np.convolve(white, np.ones(k + 1) / (k + 1), mode="same")
        soundfile.write(folder / f"{k}.wav", smooth, RATE_HZ)
    return folder
