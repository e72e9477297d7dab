"""`model_card.md`: the data, scores and limits of a run's model, to go with `model.keras`."""

from .. import datasets
from ..config import Experiment
from ..tasks import TASKS
from .markdown import (
    describe_scoring,
    describe_start,
    format_score_table,
    format_verdict,
    join_blocks,
    render_environment,
)

SYNTHETIC = """\
It was trained on synthetic music, whose labels follow a formula: it shows that the program works, \
and says nothing about people's emotions."""

USE = """\
sorting, searching and curves over time, for music like the data set's. The predictions estimate \
the mean annotation of listeners like the data set's annotators, on the data set's scale mapped \
to [-1, 1]."""

LIMITS = """\
- one person's feelings, or any decision about a person;
- speech, noise, or kinds of music that the data set lacks: the model predicts without a warning;
- small differences: the model does not separate two songs that are closer than the RMSE above."""


def render_model_card(name: str, experiment: Experiment, metrics: dict, made_with: dict) -> str:
    """Return a run's model card.

    Args:
        name: the run folder's name.
        metrics, made_with: the content of `metrics.json` and `environment.json`.
    """
    terms = datasets.terms(metrics["source"])
    final = (
        "a model of the same settings, trained on all tracks after scoring"
        if experiment.validation.final_model
        else "fold 1's model itself"
    )
    return join_blocks(
        f"# Model card: {name}",
        _describe_model(experiment),
        "## Made from",
        f"{metrics['tracks']} tracks of {metrics['groups']} groups: {terms} "
        "A model is made from its data: make sure that your use of it agrees with their terms.",
        describe_start(experiment),
        SYNTHETIC if metrics["source"].startswith("synthetic") else "",
        "## Scores",
        format_score_table(metrics),
        format_verdict(metrics),
        f"{describe_scoring(experiment)} `model.keras` is {final}.",
        "## Use it for",
        USE,
        "## Do not use it for",
        LIMITS,
        render_environment(made_with, metrics),
    )


def _describe_model(experiment: Experiment) -> str:
    task, network, segments = TASKS[experiment.task], experiment.network, experiment.segments
    outputs = (
        " and ".join(task.targets) + " in [-1, 1]"
        if task.is_regression
        else "the classes " + ", ".join(task.classes)
    )
    return (
        f"{network.title} by adff-tf: {segments.seg_len:g} s of music to {outputs}. "
        f"Its sizes: {network.describe(segments)}."
    )
