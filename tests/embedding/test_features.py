import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import handnet.data.cache
import handnet.embedding.engines
import handnet.embedding.features
from handnet.config.augmentation import AugmentConfig
from handnet.config.image import ImageConfig, find_tiles_per_side
from handnet.config.settings import Config, SourceConfig
from handnet.data.cache import find_cache_folder
from handnet.embedding.engines import ENGINES, Engine, build_engine
from handnet.embedding.features import FeatureViews, compute_features, compute_views, draw_uniforms
from handnet.errors import DataError, DiskError, RunError
from handnet.images.photo_store import PreparedPhotos, load_cached, prepare_photos
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.sources import list_crops
from handnet.training.batches import build_training_data, plan_training
from tests.photos import picture, write_jpeg
from tests.tiny import tiny_backbone, tiny_config, write_tiny

AUGMENTED = {"augment": vars(AugmentConfig(flip_probability=0.5)), "features": {"views": 4}}

pytestmark = pytest.mark.usefixtures("without_graphs")


@pytest.fixture(autouse=True)
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    monkeypatch.setitem(BACKBONES, "tiny-too", tiny_backbone("tiny-too"))


@pytest.fixture
def pictures_seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pictures that each call of the backbone was given, padding left out."""
    seen: list[int] = []

    def build_watched(*arguments: Any) -> Engine:
        engine = build_engine(*arguments)
        return engine._replace(embed=lambda images: seen.append(len(images)) or engine.embed(images))

    monkeypatch.setattr(handnet.embedding.features, "build_engine", build_watched)
    return seen


def write_photos(folder: Path, count: int) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [str(write_jpeg(folder / f"{k}.jpg", np.roll(picture(), 3 * k, axis=1))) for k in range(count)]


def build(config: Config, precision: str = "float32") -> keras.Model:
    keras.config.set_dtype_policy(precision)
    try:
        return build_backbone(config.model.arch, image_size_px=config.image.size_px, seed=config.train.seed)
    finally:
        keras.config.set_dtype_policy("float32")


def compute(paths: list[str], config: Config, backbone: keras.Model | None = None, **options: Any) -> np.ndarray:
    photos = prepare_photos(paths, config.image)
    return compute_features(backbone or build(config), photos, config.image, config.model, **options)


def views(paths: list[str], config: Config, **options: Any) -> FeatureViews:
    return compute_views(build(config), prepare_photos(paths, config.image), config, **options)


def list_files() -> list[Path]:
    return [path for path in (find_cache_folder() / "features").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_features_are_the_backbones_and_are_computed_once(tmp_path: Path, pictures_seen: list[int]) -> None:
    paths, config = write_photos(tmp_path, 7), tiny_config()
    features = compute(paths, config, batch_size=4)
    assert (features.shape, features.dtype, pictures_seen) == ((7, 8), np.float32, [4, 3])
    images = load_cached(prepare_photos(paths, config.image).files, 32)
    np.testing.assert_allclose(features, build(config).predict_on_batch(images), atol=1e-5)
    assert (compute(paths[::-1], config) == features[::-1]).all()
    assert pictures_seen == [4, 3], "all were known"
    more = write_photos(tmp_path, 9)
    assert (compute([more[8], *more, more[7]], config, batch_size=4)[1:8] == features).all()
    assert pictures_seen == [4, 3, 2], "each new photo once"


@pytest.mark.slow
def test_the_same_features_whatever_the_order_and_the_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, config = write_photos(tmp_path, 9), tiny_config(**AUGMENTED)
    first = views(paths, config, batch_size=8)
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path / "other"))
    again = views(paths[::-1][:5], config, batch_size=8)
    # The place of a picture in its batch may change the last bit.
    np.testing.assert_allclose(again.values, first.values[::-1][:5], rtol=0, atol=1e-6)
    assert (again.mirrored == first.mirrored[::-1][:5]).all()


@pytest.mark.slow
def test_nothing_stale_is_served_when_anything_changes(tmp_path: Path, pictures_seen: list[int]) -> None:
    paths = write_photos(tmp_path, 2)
    config = tiny_config(**AUGMENTED)
    views(paths, config)
    augment = config.augment
    changes = {
        "arch": replace(config, model=replace(config.model, arch="tiny-too")),
        "size": replace(config, image=replace(config.image, size_px=36)),
        "fit": replace(config, image=replace(config.image, fit="stretch")),
        "background": replace(config, image=replace(config.image, background=0)),
        "augmentation": replace(config, augment=replace(augment, rotation_degrees=21.0)),
        # The tiny backbone's random weights come from the seed too.
        "seed": replace(config, train=replace(config.train, seed=1)),
    }
    for name, changed in changes.items():
        pictures_seen.clear()
        plain = 0 if name == "augmentation" else 2
        views(paths, changed)
        assert sum(pictures_seen) == plain + 6, name
    pictures_seen.clear()
    views(paths, config)
    assert not pictures_seen, "what was known still is"

    backbone = build(config)
    weights = backbone.get_weights()
    weights[-3][0] += 1e-6
    backbone.set_weights(weights)
    compute(paths, config, backbone)
    assert pictures_seen == [2], "one weight differs in its last digits"
    compute(paths, config, build(config, "mixed_bfloat16"))
    assert pictures_seen == [2, 2], "the precision differs"
    before, times = compute(paths, config), os.stat(paths[0])
    write_jpeg(Path(paths[0]), 255 - picture())
    os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    after = compute(paths, config)
    assert pictures_seen == [2, 2, 1], "the photo differs"
    assert np.abs(after[0] - before[0]).max() > 1e-3
    assert (after[1] == before[1]).all()


def test_settings_of_the_head_change_nothing(tmp_path: Path, pictures_seen: list[int]) -> None:
    paths = write_photos(tmp_path, 2)
    compute(paths, tiny_config())
    compute(paths, tiny_config(model={"hidden_size": 5, "embedding_size": 3, "dropout": 0.5, "trainable": "none"}))
    assert pictures_seen == [2]


def test_a_new_setting_of_the_model_counts_until_it_is_known_not_to(
    tmp_path: Path, pictures_seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_photos(tmp_path, 2)
    compute(paths, tiny_config())
    monkeypatch.setattr(handnet.embedding.features, "_HEAD_SETTINGS", ())
    compute(paths, tiny_config())
    assert pictures_seen == [2, 2]


# Augmented views


@pytest.mark.slow
def test_view_0_is_the_photo_and_the_others_are_changed(tmp_path: Path, pictures_seen: list[int]) -> None:
    paths, config = write_photos(tmp_path, 5), tiny_config(**AUGMENTED)
    found = views(paths, config)
    assert (found.values.shape, found.mirrored.shape) == ((5, 4, 8), (5, 4))
    assert (found.values[:, 0] == compute(paths, config)).all()
    assert all((found.values[:, k] != found.values[:, j]).any(axis=1).all() for k in range(4) for j in range(k))
    fewer = views(paths, replace(config, features=replace(config.features, views=3)))
    assert sum(pictures_seen) == 20, "fewer views are the first ones"
    assert (fewer.values == found.values[:, :3]).all()
    pictures_seen.clear()
    more = views(paths, replace(config, features=replace(config.features, views=6)))
    assert sum(pictures_seen) == 25, "all five augmented views of five photos"
    np.testing.assert_allclose(more.values[:, :4], found.values, atol=1e-5)
    plain = views(paths, tiny_config(features={"views": 4}))
    assert plain.values.shape == (5, 1, 8), "nothing to vary where nothing is augmented"


def test_a_mirrored_view_is_known_as_one(tmp_path: Path) -> None:
    paths = write_photos(tmp_path, 12)
    only_flips = {f"{name}_probability": 0.0 for name in ("rotation", "translation", "zoom", "brightness", "contrast")}
    only_flips |= {f"{name}_probability": 0.0 for name in ("color", "grayscale", "blur", "erasing")}
    config = tiny_config(augment={**only_flips, "flip_probability": 0.5}, features={"views": 5})
    found = views(paths, config)
    assert 8 < found.mirrored.sum() < 40
    same = np.isclose(found.values, found.values[:, :1], atol=1e-5).all(axis=2)
    assert (same == ~found.mirrored).all()


def test_draws_depend_on_photo_seed_and_view_alone() -> None:
    digests = [f"{k:032x}" for k in range(2)]
    first = draw_uniforms(digests[0], 0, 3)
    assert (first.shape, first.dtype) == ((3, 28), np.float32)
    assert (draw_uniforms(digests[0], 0, 2) == first[:2]).all()
    assert (draw_uniforms(digests[1], 0, 3) != first).any()
    assert (draw_uniforms(digests[0], 1, 3) != first).any()
    assert ((first >= 0) & (first < 1)).all()


@pytest.mark.slow
def test_batches_of_features_follow_the_plan_of_the_photos(tmp_path: Path) -> None:
    from handnet.data.readers.hands11k import read_hands11k

    examples = read_hands11k(write_tiny(tmp_path / "hands", num_people=6)).examples
    config = tiny_config(data={"identity": "hand"}, **AUGMENTED)
    photos = prepare_photos([example.path for example in examples], config.image)
    feature_views = compute_views(build(config), photos, config)
    plan = plan_training(examples, config)
    batches = list(build_training_data(plan, feature_views, config).as_numpy_iterator())
    pixels = list(build_training_data(plan, photos.files, config).as_numpy_iterator())
    assert len(batches) == len(pixels) == plan.steps_per_epoch * config.train.epochs
    rows = {feature_views.values[n, v].tobytes(): (n, v) for n in range(len(examples)) for v in range(4)}
    seen, labels_of = set(), plan.labels
    for (features, labels), (_, pixel_labels) in zip(batches, pixels, strict=True):
        assert (features.shape, features.dtype) == ((8, 8), np.float32)
        assert (labels[:, 1] == pixel_labels[:, 1]).all()
        for row, (identity, view) in zip(features, labels, strict=True):
            photo, number = rows[row.tobytes()]
            seen.add(number)
            mirrored = feature_views.mirrored[photo, number]
            assert (identity, view) == (labels_of[photo, 2 if mirrored else 0], labels_of[photo, 1])
    assert seen == {0, 1, 2, 3}
    later = list(build_training_data(plan, feature_views, config, first_epoch=1).as_numpy_iterator())
    expected = batches[plan.steps_per_epoch :]
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(later, expected, strict=True))


# Engines


@pytest.fixture
def other_engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """OpenVINO's place taken by an engine whose features are off by "error", and which is chosen from "least" pictures on."""
    being = {"error": 1e-4, "least": 4.0}

    def build_other(backbone: keras.Model, order: Any) -> Engine:
        exact = ENGINES["tensorflow"](backbone, order)
        return Engine("openvino", "bf16", lambda images: exact.embed(images) + np.float32(being["error"]))

    def choose(backbone: keras.Model, count: int, known_as: object) -> str:
        return "openvino" if count >= being["least"] else "tensorflow"

    monkeypatch.setitem(ENGINES, "openvino", build_other)
    monkeypatch.setattr(handnet.embedding.features, "choose_engine", choose)
    return being


