"""The network: shapes, variants, names, `.keras`, backends, and an independent PyTorch twin."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from adff_tf import config
from adff_tf.errors import InputError
from adff_tf.model import network

from .. import tiny

RNG = np.random.default_rng(0)


def log_mels(experiment: config.Experiment, batch: int = 2) -> np.ndarray:
    return RNG.standard_normal((batch, experiment.frames, 128)).astype("float32")


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        ("both", {"valence": (2, 1), "arousal": (2, 1)}),
        ("valence", {"valence": (2, 1)}),
        ("arousal", {"arousal": (2, 1)}),
        ("valence2", {"probabilities": (2, 2)}),
        ("quadrant", {"probabilities": (2, 4)}),
    ],
)
def test_outputs_by_task(task, outputs):
    experiment = tiny.experiment(task)
    predicted = network.build_adff(experiment)(log_mels(experiment))
    assert {name: tuple(value.shape) for name, value in predicted.items()} == outputs
    if "probabilities" in outputs:
        np.testing.assert_allclose(np.sum(predicted["probabilities"], axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("seg_len", "seg_num"), [(0.32, 1), (1.0, 3), (2.0, 6), (5.0, 10)])
def test_any_cut_that_leaves_32_frames_a_segment(seg_len, seg_num):
    experiment = tiny.experiment("arousal", seg_len, seg_num)
    assert np.isfinite(network.build_adff(experiment)(log_mels(experiment))["arousal"]).all()


@pytest.mark.parametrize(
    ("seg_len", "seg_num", "most"),
    [(5.0, 16, "seg_num 15 or less"), (0.31, 1, "use a longer seg_len")],
)
def test_fewer_than_32_frames_is_a_clear_error(seg_len, seg_num, most):
    with pytest.raises(ValueError, match=most):
        tiny.experiment("arousal", seg_len, seg_num)


def test_build_checks_a_configuration_that_was_never_validated():
    short = tiny.experiment().model_copy(
        update={"segments": config.Segments.model_construct(seg_len=1.0, seg_num=9)}
    )
    with pytest.raises(InputError, match="seg_num 9 cuts 100 frames into parts of 11"):
        network.build_adff(short)


def test_full_size_has_the_parameters_counted_by_hand():
    lstm = sum(
        2 * 4 * 64 * (rows + 64 + 1) + 2 * 4 * 64 * (128 + 64 + 1)
        for rows in (4096, 4096, 4096, 4096, 2048)
    )
    convolutions = norms = attention = 0
    before = 6
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            convolutions += (9 * before + 1) * channels
            before = channels
        norms += 4 * channels
        attention += channels * (channels // 16) * 2 + channels // 16 + channels
    head = (640 + 1) * 256 + (256 + 1) * 64 + 64 + 1
    expected = (
        lstm + convolutions + norms + attention + head + 2 * 128
    )  # and the standardisation's two numbers a band
    assert network.build_adff(config.Experiment(task="arousal")).count_params() == expected


@pytest.mark.parametrize(("change", "gone"), [({"se": False}, "_se"), ({"tflm": False}, "_lstm")])
def test_variants_of_table_1(change, gone):
    experiment = tiny.experiment("arousal", **change)
    model = network.build_adff(experiment)
    assert not [layer.name for layer in model.layers if gone in layer.name]
    assert np.isfinite(model(log_mels(experiment))["arousal"]).all()


def test_without_tflm_a_level_is_its_mean_over_time_and_mel():
    experiment = tiny.experiment("arousal", tflm=False)
    model = network.build_adff(experiment)
    inner = keras.Model(
        model.input, [model.get_layer("level2_norm").output, model.get_layer("level2_mean").output]
    )
    s, e = inner(log_mels(experiment))
    np.testing.assert_allclose(e, np.mean(s, axis=(1, 2)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("order", ["pool-relu-norm", "norm-relu"])
def test_the_end_of_a_level_has_both_readings(order):
    """Keras's own layers in the setting's order, from the last convolution's output on."""
    experiment = tiny.experiment(level_end=order)
    model = network.build_adff(experiment)
    norm = model.get_layer("level1_norm")
    norm.set_weights([RNG.normal(0.5, 1, w.shape) ** 2 for w in norm.get_weights()])
    inner = keras.Model(
        model.input, [model.get_layer("level1_conv2").output, model.get_layer("level1_se").input]
    )
    s, end = inner(log_mels(experiment))
    relu, pool = keras.ops.relu, keras.layers.MaxPooling2D(2)
    expected = norm(relu(pool(relu(s)))) if order == "pool-relu-norm" else pool(relu(norm(s)))
    assert (np.asarray(s).min() < 0) == (
        order == "pool-relu-norm"
    )  # where the last convolution's own ReLU is
    np.testing.assert_allclose(end, expected, atol=1e-6)


