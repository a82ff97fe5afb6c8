"""The clients against a stand-in that runs the real exported model; TensorFlow Serving's binary itself is not run."""

import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from handnet.cli.client import client as client_commands
from handnet.embedding.encode import embed_files
from handnet.errors import ConfigError, DataError
from handnet.images.photo_store import prepare_photos
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.embedded import load_part
from handnet.serving.client.calls import connect, embed_photos, verify_photos
from handnet.serving.client.connection import (
    Server,
    ServerError,
    parse_server,
)
from tests.exported import CALIBRATION, Exported
from tests.photos import USABLE
from tests.serving.standin import SERVERS, Model

pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is absent: pip install 'handnet[serving]'")


FAST = {"timeout_s": 20.0, "pause_s": 0.01}


@pytest.fixture(scope="module")
def model(exported: Exported) -> Model:
    return Model(exported.export.folder, "hands")


@pytest.fixture(params=SERVERS)
def address(request: pytest.FixtureRequest, model: Model) -> Iterator[str]:
    model.busy, model.delay_s = 0, 0.0
    model.requests.clear()
    with SERVERS[request.param](model) as url:
        yield url


def embed_with(server: Server, paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    with closing(connect(server)) as client:
        return embed_photos(client, server, paths)


def test_vectors_are_those_of_training_and_a_bad_photo_is_flagged(
    address: str, exported: Exported, photos: Mapping[str, Path]
) -> None:
    names = [*USABLE, "truncated-jpeg", "png-bomb", "zero-byte"]
    embeddings, ok, seen = embed_with(parse_server(address, "hands", **FAST), [photos[name] for name in names])
    assert seen == {}, "a model that goes by no landmarks says nothing of hands"
    files = prepare_photos([str(photos[name]) for name in USABLE], exported.image).files
    expected = embed_files(exported.encoder.model, files)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings[: len(USABLE)], expected, atol=1e-5)
    assert ok.tolist() == [True] * len(USABLE) + [False] * 3
    assert not embeddings[len(USABLE) :].any()


def test_pairs_get_the_probability_and_the_decision_of_the_calibration(
    address: str, exported: Exported, photos: Mapping[str, Path]
) -> None:
    pairs = [("jpeg", "jpeg"), ("jpeg", "grey-png"), ("bmp", "text")]
    server = parse_server(address, "hands", **FAST)
    with closing(connect(server)) as client:
        result = verify_photos(client, server, [(photos[a], photos[b]) for a, b in pairs])
    files = prepare_photos([str(photos[name]) for name in ("jpeg", "grey-png")], exported.image).files
    one, other = embed_files(exported.encoder.model, files)
    cosine = float(one @ other)
    np.testing.assert_allclose(result.similarity, [1.0, cosine, 0.0], atol=1e-5)
    # sigmoid(8 · 1 − 3) = 1 / (1 + e⁻⁵)
    assert result.probability[0] == pytest.approx(0.9933071, abs=1e-5)
    assert result.probability[1] == pytest.approx(1 / (1 + np.exp(3 - 8 * cosine)), abs=1e-4)
    assert result.probability[2] == 0
    assert result.decision.tolist() == [True, cosine >= CALIBRATION.equal_error_threshold, False]
    assert result.ok.tolist() == [True, True, False]


def test_photos_go_in_requests_within_the_limits(address: str, model: Model, photos: Mapping[str, Path]) -> None:
    paths = [photos["jpeg"]] * 7
    server = parse_server(address, "hands", max_request_photos=3, **FAST)
    few, *_ = embed_with(server, paths)
    assert model.requests == [3, 3, 1]
    assert np.ptp(few, axis=0).max() < 1e-6, "the same photo has the same vector in every request"
    size = photos["jpeg"].stat().st_size
    embed_with(parse_server(address, "hands", max_request_bytes=2 * size, **FAST), paths)
    assert model.requests[3:] == [2, 2, 2, 1]
    with pytest.raises(DataError, match=r"bytes, and a request may have at most"):
        embed_with(parse_server(address, "hands", max_request_bytes=size - 1, **FAST), paths)


