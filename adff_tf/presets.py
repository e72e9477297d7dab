"""Named experiments to start from: functions that return an `Experiment`, listed in `PRESETS`."""

from pathlib import Path

from .config import (
    Augmentation,
    Data,
    Experiment,
    Frontend,
    Network,
    Precision,
    Segments,
    Training,
    Validation,
)
from .networks import MUSICNN_FRONTEND, EmoMucs, Mlem, MusicnnLinear


def fast_precision(proc: Path = Path("/proc")) -> Precision:
    """Return mixed_bfloat16 where this machine has units for bfloat16, else float32.

    Such units are a GPU, or AMX or AVX-512 BF16 in a CPU. Without these units a training step in
    bfloat16 takes twice as long as in float32 (docs/experiments.md).

    Args:
        proc: the folder of Linux's process file system; tests give another.
    """
    cpu, gpus = proc / "cpuinfo", proc / "driver/nvidia/gpus"
    has_gpu = gpus.is_dir() and any(gpus.iterdir())
    flags = set(cpu.read_text().split()) if cpu.exists() else set()
    return "mixed_bfloat16" if has_gpu or flags & {"amx_bf16", "avx512_bf16"} else "float32"


def paper() -> Experiment:
    """Return the paper's settings (Section 3.2).

    Segments of 20 s, seg_num 6, one random segment per song, 200 epochs of Adam at 1e-5, five
    folds, float32.
    """
    return Experiment(
        segments=Segments(seg_len=20.0, seg_num=6, sampling="simple"),
        training=Training(),
        validation=Validation(folds=5),
    )


def fast() -> Experiment:
    """Return settings that score well in a fraction of the paper's time.

    A quarter of the width, segments of 10 s, a higher learning rate with one cosine, one fold
    scored. Chosen on clips of EMOPIA outside the first fold (docs/experiments.md). The floor of
    -70 dB keeps predictions alike for all codecs of a recording.
    """
    return Experiment(
        frontend=Frontend(floor_db=-70.0),
        segments=Segments(seg_len=10.0, seg_num=6, sampling="full", fresh=True),
        network=Network(width=0.25),
        training=Training(
            epochs=24,
            batch_size=8,
            learning_rate=1e-3,
            schedule="cosine",
            precision=fast_precision(),
        ),
        validation=Validation(hold_out=True),
    )


def finetune() -> Experiment:
    """Return settings to train further from a start, in minutes a fold on two cores.

    The front end and the network are the start's (`--start-from`).
    """
    base = fast()
    return base.model_copy(
        update={
            "training": base.training.model_copy(
                update={"epochs": 8, "batch_size": 16, "learning_rate": 5e-4}
            ),
            "augmentation": Augmentation(mixup=0.4, bandwidth=0.5),
        }
    )


def demo() -> Experiment:
    """Return settings for the built-in synthetic set that take minutes on two cores.

    The real architecture at an eighth of the width, on segments of 4 s.
    """
    return Experiment(
        data=Data(clips=900, clip_s=6.0),
        segments=Segments(seg_len=4.0, seg_num=2, sampling="full", fresh=True),
        network=Network(width=0.125, lstm_units=32, dropout=0.0),
        training=Training(
            epochs=10,
            batch_size=8,
            learning_rate=2e-3,
            schedule="cosine",
            precision=fast_precision(),
        ),
        validation=Validation(hold_out=True, final_model=False),
    )


def emomucs() -> Experiment:
    """Return EmoMucs's baseline C2D-M with its authors' input and training (ISMIR 2020).

    One random segment of 20 s a song at 12 kHz, 96 mels, dB relative to its maximum; Adam at .005
    in batches of 64 until 15 epochs bring no lower val loss on a fifth of the training songs.
    """
    return Experiment(
        frontend=Frontend(
            sample_rate_hz=12000,
            mels=96,
            n_fft=512,
            win_length_s=512 / 12000,
            hop_length_s=256 / 12000,
        ),
        segments=Segments(seg_len=20.0, seg_num=1, sampling="simple"),
        network=EmoMucs(level="relative"),
        training=Training(
            epochs=300,
            batch_size=64,
            learning_rate=0.005,
            decay_epochs=(),
            weight_decay=0.0,
            early_stopping=15,
            inner_fraction=0.2,
        ),
        validation=Validation(folds=5),
    )


def mlem() -> Experiment:
    """Return MLEM's network with its authors' input and training (SMC 2021).

    40 s at 22.05 kHz in 149 bands of magnitude; a shorter song is padded with silence, where theirs
    is looped. Adam at .001 in batches of 8 along a cosine, with early stopping. Epochs and patience
    are not in the paper.
    """
    return Experiment(
        frontend=Frontend(
            sample_rate_hz=22050,
            mels=149,
            filterbank="octave",
            n_fft=2048,
            win_length_s=2048 / 22050,
            hop_length_s=704 / 22050,
        ),
        segments=Segments(seg_len=40.0, seg_num=1, sampling="simple"),
        network=Mlem(level="compressed"),
        training=Training(
            epochs=100,
            batch_size=8,
            learning_rate=1e-3,
            schedule="cosine",
            weight_decay=0.0,
            early_stopping=14,
            inner_fraction=0.2,
        ),
        validation=Validation(folds=5),
    )


def musicnn_linear() -> Experiment:
    """Return a linear model on MusiCNN's embedding, with MusiCNN's front end (ISMIR 2019).

    Segments of 9 s hold three of its patches.
    """
    return Experiment(
        frontend=Frontend(**MUSICNN_FRONTEND),
        segments=Segments(seg_len=9.0, seg_num=1, sampling="full"),
        network=MusicnnLinear(),
        validation=Validation(folds=5),
    )


RIVALS = {"emomucs": emomucs, "mlem": mlem}
PRESETS = {
    "paper": paper,
    "fast": fast,
    "finetune": finetune,
    "demo": demo,
    **RIVALS,
    "musicnn-linear": musicnn_linear,
}
