import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from handnet.config.augmentation import AugmentConfig
from handnet.config.settings import Config, ImageConfig
from handnet.data.cache import find_photo_folder
from handnet.data.checks import find_header_problem
from handnet.data.example import Example
from handnet.data.readers.hands11k import read_hands11k
from handnet.errors import DataError, DiskError
from handnet.images.decode import load_photo
from handnet.images.header_guard import load_photos
from handnet.images.store import load_cached, prepare_photos, read_photos
from handnet.training.batches import Plan, build_training_data, label_identities, plan_training
from tests.photos import (
    BY_PILLOW,
    HEIGHT_PX,
    UNUSABLE,
    USABLE,
    WIDTH_PX,
    grey_picture,
    picture,
    write_jpeg,
    write_zeroed_jpeg,
)
from tests.tiny import tiny_config, write_tiny

SIZE_PX = 32
IMAGE = ImageConfig(size_px=SIZE_PX)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """10 people with a right and a left photo of each view."""
    return read_hands11k(write_tiny(tmp_path_factory.mktemp("data") / "hands", num_people=10)).examples


def collect(
    config: Config, examples: list[Example], first_epoch: int = 0, files: list[str] | None = None
) -> tuple[Plan, list[tuple[object, np.ndarray]]]:
    plan = plan_training(examples, config)
    files = files or prepare_photos([example.path for example in examples], config.image).files
    return plan, list(build_training_data(plan, files, config, first_epoch).as_numpy_iterator())


def stack(batches: list[tuple[object, np.ndarray]]) -> np.ndarray:
    return np.stack([images for images, _ in batches])


# Batches


def test_a_batch_is_people_times_views_with_the_labels_of_its_photos(examples: list[Example]) -> None:
    config = tiny_config(train={"epochs": 1})
    plan, batches = collect(config, examples)
    files = prepare_photos([example.path for example in examples], config.image).files
    # 10 people twice in batches of 4.
    assert (plan.steps_per_epoch, len(batches), plan.num_identities) == (5, 5, 10)
    pixels = load_cached(files, SIZE_PX)
    labels = {photo.tobytes(): (int(e.identity), e.view) for photo, e in zip(pixels, examples, strict=True)}
    assert len(labels) == len(examples), "every photo is different"
    order = list(dict.fromkeys(example.identity for example in examples))
    for images, batch_labels in batches:
        assert (images.shape, images.dtype) == ((8, SIZE_PX, SIZE_PX, 3), np.uint8)
        assert (batch_labels.shape, batch_labels.dtype) == ((8, 2), np.int32)
        for image, (identity, view) in zip(images, batch_labels, strict=True):
            assert labels[image.tobytes()] == (int(order[identity]), ("dorsal", "palmar")[view])
        assert Counter(map(tuple, batch_labels.tolist())) == {
            (identity, view): 1 for identity in set(batch_labels[:, 0].tolist()) for view in (0, 1)
        }, "4 people, each once from either side"


def test_the_last_passes_visit_everybody_and_every_photo(examples: list[Example]) -> None:
    plan, batches = collect(tiny_config(train={"epochs": 1}, sampler={"passes_per_epoch": 4}), examples)
    identities = np.concatenate([labels[:, 0] for _, labels in batches])
    assert plan.steps_per_epoch == len(batches) == 10
    assert set(Counter(identities.tolist()).values()) == {8}, "each of 10 people in 4 passes from 2 sides"
    assert len({image.tobytes() for images, _ in batches for image in images}) == len(examples)


def test_the_seed_decides_photos_order_and_augmentation(examples: list[Example]) -> None:
    def build(seed: int) -> list[tuple[object, np.ndarray]]:
        return collect(tiny_config(train={"epochs": 2, "seed": seed}, augment=vars(AugmentConfig())), examples)[1]

    first, again, other = build(1), build(1), build(2)
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert not all((a[1] == b[1]).all() for a, b in zip(first, other, strict=True))
    assert (stack(first) != stack(other)).mean() > 0.1


