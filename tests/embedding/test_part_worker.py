"""What a worker of a cluster does, without a cluster: photos from buckets and the web, vectors into a bucket."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.config.settings import Config
from handnet.data.example import Example
from handnet.data.remote.any_folder import Folder
from handnet.embedding.engines import build_engine
from handnet.embedding.job import embed_photos
from handnet.embedding.part_worker import PartWorker, WorkerJob, pack_examples, unpack_examples
from handnet.errors import ClusterError, EvaluationError
from handnet.images.pixel_rules import describe_rules
from handnet.metrics.embedded import label_embeddings, load_part
from handnet.metrics.vector_folder import COMPLETE_FILE, name_part
from handnet.networks.backbones import BACKBONES
from tests.tiny import tiny_backbone
from tests.web_server import serve_s3, serve_web

BATCH_SIZE = 4


@pytest.fixture
def job(config: Config, encoder: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkerJob:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    encoder.save_weights(tmp_path / "model.weights.h5")
    weights = (tmp_path / "model.weights.h5").read_bytes()
    rules, output = describe_rules(config.image), str(tmp_path / "out")
    return WorkerJob(config, weights, "digest", rules, "tensorflow", BATCH_SIZE, output, 1)


@pytest.mark.slow
def test_photos_are_read_where_they_lie_and_the_vectors_are_those_of_one_machine(
    job: WorkerJob, photos: list[str], config: Config, encoder: keras.Model, tmp_path: Path
) -> None:
    engine = build_engine("tensorflow", encoder, config.image, BATCH_SIZE)
    expected = embed_photos(photos, config.image, engine, encoder, tmp_path / "part", BATCH_SIZE)
    with serve_s3("hands") as bucket, serve_web() as web:
        for name in photos[:4]:
            Folder(bucket).write(Path(name).name, Path(name).read_bytes())
        for name in photos[4:8]:
            web.files[f"/{Path(name).name}?sig=SECRET"] = Path(name).read_bytes()
        in_bucket = [f"{bucket}/{Path(name).name}" for name in photos[:4]]
        on_web = [f"{web.address}/{Path(name).name}?sig=SECRET" for name in photos[4:8]]
        absent = [f"{bucket}/absent.jpg", f"{web.address}/absent.jpg?sig=SECRET"]
        places = [*in_bucket, *on_web, *photos[8:], *absent]
        examples = [Example(place, f"{k % 3:07d}", ("dorsal", "palmar")[k % 2]) for k, place in enumerate(places)]
        output = Folder(f"{bucket}/vectors")
        worker = PartWorker(job._replace(output=output.place))
        record = worker.embed_part(0, examples)
        assert record == worker.embed_part(0, examples), "a part that is done again is written over"
        assert record["photos"] == 13
        assert record["vectors"] == 11
        assert record["problems"] == [
            (absent[0], "No such file or directory"),
            (f"{web.address}/absent.jpg", "the server has no such file (404)"),
        ]
        assert output.list_names() == {"part-000000.parquet", "part-000000.json"}
        with pytest.raises(EvaluationError, match="holds no complete set of vectors"):
            load_part(output.place)
        output.write(COMPLETE_FILE, json.dumps({"parts": [0]}).encode())
        part = load_part(output.place)
        output.write("part-000000.parquet", b"damaged")
        with pytest.raises(EvaluationError, match="is damaged"):
            load_part(output.place)
    assert (part.embeddings == expected.embeddings).all()
    assert part.paths == tuple(place.partition("?")[0] for place in places[:11])
    assert part.identities.tolist() == [example.identity for example in examples[:11]]
    assert part.model == "digest"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], "holds no vectors: none of its photos could be used"),
        ([0, 0], "names a part twice"),
        ([0, 1], r"part-000001\.parquet has other 'embeddings' than part-000000\.parquet"),
        ([0, 2], r"part-000002\.parquet has other 'model' than part-000000\.parquet"),
    ],
)
def test_a_folder_of_parts_that_do_not_belong_together_is_refused(
    parts: list[int], expected: str, tmp_path: Path
) -> None:
    examples = [Example("a.jpg", "1", "dorsal"), Example("b.jpg", "2", "palmar")]
    for number, (width, model) in enumerate([(2, "one"), (3, "one"), (2, "two")]):
        label_embeddings(np.eye(width)[:2], examples, model=model).save(tmp_path / name_part(number))
    (tmp_path / COMPLETE_FILE).write_text(json.dumps({"parts": parts}))
    with pytest.raises(EvaluationError, match=expected):
        load_part(tmp_path)


def test_a_part_without_a_good_photo_has_a_record_alone(job: WorkerJob, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    record = PartWorker(job).embed_part(3, [Example(str(tmp_path / "a.jpg"), "")])
    assert record == {"photos": 1, "vectors": 0, "problems": [(str(tmp_path / "a.jpg"), "empty file")]}
    assert Folder(job.output).list_names() == {"part-000003.json"}


def test_a_worker_with_other_versions_is_refused(job: WorkerJob) -> None:
    with pytest.raises(ClusterError, match="Install the same versions on all machines"):
        PartWorker(job._replace(rules={})).embed_part(0, [])


def test_photos_are_packed_whole() -> None:
    examples = [Example("/a/\udce9.jpg", "1", "dorsal", "left", {"age": "3"}), Example("s3://b/é", "")]
    assert unpack_examples(pack_examples(examples)) == examples
