"""Texts of reports against texts written by hand."""

from adff_tf.reports import markdown
from adff_tf.reports.model_card import render_model_card
from adff_tf.reports.report import render_report

from .. import tiny


def metrics(r2: float | None = 0.5) -> dict:
    """Scores of one fold of a one-target run."""
    scores = {"valence": {"r2": r2, "rmse": 0.2}}
    undefined = {"valence": {"r2": None, "rmse": None}}
    return {
        "task": "valence", "folds": [scores], "mean": scores, "std": undefined,
        "segment_mean": scores, "segment_std": {"valence": {"r2": 0.25, "rmse": 0.125}},
        "baselines": {"mean": undefined, "ridge": {"valence": {"r2": 0.5, "rmse": 0.25}}},
        "seconds": 90.0, "tracks": 12, "groups": 6, "source": "synthetic (here)",
        "notes": [], "left_out": {"3": "3.wav: not audio"},
    }  # fmt: skip


MADE_WITH = {
    "adff_tf": "1", "python": "3", "packages": {"numpy": "2"}, "system": "Linux", "cores": 2,
    "gpus": [],
}  # fmt: skip


def test_scores_by_hand():
    assert markdown.format_score_table(metrics()).splitlines() == [
        "| | valence R² | valence RMSE |",
        "|---|---|---|",
        "| ADFF, by song | 0.5000 | 0.2000 |",
        "| ADFF, by segment | 0.5000 ± 0.2500 | 0.2000 ± 0.1250 |",
        "| mean | – | – |",
        "| ridge | 0.5000 | 0.2500 |",
    ]
    assert markdown.format_fold_table(metrics()).splitlines()[2:] == ["| 1 | 0.5000 | 0.2000 |"]
    assert markdown.format_scores(metrics(None)["mean"]) == "valence R² –, RMSE 0.2000"


def test_a_row_a_data_set():
    by_source = {"pmemo": {"valence": {"r2": 0.25, "rmse": 0.5}},
                 "emopia": {"valence": {"r2": None, "rmse": None}}}  # fmt: skip
    assert markdown.format_score_table(metrics() | {"sources": by_source}).splitlines()[4:7] == [
        "| ADFF, pmemo | 0.2500 | 0.5000 |",
        "| ADFF, emopia | – | – |",
        "| mean | – | – |",
    ]


def test_signs_are_compared_where_no_label_is_a_number():
    one = {"valence": {"r2": None, "rmse": None, "sign": 0.75}, "quadrant": {"accuracy": 0.1}}
    other = {"valence": {"r2": None, "rmse": None, "sign": 0.8}, "quadrant": {"accuracy": 0.9}}
    behind = "**On valence the network is not ahead of ridge regression (0.7500 against 0.8000).**"
    for ours, theirs, verdict in ((one, other, behind), (other, one, "ahead of ridge")):
        found = metrics() | {"mean": ours, "baselines": {"ridge": theirs}}
        assert verdict in markdown.format_verdict(found)


def test_how_a_published_split_was_scored():
    experiment = tiny.experiment("valence")
    validation = experiment.validation.model_copy(update={"split": "published"})
    text = markdown.describe_scoring(experiment.model_copy(update={"validation": validation}))
    assert text.startswith("The published split: its test songs, scored once. One random segment")


def test_the_verdict_names_a_baseline_that_is_not_beaten():
    behind = "**On valence the network is not ahead of ridge regression (0.5000 against 0.5000).**"
    assert markdown.format_verdict(metrics(0.5)) == behind
    ahead = "The network is ahead of ridge regression on every target."
    assert markdown.format_verdict(metrics(0.6)) == ahead


def test_the_report_and_the_terminal_show_the_same_scores():
    experiment = tiny.experiment("valence")
    report = render_report("run", experiment, metrics(), MADE_WITH, ["predicted_vs_true"])
    assert f"\n\n## Scores\n\n{markdown.render_scores(metrics())}\n\n## Each fold\n\n" in report
    assert "(plots/predicted_vs_true.png)" in report and "- left out, unusable: 3.wav" in report
    assert report.endswith("; 1.5 minutes. All settings: `config.json`.\n")
    assert "\n\n\n" not in report


def test_the_model_card_states_data_scores_and_limits():
    card = render_model_card("run", tiny.experiment("valence"), metrics(), MADE_WITH)
    assert card.startswith("# Model card: run\n\nADFF") and "12 tracks of 6 groups" in card
    assert "trained on synthetic music" in card and "\n\n\n" not in card
    assert markdown.format_score_table(metrics()) in card
    with_data = metrics() | {"source": "pmemo (here)"}
    card = render_model_card("run", tiny.experiment("valence"), with_data, MADE_WITH)
    assert "synthetic" not in card and "PMEmo" in card
