"""The settings of TensorFlow Serving's container, against the fields of its messages."""

import contextlib
import re
import subprocess
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from adff_tf.export import server
from adff_tf.export.grpc_server import declare
from adff_tf.inference.model import BATCH

KIT = Path(server.__file__).parent / "serving"


def test_models_config():
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((KIT / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.base_path, model.model_platform) == ("/models/adff", "tensorflow")
    assert model.name == server.ServedModel().name == "adff"
    assert dict(model.version_labels) == {"stable": 1}
    assert set(model.version_labels.values()) <= set(model.model_version_policy.specific.versions)


def test_batching_config():
    """Against BatchingParameters in TensorFlow Serving's session_bundle_config.proto."""
    fields = {
        "max_batch_size": (1, "Int64"),
        "batch_timeout_micros": (2, "Int64"),
        "max_enqueued_batches": (3, "Int64"),
        "num_batch_threads": (4, "Int64"),
        "allowed_batch_sizes": (6, "INT64", True),
        "pad_variable_length_inputs": (7, "BOOL"),
    }
    messages = declare({"Int64": {"value": (1, "INT64")}, "Batching": fields})
    parameters = text_format.Parse((KIT / "batching.config").read_text(), messages["Batching"]())
    assert parameters.max_batch_size.value >= BATCH, "a client's request would be refused"
    assert 0 < parameters.batch_timeout_micros.value < 1e6
    assert parameters.num_batch_threads.value >= 1
    assert parameters.max_enqueued_batches.value >= 1 and not parameters.pad_variable_length_inputs


def test_monitoring_config():
    """Against TensorFlow Serving's monitoring_config.proto."""
    prometheus = {"enable": (1, "BOOL"), "path": (2, "STRING")}
    monitoring = {"prometheus_config": (1, "Prometheus")}
    messages = declare({"Prometheus": prometheus, "Monitoring": monitoring})
    config = text_format.Parse((KIT / "monitoring.config").read_text(), messages["Monitoring"]())
    assert config.prometheus_config.enable
    assert f"metrics_path: {config.prometheus_config.path}" in (KIT / "prometheus.yml").read_text()


def test_compose():
    text = (KIT / "compose.yaml").read_text()
    for file in re.findall(r"=/config/(\S+)", text):
        assert (KIT / file).is_file()
    tag = re.search(r"image: tensorflow/serving:\$\{TF_SERVING_TAG:-(\d+)\.(\d+)\.\d+\}", text)
    assert (int(tag[1]), int(tag[2])) >= (2, 17)
    assert "- ../saved_model:/models/adff:ro" in text
    assert f":{server.GRPC_PORT}:8500" in text and f":{server.REST_PORT}:8501" in text
    assert "--enable_batching=true" in text
    assert "--allow_version_labels_for_unavailable_models=true" in text
    with contextlib.suppress(ImportError):
        import yaml

        assert list(yaml.safe_load(text)["services"]) == ["serving"]
        prometheus = yaml.safe_load((KIT / "prometheus.yml").read_text())
        assert prometheus["scrape_configs"][0]["static_configs"]


def test_the_health_check_finds_a_served_model(rest_host):
    """Its shell command, on the stand-in's port."""
    lines = (KIT / "compose.yaml").read_text().split("- >-\n")[1].split("interval:")[0]
    command = " ".join(lines.split())
    port = rest_host.rsplit(":", 1)[1]
    for name, is_healthy in (("adff", True), ("other", False)):
        script = command.replace("8501", port).replace("models/adff", f"models/{name}")
        assert (subprocess.run(["bash", "-c", script], timeout=20).returncode == 0) == is_healthy
