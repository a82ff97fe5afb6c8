"""The files of serving/ are what TensorFlow Serving, Docker and Kubernetes take them for, as far as that can be read here."""

import re
from pathlib import Path

import pytest

from tests.documents import ROOT, find_commands

FOLDER = Path(__file__).resolve().parents[2] / "serving"


@pytest.mark.parametrize("name", ["models.config", "models.canary.config"])
def test_model_configurations_are_read_by_tensorflow_servings_own_messages(name: str) -> None:
    text_format = pytest.importorskip("google.protobuf.text_format")
    messages = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    config = text_format.Parse((FOLDER / name).read_text(), messages.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert model.name == "handnet"
    assert model.base_path == "/models/handnet"
    versions = set(model.model_version_policy.specific.versions)
    assert set(model.version_labels.values()) <= versions


def test_the_largest_batch_is_the_last_allowed_one() -> None:
    # tensorflow-serving-api has no message for this file; TensorFlow Serving refuses to start where these two differ.
    text = (FOLDER / "batching.config").read_text()
    allowed = [int(n) for n in re.findall(r"^allowed_batch_sizes: (\d+)$", text, re.M)]
    (largest,) = re.findall(r"^max_batch_size \{ value: (\d+) \}$", text, re.M)
    assert allowed == sorted(set(allowed))
    assert allowed[-1] == int(largest)


@pytest.mark.parametrize("name", ["README.md", "docs/serve.md", "serving/docker-compose.yml"])
def test_the_server_reads_the_folder_to_which_the_documents_export(name: str) -> None:
    exports = [command.words for command in find_commands(ROOT / name) if command.words[1] == "export"]
    targets = {words[3] for words in exports if len(words) > 3 and "--format" not in words}
    (mounted,) = re.findall(r"^ +- \.\./(.+):/models:ro$", (FOLDER / "docker-compose.yml").read_text(), re.M)
    for file in ("models.config", "models.canary.config"):
        (folder,) = re.findall(r'base_path: "/models/(.+)"', (FOLDER / file).read_text())
        assert targets == {f"{mounted}/{folder}"}


@pytest.mark.parametrize("name", ["docker-compose.yml", "kserve.yaml"])
def test_manifests_are_yaml_and_name_files_that_exist(name: str) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is absent")
    text = (FOLDER / name).read_text()
    tree = yaml.safe_load(text)
    files = re.findall(r"=/config/([\w.]+)", text)
    assert len(files) >= 2
    assert all((FOLDER / file).is_file() for file in files)
    if name == "docker-compose.yml":
        ports = tree["services"]["serving"]["ports"]
        assert all(port.startswith("127.0.0.1:") for port in ports), "not open to the network"
    else:
        assert tree["kind"] == "InferenceService"
