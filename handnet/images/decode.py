"""The one decode, orientation, crop and resize of a photo: one TensorFlow function for training, evaluation and serving.

Only core TensorFlow operations are used, so that the same function is part of the exported graph.
"""

from collections.abc import Sequence
from dataclasses import replace

import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.images.antialias import resize_antialiased
from handnet.images.blank_check import is_blank
from handnet.images.hand.crop import crop_hand
from handnet.images.hand.front_end import Hands, find_hands
from handnet.images.hand.landmark_crop import crop_by_landmarks
from handnet.images.hand.palm_crop import crop_by_palm
from handnet.images.hand.warped_crop import crop_warped
from handnet.images.hand_models.models import share_hand_models
from handnet.images.orientation import read_orientation

# Like the published baselines: the short side becomes 256/224 of the square, whose middle is taken.
CENTER_CROP_SCALE = 256 / 224
# The photo is decoded at 1/2, 1/4 or 1/8 by the JPEG library where that still leaves this many times the wanted size,
# so that the antialiased resize, not the JPEG library's scaling, decides the pixels.
_OVERSAMPLING = 1.5
# A hand that takes a quarter of its photo still fills its crop with pixels of its own, and landmarks are found in this many.
_HAND_OVERSAMPLING, _FINDER_PX = 4, 512
# A pixel of the hand differs from the neutral background by more than this, of 255, in one channel at least.
_STANDS_OUT = 12
_LEAST_HAND_FRACTION = 0.05
# Fewer pixels on the shorter side show no hand that could be told from another.
_LEAST_HAND_PHOTO_PX = 24