def test_more_than_gRPCs_own_limit_of_4_MB_goes_in_one_request(
    address: str, model: Model, photos: Mapping[str, Path], tmp_path: Path
) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(photos["jpeg"].read_bytes() + bytes(6_000_000))
    _, ok, _ = embed_with(parse_server(address, "hands", **FAST), [large])
    assert ok.tolist() == [True]


def test_many_at_once(address: str, exported: Exported, photos: Mapping[str, Path]) -> None:
    names = [*list(USABLE)[:5], "truncated-png"]
    files = prepare_photos([str(photos[name]) for name in names[:5]], exported.image).files
    expected = np.concatenate([embed_files(exported.encoder.model, files), np.zeros((1, 8), np.float32)])
    server = parse_server(address, "hands", **FAST)
    with closing(connect(server)) as client, ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(embed_photos, client, server, [photos[name] for name in names[k % 6 :]]) for k in range(24)]
        for k, job in enumerate(jobs):
            np.testing.assert_allclose(job.result(timeout=60).embeddings, expected[k % 6 :], atol=1e-5)


def test_an_overloaded_server_is_asked_again(address: str, model: Model, photos: Mapping[str, Path]) -> None:
    model.busy = 2
    _, ok, _ = embed_with(parse_server(address, "hands", **FAST), [photos["jpeg"]])
    assert ok.tolist() == [True]
    assert len(model.requests) == 3
    model.busy = 5
    with pytest.raises(ServerError, match=r"overloaded or restarting \(UNAVAILABLE\), after 2 attempts"):
        embed_with(parse_server(address, "hands", attempts=2, **FAST), [photos["jpeg"]])
    assert len(model.requests) == 5


def test_a_slow_server_is_given_up(address: str, model: Model, photos: Mapping[str, Path]) -> None:
    model.delay_s = 1.0
    with pytest.raises(ServerError, match=r"did not answer within 0.2 s. Raise --timeout"):
        embed_with(parse_server(address, "hands", timeout_s=0.2, pause_s=0.01), [photos["jpeg"]])
    assert len(model.requests) == 1, "what timed out is not sent again"


def test_a_missing_model_version_or_signature_is_named(address: str, photos: Mapping[str, Path]) -> None:
    with pytest.raises(ServerError, match=r"has no model 'feet'.*Latest\(feet\).*--model"):
        embed_with(parse_server(address, "feet", **FAST), [photos["jpeg"]])
    with pytest.raises(ServerError, match=r"has no model 'hands' version 7"):
        embed_with(parse_server(address, "hands", version=7, **FAST), [photos["jpeg"]])
    server = parse_server(address, "hands", **FAST)
    with (
        closing(connect(server)) as client,
        pytest.raises(ServerError, match=r"does not have the signature 'rank' .* Export it with this version"),
    ):
        client.predict("rank", {"photos": [b""]}, ("order",))


def test_an_answer_without_the_expected_outputs_is_refused(address: str, photos: Mapping[str, Path]) -> None:
    server = parse_server(address, "hands", **FAST)
    with closing(connect(server)) as client, pytest.raises(ServerError, match="vectors"):
        client.predict("embed", {"photos": [photos["jpeg"].read_bytes()]}, ("vectors",))


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_an_absent_server_is_said_to_be_absent(scheme: str, photos: Mapping[str, Path]) -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else can take it, and a connection is refused.
        taken.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"No server answers at .*, after 2 attempts. Start one: docker compose"):
            embed_with(parse_server(url, "hands", attempts=2, **FAST), [photos["jpeg"]])


def test_http_at_the_grpc_port_is_told_apart(model: Model, photos: Mapping[str, Path]) -> None:
    with SERVERS["grpc"](model) as url, pytest.raises(ServerError, match=r"grpc://|No server answers"):
        embed_with(parse_server(url.replace("grpc", "http"), "hands", attempts=1, **FAST), [photos["jpeg"]])


