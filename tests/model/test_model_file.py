"""`model.keras`: the settings in it, and files that do not fit each other or this version."""

import io
import json
import shutil
import zipfile

import keras
import pytest

from adff_tf import __version__
from adff_tf.errors import InputError
from adff_tf.inference.model import EmotionModel
from adff_tf.model import servable
from adff_tf.model.model_file import find_model, load_network, run_folder_of
from adff_tf.model.network import build_adff

from .. import tiny
from ..inference.test_model import save_run


@pytest.fixture(scope="module", params=["network alone", "with its servable"])
def run(request, tmp_path_factory):
    folder = save_run(tmp_path_factory.mktemp("runs") / "run")
    if request.param == "with its servable":
        file, experiment = find_model(folder)
        servable.save(load_network(file), experiment, file)
    return folder


def rewrite(folder, member: str, change) -> None:
    """Let `change` alter a JSON member of the model's archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(folder / "model.keras") as archive, zipfile.ZipFile(content, "w") as other:
        for name in archive.namelist():
            data = archive.read(name)
            if name == member:
                content_of_member = json.loads(data)
                change(content_of_member)
                data = json.dumps(content_of_member).encode()
            other.writestr(name, data)
    (folder / "model.keras").write_bytes(content.getvalue())


@pytest.mark.parametrize(
    "group, setting, value, message",
    [
        (
            "frontend",
            "sample_rate_hz",
            48000,
            "sample_rate_hz: 44100 in the model, 48000 in config.json",
        ),
        ("frontend", "floor_db", -70.0, "floor_db: -100.0 in the model, -70.0 in config.json"),
        ("frontend", "win_length_s", 0.05, "win_length_s: 0.06 in the model, 0.05 in config.json"),
        ("frontend", "mels", 64, "mels: 128 in the model, 64 in config.json"),
        ("segments", "seg_len", 2.0, "frames of a window: 100 in the model, 200 in config.json"),
        (None, "task", "quadrant", "task: both in the model, quadrant in config.json"),
    ],
)
def test_settings_of_another_training_are_refused(run, tmp_path, group, setting, value, message):
    """The network would accept the input and predict wrongly."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    (config[group] if group else config)[setting] = value
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="do not belong together") as refused:
        EmotionModel.load(copy)
    assert message in str(refused.value) and str(refused.value).count(" in the model, ") == 1