def test_the_order_does_not_depend_on_the_augmentation_nor_the_photos_on_the_network(examples: list[Example]) -> None:
    plain = collect(tiny_config(train={"epochs": 1}), examples)[1]
    augmented = collect(tiny_config(train={"epochs": 1}, augment=vars(AugmentConfig())), examples)[1]
    other = collect(tiny_config(train={"epochs": 1}, model={"embedding_size": 4}), examples)[1]
    assert all((a[1] == b[1]).all() for a, b in zip(plain, augmented, strict=True))
    assert (stack(plain) == stack(other)).all()
    assert (stack(plain) != stack(augmented)).any(axis=(2, 3, 4)).mean() > 0.9, "nearly every photo is changed"


def test_epochs_differ_and_a_later_first_epoch_gives_the_same_stream(examples: list[Example]) -> None:
    config = tiny_config(train={"epochs": 3}, augment=vars(AugmentConfig()))
    plan, batches = collect(config, examples)
    steps = plan.steps_per_epoch
    epochs = [batches[k * steps : (k + 1) * steps] for k in range(3)]
    assert len(batches) == 3 * steps
    assert (stack(epochs[0]) != stack(epochs[1])).any()
    assert (stack(epochs[1]) != stack(epochs[2])).any()
    for first_epoch in (1, 2):
        resumed = collect(config, examples, first_epoch)[1]
        expected = [batch for epoch in epochs[first_epoch:] for batch in epoch]
        assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(resumed, expected, strict=True))


def test_pairs_are_dorsal_and_palmar_and_labelled_by_person(examples: list[Example]) -> None:
    config = tiny_config(
        train={"epochs": 1},
        sampler={"pairs_per_batch": 8, "positive_fraction": 0.25},
        loss={"name": "contrastive", "options": {"margin": 2.0}},
    )
    plan, batches = collect(config, examples)
    pixels = load_cached(prepare_photos([e.path for e in examples], config.image).files, SIZE_PX)
    of_photo = {photo.tobytes(): example for photo, example in zip(pixels, examples, strict=True)}
    # 10 people open 2 pairs each: 20 pairs in batches of 8.
    assert plan.steps_per_epoch == len(batches) == 3
    for images, same in batches:
        assert isinstance(images, dict)
        assert (images["first"].shape, images["second"].shape) == ((8, SIZE_PX, SIZE_PX, 3),) * 2
        assert (same.shape, same.dtype, same.sum()) == ((8, 1), np.float32, 2.0)
        for first, second, label in zip(images["first"], images["second"], same[:, 0], strict=True):
            dorsal, palmar = of_photo[first.tobytes()], of_photo[second.tobytes()]
            assert (dorsal.view, palmar.view) == ("dorsal", "palmar")
            assert (dorsal.identity == palmar.identity) == bool(label)


# Labels and mirror images


def test_a_hands_mirror_image_is_the_other_hand_of_the_same_person() -> None:
    def example(identity: str, side: str) -> Example:
        return Example("", identity, "dorsal", side)

    examples = [example("a", "left"), example("a", "right"), example("b", "left"), example("c", "")]
    person = label_identities(examples, "person")
    assert person[0].tolist() == person[1].tolist() == [0, 0, 1, 2]
    hand, mirrored = label_identities(examples, "hand")
    assert hand.tolist() == [0, 1, 2, 3]
    # b's right hand was never photographed: a label of its own, that of nobody else.
    assert mirrored.tolist() == [1, 0, 4, 3]


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_flip_swaps_the_label_of_the_hand(probability: float, examples: list[Example]) -> None:
    augment = {"flip_probability": probability}
    plan, batches = collect(tiny_config(train={"epochs": 1}, augment=augment, data={"identity": "hand"}), examples)
    hand, mirrored = label_identities(examples, "hand")
    assert plan.num_identities == 20
    pixels = load_cached(prepare_photos([e.path for e in examples], IMAGE).files, SIZE_PX)
    shown = pixels[:, :, ::-1] if probability else pixels
    expected = {p.tobytes(): label for p, label in zip(shown, mirrored if probability else hand, strict=True)}
    for images, labels in batches:
        assert [expected[image.tobytes()] for image in images] == labels[:, 0].tolist()
    persons = collect(tiny_config(train={"epochs": 1}, augment=augment), examples)[1]
    assert {int(label) for _, labels in persons for label in labels[:, 0]} == set(range(10)), "a person stays one"


