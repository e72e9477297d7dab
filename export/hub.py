"""A trained model as a folder that is ready for the Hugging Face Hub.

    README.md                                        the model card, with the hub's YAML header
    config.json, metadata.json, model.weights.h5     the network in Keras's layout for the hub
    model.tflite                                     adff_float16.tflite under another name
    adff.json                                        the description, with the front end's settings
    LICENSE                                          licence, or terms of the training data
    trained_on.csv, heard.csv                        content keys of the training tracks

`config.json` is Keras's here, and not a run's settings; `adff.json` holds these.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub

from adff_tf import datasets
from adff_tf.inference.description import FILE
from adff_tf.inference.hub import TFLITE
from adff_tf.model import shipped
from adff_tf.training.start import HEARD

from . import tflite
from .trained_model import TRAINED_ON, TrainedModel

FOLDER = "hub"
KERAS_FILES = ("config.json", "metadata.json", "model.weights.h5")
TASK = "audio-classification"  # the hub's; it has none for numbers
METRICS = {"r2": "r_squared", "rmse": "rmse", "sign": "accuracy", "accuracy": "accuracy"}
LICENCES = {  # the hub's identifiers of licences with which terms may begin
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0", "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0", "CC BY 4.0": "cc-by-4.0", "CC0 1.0": "cc0-1.0",
}  # fmt: skip

TERMS = """\
This model may be used as the terms of its training data allow:

{terms}

adff-tf, the program that made it, is under the Apache License 2.0.
"""
NO_CARD = (
    "# Model card: {name}\n\nADFF (Huang et al., Interspeech 2022). Its run has no model card.\n"
)
USE = """
## Load it

`USER/NAME` stands for the name of this repository. Without TensorFlow, from waveform to emotion
(`pip install "adff-tf[hub]"`); `adff-predict hf://USER/NAME song.mp3` does the same:

```python
from adff_tf import EmotionModel

model = EmotionModel.from_preset("hf://USER/NAME")
print(model.predict("song.mp3").{example})
```

With Keras, from log-mel to outputs (`pip install "adff-tf[train]"`):

```python
import keras
import adff_tf.model.network  # registers the layers

network = keras.saving.load_model("hf://USER/NAME")
```

The network takes log-mels `{shape}`. `adff_tf.model.log_mel` computes them, with the settings
`experiment.frontend` in `adff.json`. `model.tflite` takes the waveform itself: {window} samples,
mono, full scale ±1, at {rate} Hz.
"""


def write(trained: TrainedModel, folder: Path) -> None:
    """Write the hub's folder of a trained model.

    Args:
        trained: the model.
        folder: new; the folder above may hold an export's adff_float16.tflite.
    """
    folder.mkdir()
    with zipfile.ZipFile(trained.file) as archive:
        for name in KERAS_FILES:  # the layout of a .keras file, unpacked
            archive.extract(name, folder)
    settings = trained.network, trained.experiment, trained.description
    (folder / TFLITE).write_bytes(tflite.one_file("float16", folder.parent, *settings))
    (folder / FILE).write_text(json.dumps(trained.description, indent=2) + "\n")
    (folder / "LICENSE").write_text(TERMS.format(terms=trained.description["terms"]))
    for file in (trained.run / "LICENSE", trained.run / HEARD):
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
    if trained.trained_on is not None:
        trained.trained_on.to_csv(folder / TRAINED_ON, index=False)
    render_card(trained).save(folder / "README.md")


# === The card ===


def render_card(trained: TrainedModel) -> huggingface_hub.ModelCard:
    """Return the run's model card with the hub's header, and how to load the model from there."""
    name = "adff" if trained.run == shipped.FOLDER else trained.run.name
    scores = trained.run / "metrics.json"
    metrics = json.loads(scores.read_text()) if scores.is_file() else {}
    results = list(_results(metrics))
    data = huggingface_hub.ModelCardData(
        **_licence(trained.description["terms"]),
        library_name="keras",
        pipeline_tag=TASK,
        tags=["music", "music-emotion-recognition", "adff", "litert"],
        datasets=list(dict.fromkeys(result.dataset_type for result in results)) or None,
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
    written = trained.run / "model_card.md"
    text = written.read_text() if written.is_file() else NO_CARD.format(name=name)
    description = trained.description
    use = USE.format(
        shape=f"(batch, {description['frames']}, {description['mels']})",
        window=description["window"],
        rate=description["sample_rate_hz"],
        example="label" if description["classes"] else "values",
    )
    return huggingface_hub.ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}{use}")


def _licence(terms: str) -> dict[str, Any]:
    """Return the header's fields of the licence; `other` is the hub's word for one's own terms."""
    known = (identifier for name, identifier in LICENCES.items() if terms.startswith(name))
    if identifier := next(known, None):
        return {"license": identifier}
    return {
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "license_link": "LICENSE",
    }


def _results(metrics: dict) -> Iterator[huggingface_hub.EvalResult]:
    """Yield each score of a `metrics.json`, by data set where it has several."""
    if not metrics:
        return
    together = " + ".join(datasets.kinds(metrics["source"])) or "unknown"
    for source, scores in (metrics.get("sources") or {together: metrics["mean"]}).items():
        for target, values in scores.items():
            for score, value in values.items():
                if value is not None:  # undefined, such as R² where labels are signs
                    yield huggingface_hub.EvalResult(
                        task_type=TASK,
                        task_name="Music emotion recognition",
                        dataset_type=source.lower().replace(" ", ""),
                        dataset_name=source,
                        dataset_split="test",
                        metric_type=METRICS[score],
                        metric_name=f"{score} of {target}",
                        metric_value=value,
                    )