def test_a_model_from_before_the_octave_filterbank_is_of_mel_bands(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    config = json.loads((copy / "config.json").read_text())
    del config["frontend"]["filterbank"]
    (copy / "config.json").write_text(json.dumps(config))
    rewrite(copy, "config.json", lambda config: standardise(config)["frontend"].pop("filterbank"))
    assert find_model(copy)[1].frontend.filterbank == "mel"


def test_two_tasks_of_two_classes_differ(tmp_path):
    folder = save_run(tmp_path / "run", "valence2")
    (folder / "config.json").write_text(tiny.experiment("arousal2").to_json())
    with pytest.raises(InputError, match="task: valence2 in the model, arousal2 in config.json"):
        find_model(folder)


def test_settings_that_do_not_decide_predictions_may_differ(run, tmp_path):
    """For example where the data were moved."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    config["data"]["data"], config["training"]["epochs"] = "/elsewhere", 7
    (copy / "config.json").write_text(json.dumps(config))
    assert find_model(copy)[1].training.epochs == 7


def to_earlier_names(frontend: dict) -> None:
    """Rename front-end settings as adff-tf 0.1.0.dev0 named them."""
    frontend["window_s"] = frontend.pop("win_length_s")
    frontend["hop_s"] = frontend.pop("hop_length_s")


def standardise(config: dict) -> dict:
    """Return the settings of the layer `standardise` in a network's Keras config."""
    layers = (layer["config"] for layer in config["config"]["layers"])
    return next(layer for layer in layers if layer["name"] == "standardise")


VERSIONS = pytest.mark.parametrize(
    "environment, message",
    [
        (
            '{"adff_tf": "0.1.0.dev0"}',
            f"made with adff-tf 0.1.0.dev0, and this is {__version__}, which cannot use it: "
            "{problem}. Use that version, or train again",
        ),
        (
            None,
            f"cannot be used by this version, adff-tf {__version__}: {{problem}}. Another version "
            "made it, or it was changed: use the version that made it, or train again",
        ),
        ("{", "Another version made it"),
        (
            f'{{"adff_tf": "{__version__}"}}',
            "cannot be used: {problem}. Copy it from the run again, or train again",
        ),
    ],
    ids=["earlier", "missing", "damaged", "this"],
)


def assert_refused(folder, file: str, environment: str | None, message: str, problem: str) -> None:
    """Assert that `find_model` refuses a run in one line."""
    if environment is not None:
        (folder / "environment.json").write_text(environment)
    with pytest.raises(InputError) as refused:
        find_model(folder)
    assert str(refused.value).startswith(f"{folder / file} ")
    assert message.format(problem=problem) in str(refused.value)
    assert "\n" not in str(refused.value)


@VERSIONS
def test_a_config_of_an_earlier_version_is_refused(run, tmp_path, environment, message):
    shutil.copytree(run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    to_earlier_names(config["frontend"])
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    problem = "frontend.window_s: no such setting; frontend.hop_s: no such setting"
    assert_refused(tmp_path / "run", "config.json", environment, message, problem)


@VERSIONS
@pytest.mark.parametrize("frontend", ["of earlier names", "missing"])
def test_a_model_of_an_earlier_version_is_refused(run, tmp_path, frontend, environment, message):
    copy = shutil.copytree(run, tmp_path / "run")
    change = {
        "of earlier names": lambda config: to_earlier_names(standardise(config)["frontend"]),
        "missing": lambda config: standardise(config).pop("frontend"),
    }
    rewrite(copy, "config.json", change[frontend])
    problem = "it does not state the front-end settings of this version"
    assert_refused(copy, "model.keras", environment, message, problem)


def test_a_model_of_another_keras_names_both(run, tmp_path):
    """A layer's setting that this Keras does not know stands for every change of version."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)

    def newer(config):
        layer = next(
            layer for layer in config["config"]["layers"] if layer["config"]["name"] == "fc1"
        )
        layer["config"]["unknown_setting"] = 1

    rewrite(copy, "config.json", newer)
    with pytest.raises(
        InputError, match="is damaged or no model: Unrecognized keyword .*unknown_setting"
    ):
        load_network(copy / "model.keras")
    rewrite(copy, "metadata.json", lambda metadata: metadata.update(keras_version="9.1.0"))
    with pytest.raises(
        InputError,
        match=rf"by Keras 9.1.0, and this is {keras.__version__}, which does not load it",
    ) as refused:
        load_network(copy / "model.keras")
    assert 'pip install "keras==9.1.0"' in str(refused.value)


def test_another_keras_that_loads_is_accepted(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    rewrite(copy, "metadata.json", lambda metadata: metadata.update(keras_version="9.1.0"))
    assert (
        load_network(find_model(copy)[0]).output_names
        == load_network(run / "model.keras").output_names
    )


def test_any_other_network_is_refused(run, tmp_path):
    keras.Sequential([keras.Input((100, 128)), keras.layers.Dense(1)]).save(
        tmp_path / "model.keras"
    )
    shutil.copy(run / "config.json", tmp_path)
    with pytest.raises(
        InputError,
        match=f"holds another network than ADFF .it was saved by Keras {keras.__version__}",
    ):
        find_model(tmp_path)


def test_a_finished_fold_is_offered(tmp_path):
    experiment = tiny.experiment()
    (tmp_path / "config.json").write_text(experiment.to_json())
    with pytest.raises(InputError, match="model.keras is missing") as refused:
        find_model(tmp_path)
    assert str(refused.value).endswith("The same training command resumes it")
    (tmp_path / "fold2").mkdir()
    build_adff(experiment, "float32").save(tmp_path / "fold2" / "model.keras")
    with pytest.raises(InputError, match=r"or use a finished fold: .*fold2/model\.keras$"):
        find_model(tmp_path)
    file, found = find_model(tmp_path / "fold2")
    assert found == experiment and run_folder_of(file) == tmp_path