def test_features_of_another_engine_are_kept_apart_and_not_mixed_with_exact_ones(
    tmp_path: Path, pictures_seen: list[int], other_engine: dict[str, float]
) -> None:
    paths, config = write_photos(tmp_path, 6), tiny_config()
    exact = compute(paths[:1], config)
    assert pictures_seen == [1], "one photo is not worth another engine"
    quick = compute(paths, config)
    np.testing.assert_allclose(quick[0] - exact[0], 1e-4, atol=1e-5)
    assert sum(pictures_seen) == 1 + 6 + 5, "all six by one engine, after a check on five that were missing"
    pictures_seen.clear()
    assert (compute(paths[:3], config) == quick[:3]).all()
    assert not pictures_seen, "a part of them is known too"
    right = compute(paths, config, engine="tensorflow")
    assert pictures_seen == [5], "TensorFlow's features are known of the first photo only"
    np.testing.assert_allclose(
        right, build(config).predict_on_batch(load_cached(prepare_photos(paths, config.image).files, 32))
    )
    assert (compute(paths, config) == right).all()
    assert pictures_seen == [5], "known exact ones are preferred"


def test_an_engine_that_is_far_off_is_refused_before_anything_is_kept(
    tmp_path: Path, other_engine: dict[str, float]
) -> None:
    paths, config = write_photos(tmp_path, 6), tiny_config()
    other_engine["error"] = 10.0
    with pytest.raises(RunError, match="of what photos differ by"):
        compute(paths, config)
    assert not list_files()


