"""Log-mel of noise by librosa and by adff_tf in one process: seconds, and the ratio to librosa's.

python benchmarks/bench_frontend.py [--seconds 45] [--repeats 5]
"""

import argparse
import statistics
import time

import numpy as np

from adff_tf.support.console import prepare_tensorflow

prepare_tensorflow()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    import librosa
    import tensorflow as tf

    from adff_tf.config import Frontend
    from adff_tf.model.log_mel import log_mel
    from adff_tf.model.numpy_log_mel import track_log_mel

    frontend = Frontend()
    waveform = (
        np.random.default_rng(0)
        .normal(0, 0.1, int(args.seconds * frontend.sample_rate_hz))
        .astype("float32")
    )
    batch = tf.constant(waveform[None])
    in_float32 = tf.function(lambda x: log_mel(x, frontend, dft="float32"))

    def by_librosa():
        mel = librosa.feature.melspectrogram(
            y=waveform,
            sr=44100,
            n_fft=4096,
            win_length=2646,
            hop_length=441,
            n_mels=128,
            pad_mode="reflect",
        )
        return 10 * np.log10(np.maximum(mel, 1e-10)).T

    functions = {
        "librosa": by_librosa,
        "adff_tf, DFT in float64": lambda: track_log_mel(waveform, frontend),
        "adff_tf, DFT in float32": lambda: in_float32(batch)[0].numpy(),
    }
    reference = by_librosa()
    for name, function in functions.items():
        print(f"{name}: at most {np.abs(function() - reference).max():.1e} dB from librosa")
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(args.repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    peer = statistics.median(seconds["librosa"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(
            f"{name}: {median:.3f} s for {args.seconds:g} s of audio, "
            f"{median / peer:.2f} of librosa's"
        )


if __name__ == "__main__":
    main()
