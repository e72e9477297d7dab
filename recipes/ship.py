"""Train the model that ships and put it into the package.

    python recipes/ship.py OUT --emopia EMOPIA --panda PANDA4Q --start PRETRAINED

1. OUT/run: valence and arousal on both data sets from the pre-trained start, five folds and a final
   model on all songs (`adff-train --preset finetune`).
2. OUT/model: that model with its weights rounded to float16, so that it, the float16 and the
   float32 artifact are one network, in a compressed `model.keras`.
3. OUT/export: its `.tflite` files (`adff-export`).
4. adff_tf/pretrained/: `model.keras`, `config.json`, `metrics.json`, `calibration.json`,
   `adff_float16.tflite`, `adff_int8.tflite`, `heard.csv`, `model_card.md`. Exits with an error
   above 16 MB.

Where the start has heard the songs without their labels, they are scored nevertheless, and the card
says so. A repeated call resumes.
"""

import argparse
import json
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from adff_tf.config import Data, Experiment, Validation
from adff_tf.export.artifacts import export
from adff_tf.inference.calibration import FILE as CALIBRATION
from adff_tf.model.model_file import find_model, load_network
from adff_tf.presets import finetune
from adff_tf.support.console import Terminal
from adff_tf.training.run import run
from adff_tf.training.start import HEARD, adopt, find_start, heard_tracks

PACKAGE = Path(__file__).parents[1] / "adff_tf" / "pretrained"
NAMES = {"quadrants": "EMOPIA", "panda4q": "4QAED"}  # by kind of data set, in their order
ARTIFACTS = ("adff_float16.tflite", "adff_int8.tflite")
LARGEST_BYTES = 16_000_000
TERMS = (
    "CC BY-NC-SA 4.0, not for commercial use: trained on EMOPIA (CC BY-NC-SA 4.0; Hung et al., "
    "ISMIR 2021) and 4QAED (Panda, Malheiro and Paiva, IEEE TAFFC 2018; research use)."
)


def train(given: argparse.Namespace) -> Path:
    """Return the finished run on both data sets."""
    base = finetune()
    data = Data(data=(given.emopia, given.panda), weights=tuple(given.weights))
    experiment = adopt(base.model_copy(update={"data": data}), given.start)
    begun = experiment.start.model_copy(update={"allow_heard": True})
    validation = Validation(hold_out=given.hold_out)
    training = experiment.training.model_copy(update={"epochs": given.epochs})
    experiment = experiment.model_copy(
        update={"validation": validation, "start": begun, "training": training}
    )
    return run(experiment, given.out / "run", given.features, Terminal()).folder


def round_weights(model: Path, folder: Path) -> Path:
    """Write a run's model with weights of float16 and without its paths; return the folder."""
    file, experiment = find_model(model)
    network = load_network(file)
    network.set_weights([w.astype("float16").astype("float32") for w in network.get_weights()])
    if not all(np.isfinite(w).all() for w in network.get_weights()):
        raise ValueError("a weight is beyond the range of float16")
    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder / "large.keras")
    with (
        zipfile.ZipFile(folder / "large.keras") as stored,
        zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out,
    ):
        for name in stored.namelist():
            out.writestr(name, stored.read(name))
    (folder / "large.keras").unlink()
    (folder / "config.json").write_text(without_paths(experiment).to_json())
    heard = heard_tracks(file, experiment)[["features"]].drop_duplicates()
    heard.sort_values("features").to_csv(folder / HEARD, index=False)
    for name in ("index.csv", "environment.json", CALIBRATION):
        shutil.copyfile(model / name, folder / name)
    metrics = public_metrics(json.loads((model / "metrics.json").read_text()))
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    return folder


def public_metrics(metrics: dict) -> dict:
    """Return a run's metrics with the names of its data sets instead of their places."""
    return metrics | {
        "terms": TERMS,
        "source": "; ".join(f"{kind} ({name})" for kind, name in NAMES.items()),
        "sources": dict(zip(NAMES.values(), metrics["sources"].values(), strict=True)),
    }


def without_paths(experiment: Experiment) -> Experiment:
    """Return the experiment without the paths of the machine that trained it."""
    start = experiment.start.model_copy(update={"start_from": None})
    data = experiment.data.model_copy(update={"data": (), "weights": ()})
    return experiment.model_copy(update={"start": start, "data": data})


def describe_folds(run_folder: Path, start: Path) -> str:
    """Return sentences on the songs of a run's scores and on those that the start has heard."""
    _, experiment = find_model(run_folder)
    songs = pd.read_csv(run_folder / "index.csv")
    known = songs["features"].isin(find_start(start).heard()).groupby(songs["source"], sort=False)
    counts = zip(NAMES.values(), known.sum(), known.size(), strict=True)
    heard = " and ".join(f"{count} of {size} clips of {name}" for name, count, size in counts)
    folds = "One fold of five" if experiment.validation.hold_out else "Five folds, mean"
    return (
        f"{folds}, by artist (4QAED) or song (EMOPIA). The scored model was not trained on its "
        f"test songs. Without labels, its start has heard {heard}. The number of epochs was chosen "
        "on the first fold, so these scores are a little too good."
    )


