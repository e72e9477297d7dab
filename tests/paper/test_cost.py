"""The cost model: exact on costs that it can express, and near on a real network."""

import time

import numpy as np
import pytest

from adff_tf import presets
from adff_tf.config import Network
from adff_tf.paper import cost, work

FACTOR = 2.0  # an estimate further off than this, either way, is of no use


def with_sizes(experiment, seg_len, batch_size, seg_num=1):
    segments = experiment.segments.model_copy(update={"seg_len": seg_len, "seg_num": seg_num})
    training = experiment.training.model_copy(update={"batch_size": batch_size})
    return experiment.model_copy(update={"segments": segments, "training": training})


def test_the_model_finds_the_costs_of_steps_that_are_such_a_sum():
    def seconds(counted, batch):
        convolutions = batch * (2e-11 * counted.multiply_adds + 5e-9 * counted.cells)
        return convolutions + 1e-4 * counted.loop_steps + 3e-9 * counted.parameters

    measured = []
    small = cost.small_networks([presets.paper(), presets.emomucs(), presets.mlem()])
    for experiment in small:
        counted = work.count(experiment)
        step_s = {size: seconds(counted, size) for size in (1, 3)}
        tracing_s = 0.2 * counted.convolutions + 0.5 * counted.lstms
        measured.append(cost.Measured(counted, tracing_s, step_s))
    assert len(measured) == 4  # ADFF with and without its Bi-LSTMs, and the rivals
    model = cost.fit_costs(measured)
    for seg_num in (1, 6, 16):
        experiment = with_sizes(presets.paper(), 20.0, 32, seg_num)
        found, true_s = model.estimate(experiment), seconds(work.count(experiment), 32)
        assert found.later_s == pytest.approx(true_s, rel=0.02)
        assert found.first_s - found.later_s == pytest.approx(0.2 * 13 + 0.5 * 10)


def test_small_networks_are_one_for_each_network_whatever_its_segments():
    base = presets.paper()
    variants = [Network(), Network(se=False), Network(tflm=False), Network(width=0.5)]
    experiments = [
        with_sizes(base.model_copy(update={"network": network}), seg_len, 8)
        for network in variants
        for seg_len in (5.0, 20.0)
    ]
    found = cost.small_networks(experiments)
    assert [(one.network.width, one.network.tflm) for one in found] == [
        (1, True), (1, False), (0.5, True), (0.5, False)
    ]  # fmt: skip
    assert {one.frames for one in found} == {128}


def test_an_estimate_of_a_longer_segment_and_a_larger_batch_is_near():
    """Processor time, which other programs on the machine hardly change."""
    base = presets.emomucs()
    small = cost.small_networks([base])
    clock = time.process_time
    model = cost.fit_costs([cost.measure(one, clock=clock) for one in small])
    large = with_sizes(base, 8.0, 8)
    measured = cost.measure(large, (8, 8), clock).step_s[8]
    assert work.count(large).cells * 8 > 3 * work.count(small[0]).cells * max(cost.BATCHES)
    assert 1 / FACTOR < model.estimate(large).later_s / measured < FACTOR
    assert np.all(model.step >= 0) and np.all(model.tracing >= 0)