def test_too_few_people_are_said_before_any_photo_is_read(examples: list[Example]) -> None:
    absent = [replace(example, path="/absent") for example in examples]
    with pytest.raises(DataError, match="A batch needs 11 people .* Received: 10"):
        plan_training(absent, tiny_config(sampler={"people_per_batch": 11}))
    one_sided = [example for example in examples if (example.view, example.side) != ("palmar", "left")]
    plan = plan_training(one_sided, tiny_config(data={"identity": "hand"}))
    assert len(plan.pools) == 10, "left hands have one view only and give no pair"


# The cache


def read(path: Path, config: ImageConfig = IMAGE) -> np.ndarray:
    """Return a photo as training sees it."""
    return load_cached(prepare_photos([str(path)], config).files, config.size_px)[0]


@pytest.mark.parametrize("kind", ["jpeg", "exif-6-jpeg", "16-bit-png", "animated-gif", "bmp", "cmyk-adobe-jpeg"])
def test_a_cached_photo_is_the_decoded_one(kind: str, tmp_path: Path) -> None:
    path = USABLE[kind](tmp_path / "photo")
    expected = load_photo(tf.constant(path.read_bytes()), IMAGE).numpy()
    assert (read(path) == expected).all()
    assert (read(path) == expected).all(), "and the second time, from the cache"


@pytest.mark.parametrize("kind", sorted(BY_PILLOW))
def test_a_photo_that_pillow_decodes_is_upright_and_has_its_colours(kind: str, tmp_path: Path) -> None:
    config = ImageConfig(size_px=WIDTH_PX)
    stored = read(BY_PILLOW[kind](tmp_path / "photo"), config)
    expected = np.repeat(grey_picture()[..., None], 3, axis=2) if "grey" in kind else picture()
    top = (WIDTH_PX - HEIGHT_PX) // 2
    difference = np.abs(stored[top : top + HEIGHT_PX].astype(int) - expected)
    # A dim PGM says that its highest value is white; a palette of 256 colours loses some levels.
    assert difference.mean() < (20 if "palette" in kind else 4)


@pytest.mark.parametrize("crop", ["hand", "hand-canonical", "hand-and-photo"])
@pytest.mark.parametrize("ground", [250, 128, 0])
def test_a_photo_without_a_hand_is_named_where_hands_are_cropped(crop: str, ground: int, tmp_path: Path) -> None:
    path = write_jpeg(tmp_path / "empty.jpg", np.full((60, 80, 3), ground, np.uint8))
    config = ImageConfig(size_px=48, crop=crop)
    with pytest.raises(DataError, match="empty.jpg': no hand was found in it.* --crop none"):
        read(path, config)
    _, ok = load_photos(tf.constant([path.read_bytes()]), config)
    assert ok.numpy().tolist() == [False], "in the exported model too"
    assert read(path, ImageConfig(size_px=48)).shape == (48, 48, 3), "a whole photo needs no hand"


def test_damage_inside_a_jpeg_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="damaged: Corrupt JPEG data: 4563 extraneous bytes"):
        read(write_zeroed_jpeg(tmp_path / "photo"))


def test_a_photo_is_decoded_once_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_jpeg(tmp_path / "a.jpg")
    first = prepare_photos([str(path)], IMAGE)
    path.rename(tmp_path / "b.jpg")
    monkeypatch.setattr("handnet.images.store.write_bytes", lambda *_: pytest.fail("decoded again"))
    assert prepare_photos([str(tmp_path / "b.jpg")], IMAGE) == first