def test_weights_transfer_by_name_between_tasks_and_cuts(tmp_path):
    # seg_num changes the first convolution's input alone, the task the last layer alone
    source, target = (
        network.build_adff(tiny.experiment(*args))
        for args in (("both", 1.0, 2), ("arousal", 2.0, 4))
    )
    names = {layer.name for layer in source.layers} & {layer.name for layer in target.layers}
    moved = 0
    for name in sorted(names - {"level1_conv1"}):
        target.get_layer(name).set_weights(source.get_layer(name).get_weights())
        moved += len(source.get_layer(name).weights) > 0
    assert (
        moved == 1 + 12 + 5 + 5 + 10 + 1 + 1
    )  # standardise, convolutions, norms, attention, LSTMs, fc1, arousal


def test_keras_file_loads_in_safe_mode_exactly(tmp_path):
    experiment = tiny.experiment()
    model, x = network.build_adff(experiment), log_mels(experiment)
    model.get_layer("standardise").set_weights([RNG.standard_normal(128), 1 + RNG.random(128)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for name, value in model(x).items():
        np.testing.assert_array_equal(loaded(x)[name], value)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_outputs_in_float32_and_near(policy):
    experiment = tiny.experiment()
    x, exact = log_mels(experiment), network.build_adff(experiment)
    keras.config.set_dtype_policy(policy)
    try:
        half = network.build_adff(experiment)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(exact.get_weights())
    for name, value in half(x).items():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        np.testing.assert_allclose(value, exact(x)[name], atol=0.05)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_builds_and_trains_on_another_backend(backend):
    """The same weights predict as on TensorFlow, and training on one batch lowers its loss."""
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed: the network was not built on that Keras backend")
    code = (
        "import keras, numpy as np; from tests import tiny; from adff_tf.model import network\n"
        "e = tiny.experiment('arousal', dropout=0.0); model = network.build_adff(e)\n"
        "rng = np.random.default_rng(0)\n"
        "model.set_weights([rng.normal(0.1, 0.2, w.shape) ** 2 for w in model.weights])\n"
        "x = rng.normal(size=(4, e.frames, 128)).astype('float32')\n"
        "y = {'arousal': np.ones((4, 1), 'float32')}\n"
        "first = float(np.asarray(model.predict_on_batch(x)['arousal'])[0, 0])\n"
        "model.compile(keras.optimizers.Adam(3e-3), 'mse')\n"
        "losses = [float(model.train_on_batch(x, y)) for _ in range(30)]\n"
        "print(keras.backend.backend(), first, losses[0], losses[-1])"
    )

    def on(backend):
        environment = {**os.environ, "KERAS_BACKEND": backend}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        name, *numbers = done.stdout.split("\n")[-2].split()
        assert name == backend
        return [float(number) for number in numbers]

    (there, *losses), (here, *_) = on(backend), on("tensorflow")
    np.testing.assert_allclose(there, here, rtol=1e-4)
    assert losses[1] < 0.2 * losses[0]


# === The PyTorch twin ===


def twin_outputs(model: keras.Model, experiment: config.Experiment, x: np.ndarray) -> np.ndarray:
    """Return arousal by plain PyTorch with the same weights, written from the paper alone."""
    torch = pytest.importorskip(
        "torch", reason="torch is not installed: the network was not compared with its PyTorch twin"
    )
    from torch.nn import functional as F

    def weights(name):
        return [torch.tensor(np.asarray(w)) for w in model.get_layer(name).get_weights()]

    def lstm(rows, name):
        kernel_f, recurrent_f, bias_f, kernel_b, recurrent_b, bias_b = weights(name)
        units = recurrent_f.shape[0]
        net = torch.nn.LSTM(rows.shape[2], units, bidirectional=True, batch_first=True)
        for suffix, kernel, recurrent, bias in (
            ("", kernel_f, recurrent_f, bias_f),
            ("_reverse", kernel_b, recurrent_b, bias_b),
        ):
            getattr(net, f"weight_ih_l0{suffix}").data = kernel.T.contiguous()
            getattr(net, f"weight_hh_l0{suffix}").data = recurrent.T.contiguous()
            getattr(net, f"bias_ih_l0{suffix}").data = bias
            getattr(net, f"bias_hh_l0{suffix}").data = torch.zeros_like(bias)
        outputs, (last, _) = net(rows)
        return outputs, torch.cat([last[0], last[1]], dim=1)

    seg_num, part = experiment.segments.seg_num, experiment.frames // experiment.segments.seg_num
    s = torch.tensor(x)[:, : seg_num * part].reshape(len(x), seg_num, part, 128)  # channels first
    fused = []
    for level, (_, convolutions) in enumerate(network.VGG16, start=1):
        for n in range(1, convolutions + 1):
            kernel, bias = weights(f"level{level}_conv{n}")
            s = F.relu(F.conv2d(s, kernel.permute(3, 2, 0, 1), bias, padding=1))
        gamma, beta, mean, variance = weights(f"level{level}_norm")
        s = F.batch_norm(F.relu(F.max_pool2d(s, 2)), mean, variance, gamma, beta, eps=1e-3)
        reduce, reduce_bias, expand, expand_bias = weights(f"level{level}_se")
        a = torch.sigmoid(F.relu(s.mean((2, 3)) @ reduce + reduce_bias) @ expand + expand_bias)
        rows = (s * a[:, :, None, None]).permute(0, 2, 3, 1).flatten(2)
        sequences, _ = lstm(rows, f"level{level}_lstm1")
        fused.append(lstm(sequences, f"level{level}_lstm2")[1])
    e = torch.cat(fused, dim=1)
    for n in range(1, len(experiment.network.fc) + 1):
        kernel, bias = weights(f"fc{n}")
        e = F.relu(e @ kernel + bias)
    kernel, bias = weights("arousal")
    return (e @ kernel + bias).detach().numpy()


def assert_equals_twin(experiment: config.Experiment, batch: int) -> None:
    model, x = network.build_adff(experiment), log_mels(experiment, batch)
    for layer in (
        model.layers
    ):  # batch norm statistics and biases away from 0 and 1, where a swap would not show
        if "norm" in layer.name:
            layer.set_weights([0.5 + RNG.random(w.shape) for w in layer.get_weights()])
        elif layer.name == "arousal":
            layer.set_weights([RNG.standard_normal(w.shape) for w in layer.get_weights()])
    np.testing.assert_allclose(model(x)["arousal"], twin_outputs(model, experiment, x), atol=1e-4)


def test_equals_the_pytorch_twin():
    assert_equals_twin(
        tiny.experiment("arousal", 2.0, 3, width=0.1, lstm_units=5, fc=(9, 7)), batch=3
    )


@pytest.mark.slow
def test_equals_the_pytorch_twin_at_full_size():
    assert_equals_twin(config.Experiment(task="arousal"), batch=1)
