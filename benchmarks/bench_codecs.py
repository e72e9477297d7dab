"""How far a codec, a sample rate or a channel layout moves a model's predictions.

    python benchmarks/bench_codecs.py MODEL SONG…

Predicts on each song as it is and as FFmpeg and libsndfile re-encode it. Prints, by form, the mean
and the greatest difference of the song's and its windows' values from the original's: in units of
[-1, 1], or of probability for classes.
"""

import argparse
import io

import numpy as np
import pandas as pd
import soundfile
import soxr

from adff_tf.pretraining.augment import encode
from adff_tf.support.console import prepare_tensorflow

BY_LIBSNDFILE = {
    "flac 16 bit": {"format": "FLAC", "subtype": "PCM_16"},
    "wav, six channels": {"format": "WAV", "subtype": "PCM_16"},
    "ogg vorbis": {"format": "OGG", "subtype": "VORBIS"},
}
BY_FFMPEG = {
    "mp3 128 kbit/s": ("libmp3lame", 128_000),
    "m4a aac 128 kbit/s": ("aac", 128_000),
    "opus 96 kbit/s": ("libopus", 96_000),
}
RATES = {"wav 96 kHz": 96000, "wav 22.05 kHz": 22050, "wav 16 kHz": 16000, "wav 8 kHz": 8000}


def forms(samples: np.ndarray, rate_hz: int):
    """(name, file content) of one recording in every form."""
    for name, options in BY_LIBSNDFILE.items():
        file = io.BytesIO()
        channels = 6 if "six" in name else 1
        with soundfile.SoundFile(file, "w", rate_hz, channels, **options) as sound:
            for start in range(
                0, len(samples), rate_hz
            ):  # libsndfile's vorbis encoder crashes on a minute at once
                sound.write(np.tile(samples[start : start + rate_hz, None], channels))
        yield name, file.getvalue()
    for name, options in BY_FFMPEG.items():
        yield name, encode(samples, rate_hz, *options)
    for name, other_hz in RATES.items():
        file = io.BytesIO()
        soundfile.write(
            file, soxr.resample(samples, rate_hz, other_hz), other_hz, format="WAV", subtype="FLOAT"
        )
        yield name, file.getvalue()


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("model")
    ask.add_argument("songs", nargs="+")
    args = ask.parse_args()
    prepare_tensorflow()
    from adff_tf import EmotionModel, audio

    model, rows = EmotionModel.load(args.model), []
    for song in args.songs:
        original, samples = model.predict(song), np.clip(audio.load(song), -1, 1)
        for name, content in forms(samples, 44100):
            other = model.predict(content)
            for output in model.task.outputs:
                count = min(len(original.start), len(other.start))
                whole = np.abs(
                    original.windows[output].mean(axis=0) - other.windows[output].mean(axis=0)
                ).max()
                moved = np.abs(original.windows[output][:count] - other.windows[output][:count])
                rows.append((name, whole, moved.mean(), moved.max()))
    table = pd.DataFrame(rows, columns=["form", "song", "window", "worst window"])
    summary = table.groupby("form", sort=False).agg(
        {"song": ["mean", "max"], "window": "mean", "worst window": "max"}
    )
    print(f"{len(args.songs)} songs, {' and '.join(model.task.outputs)} together")
    print(summary.to_string(float_format="{:.4f}".format))


if __name__ == "__main__":
    main()
