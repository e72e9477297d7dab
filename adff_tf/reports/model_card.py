"""TODO adff_tf.reports.model_card."""

from pathlib import Path

from .. import datasets
from ..config import Experiment
from ..tasks import Task
from .markdown import describe_scoring, environment_lines, score_table, verdict


def render_model_card(folder: Path, experiment: Experiment, task: Task, metrics: dict) -> str:
    """What someone should know who is given `model.keras` alone."""
    network, segments, name = experiment.network, experiment.segments, folder.resolve().name
    outputs = (
        " and ".join(task.targets) + " in [-1, 1]"
        if task.is_regression
        else "the classes " + ", ".join(task.classes)
    )
    is_final = experiment.validation.final_model
    whose = (
        "a model of the same settings, trained on all tracks after the scores were taken"
        if is_final
        else "fold 1's model itself"
    )
    built_in = [
        "It was trained on music made in code, whose labels follow a formula: it shows that the program works, and says nothing "
        "about what people feel.", "",
    ]  # fmt: skip
    lines = [
        f"# Model card: {name}", "",
        f"ADFF (Huang et al., Interspeech 2022) by adff-tf: {segments.seg_len:g} s of music to {outputs}. "
        f"Width {network.width:g} of the paper's, seg_num {segments.seg_num}{'' if network.se else ', without SE'}"
        f"{'' if network.tflm else ', without TFLM'}.", "",
        "## Made from", "",
        f"{metrics['tracks']} tracks of {metrics['groups']} groups: {datasets.terms(metrics['source'])} "
        "A model is made from its data: see to it that your use of it agrees with their terms.", "",
        *(built_in if metrics["source"].startswith("synthetic") else []),
        "## Scores", "", *score_table(task, metrics), "", *verdict(task, metrics), "",
        f"{describe_scoring(experiment)} `model.keras` is {whose}.", "",
        "## Use it for", "",
        "music like that of the data set, by listeners like its annotators, heard as the mean of many: sorting, searching, curves "
        "over time. The numbers are what an average annotator would have said, on the data set's scale mapped to [-1, 1].", "",
        "## Do not use it for", "",
        "- what one person feels, or anything decided about a person;",
        "- speech, noise, or music of kinds that the data set has not: it answers all the same, and nothing warns of it;",
        "- small differences: two songs nearer to each other than the RMSE above are not told apart.", "",
        *environment_lines(folder, metrics),
    ]  # fmt: skip
    return "\n".join(lines)
