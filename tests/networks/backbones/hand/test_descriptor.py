"""The descriptor of an upright hand."""

import keras
import numpy as np

from handnet.networks.backbones.hand.descriptor import GROUPS, HandDescriptor, resize_rows
from tests.networks.backbones.hand.hands import draw_hand


def test_resize_agrees_with_tensorflow():
    import tensorflow as tf

    line = np.random.default_rng(0).uniform(0, 255, (1, 128, 1, 1)).astype(np.float32)
    for target in (96, 64, 150):
        theirs = tf.image.resize(line, (target, 1), antialias=True).numpy()[0, :, 0, 0]
        np.testing.assert_allclose(resize_rows(128, target) @ line[0, :, 0, 0], theirs, atol=1e-2)


def test_gradients_are_counted_where_and_how_they_run():
    # A vertical edge on the left half: the gradient runs right (orientation 0), in the columns of cells about the edge.
    image = np.full((1, 128, 128, 3), 200.0, np.float32)
    image[:, :, :40] = 60.0
    described = keras.ops.convert_to_numpy(HandDescriptor()(image))[0]
    fine = described[: GROUPS[0].width].reshape(8, 8, 8)
    assert np.argmax(fine.sum(axis=(1, 2))) == 0
    assert np.argmax(fine[0].sum(axis=0)) == 2, "pixel 40 lies in the third cell of 16"
    turned = keras.ops.convert_to_numpy(HandDescriptor()(image.transpose(0, 2, 1, 3)))[0]
    assert np.argmax(turned[: GROUPS[0].width].reshape(8, 8, 8).sum(axis=(1, 2))) == 4, "a quarter turn is 4 of 8 bins"


def test_descriptor_does_not_see_what_is_not_there_and_sees_what_is():
    described = {
        name: keras.ops.convert_to_numpy(HandDescriptor()(image[np.newaxis]))[0]
        for name, image in (("hand", draw_hand()), ("darker", np.where(draw_hand() > 250, 255, draw_hand() * 0.8)))
    }
    begin = 0
    change = {}
    for group in GROUPS:
        part = slice(begin, begin + group.width)
        change[group.name] = np.abs(described["hand"][part] - described["darker"][part]).max() * group.deviation
        begin += group.width
    assert begin == len(described["hand"])
    assert change["outline"] < 0.02, "the outline knows no light"
    assert change["skin colour"] > 0.15
