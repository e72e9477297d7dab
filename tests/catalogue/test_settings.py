"""Engine settings: bounds, and what suits a machine."""

import pytest

from adff_tf.catalogue.settings import EngineSettings
from adff_tf.errors import InputError


@pytest.mark.parametrize("name", ["cores_per_actor", "decoders", "threads", "batch", "patience_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} .* was given; give 1 or more"):
        EngineSettings(**{name: value}).check()


def test_a_machine_fills_what_was_left_open():
    cpu, gpu = EngineSettings().for_machine(8, False), EngineSettings().for_machine(8, True)
    assert (cpu.decoders, cpu.threads, cpu.batch) == (8, 8, 4)
    assert (gpu.decoders, gpu.threads, gpu.batch) == (8, 2, 32)
    given = EngineSettings(decoders=1, threads=3, batch=5)
    assert given.for_machine(8, True) == given