def test_a_data_set_embedded_by_a_server_is_what_evaluation_reads(
    address: str, photos: Mapping[str, Path], tmp_path: Path
) -> None:
    rows = ["path,identity,view"]
    for person in ("a", "b"):
        for view in ("dorsal", "palmar"):
            shutil.copy(photos["jpeg"], tmp_path / f"{person}-{view}.jpg")
            rows.append(f"{person}-{view}.jpg,{person},{view}")
    shutil.copy(photos["text"], tmp_path / "bad.jpg")
    (tmp_path / "labels.csv").write_text("\n".join([*rows, "bad.jpg,b,dorsal"]) + "\n")
    output = tmp_path / "out" / "vectors.npz"
    options = ["--server", address, "--model", "hands", "--output", str(output)]
    run = CliRunner().invoke(client_commands, ["embed", str(tmp_path), *options], catch_exceptions=False)
    assert run.exit_code == 0
    assert "not an image that can be read" in run.stderr
    assert "4 of 5 photos" in run.stdout
    part = load_part(output)
    assert part.identities.tolist() == ["a", "a", "b", "b"]
    assert evaluate_part(part, num_replicates=10)["part"]["num_people"] == 2


def test_the_commands_print_vectors_and_verdicts(address: str, photos: Mapping[str, Path], tmp_path: Path) -> None:
    options = ["--server", address, "--model", "hands"]
    good, bad = str(photos["jpeg"]), str(photos["text"])
    run = CliRunner().invoke(client_commands, ["embed", good, bad, *options], catch_exceptions=False)
    assert run.exit_code == 0
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(row["photo"], row["ok"]) for row in rows] == [(good, True), (bad, False)]
    assert np.linalg.norm(rows[0]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert "not an image that can be read" in run.stderr
    output = tmp_path / "vectors.npz"
    run = CliRunner().invoke(
        client_commands, ["embed", good, *options, "--output", str(output)], catch_exceptions=False
    )
    with np.load(output) as arrays:
        assert arrays["embeddings"].shape == (1, 8)
        assert arrays["paths"].tolist() == [good]
    run = CliRunner().invoke(client_commands, ["verify", good, good, good, bad, *options], catch_exceptions=False)
    lines = run.stdout.splitlines()
    assert lines[0].endswith("the same person (similarity 1.000, probability 99.3 %)")
    assert (
        "not compared. First photo: nothing is wrong with it. Second photo: not an image that can be read" in lines[1]
    )
    with pytest.raises(ConfigError, match=r"an even number. Received: 3"):
        CliRunner().invoke(client_commands, ["verify", good, good, good, *options], catch_exceptions=False)


class SeveralHands:
    """Stands for a model whose crops go by landmarks, and that sees several hands in each second photo."""

    def run(self, name: str, version: int, signature: str, inputs: Mapping[str, object]) -> dict[str, np.ndarray]:
        zero = np.zeros(1, np.float32)
        problems = {"first_problem": np.array([b""], object), "second_problem": np.array([b"several hands"], object)}
        return {"similarity": zero, "probability": zero, "decision": zero > 0, "ok": zero > 0, **problems}


@pytest.mark.parametrize("scheme", SERVERS)
def test_a_pair_that_the_model_does_not_compare_is_explained(scheme: str, photos: Mapping[str, Path]) -> None:
    good = str(photos["jpeg"])
    with SERVERS[scheme](SeveralHands()) as url:  # type: ignore[arg-type]
        command = ["verify", good, good, "--server", url, "--model", "hands"]
        run = CliRunner().invoke(client_commands, command, catch_exceptions=False)
        row = json.loads(CliRunner().invoke(client_commands, [*command, "--json"], catch_exceptions=False).stdout)
    assert "not compared. First photo: nothing is wrong with it. Second photo: several hands" in run.stdout
    assert (row["ok"], row["first_problem"], row["second_problem"]) == (False, "", "several hands")


@pytest.mark.parametrize(
    ("url", "direct"), [("grpc://localhost", True), ("grpc://[::1]:9", True), ("grpc://host", False)]
)
def test_a_proxy_is_not_asked_for_this_machine(url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, int]] = []
    service = SimpleNamespace(PredictionServiceStub=lambda channel: None)
    monkeypatch.setattr("handnet.serving.client.grpc.load_protocol", lambda: SimpleNamespace(service=service))
    monkeypatch.setattr("grpc.insecure_channel", lambda target, options: given.extend(options))
    connect(parse_server(url, "hands"))
    assert (("grpc.enable_http_proxy", 0) in given) == direct
