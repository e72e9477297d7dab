"""EmoMucs's source models and MLEM's network, against the sizes that their papers and code have."""

import keras
import numpy as np
import pytest

from adff_tf.config import Experiment, Frontend, Segments
from adff_tf.errors import InputError
from adff_tf.model.layers import CompressedLevel, FrequencyChannel, RelativeLevel
from adff_tf.model.networks import build_network
from adff_tf.networks import STEMS, EmoMucs, Mlem

FROM_EMOMUCS = Frontend(
    sample_rate_hz=12000, mels=96, n_fft=512, win_length_s=512 / 12000, hop_length_s=256 / 12000
)


def experiment(network, frontend=FROM_EMOMUCS, seg_len=20.0, task="both") -> Experiment:
    segments = Segments(seg_len=seg_len, seg_num=1)
    return Experiment(task=task, network=network, frontend=frontend, segments=segments)


def trainable(model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(("source_model", "parameters"), [("c1d", 86_354), ("c2d", 37_698)])
def test_emomucs_has_its_published_size(source_model, parameters):
    settings = experiment(EmoMucs(source_model=source_model))
    assert settings.frames == 938  # 20 s, as the size of C1D needs
    model = build_network(settings)
    assert trainable(model) == parameters
    features = model.get_layer("fusion").output.shape[-1]
    assert features == {"c1d": 896, "c2d": 32}[source_model]


@pytest.mark.parametrize(
    ("source_model", "fusion", "parameters"),
    [
        ("c1d", "early", 574_402),
        ("c1d", "mid", 378_050),
        ("c1d", "late", 346_826),
        ("c2d", "early", 167_298),
        ("c2d", "late", 152_202),
    ],
)
def test_fused_emomucs_has_its_published_size(source_model, fusion, parameters):
    model = build_network(experiment(EmoMucs(source_model=source_model, fusion=fusion)))
    assert model.input_shape == (None, 938, 4 * 96)
    assert trainable(model) == parameters


def test_each_source_model_sees_its_stem_alone():
    model = build_network(experiment(EmoMucs(source_model="c1d", fusion="late", dropout=0.0)))
    part = keras.Model(model.inputs, [model.get_layer(f"{s}_outputs").output for s in STEMS])
    x = np.random.default_rng(0).normal(-40, 10, (1, 938, 384)).astype("float32")
    wanted = part(x)
    for k in range(len(STEMS)):
        other = x.copy()
        other[:, :, 96 * k : 96 * (k + 1)] += 20
        changed = [
            bool(np.abs(a - b).max() > 1e-4) for a, b in zip(part(other), wanted, strict=True)
        ]
        assert changed == [n == k for n in range(len(STEMS))]


def test_mlem_has_its_published_size():
    keras.backend.clear_session()
    frontend = Frontend(sample_rate_hz=22050, mels=149, n_fft=2048, win_length_s=2048 / 22050)
    model = build_network(experiment(Mlem(), frontend, seg_len=12.52))
    assert trainable(model) == 2_220_174
    assert model.get_layer("block7_conv2").output.shape[1:] == (156, 18, 512)  # 1252 and 149, by 8


def test_mlem_sees_three_seconds():
    """Its receptive field is 95 frames by 95 bands: another input farther away changes nothing."""
    settings = experiment(Mlem(width=0.05), seg_len=20.0)
    whole = build_network(settings)
    inner = keras.Model(whole.inputs, whole.get_layer("block7_relu2").output)
    rng = np.random.default_rng(0)
    x = rng.normal(-40, 10, (1, settings.frames, 96)).astype("float32")
    row = 60  # of 117: its centre is near frame 484
    wanted = inner(x)[0, row]
    changed = np.flatnonzero(
        [_differs(inner, x, frame, row, wanted) for frame in range(420, 550)]
    ) + 420  # fmt: skip
    assert changed[-1] - changed[0] + 1 <= 95 and len(changed) > 60


def _differs(inner, x, frame: int, row: int, wanted) -> bool:
    other = x.copy()
    other[0, frame] += 30
    return bool(np.abs(inner(other)[0, row] - wanted).max() > 1e-7)


def test_the_frequency_channel_by_hand():
    found = FrequencyChannel()(np.zeros((2, 3, 4, 5), "float32"))
    assert found.shape == (2, 3, 4, 6)
    np.testing.assert_allclose(found[1, 2, :, 5], [-1, -0.5, 0, 0.5])
    assert not np.any(found[..., :5])


def test_the_relative_level_is_librosas():
    import librosa

    power = np.random.default_rng(0).gamma(0.02, 1, (50, 8)) + 1e-30
    log_mel = 10 * np.log10(np.maximum(power, 1e-10)).astype("float32")
    wanted = librosa.power_to_db(power, ref=np.max, top_db=80)
    np.testing.assert_allclose(RelativeLevel()(log_mel[None])[0], wanted, atol=1e-4)


def test_the_compressed_level_by_hand():
    """The loudest cell has 45 dB; 45 dB below lies a magnitude of 1."""
    log_mel = np.float32([[[-20.0, -65.0], [-200.0, -45.0]]])
    expected = np.log10(1 + np.array([[[10**2.25, 1.0], [0.0, 10.0]]]))
    np.testing.assert_allclose(CompressedLevel()(log_mel), expected, atol=1e-5)


@pytest.mark.parametrize("network", [EmoMucs(source_model="c1d"), EmoMucs(), Mlem(width=0.1)])
@pytest.mark.parametrize("task", ["both", "quadrant"])
def test_the_interface_is_adffs(network, task):
    model = build_network(experiment(network, Frontend(), seg_len=10.0, task=task))
    assert model.input_shape == (None, 1000, 128)
    outputs = model(np.random.default_rng(0).normal(-40, 10, (3, 1000, 128)).astype("float32"))
    if task == "both":
        assert {name: value.shape for name, value in outputs.items()} == {
            "valence": (3, 1), "arousal": (3, 1)
        }  # fmt: skip
    else:
        np.testing.assert_allclose(np.sum(outputs["probabilities"], axis=-1), 1, rtol=1e-5)
    assert model.get_layer("standardise").get_config()["frontend"] == Frontend().model_dump()


@pytest.mark.parametrize(
    ("network", "seg_len", "mels", "message"),
    [
        (EmoMucs(), 2.0, 128, "at least 243 frames .* and 96 mels"),
        (EmoMucs(), 10.0, 64, "64 mels is too small for EmoMucs"),
        (EmoMucs(source_model="c1d"), 0.4, 128, "at least 51 frames"),
        (Mlem(), 0.1, 128, "too small for MLEM's pools"),
        (EmoMucs(fusion="mid"), 20.0, 128, "c2d has no hidden layer for fusion mid"),
    ],
)
def test_a_segment_that_is_too_small(network, seg_len, mels, message):
    with pytest.raises((InputError, ValueError), match=message):
        experiment(network, Frontend(mels=mels), seg_len)


def test_the_smallest_segments_work():
    for network, seg_len in ((EmoMucs(), 2.43), (EmoMucs(source_model="c1d"), 0.51)):
        assert build_network(experiment(network, Frontend(mels=96), seg_len))