def test_a_changed_photo_or_setting_is_never_served_stale(tmp_path: Path) -> None:
    path = write_jpeg(tmp_path / "photo")
    before, digest = read(path), prepare_photos([str(path)], IMAGE).digests
    times = path.stat()
    write_jpeg(path, 255 - picture())
    # Neither the size nor the time of a file says that it is the same.
    path.write_bytes(path.read_bytes().ljust(times.st_size, b"\0"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert np.abs(read(path).astype(int) - before).mean() > 20
    assert prepare_photos([str(path)], IMAGE).digests != digest
    write_jpeg(path)
    assert (read(path) == before).all()
    assert read(path, replace(IMAGE, size_px=48)).shape == (48, 48, 3)
    assert (read(path, replace(IMAGE, background=0))[0] == 0).all()
    assert (read(path)[0] == 255).all()
    assert (read(path, replace(IMAGE, fit="stretch"))[0] != 255).any()


@pytest.mark.parametrize("damage", [b"", b"half of it"])
def test_a_cached_file_that_was_cut_is_made_again(damage: bytes, tmp_path: Path) -> None:
    path = write_jpeg(tmp_path / "photo")
    expected = read(path)
    Path(prepare_photos([str(path)], IMAGE).files[0]).write_bytes(damage)
    assert (read(path) == expected).all()


def test_many_at_once_write_one_whole_file(tmp_path: Path) -> None:
    paths = []
    for number in range(60):
        paths.append(str(write_jpeg(tmp_path / f"{number}.jpg", np.roll(picture(), number % 3, axis=1))))
    prepared = prepare_photos(paths, IMAGE)
    assert len(set(prepared.files)) == len(set(prepared.digests)) == 3
    assert len([path for path in find_photo_folder(IMAGE).rglob("*") if path.is_file()]) == 3
    assert (load_cached(prepared.files[:3], SIZE_PX) == load_cached(prepared.files[57:], SIZE_PX)).all()


def test_a_write_that_is_cut_short_leaves_nothing_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_jpeg(tmp_path / "photo")

    def fail(temporary: Path, contents: bytes) -> int:
        with temporary.open("wb") as file:
            file.write(contents[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fail)
        with pytest.raises(DiskError, match=r"No space left on device\. Is the disk full\?"):
            prepare_photos([str(path)], IMAGE)
    assert not [item for item in find_photo_folder(IMAGE).rglob("*") if item.is_file()]


def test_progress_counts_to_the_end(examples: list[Example]) -> None:
    seen: list[tuple[int, int]] = []
    prepare_photos([e.path for e in examples[:7]], IMAGE, lambda name: lambda done, total: seen.append((done, total)))
    assert seen == [(k, 7) for k in range(1, 8)]


# Photos that cannot be used


def test_bad_photos_are_named_five_at_most(tmp_path: Path) -> None:
    kinds = ["zero-byte", "png-bomb", "text", "truncated-jpeg", "truncated-tiff", "gif-bomb", "truncated-png"]
    bad = [str(UNUSABLE[kind](tmp_path / f"{number}-{kind}")) for number, kind in enumerate(kinds)]
    good = str(write_jpeg(tmp_path / "good.jpg"))
    with pytest.raises(DataError) as caught:
        prepare_photos([*reversed(bad), good, str(tmp_path / "3-absent")], IMAGE)
    message = str(caught.value)
    assert message.startswith("8 of 9 photos cannot be used: ")
    assert f"{bad[0]!r}: empty file; {bad[1]!r}: too large: 30,000 × 30,000 pixels" in message
    assert f"{bad[2]!r}: not an image that can be read" in message
    assert f"'{tmp_path / '3-absent'}': No such file or directory" in message
    assert f"{bad[3]!r}: truncated: the file ends before the picture does and 3 more. Repair or remove them" in message
    assert "tiff" not in message
    with pytest.raises(DataError, match="^1 of 2 photos cannot be used: "):
        prepare_photos([bad[0], good], IMAGE)


def test_a_header_cut_anywhere_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    for kind in ("jpeg", "png", "animated-gif", "bmp"):
        contents = USABLE[kind](tmp_path / kind).read_bytes()
        reasons = {find_header_problem(contents[:length]) for length in range(min(80, len(contents)))}
        assert "empty file" in reasons
        assert any(reason.startswith("truncated: ") for reason in reasons)


# Reading for evaluation


def test_photos_are_read_in_order_in_batches(examples: list[Example]) -> None:
    files = prepare_photos([example.path for example in examples], IMAGE).files
    batches = list(read_photos(files, SIZE_PX, 16).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [16, 16, 8]
    assert (np.concatenate(batches) == load_cached(files, SIZE_PX)).all()
