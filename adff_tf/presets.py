"""Experiments with a name: functions that return an `Experiment`, to start from and change."""

from pathlib import Path

from .config import Data, Experiment, Frontend, Network, Precision, Segments, Training, Validation


def fast_precision(proc: Path = Path("/proc")) -> Precision:
    """bfloat16 where this machine computes in it (a GPU; a CPU's AMX or AVX-512 BF16 units), float32 where it would be slower.

    Without such units a training step in bfloat16 takes twice as long as in float32 (docs/results.md).
    """
    cpu, gpus = proc / "cpuinfo", proc / "driver/nvidia/gpus"
    has_gpu = gpus.is_dir() and any(gpus.iterdir())
    flags = set(cpu.read_text().split()) if cpu.exists() else set()
    return "mixed_bfloat16" if has_gpu or flags & {"amx_bf16", "avx512_bf16"} else "float32"


def paper() -> Experiment:
    """Section 3.2 of the paper: 20 s, seg_num 6, one random segment a song, 200 epochs of Adam at 1e-5, five folds, float32."""
    return Experiment(
        segments=Segments(seg_len=20.0, seg_num=6, sampling="simple"),
        training=Training(),
        validation=Validation(folds=5),
    )


def fast() -> Experiment:
    """Good scores in a fraction of the paper's time: a quarter of the width, 10 s, a higher rate, one cosine, a fifth held out.

    Chosen on clips of EMOPIA apart from the first fold (docs/results.md). The log-mel ends at -70 dB, so that a recording is
    answered alike whatever codec it came through.
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


def demo() -> Experiment:
    """The built-in synthetic set in minutes on two cores: the real architecture at an eighth of the width, on 4 s."""
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


PRESETS = {"paper": paper, "fast": fast, "demo": demo}
