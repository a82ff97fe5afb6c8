"""The files of serving/ are what TensorFlow Serving, Docker and Kubernetes take them for, as far as that can be read here."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from handnet.cli.main import cli
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


# Of V1beta1PredictorSpec and V1beta1ModelSpec of the client library kserve 0.21, what is no field of a pod or of a container.
PREDICTOR_FIELDS = {
    *("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "containerConcurrency", "timeout"),
    *("canaryTrafficPercent", "model"),
}
MODEL_FIELDS = {"modelFormat", "runtimeVersion", "storageUri"}


@pytest.fixture(scope="module")
def validate() -> Callable[[Mapping[str, Any]], None]:
    """Check an object by the schema of a Kubernetes version that the package brings."""
    checker = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    return lambda tree: checker.validate(tree, "1.30", strict=True)


def test_the_replicas_of_a_gallery_are_objects_of_kubernetes_that_fit_each_other(
    validate: Callable[[Mapping[str, Any]], None],
) -> None:
    objects = {tree["kind"]: tree for tree in read_all("gallery-replicas.yaml")}
    for tree in objects.values():
        validate(tree)
    deployment = objects["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    for kind in ("Service", "PodDisruptionBudget"):
        selector = objects[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == labels
    assert (
        objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
        == objects["Deployment"]["metadata"]["name"]
    )
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert container["securityContext"]["readOnlyRootFilesystem"]
    # The command line takes them.
    (container,) = pod["containers"]
    context = cli.make_context("handnet", list(container["args"]), resilient_parsing=True)
    command = cli.commands[container["args"][0]]
    parsed = command.make_context("serve", list(container["args"][1:]), parent=context)
    assert parsed.params["store"].startswith("milvus+http://")
    assert parsed.params["port"] == container["ports"][0]["containerPort"]


@pytest.mark.parametrize("name", ["kserve.yaml", "kserve-canary.yaml"])
def test_what_is_not_kserves_own_in_its_manifests_is_a_pod_of_kubernetes(
    validate: Callable[[Mapping[str, Any]], None], name: str
) -> None:
    (tree,) = read_all(name)
    predictor, model = tree["spec"]["predictor"], tree["spec"]["predictor"]["model"]
    container = {key: value for key, value in model.items() if key not in MODEL_FIELDS}
    spec = {key: value for key, value in predictor.items() if key not in PREDICTOR_FIELDS}
    validate(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {**spec, "containers": [{"name": "c", "image": "i", **container}]},
        }
    )
    assert predictor.get("scaleTarget", 1) <= predictor.get("containerConcurrency", 1)


def read_all(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is absent")
    return list(yaml.safe_load_all((FOLDER / name).read_text()))