def render_card(metrics: dict, experiment: Experiment, start: dict, heard: int, scored: str) -> str:
    """Return the model card of the shipped model."""
    rows = pd.DataFrame(
        {
            source: {
                "four quadrants": found["quadrant"]["accuracy"],
                "sign of arousal": found["arousal"]["sign"],
                "sign of valence": found["valence"]["sign"],
            }
            for source, found in metrics["sources"].items()
        }
    ).T
    table = ["| data set | " + " | ".join(rows.columns) + " |", "|---" * 4 + "|"]
    table += [f"| {name} | " + " | ".join(f"{v:.3f}" for v in row) + " |"
              for name, row in zip(rows.index, rows.to_numpy(), strict=True)]  # fmt: skip
    segments, network = experiment.segments, experiment.network
    explained = start["explained_variance"]["penultimate"]
    return "\n".join([
        "# Model card: the model that ships with adff-tf",
        "",
        "ADFF (Huang et al., Interspeech 2022): "
        f"{segments.seg_len:g} s of music to valence and arousal in [-1, 1]. seg_num "
        f"{segments.seg_num}, width {network.width:g}, {network.lstm_units} LSTM units a "
        f"direction, front end at {experiment.frontend.sample_rate_hz / 1000:g} kHz.",
        "",
        "## Licence",
        "",
        f"{TERMS} The code of adff-tf is Apache-2.0.",
        "",
        "## Made from",
        "",
        "- Pre-training without labels: the features of MusiCNN (Pons and Serra 2019, trained on "
        f"the Million Song Dataset) on {start['hours']['train']:.1f} hours of music "
        "(`recipes/corpus.py`, 4QAED). The start explains "
        f"{explained:.2f} of the variance of MusiCNN's embedding on recordings that it never "
        "heard.",
        f"- Fine-tuning: {metrics['tracks']} clips with quadrants, whose signs train both outputs.",
        f"- `{HEARD}` lists the content keys of {heard} recordings that it has heard, with and "
        "without labels.",
        "",
        "## Scores",
        "",
        f"{scored} The model in this folder was trained on all songs.",
        "",
        *table,
        "",
        "Labels were signs alone, so the size of a value is the model's certainty and not a "
        "measured degree of feeling.",
        "",
        "## Not for",
        "",
        "One person's feelings, decisions about a person, speech, noise, or music unlike popular "
        "songs of the last decades and solo piano.",
        "",
    ])  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("out", type=Path)
    ask.add_argument("--emopia", type=Path, required=True, help="with audio/, of its render.sh")
    ask.add_argument("--panda", type=Path, required=True)
    ask.add_argument("--start", type=Path, required=True, help="folder of adff-pretrain")
    ask.add_argument("--weights", type=float, nargs=2, default=[1.0, 1.0])
    ask.add_argument("--epochs", type=int, default=10)
    ask.add_argument("--features", type=Path, help="folder of log-mels, to share it")
    ask.add_argument("--hold-out", action="store_true", help="score one fold instead of five")
    given = ask.parse_args()
    keras.config.disable_interactive_logging()
    finished = train(given)
    model = round_weights(finished, given.out / "model")
    shutil.rmtree(given.out / "export", ignore_errors=True)
    export(model, given.out / "export", ["tflite"], Terminal())
    PACKAGE.mkdir(exist_ok=True)
    for name in ("model.keras", "config.json", "metrics.json", CALIBRATION, HEARD):
        shutil.copyfile(model / name, PACKAGE / name)
    for name in ARTIFACTS:
        shutil.copyfile(given.out / "export" / name, PACKAGE / name)
    metrics = json.loads((PACKAGE / "metrics.json").read_text())
    start = json.loads((given.start / "metrics.json").read_text())
    heard = len(pd.read_csv(PACKAGE / HEARD))
    _, experiment = find_model(PACKAGE)
    scored = describe_folds(finished, given.start)
    (PACKAGE / "model_card.md").write_text(render_card(metrics, experiment, start, heard, scored))
    size = sum((PACKAGE / name).stat().st_size for name in ("model.keras", *ARTIFACTS))
    print(f"{size / 1e6:.1f} MB in {PACKAGE}")
    if size > LARGEST_BYTES:
        raise SystemExit(f"the model has {size} bytes; the limit is {LARGEST_BYTES}")


if __name__ == "__main__":
    main()