def test_a_larger_error_is_accepted_where_the_user_asks_for_bfloat16(
    tmp_path: Path, other_engine: dict[str, float]
) -> None:
    paths, config = write_photos(tmp_path, 6), tiny_config()
    exact = compute(paths, config, engine="tensorflow")
    spread = float(np.linalg.norm(exact - exact.mean(axis=0)) / np.sqrt(exact.size))
    other_engine["error"] = 0.3 * spread
    with pytest.raises(RunError, match=r"of what photos differ by, expected at most 0\.25"):
        compute(paths, config, engine="openvino-bfloat16")
    other_engine["error"] = 0.2 * spread
    quick = compute(paths, config, engine="openvino-bfloat16")
    np.testing.assert_allclose(quick - exact, 0.2 * spread, rtol=1e-3, atol=1e-5)
    with pytest.raises(RunError, match=r"of what photos differ by, expected at most 0\.1\."):
        compute(paths, config, engine="openvino")
    other_engine["error"] = 10.0
    assert (compute(paths, config, engine="openvino-bfloat16") == quick).all(), "they are kept"


def test_each_kind_of_views_goes_to_the_engine_that_its_number_is_worth(
    tmp_path: Path, other_engine: dict[str, float]
) -> None:
    paths, config = write_photos(tmp_path, 2), tiny_config(**AUGMENTED)
    found = views(paths, config)
    exact = views(paths, replace(config, features=replace(config.features, engine="tensorflow")))
    assert (found.values[:, 0] == exact.values[:, 0]).all(), "two pictures"
    np.testing.assert_allclose(found.values[:, 1:] - exact.values[:, 1:], 1e-4, atol=1e-5)


