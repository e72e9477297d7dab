"""The same songs by the Keras model, the SavedModel, TensorFlow Serving's interface and LiteRT.

    python benchmarks/bench_artifacts.py RUN EXPORT SONG…

`session` is TensorFlow's session loader in this process. `gRPC` is adff-client's server backend and
the tests' stand-in for TensorFlow Serving on loopback; its time is a lower bound of a server's.
Prints each song's valence and arousal (or the most probable class and its probability) by each, the
greatest difference of any window from Keras's, milliseconds a window, and the real-time factor:
seconds of music a second of work.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()


def load_keras(run: str):
    """Return the network in `model.keras` itself, not the run's servable."""
    from adff_tf.inference.model import EmotionModel
    from adff_tf.model.model_file import find_model, load_network

    file, experiment = find_model(run)
    return EmotionModel.from_network(load_network(file), experiment)


class SessionBackend:
    """A SavedModel in a session."""

    def __init__(self, folder: Path):
        import tensorflow as tf

        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        signature = meta.signature_def["serving_default"]
        self._outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
        self._input = signature.inputs["waveform"].name

    def predict(self, waveforms: np.ndarray) -> dict[str, np.ndarray]:
        return self._session.run(self._outputs, {self._input: waveforms})


def format_song(emotion) -> str:
    if emotion.task.is_regression:
        return " ".join(f"{emotion.values[name]:+.4f}" for name in emotion.task.targets)
    return f"{emotion.label} {emotion.probabilities[emotion.label]:.4f}"


def compare(models: dict, songs: list[str]) -> None:
    """Print a row a song, then differences and times. The first model is the reference."""
    from adff_tf import audio

    reference = next(iter(models.values()))
    rate, window = reference.sample_rate_hz, reference.window
    seconds: dict[str, list[float]] = {name: [] for name in models}
    difference = dict.fromkeys(models, 0.0)
    print(f"{'':30}" + "".join(f"{name:>18}" for name in models))
    for song in songs:
        waveform = audio.load(song, rate)
        row, expected = "", {}
        for name, model in models.items():
            model.predict(waveform[:window], rate)  # warm up
            started = time.perf_counter()
            emotion = model.predict(waveform, rate)
            seconds[name].append((time.perf_counter() - started) / len(emotion.start))
            expected = expected or emotion.windows
            greatest = (np.abs(emotion.windows[key] - expected[key]).max() for key in expected)
            difference[name] = max(difference[name], *greatest)
            row += f"{format_song(emotion):>18}"
        print(f"{Path(song).stem[:28]:30}{row}", flush=True)
    median = [np.median(times) for times in seconds.values()]
    print_row("greatest difference", (f"{value:.1e}" for value in difference.values()))
    print_row("ms a window, median", (f"{1e3 * s:.0f}" for s in median))
    print_row("real-time factor", (f"{window / rate / s:.0f}" for s in median))


def print_row(label: str, cells) -> None:
    print(f"{label:30}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("export", type=Path)
    parser.add_argument("songs", nargs="+")
    args = parser.parse_args()

    from adff_tf.export.client import connect
    from adff_tf.export.server import ServedModel, load_model
    from adff_tf.inference.model import EmotionModel

    sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests are not installed
    from tests.serving import StandIn, grpc_server

    keras, version = load_keras(args.run), args.export / "saved_model/1"
    with grpc_server(StandIn(version)) as host:
        models = {
            "Keras": keras,
            "session": EmotionModel(keras.description, SessionBackend(version)),
            "gRPC": load_model(connect(host, ServedModel())),
            "LiteRT float32": EmotionModel.load(args.export / "adff_float32.tflite"),
            "LiteRT int8": EmotionModel.load(args.export / "adff_int8.tflite"),
        }
        compare(models, args.songs)


if __name__ == "__main__":
    main()
