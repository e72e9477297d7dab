"""The numbers of Tables 1 to 4 of Huang et al., Interspeech 2022, as printed.

RMSE and R² are on labels in [-1, 1], accuracies are in [0, 1], training times are in hours. The
values of Figure 3 are not printed, so this module has none of them.
"""

from dataclasses import dataclass
from typing import Literal

Target = Literal["arousal", "valence"]


@dataclass(frozen=True)
class PublishedNumber:
    """A printed mean, and its std where the paper prints one."""

    mean: float
    std: float | None = None


SEG_NUMS = (1, 2, 4, 6, 8, 10, 12, 14, 16)
SEG_LENS = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)  # s
TARGETS: tuple[Target, ...] = ("arousal", "valence")
REGRESSION_METRICS = ("rmse", "r2")


def _table1_row(*numbers: tuple) -> dict[tuple[Target, str], PublishedNumber]:
    columns = [(target, metric) for target in TARGETS for metric in REGRESSION_METRICS]
    return {
        column: PublishedNumber(*number) for column, number in zip(columns, numbers, strict=True)
    }


TABLE1 = {
    "EmoMucs": _table1_row((0.2285,), (0.6100,), (0.2466,), (0.4143,)),
    "MLEM": _table1_row((0.2500, 0.03), (0.6000, 0.10), (0.3100, 0.04), (0.4000, 0.14)),
    "ADFF": _table1_row((0.2213, 0.01), (0.6394, 0.02), (0.2379, 0.03), (0.4575, 0.08)),
    "w/o SE": _table1_row((0.2253, 0.01), (0.6239, 0.05), (0.2429, 0.03), (0.4332, 0.09)),
    "w/o TFLM": _table1_row((0.2228, 0.01), (0.6316, 0.05), (0.2469, 0.02), (0.4155, 0.06)),
}
"""By model, then (target, metric). ADFF's row has the best seg_num of each target: 6 for arousal,
1 for valence."""

EMOMUCS = {
    "late fusion of stems": _table1_row((0.2322,), (0.6004,), (0.2320,), (0.4814,)),
    "vocals": _table1_row((0.2750,), (0.4455,), (0.2701,), (0.3039,)),
    "bass": _table1_row((0.2924,), (0.3732,), (0.2762,), (0.2718,)),
    "drums": _table1_row((0.2855,), (0.4024,), (0.2587,), (0.3613,)),
    "other": _table1_row((0.2748,), (0.4462,), (0.2633,), (0.3381,)),
}
"""Of EmoMucs's own paper, C2D on PMEmo: source models trained alone, and their fusion (freeze)."""

TABLE2 = dict(
    zip(
        SEG_NUMS,
        map(PublishedNumber, (4.99, 1.52, 0.76, 0.51, 0.40, 0.28, 0.29, 0.27, 0.25)),
        strict=True,
    )
)
"""Training time in hours, by seg_num."""


def _by_length(
    columns: list, *rows: tuple[float, ...]
) -> dict[float, dict[tuple, PublishedNumber]]:
    return {
        seg_len: {
            column: PublishedNumber(number) for column, number in zip(columns, row, strict=True)
        }
        for seg_len, row in zip(SEG_LENS, rows, strict=True)
    }


TABLE3 = _by_length(
    [
        (sampling, target, metric)
        for sampling in ("simple", "full")
        for target in TARGETS
        for metric in REGRESSION_METRICS
    ],
    (0.2350, 0.5914, 0.2532, 0.3850, 0.2262, 0.6203, 0.2337, 0.5013),
    (0.2259, 0.6233, 0.2556, 0.3740, 0.2186, 0.6441, 0.2312, 0.5083),
    (0.2253, 0.6256, 0.2573, 0.3651, 0.2182, 0.6472, 0.2359, 0.4864),
    (0.2213, 0.6394, 0.2413, 0.4405, 0.2160, 0.6545, 0.2378, 0.4785),
    (0.2281, 0.6121, 0.2552, 0.3728, 0.2192, 0.6426, 0.2460, 0.4477),
    (0.2296, 0.6090, 0.2507, 0.3959, 0.2260, 0.6193, 0.2521, 0.4172),
)
"""By seg_len in seconds, then (sampling, target, metric)."""

TABLE4 = _by_length(
    [
        *(("both", target, metric) for target in TARGETS for metric in REGRESSION_METRICS),
        ("arousal2", "arousal", "accuracy"),
        ("valence2", "valence", "accuracy"),
        ("quadrant", "quadrant", "accuracy"),
    ],
    (0.2255, 0.6227, 0.2351, 0.4955, 0.8240, 0.8100, 0.7148),
    (0.2190, 0.6428, 0.2332, 0.5004, 0.8312, 0.8129, 0.7190),
    (0.2181, 0.6477, 0.2407, 0.4647, 0.8327, 0.8027, 0.7084),
    (0.2188, 0.6449, 0.2394, 0.4713, 0.8360, 0.8052, 0.7088),
    (0.2214, 0.6345, 0.2501, 0.4313, 0.8330, 0.8067, 0.7070),
    (0.2248, 0.6252, 0.2537, 0.4098, 0.8235, 0.8014, 0.7026),
)
"""By seg_len in seconds, then (task, target, metric)."""
