"""The same songs through the Keras model, the exported SavedModel, TensorFlow Serving's interface and the LiteRT runner.

    python benchmarks/bench_artifacts.py RUN EXPORT SONG…

`session` is TensorFlow's session loader in this process; `gRPC` is our client and, on loopback, the tests' stand-in for
TensorFlow Serving, so its time is a lower bound of a server's. Prints each song's valence and arousal (or
the likeliest class and its probability) from each, the greatest difference of any window from Keras's, milliseconds a window, and
the real-time factor: seconds of music a second of work.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from adff_tf.support.console import quiet_tensorflow

quiet_tensorflow()


def keras_model(run: str):
    """`model.keras` itself, not the run's servable."""
    from adff_tf.inference import model as inference_model
    from adff_tf.model import model_file

    file, experiment = model_file.find_model(run)
    return inference_model.EmotionModel.of(model_file.load_network(file), experiment)


def session_model(export: Path, experiment):
    """The SavedModel as a session holds it."""
    import tensorflow as tf

    from adff_tf.inference.model import EmotionModel

    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signature = tf.compat.v1.saved_model.load(
            session, ["serve"], str(export / "saved_model/1")
        ).signature_def["serving_default"]
    outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
    return EmotionModel(
        experiment,
        lambda windows: session.run(outputs, {signature.inputs["waveform"].name: windows}),
    )


def litert_model(file: Path, experiment):
    from adff_tf.inference.model import EmotionModel
    from adff_tf.litert import EmotionRunner

    answer = EmotionRunner.load(file).answer

    def of_batch(windows: np.ndarray) -> dict[str, np.ndarray]:
        answers = [answer(window) for window in windows]
        return {name: np.stack([one[name] for one in answers]) for name in answers[0]}

    return EmotionModel(experiment, of_batch)


def said(song) -> str:
    if song.task.is_regression:
        return " ".join(f"{song.values[name]:+.4f}" for name in song.task.targets)
    return f"{song.label} {song.probabilities[song.label]:.4f}"


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("run")
    ask.add_argument("export", type=Path)
    ask.add_argument("songs", nargs="+")
    args = ask.parse_args()

    from adff_tf import audio
    from adff_tf.export import client

    sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests are not installed
    from tests import serving

    keras = keras_model(args.run)
    stand_in = serving.Served(args.export / "saved_model/1")
    with serving.grpc_server(stand_in) as host:
        models = {
            "Keras": keras,
            "session": session_model(args.export, keras.experiment),
            "gRPC": client.served(client.connect(host, client.Model())),
            "LiteRT float32": litert_model(args.export / "adff_float32.tflite", keras.experiment),
            "LiteRT int8": litert_model(args.export / "adff_int8.tflite", keras.experiment),
        }
        seconds = {name: [] for name in models}
        apart = dict.fromkeys(models, 0.0)
        print(f"{'':30}" + "".join(f"{name:>18}" for name in models))
        for song in args.songs:
            waveform = audio.load(song, keras.sample_rate_hz)
            row, wanted = "", {}
            for name, model in models.items():
                model.predict(waveform[: model.window], keras.sample_rate_hz)  # warm
                started = time.perf_counter()
                answer = model.predict(waveform, keras.sample_rate_hz)
                seconds[name].append((time.perf_counter() - started) / len(answer.start))
                wanted = wanted or answer.windows  # Keras's, which come first
                apart[name] = max(
                    apart[name],
                    *(np.abs(answer.windows[key] - wanted[key]).max() for key in wanted),
                )
                row += f"{said(answer):>18}"
            print(f"{Path(song).stem[:28]:30}{row}", flush=True)
        print(
            f"{'greatest difference':30}" + "".join(f"{value:>18.1e}" for value in apart.values())
        )
        print(
            f"{'ms a window, median':30}"
            + "".join(f"{1e3 * np.median(times):>18.0f}" for times in seconds.values())
        )
        window_s = keras.window / keras.sample_rate_hz
        print(
            f"{'real-time factor':30}"
            + "".join(f"{window_s / np.median(times):>18.0f}" for times in seconds.values())
        )


if __name__ == "__main__":
    main()
