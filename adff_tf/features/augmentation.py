"""Random changes of training segments: low-pass, masks, mixup.

Segments are log-mels `(batch, frames, mels)` float32 dB. Every function takes the random numbers
from the generator that it is given, so that a batch depends on its seed alone.
"""

import functools

import numpy as np

from ..config import Augmentation, Frontend

LOWEST_CUTOFF_HZ = 4000.0
TRANSITION = 0.1  # of the low-pass, as a share of its cutoff
STOP_BAND_DB = 100.0


def augment(
    log_mels: np.ndarray,
    rng: np.random.Generator,
    settings: Augmentation,
    frontend: Frontend,
    mean_db: np.ndarray,
) -> np.ndarray:
    """Return segments after a random low-pass and random masks, as the settings say.

    Args:
        log_mels: `(batch, frames, mels)` float32 dB; not changed.
        rng: random numbers.
        settings: which changes, and how strong.
        frontend: the front end of the log-mels.
        mean_db: the value of masked cells by band, `(mels,)` dB.
    """
    if not (settings.bandwidth or settings.masks):
        return log_mels
    changed = log_mels.copy()
    for segment in changed:
        if rng.random() < settings.bandwidth:
            cutoff = rng.uniform(LOWEST_CUTOFF_HZ, frontend.sample_rate_hz / 2)
            low_pass(segment, cutoff, frontend)
        for _ in range(settings.masks):
            frames, bands = segment.shape
            segment[_stretch(frames, settings.mask_frames, rng)] = mean_db
            masked = _stretch(bands, settings.mask_bands, rng)
            segment[:, masked] = mean_db[masked]
    return changed


def low_pass(log_mel: np.ndarray, cutoff_hz: float, frontend: Frontend) -> None:
    """Attenuate the bands above a cutoff in place, down to the floor of the front end.

    The stop band begins a tenth above the cutoff, as in common resamplers and codecs.

    Args:
        log_mel: `(frames, mels)` float32 dB.
        cutoff_hz: end of the pass band.
        frontend: the front end of the log-mel.
    """
    above = band_centres_hz(frontend) / cutoff_hz - 1
    attenuation = (STOP_BAND_DB * np.clip(above / TRANSITION, 0, 1)).astype("float32")
    np.subtract(log_mel, attenuation, out=log_mel)
    np.maximum(log_mel, frontend.floor_db, out=log_mel)


@functools.cache
def band_centres_hz(frontend: Frontend) -> np.ndarray:
    """Return the centre of each band in Hz, `(mels,)`; on Slaney's scale as librosa."""
    if frontend.filterbank == "octave":
        return np.array(frontend.octave_bins[1:-1]) * frontend.sample_rate_hz / frontend.n_fft
    import librosa  # here because the import takes a second

    ends = librosa.mel_frequencies(frontend.mels + 2, fmin=0.0, fmax=frontend.sample_rate_hz / 2)
    return ends[1:-1]


def mix(values: np.ndarray, order: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return weight * values + (1 - weight) * values[order], float32 (mixup, Zhang et al. 2018).

    Args:
        values: `(batch, …)`, log-mels or labels.
        order: the partner of each row, `(batch,)`.
        weight: `(batch,)` in [0, 1].
    """
    weight = weight.astype("float32").reshape(-1, *[1] * (values.ndim - 1))
    return weight * values + (1 - weight) * values[order]


def draw_mixup(alpha: float, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a random partner and weight of each row, `(batch,)` each; weights are at least .5."""
    weight = rng.beta(alpha, alpha, batch)
    return rng.permutation(batch), np.maximum(weight, 1 - weight)


def _stretch(length: int, longest: int, rng: np.random.Generator) -> slice:
    """Return a random stretch of up to `longest` of `length` positions."""
    size = int(rng.integers(0, min(longest, length) + 1))
    start = int(rng.integers(0, length - size + 1))
    return slice(start, start + size)
