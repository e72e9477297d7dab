"""Presets: the paper's values, and the precision that suits the machine."""

import pytest

from adff_tf import presets


def test_the_papers_preset_has_the_papers_numbers():
    paper = presets.paper()
    frontend, segments, training = paper.frontend, paper.segments, paper.training
    assert (frontend.sample_rate_hz, frontend.mels) == (44100, 128)
    assert (frontend.win_length, frontend.hop_length) == (2646, 441)
    assert (segments.seg_len, segments.seg_num, segments.sampling) == (20.0, 6, "simple")
    assert paper.frames == 2000
    assert (training.learning_rate, training.weight_decay) == (1e-5, 1e-5)
    assert (training.epochs, training.batch_size) == (200, 32)
    assert training.decay_epochs == (20, 45, 80, 110, 140, 170)
    assert paper.validation.folds == 5 and not paper.validation.hold_out
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
