"""Table 1: ADFF and its variants beside the models of other papers.

A rival is trained under ADFF's folds and labels, with the network and the training of its authors
(`presets.RIVALS`). One row has ADFF's log-mel of 20 s as input, another the rival's own. With
separated sources EmoMucs has rows of their fusion and of each alone, by one run.
"""

from collections.abc import Mapping, Sequence

from .. import presets
from ..config import Experiment, Frontend, TaskName
from ..networks import NAMES, STEMS
from . import published
from .grid import Cell, Entry, Table, column_label, make_cell
from .published import REGRESSION_METRICS

SECONDS = 20.0  # of a segment in Table 1
VARIANTS: dict[str, dict[str, bool]] = {
    "ADFF": {}, "w/o SE": {"se": False}, "w/o TFLM": {"tflm": False}
}  # fmt: skip
NOTES = {
    "adff": "Rows ADFF, w/o SE and w/o TFLM: seg_num 6 for arousal and 1 for valence, the best of "
    "each. The paper's row of ADFF mixes them too; the paper does not say which seg_num its "
    "variants had. ADFF's valence at seg_num 6 is printed in Table 3.",
    "emomucs": "EmoMucs: the paper's row is C2D-M, that model's baseline on the unseparated mix, "
    "and so is ours. Rows of stems need separated sources (--stems, or built-in music), and have "
    "the numbers of EmoMucs's own paper beside them. Its 20 s are at 12 kHz, in dB relative to the "
    "maximum, which loses loudness (own input). Its folds do not keep artists apart.",
    "mlem": "MLEM: the network of that paper trained without mid-level features. Its own input is "
    "40 s in 149 bands, all equally loud; shorter songs are padded here and looped there. Its "
    "authors print no five folds. They scale labels by minimum and maximum, so that RMSE cannot be "
    "compared; with DEAM added to the training they print an R² of 0.50 for valence and 0.65 for "
    "arousal.",
}


def table1(
    base: Experiment,
    models: Sequence[str] = ("adff",),
    rivals: Mapping[str, Experiment] | None = None,
) -> Table:
    """Return Table 1 on the simple set of 20 s.

    As in the paper, a row of ADFF has seg_num 6 for arousal and seg_num 1 for valence.

    Args:
        base: settings of every run of ADFF; its data, folds and seed are the rivals' too.
        models: names of `networks.NAMES` to train. Of others the published rows remain.
        rivals: settings of the rivals by name; by default `presets.RIVALS`.
    """
    rivals = rivals or {name: make() for name, make in presets.RIVALS.items()}
    cells = {NAMES[name]: rivals[name] for name in models if name in rivals}
    variants, alone = VARIANTS if "adff" in models else {}, without_stems(base)
    entries: dict[tuple[str, str], Entry] = {}
    for model, numbers in published.TABLE1.items():
        for (target, metric), number in numbers.items():
            cell = None
            if model in variants:
                seg_num = 6 if target == "arousal" else 1
                cell = make_cell(alone, target, "simple", SECONDS, seg_num, **variants[model])
            elif model in cells:
                cell = make_rival_cell(base, cells[model], target, base.frontend)
            entries[model, column_label(target, metric)] = Entry(target, metric, number, cell)
    for model, rival in cells.items():
        for target, metric in published.TABLE1[model]:
            cell = make_rival_cell(base, rival, target, rival.frontend, "-own-input")
            key = f"{model}, own input", column_label(target, metric)
            entries[key] = Entry(target, metric, None, cell)
    if "EmoMucs" in cells and base.data.stems:
        entries |= _stem_entries(base, cells["EmoMucs"])
    in_table3 = published.TABLE3[SECONDS]
    for model, variant in variants.items():
        cell = make_cell(alone, "valence", "simple", SECONDS, 6, **variant)
        for metric in REGRESSION_METRICS:
            printed = in_table3["simple", "valence", metric] if model == "ADFF" else None
            key = f"{model}, seg_num 6", column_label("valence", metric)
            entries[key] = Entry("valence", metric, printed, cell)
    notes = [NOTES[name] for name in models]
    if others := " and ".join(NAMES[n] for n in ("adff", *presets.RIVALS) if n not in models):
        notes.append(f"{others}: as published in the paper, not run here.")
    title = "Table 1: models on the simple set of 20 s"
    return Table("table1", title, "model", entries, tuple(notes))


def _stem_entries(base: Experiment, rival: Experiment) -> dict[tuple[str, str], Entry]:
    """Return the rows of EmoMucs on separated sources: their fusion, and each alone."""
    entries = {}
    fused = rival.network.model_copy(update={"fusion": "late", "stem_models": "freeze"})
    rival = rival.model_copy(update={"network": fused})
    for row, numbers in published.EMOMUCS.items():
        stem = row if row in STEMS else None
        for (target, metric), number in numbers.items():
            cell = make_rival_cell(base, rival, target, rival.frontend, "-stems")
            key = f"EmoMucs, {row}", column_label(target, metric)
            entries[key] = Entry(target, metric, number, cell, stem)
    return entries


def make_rival_cell(
    base: Experiment, rival: Experiment, target: TaskName, frontend: Frontend, suffix: str = ""
) -> Cell:
    """Return the cross-validation of a rival on the base's data, folds and seed.

    Args:
        base: settings of ADFF's runs.
        rival: gives network, segments and training.
        target: arousal or valence.
        frontend: of the input. With another than the rival's own, the level is standardised.
        suffix: of the cell's name.
    """
    network, segments = rival.network, rival.segments
    if frontend != rival.frontend:
        network = network.model_copy(update={"level": "standardised"})
        segments = segments.model_copy(update={"seg_len": SECONDS})
    training = rival.training.model_copy(update={"seed": base.training.seed})
    changed = {
        "task": target, "network": network, "training": training, "frontend": frontend,
        "segments": segments, "augmentation": rival.augmentation, "start": rival.start,
    }  # fmt: skip
    name = f"{network.model}{suffix}-{target}-simple-{segments.seg_len:g}s"
    experiment = base.model_copy(update=changed)
    return Cell(name, experiment if experiment.takes_stems else without_stems(experiment))


def without_stems(experiment: Experiment) -> Experiment:
    """Return the experiment with the data set's folder of stems left out."""
    data = experiment.data.model_copy(update={"stems": None, "separate": False})
    return experiment.model_copy(update={"data": data})
