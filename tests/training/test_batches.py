"""Batches of photos: whose, in which order, with which labels."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from handnet.config.augmentation import AugmentConfig
from handnet.config.image import ImageConfig
from handnet.config.settings import Config
from handnet.data.example import Example
from handnet.data.readers.hands11k import read_hands11k
from handnet.errors import DataError
from handnet.images.photo_store import load_cached, prepare_photos
from handnet.training.batches import Plan, build_training_data, label_identities, plan_training
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


@pytest.mark.slow
def test_the_seed_decides_photos_order_and_augmentation(examples: list[Example]) -> None:
    def build(seed: int) -> list[tuple[object, np.ndarray]]:
        return collect(tiny_config(train={"epochs": 2, "seed": seed}, augment=vars(AugmentConfig())), examples)[1]

    first, again, other = build(1), build(1), build(2)
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert not all((a[1] == b[1]).all() for a, b in zip(first, other, strict=True))
    assert (stack(first) != stack(other)).mean() > 0.1


@pytest.mark.slow
def test_the_order_does_not_depend_on_the_augmentation_nor_the_photos_on_the_network(examples: list[Example]) -> None:
    plain = collect(tiny_config(train={"epochs": 1}), examples)[1]
    augmented = collect(tiny_config(train={"epochs": 1}, augment=vars(AugmentConfig())), examples)[1]
    other = collect(tiny_config(train={"epochs": 1}, model={"embedding_size": 4}), examples)[1]
    assert all((a[1] == b[1]).all() for a, b in zip(plain, augmented, strict=True))
    assert (stack(plain) == stack(other)).all()
    assert (stack(plain) != stack(augmented)).any(axis=(2, 3, 4)).mean() > 0.9, "nearly every photo is changed"


@pytest.mark.slow
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


@pytest.mark.slow
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
