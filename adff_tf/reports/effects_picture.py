"""The picture of an explanation: what each mid-level feature adds to a song's answer."""

import numpy as np
from matplotlib.figure import Figure

from ..inference.emotion import Emotion
from .song_pictures import COLOURS, GREY, song_title


def draw_effects(emotion: Emotion) -> Figure:
    """Draw a bar for each feature and target, the greatest effect at the top.

    The effects on a target sum to its value less its mean over the training songs.
    """
    features = emotion.effects_by_feature()
    targets = list(emotion.effects)
    figure = Figure(figsize=(7, 1.4 + 0.42 * len(features)), layout="constrained")
    axis = figure.subplots()
    middle, height = np.arange(len(features))[::-1], 0.8 / len(targets)
    for k, target in enumerate(targets):
        offset = (len(targets) / 2 - k - 0.5) * height
        values = [effects[target] for effects in features.values()]
        axis.barh(middle + offset, values, height, color=COLOURS[target], label=target)
    axis.set_yticks(middle, [name.replace("_", " ") for name in features])
    axis.axvline(0, color=GREY, linewidth=0.7)
    low, high = emotion.scale
    axis.set(xlabel=f"adds to the mean of the training songs, scale {low:g} to {high:g}")
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set_title(song_title(emotion))
    return figure