def load_photo(contents: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Turn the bytes of a JPEG, PNG, GIF (first frame) or 24-bit BMP file into a square picture.

    Args:
        contents: scalar string tensor, the bytes of the file.
        config: size, fit, crop and background.

    Returns:
        uint8 (size_px, size_px, 3), RGB, upright as its EXIF orientation says.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a picture in one of these formats.
    """
    return fit_photo(read_photo(contents, config), config)


def read_photo(contents: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Decode a photo whole and turn it upright, uint8 (H, W, 3), large enough for `fit_photo`; raises as `load_photo`."""
    return orient(decode(contents, config), read_orientation(contents))


def find_hand(photo: tf.Tensor, config: ImageConfig, num_hands: int = 1) -> Hands | None:
    """Return the surest hand or hands of an upright photo (H, W, 3), by landmarks; None where crops do not go by them.

    Raises:
        WeightsError: the networks that find landmarks are missing.
    """
    assert config.hand_finder != "auto", "chosen before photos are decoded, by `handnet.images.finder_choice`"
    return find_hands(photo, share_hand_models(), num_hands) if config.hand_finder == "landmarks" else None


def fit_photo(photo: tf.Tensor, config: ImageConfig, hand: Hands | None = None) -> tf.Tensor:
    """Turn an upright photo into the square that the network sees.

    Args:
        photo: uint8 (H, W, 3).
        config: size, fit, crop, background and hand finder.
        hand: what `find_hand` gives for it, where that is known already.

    Returns:
        uint8 (size_px, size_px, 3); a photo of that size is not changed unless it is cropped.

    Raises:
        WeightsError: the networks that find landmarks are needed and missing.
    """
    if config.crop == "several":
        hand = find_hand(photo, config) if hand is None else hand
        return lay_tiles([fit_photo(photo, tile, hand if tile.is_hand_crop else None) for tile in config.tiles], config)
    if config.crop == "middle":
        before = tf.shape(photo)[:2] // 4
        after = tf.shape(photo)[:2] - before
        square = resize(photo[before[0] : after[0], before[1] : after[1]], config)
    elif config.crop == "hand-and-photo":
        square = combine_crop_and_photo(photo, config, hand)
    else:
        square = resize(photo, config) if config.crop == "none" else crop_to_hand(photo, config, hand)
    return tf.cast(tf.round(tf.clip_by_value(square, 0.0, 255.0)), tf.uint8)


def crop_to_hand(photo: tf.Tensor, config: ImageConfig, hand: Hands | None = None) -> tf.Tensor:
    """Cut the hand out of an upright photo as `image.crop` says, for "none" as for "hand".

    Args:
        photo: (H, W, 3), 0..255.
        config: size, crop, background and hand finder.
        hand: what `find_hand` gives for it, where that is known already.

    Returns:
        float32 (S, S, 3), 0..255; all background where no hand is found.
    """
    size, ground = config.size_px, float(config.background)
    mirror = config.crop == "hand-canonical"
    turn = mirror or config.crop == "hand-upright"
    hand = find_hand(photo, config) if hand is None else hand
    if hand is None:
        return crop_hand(photo, size, canonical=turn, mirror=mirror, background=ground)
    if config.crop == "hand-palm":
        crop = crop_by_palm(photo, hand.landmarks[0], size, background=ground)
    elif config.crop == "hand-warped":
        crop = crop_warped(photo, hand.landmarks[0], size, background=ground)
    else:
        crop = crop_by_landmarks(photo, hand.landmarks[0], size, canonical=turn, mirror=mirror, background=ground)
    return tf.where(hand.found[0], crop, ground)


def lay_tiles(tiles: Sequence[tf.Tensor], config: ImageConfig) -> tf.Tensor:
    """Lay the crops of `image.crop = "several"` into one picture, row by row; what is left over is background.

    Args:
        tiles: (s, s, 3) each, of one type, in the order of `image.crops`.
        config: `size_px`, a multiple of s, and `background`.

    Returns:
        (size_px, size_px, 3) of the same type.
    """
    side = config.tiles_per_side
    blank = tf.fill(tf.shape(tiles[0]), tf.cast(config.background, tiles[0].dtype))
    filled = [*tiles, *[blank] * (side * side - len(tiles))]
    rows = [tf.concat(filled[begin : begin + side], axis=1) for begin in range(0, side * side, side)]
    return tf.ensure_shape(tf.concat(rows, axis=0), (config.size_px, config.size_px, 3))


def cut_tiles(picture: tf.Tensor, config: ImageConfig) -> list[tf.Tensor]:
    """Return the crops that `lay_tiles` has laid into a picture (S, S, 3)."""
    side, size = config.tiles_per_side, config.size_px // config.tiles_per_side
    places = [divmod(number, side) for number in range(len(config.tiles))]
    return [picture[row * size : (row + 1) * size, column * size : (column + 1) * size] for row, column in places]


def is_usable(photo: tf.Tensor, square: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Return whether a photo shows something and, where it is cropped to the hand, one in enough pixels: bool scalar.

    Args:
        photo: uint8 (H, W, 3), upright, as `read_photo` gives it.
        square: uint8 (S, S, 3) from `fit_photo`.
        config: of both.
    """
    shows_something = ~is_blank(photo)
    if not config.is_hand_crop:
        return shows_something
    return shows_something & shows_hand(square, config) & (tf.reduce_min(tf.shape(photo)[:2]) >= _LEAST_HAND_PHOTO_PX)


def shows_hand(square: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Return whether a square that was cropped to the hand shows one: bool scalar; without such a crop always true.

    Where no hand is found the crop is empty, and all empty crops have one and the same vector: without this two photos of
    nothing would be a perfect match. A hand fills about a third of its crop.

    Args:
        square: uint8 (S, S, 3) from `fit_photo`.
        config: `crop` and `background`.
    """
    if not config.is_hand_crop:
        return tf.constant(True)
    if config.crop == "several":
        pairs = zip(cut_tiles(square, config), config.tiles, strict=True)
        return tf.reduce_all([shows_hand(picture, tile) for picture, tile in pairs])
    if config.crop == "hand-and-photo":
        side = config.size_px - config.size_px // 3
        square = square[:side, :side]
    stands_out = tf.reduce_any(tf.abs(tf.cast(square, tf.int32) - config.background) > _STANDS_OUT, axis=-1)
    return tf.reduce_mean(tf.cast(stands_out, tf.float32)) >= _LEAST_HAND_FRACTION


def combine_crop_and_photo(photo: tf.Tensor, config: ImageConfig, hand: Hands | None = None) -> tf.Tensor:
    """Lay the hand alone and the whole photo into one picture, for `image.crop = "hand-and-photo"`.

    Args:
        photo: upright, (H, W, 3), 0..255.
        config: `size_px`, a multiple of 3, `background` and `hand_finder`.
        hand: what `find_hand` gives for it, where that is known already.

    Returns:
        float32 (S, S, 3), 0..255: the upper left two thirds are the canonical crop of the hand, the lower right third is
        the photo, stretched; the rest is background.
    """
    size, third = config.size_px, config.size_px // 3
    hand = crop_to_hand(photo, replace(config, size_px=size - third, crop="hand-canonical"), hand)
    small = _resize_to(photo, tf.constant([third, third]))
    ground = float(config.background)
    upper = tf.pad(hand, [[0, third], [0, third], [0, 0]], constant_values=ground)
    lower = tf.pad(small, [[size - third, 0], [size - third, 0], [0, 0]], constant_values=ground)
    return tf.ensure_shape(upper + lower - ground, (size, size, 3))


def decode(contents: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Decode to uint8 (H, W, 3) RGB; a JPEG much larger than the square needs is decoded at 1/2, 1/4 or 1/8 of its size.

    Grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is dropped; of an animation the first frame is taken.
    """
    return decode_at_least(contents, int(_OVERSAMPLING * find_needed_px(config)), short_side=is_filled(config))


def decode_at_least(contents: tf.Tensor, wanted_px: int, *, short_side: bool = False) -> tf.Tensor:
    """Decode as `decode` does; a JPEG is shrunk to 1/2, 1/4 or 1/8 where its longer side then still has `wanted_px`.

    Args:
        contents: scalar string tensor, the bytes of the file.
        wanted_px: how large it must stay.
        short_side: let the shorter side decide.
    """
    is_jpeg = tf.equal(tf.strings.substr(contents, 0, 3), b"\xff\xd8\xff")

    def decode_scaled() -> tf.Tensor:
        sides = tf.io.extract_jpeg_shape(contents)[:2]
        side_px = tf.reduce_min(sides) if short_side else tf.reduce_max(sides)
        index = tf.cast(side_px >= 2 * wanted_px, tf.int32)
        index += tf.cast(side_px >= 4 * wanted_px, tf.int32) + tf.cast(side_px >= 8 * wanted_px, tf.int32)
        branches = [lambda ratio=ratio: _decode_jpeg(contents, ratio) for ratio in (1, 2, 4, 8)]
        return tf.switch_case(index, branches)

    def decode_other() -> tf.Tensor:
        return tf.io.decode_image(contents, channels=3, expand_animations=False)

    photo = tf.cond(is_jpeg, decode_scaled, decode_other)
    photo.set_shape((None, None, 3))
    return photo


def is_filled(config: ImageConfig) -> bool:
    """Return whether the photo's short side fills the square, so that the short side decides how large it must be decoded."""
    if config.crop == "several":
        return any(is_filled(tile) for tile in config.tiles)
    return config.crop in ("none", "middle") and config.fit in ("stretch", "center-crop")


def find_needed_px(config: ImageConfig) -> int:
    """Return how many pixels the side that decides must have: the square's own, more where a part of the photo fills it."""
    if config.crop == "several":
        return max(find_needed_px(tile) for tile in config.tiles)
    if config.hand_finder == "landmarks":
        return max(_HAND_OVERSAMPLING * config.size_px, _FINDER_PX)
    needed = round(config.size_px * CENTER_CROP_SCALE) if config.fit == "center-crop" else config.size_px
    return 2 * needed if config.crop == "middle" else needed


def _decode_jpeg(contents: tf.Tensor, ratio: int) -> tf.Tensor:
    return tf.io.decode_jpeg(contents, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")


def orient(photo: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn a decoded photo upright.

    Args:
        photo: (H, W, 3).
        orientation: int32 scalar 1..8 as EXIF defines it.
    """
    transpose = lambda picture: tf.transpose(picture, (1, 0, 2))  # noqa: E731
    branches = [
        lambda: photo,
        lambda: photo[:, ::-1],
        lambda: photo[::-1, ::-1],
        lambda: photo[::-1],
        lambda: transpose(photo),
        lambda: transpose(photo)[:, ::-1],
        lambda: transpose(photo)[::-1, ::-1],
        lambda: transpose(photo)[::-1],
    ]
    upright = tf.switch_case(orientation - 1, branches)
    upright.set_shape((None, None, 3))
    return upright


def resize(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Resize to a square with antialiasing.

    Args:
        photo: (H, W, 3), 0..255.
        config: `size_px`, `fit` and `background`.

    Returns:
        float32 (size_px, size_px, 3), 0..255.
    """
    size = config.size_px
    shape = tf.shape(photo)
    if config.fit == "stretch":
        square = _resize_to(photo, tf.constant([size, size]))
    elif config.fit == "center-crop":
        short = tf.cast(tf.reduce_min(shape[:2]), tf.float32)
        scale = round(size * CENTER_CROP_SCALE) / short
        square = _resize_to(photo, _scaled(shape, scale, size))
        square = tf.image.resize_with_crop_or_pad(square, size, size)
    else:
        scale = size / tf.cast(tf.reduce_max(shape[:2]), tf.float32)
        height_width = tf.minimum(_scaled(shape, scale, 1), size)
        fitted = _resize_to(photo, height_width)
        before = (size - height_width) // 2
        after = size - height_width - before
        padding = [[before[0], after[0]], [before[1], after[1]], [0, 0]]
        square = tf.pad(fitted, padding, constant_values=float(config.background))
    return tf.ensure_shape(square, (size, size, 3))


def _resize_to(photo: tf.Tensor, height_width: tf.Tensor) -> tf.Tensor:
    return resize_antialiased(photo[tf.newaxis], height_width)[0]


def _scaled(shape: tf.Tensor, scale: tf.Tensor, least: int) -> tf.Tensor:
    scaled = tf.cast(tf.round(tf.cast(shape[:2], tf.float32) * scale), tf.int32)
    return tf.maximum(scaled, least)
