from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from handnet.config.augmentation import NO_AUGMENTATION, AugmentConfig
from handnet.training.callbacks.pictures import (
    TrainingPictures,
    draw_augmented,
    draw_sheet,
    find_examples,
    split_distances,
)

PEOPLE = np.array(["a", "a", "b", "b"])
VIEWS = np.array(["dorsal", "palmar", "dorsal", "palmar"])
# Backs of a and b along the axes; a's palm with its back, b's palm between the two.
VECTORS = np.array([[1, 0], [1, 0], [0, 1], [np.sqrt(0.5), np.sqrt(0.5)]], np.float32)


def test_distances_are_those_of_back_to_palm_pairs() -> None:
    genuine, impostor = split_distances(VECTORS, PEOPLE, VIEWS)
    # |a − a| = 0, |b − (1,1)/√2| = √(2 − √2); impostors: a's back to b's palm √(2 − √2), b's back to a's palm √2.
    np.testing.assert_allclose(sorted(genuine), [0, np.sqrt(2 - np.sqrt(2))], atol=1e-4)
    np.testing.assert_allclose(sorted(impostor), [np.sqrt(2 - np.sqrt(2)), np.sqrt(2)], atol=1e-4)


def test_examples_are_the_nearest_palms_of_different_people() -> None:
    queries, found = find_examples(VECTORS, PEOPLE, VIEWS, num_queries=2)
    assert queries.tolist() == [0, 2]
    assert found.tolist() == [[1, 3], [3, 1]]


def test_a_sheet_has_a_frame_of_its_colour_around_each_photo() -> None:
    grid = np.stack([np.full((1, 10, 10, 3), 50 * k, np.uint8) for k in range(3)], axis=1)
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    sheet = draw_sheet(grid, colors)
    assert sheet.shape == (96, 288, 3)
    assert sheet[0, [0, 96, 192]].tolist() == colors[0].tolist()
    assert sheet[48, [48, 144, 240], 0].tolist() == [0, 50, 100]


def test_augmentation_samples_change_with_the_draw_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    still = draw_augmented(images, NO_AUGMENTATION, 255, seed=3)
    tiles = still.reshape(2, 96, 5, 96, 3)[:, 3:-3, :, 3:-3]
    assert (tiles == tiles[:, :, :1]).all(), "without augmentation all are the photo itself"
    changed = draw_augmented(images, AugmentConfig(), 255, seed=3)
    assert (changed == draw_augmented(images, AugmentConfig(), 255, seed=3)).all()
    assert (changed != still).any()


def test_training_leaves_rate_distances_and_pictures(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    files = [tmp_path / f"{k}.raw" for k in range(4)]
    for file, image in zip(files, images, strict=True):
        file.write_bytes(image.tobytes())
    names = [str(file) for file in files]
    pictures = TrainingPictures(
        tmp_path / "board",
        lambda: VECTORS,
        names,
        list(PEOPLE),
        list(VIEWS),
        16,
        names[:2],
        AugmentConfig(),
        255,
        every=2,
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.3, 0.2, 0.1])
    model.compile(keras.optimizers.SGD(rate), "mse")
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    model.fit(x, y, batch_size=2, epochs=3, callbacks=[pictures], verbose=0)
    (folder,) = (tmp_path / "board").iterdir()
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    steps = {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}
    assert steps == {
        "augmentation": [0],
        "learning_rate": [0, 1, 2],
        "distance/genuine": [0, 1, 2],
        "distance/impostor": [0, 1, 2],
        "retrieval": [0, 2],
    }
    rates = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors("learning_rate")]
    # Two steps an epoch; the schedule has 0.3 up to and with step 2, then 0.2 up to step 4.
    assert rates == pytest.approx([0.3, 0.2, 0.1])


def test_without_validation_people_the_rate_alone_is_written(tmp_path: Path) -> None:
    pictures = TrainingPictures(tmp_path, lambda: VECTORS, [], [], [], 16, [], NO_AUGMENTATION, 255)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 2)), np.ones((2, 1)), epochs=1, callbacks=[pictures], verbose=0)
    (folder,) = tmp_path.iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Tags()["tensors"] == ["learning_rate"]
