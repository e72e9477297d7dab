"""`model.keras` by itself: what it says of its training, and what becomes of a file that does not fit what lies beside it."""

import io
import json
import shutil
import zipfile

import keras
import pytest

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


def rewritten(folder, member: str, change) -> None:
    """Have `change` alter a JSON member of the model's archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(folder / "model.keras") as archive, zipfile.ZipFile(content, "w") as other:
        for name in archive.namelist():
            data = archive.read(name)
            if name == member:
                told = json.loads(data)
                change(told)
                data = json.dumps(told).encode()
            other.writestr(name, data)
    (folder / "model.keras").write_bytes(content.getvalue())


@pytest.mark.parametrize(
    "group, setting, value, told",
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
def test_settings_of_another_training_are_refused(run, tmp_path, group, setting, value, told):
    """The network would take the input and answer, wrongly."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    (config[group] if group else config)[setting] = value
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="do not belong together") as refused:
        EmotionModel.load(copy)
    assert told in str(refused.value) and str(refused.value).count(" in the model, ") == 1


def test_two_tasks_of_two_classes_are_told_apart(tmp_path):
    folder = save_run(tmp_path / "run", "valence2")
    (folder / "config.json").write_text(tiny.experiment("arousal2").to_json())
    with pytest.raises(InputError, match="task: valence2 in the model, arousal2 in config.json"):
        find_model(folder)


def test_settings_that_do_not_decide_the_answer_may_differ(run, tmp_path):
    """As where the data were moved."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    config["data"]["data"], config["training"]["epochs"] = "/elsewhere", 7
    (copy / "config.json").write_text(json.dumps(config))
    assert find_model(copy)[1].training.epochs == 7


def test_a_model_that_does_not_tell_its_front_end_is_refused(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)

    def forget(config):
        layer = next(
            layer
            for layer in config["config"]["layers"]
            if layer["config"]["name"] == "standardise"
        )
        del layer["config"]["frontend"]

    rewritten(copy, "config.json", forget)
    with pytest.raises(
        InputError,
        match="does not say which front end it was trained with: an earlier adff-tf saved it",
    ):
        find_model(copy)


def test_a_model_of_another_keras_names_both(run, tmp_path):
    """A layer's setting that this Keras does not know stands for all that versions change."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)

    def newer(config):
        layer = next(
            layer for layer in config["config"]["layers"] if layer["config"]["name"] == "fc1"
        )
        layer["config"]["unheard_of"] = 1

    rewritten(copy, "config.json", newer)
    with pytest.raises(
        InputError, match="is damaged or no model: Unrecognized keyword .*unheard_of"
    ):
        load_network(copy / "model.keras")
    rewritten(copy, "metadata.json", lambda metadata: metadata.update(keras_version="9.1.0"))
    with pytest.raises(
        InputError,
        match=rf"by Keras 9.1.0, and this is {keras.__version__}, which does not load it",
    ) as refused:
        load_network(copy / "model.keras")
    assert 'pip install "keras==9.1.0"' in str(refused.value)


def test_another_keras_that_loads_is_no_matter(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    rewritten(copy, "metadata.json", lambda metadata: metadata.update(keras_version="9.1.0"))
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


def test_a_fold_that_is_there_is_offered(tmp_path):
    experiment = tiny.experiment()
    (tmp_path / "config.json").write_text(experiment.to_json())
    with pytest.raises(InputError, match="model.keras is missing") as refused:
        find_model(tmp_path)
    assert str(refused.value).endswith("goes on from there")
    (tmp_path / "fold2").mkdir()
    build_adff(experiment, "float32").save(tmp_path / "fold2" / "model.keras")
    with pytest.raises(InputError, match=r"or ask a finished fold: .*fold2/model\.keras$"):
        find_model(tmp_path)
    file, found = find_model(tmp_path / "fold2")
    assert found == experiment and run_folder_of(file) == tmp_path
