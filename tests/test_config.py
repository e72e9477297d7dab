"""Settings: the paper's values, JSON both ways, and errors that name the setting."""

import pytest

from adff_tf import presets
from adff_tf.config import Experiment, Frontend, Segments
from adff_tf.errors import InputError


def test_the_papers_preset_has_the_papers_numbers():
    paper = presets.paper()
    assert (
        paper.frontend.sample_rate_hz,
        paper.frontend.mels,
        paper.frontend.win_length,
        paper.frontend.hop_length,
    ) == (
        44100,
        128,
        2646,
        441,
    )
    assert (
        paper.segments.seg_len,
        paper.segments.seg_num,
        paper.segments.sampling,
        paper.frames,
    ) == (
        20.0,
        6,
        "simple",
        2000,
    )
    training = paper.training
    assert (
        training.learning_rate,
        training.weight_decay,
        training.epochs,
        training.batch_size,
    ) == (1e-5, 1e-5, 200, 32)
    assert (
        training.decay_epochs == (20, 45, 80, 110, 140, 170)
        and paper.validation.folds == 5
        and not paper.validation.hold_out
    )
    assert paper.network.width == 1 and training.precision == "float32"


@pytest.mark.parametrize(
    ("flags", "gpu", "precision"),
    [
        ("flags\t: fpu avx2 avx512f", False, "float32"),
        ("flags\t: fpu avx512f amx_bf16 amx_tile", False, "mixed_bfloat16"),
        ("flags\t: avx512_bf16", False, "mixed_bfloat16"),
        ("flags\t: fpu", True, "mixed_bfloat16"),
        (None, False, "float32"),  # no Linux
    ],
)
def test_the_fast_precision_is_the_machines(tmp_path, flags, gpu, precision):
    if flags:
        (tmp_path / "cpuinfo").write_text(f"model name : some\n{flags}\n")
    if gpu:
        (tmp_path / "driver/nvidia/gpus/0000:01").mkdir(parents=True)
    assert presets.fast_precision(tmp_path) == precision


@pytest.mark.parametrize("preset", presets.PRESETS.values())
def test_json_both_ways(preset):
    assert Experiment.from_json(preset().to_json()) == preset()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"training": {"epoch": 3}}', "training.epoch: no such setting"),
        ('{"training": {"epochs": 0}}', "training.epochs: .*greater than or equal to 1; given 0"),
        (
            '{"segments": {"seg_num": 16, "seg_len": 5}}',
            "seg_num 16 cuts 500 frames into parts of 31",
        ),
        ('{"task": "mood"}', "task: .*'both'.*given 'mood'"),
        (
            '{"frontend": {"n_fft": 1024}}',
            "n_fft 1024 is shorter than the window of 2646 samples; use 4096",
        ),
        ("not json", "my.json cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(text, says):
    with pytest.raises(InputError, match=says):
        Experiment.from_json(text, "my.json")


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Frontend().mels = 64
    assert Segments(seg_len=20).seg_len == 20.0