def test_a_backbone_in_half_precision_stays_with_tensorflow(tmp_path: Path, other_engine: dict[str, float]) -> None:
    paths, config = write_photos(tmp_path, 5), tiny_config()
    backbone = build(config, "mixed_bfloat16")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = compute(paths, config, backbone)
        assert (found == compute(paths, config, backbone, engine="tensorflow")).all()
    finally:
        keras.config.set_dtype_policy("float32")


# Killed, cut, shared, full


def test_what_was_computed_before_a_kill_is_kept(tmp_path: Path, pictures_seen: list[int]) -> None:
    paths, config = write_photos(tmp_path, 10), tiny_config()

    def stop(done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(paths, config, batch_size=4, progress=lambda _: stop)
    assert len(list_files()) == 8
    compute(paths, config, batch_size=4)
    assert pictures_seen == [4, 4, 2]


def test_a_small_limit_never_evicts_what_is_needed_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config()
    monkeypatch.setattr(handnet.data.cache, "_use", handnet.data.cache._Use())
    monkeypatch.setenv("HANDNET_CACHE_GB", "1e-6")
    old = find_cache_folder() / "photos/of-other-settings/photo"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(2000))
    photos = prepare_photos(write_photos(tmp_path / "new", 3), config.image)
    compute_features(build(config), photos, config.image, config.model)
    assert not old.exists()
    assert all(os.path.exists(file) for file in photos.files)
    assert len(list_files()) == 3


@pytest.mark.parametrize("damage", [b"", b"half"])
def test_a_cut_file_is_made_again(damage: bytes, tmp_path: Path, pictures_seen: list[int]) -> None:
    paths, config = write_photos(tmp_path, 3), tiny_config()
    expected = compute(paths, config)
    list_files()[1].write_bytes(damage)
    assert (compute(paths, config) == expected).all()
    assert pictures_seen == [3, 1]


def test_several_at_once_fill_one_folder(tmp_path: Path) -> None:
    paths, config = write_photos(tmp_path, 12), tiny_config()
    photos = prepare_photos(paths, config.image)
    backbones = [build(config) for _ in range(3)]

    def work(number: int) -> np.ndarray:
        rows = np.roll(np.arange(12), 4 * number)
        chosen = PreparedPhotos([photos.files[k] for k in rows], [photos.digests[k] for k in rows])
        found = compute_features(backbones[number], chosen, config.image, config.model, batch_size=2)
        return found[np.argsort(rows)]

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(work, range(3)))
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert len(list_files()) == 12


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, config = write_photos(tmp_path, 1), tiny_config()
    prepare_photos(paths, config.image)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(
        DiskError, match=r"No space left on device\. Is the disk full\? HANDNET_CACHE names another folder"
    ):
        compute(paths, config)


def test_features_that_are_not_finite_are_an_error_and_are_not_kept(tmp_path: Path) -> None:
    paths, config = write_photos(tmp_path, 2), tiny_config()
    backbone = build(config)
    backbone.set_weights([np.full_like(weight, np.nan) for weight in backbone.get_weights()])
    with pytest.raises(DataError, match="features that are not finite"):
        compute(paths, config, backbone)
    assert not list_files()


@pytest.mark.slow
def test_sources_that_are_joined_are_kept_one_by_one(tmp_path: Path, pictures_seen: list[int]) -> None:
    one, two = (SourceConfig("tiny", crop=crop) for crop in ("none", "middle"))
    three = SourceConfig("tiny-too", crop="middle")
    paths = write_photos(tmp_path, 2)

    def join(**sources: SourceConfig) -> np.ndarray:
        crops = list_crops(sources)
        size = 32 * find_tiles_per_side(len(crops))
        crop = {"crop": "several", "crops": crops} if len(crops) > 1 else {"crop": crops[0]}
        config = tiny_config()
        config = replace(
            config,
            image=ImageConfig(size_px=size, **crop),
            model=replace(config.model, arch="hand-pretrained", sources=sources),
        )
        backbone = build_backbone("hand-pretrained", image_size_px=size, seed=1, sources=sources)
        photos = prepare_photos(paths, config.image)
        features = compute_features(backbone, photos, config.image, config.model)
        whole = backbone.predict_on_batch(load_cached(photos.files, size))
        np.testing.assert_allclose(features, whole, rtol=1e-5, atol=1e-5)
        return features

    alone = join(one=one)
    assert pictures_seen == [2]
    # In another picture, next to other sources, of another weight in the head: known already.
    pair = join(one=replace(one, score_weight=0.5, optional=True), two=two)
    assert pictures_seen == [2, 2]
    np.testing.assert_array_equal(pair[:, : alone.shape[1]], alone)
    assert join(two=two, three=three).shape == (2, 16)
    assert pictures_seen == [2, 2, 2]
