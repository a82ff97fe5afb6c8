"""Files for TensorBoard's embedding projector: vectors, labels and thumbnails, written by hand.

Keras' own callback for it is broken (keras issue 20210), and TensorFlow's writer needs a checkpoint; the projector itself
reads plain files.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from handnet.data.photo_files import escape_name
from handnet.errors import EvaluationError
from handnet.files import write_bytes, write_with
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.protocols import rank_photos
from handnet.metrics.ranking import DIRECTIONS

# Browsers hold a texture of 8192 pixels a side; the projector asks for the same limit.
MAX_SPRITE_PX = 8192
MAX_THUMBNAIL_PX = 64
MIN_THUMBNAIL_PX = 16
MAX_PHOTOS = (MAX_SPRITE_PX // MIN_THUMBNAIL_PX) ** 2
_MAX_TEXT = 60
TENSOR_NAME = "hands"
# What a bookmark is called → the column of labels.tsv that gives its colours.
_BOOKMARKS = {"coloured by person": "person", "coloured by view": "view", "who is not found": "error"}


def write_projector(
    folder: Path, part: EmbeddedPart, part_names: Sequence[str], pictures: Iterable[npt.NDArray[np.uint8]]
) -> None:
    """Write what `tensorboard --logdir FOLDER` shows in its tab Projector.

    Args:
        folder: where the files go: `projector_config.pbtxt`, `vectors.tsv`, `labels.tsv`, `thumbnails.png`
            and `bookmarks.txt`, views that are coloured already.
        part: N embedded photos with their labels.
        part_names: N names of the parts of the split.
        pictures: N photos, uint8 (H, W, 3), in the same order; looked at one after another.

    Raises:
        EvaluationError: no photos, more than thumbnails fit into one picture, or not one name and picture for each.
        DiskError: the folder cannot be written.
    """
    count = len(part.embeddings)
    if not 0 < count <= MAX_PHOTOS:
        raise EvaluationError(f"The projector shows 1 to {MAX_PHOTOS:,} photos. Received: {count:,}.")
    side_px = choose_thumbnail_px(count)
    vectors = "".join("\t".join(f"{x:.7g}" for x in row) + "\n" for row in part.embeddings)
    write_bytes(folder / "vectors.tsv", vectors.encode())
    write_bytes(folder / "labels.tsv", format_labels(part, part_names).encode())
    states = [_build_state(part, column, label) for label, column in _BOOKMARKS.items()]
    write_bytes(folder / "bookmarks.txt", (json.dumps(states) + "\n").encode())
    sprite = draw_sprite(pictures, count, side_px)
    write_with(folder / "thumbnails.png", lambda draft: sprite.save(draft, format="PNG"))
    # Last, since TensorBoard looks for it.
    write_bytes(folder / "projector_config.pbtxt", format_config(count, part.embeddings.shape[1], side_px).encode())


def _build_state(part: EmbeddedPart, column: str, label: str) -> dict[str, Any]:
    """Return a bookmark: the projector opens uncoloured, and one click on this shows the principal components in colour.

    Args:
        part: N embedded photos.
        column: of labels.tsv, by which it is coloured.
        label: what the bookmark is called.

    Reference:
        tensorboard/plugins/projector/vz_projector/data.ts, class State.
    """
    return {
        "label": label,
        "isSelected": False,
        "dataSetDimensions": list(part.embeddings.shape),
        "selectedProjection": "pca",
        "pcaComponentDimensions": [0, 1, 2],
        "tSNEIteration": 0,
        "tSNEPerplexity": 0,
        "tSNELearningRate": 0,
        "tSNEis3d": True,
        "umapIs3d": True,
        "umapNeighbors": 15,
        "umapMinDist": 0.1,
        "customSelectedSearchByMetadataOption": "person",
        **{f"custom{side}Text": "" for side in ("XLeft", "XRight", "YUp", "YDown")},
        **{f"custom{side}Regex": False for side in ("XLeft", "XRight", "YUp", "YDown")},
        # Computed by the projector when they are shown.
        "projections": [],
        "filteredPoints": None,
        "selectedPoints": [],
        "cameraDef": {
            "orthographic": False,
            "position": [0.1, 0.9, 1.65],
            "target": [0, 0, 0],
            "zoom": 1,
        },
        "selectedColorOptionName": column,
        "selectedLabelOption": "person",
        # Names of people that look like numbers would be a gradient.
        "forceCategoricalColoring": True,
    }


def choose_thumbnail_px(count: int) -> int:
    """Return the side of a thumbnail so that a square of `count` of them fits into a browser's texture."""
    return min(MAX_THUMBNAIL_PX, MAX_SPRITE_PX // math.ceil(math.sqrt(count)))


def draw_sprite(pictures: Iterable[npt.NDArray[np.uint8]], count: int, side_px: int) -> Image.Image:
    """Put thumbnails into one square picture, row by row, as the projector cuts it up.

    Args:
        pictures: `count` photos, uint8 (H, W, 3).
        count: how many there are.
        side_px: of a thumbnail.

    Raises:
        EvaluationError: another number of pictures.
    """
    columns = math.ceil(math.sqrt(count))
    # The projector takes the sprite for a square of thumbnails: it needs as many rows as columns, empty ones included.
    sprite = Image.new("RGB", (columns * side_px, columns * side_px), "white")
    number = -1
    for number, picture in enumerate(pictures):
        if number < count:
            thumbnail = Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.LANCZOS)
            sprite.paste(thumbnail, (number % columns * side_px, number // columns * side_px))
    if number + 1 != count:
        raise EvaluationError(f"Expected a picture for each of {count} photos. Received: {number + 1}.")
    return sprite


def format_labels(part: EmbeddedPart, part_names: Sequence[str]) -> str:
    """Return the labels as a table with a header: person, view, side, split, file, error, rank and every attribute.

    Args:
        part: N embedded photos.
        part_names: N names of the parts of the split.

    Raises:
        EvaluationError: not one name for each photo.
    """
    if len(part_names) != len(part.embeddings):
        raise EvaluationError(f"Expected {len(part.embeddings)} names of parts. Received: {len(part_names)}.")
    ranks = rank_rows(part)
    keys = sorted({key for row in part.attributes for key in row})
    header = ["person", "view", "side", "split", "error", "rank", "file", *keys]
    rows = [header]
    for i, rank in enumerate(ranks):
        error = "" if rank == 0 else "found" if rank == 1 else "missed"
        fixed = [part.identities[i], part.views[i], part.sides[i], part_names[i], error, str(rank or "")]
        rows.append([*fixed, escape_name(Path(part.paths[i]).name), *(part.attributes[i].get(key, "") for key in keys)])
    return "".join("\t".join(_clean(cell) for cell in row) + "\n" for row in rows)


def rank_rows(part: EmbeddedPart) -> npt.NDArray[np.int64]:
    """Return for each photo the rank of its person's nearest photo of the other view; 0 where there is none to find."""
    ranks = np.zeros(len(part.embeddings), np.int64)
    for direction in DIRECTIONS:
        try:
            outcome = rank_photos(part, direction)
        except EvaluationError:
            # Fewer than two people with both views: there is nothing to find, and the map is of use all the same.
            continue
        ranks[outcome.rows] = outcome.ranking.ranks
    return ranks


def format_config(num_photos: int, num_dimensions: int, thumbnail_px: int) -> str:
    """Return `projector_config.pbtxt`; paths are relative to its folder.

    Reference:
        tensorboard/plugins/projector/projector_config.proto.
    """
    return (
        "embeddings {\n"
        f'  tensor_name: "{TENSOR_NAME}"\n'
        f"  tensor_shape: {num_photos}\n"
        f"  tensor_shape: {num_dimensions}\n"
        '  tensor_path: "vectors.tsv"\n'
        '  metadata_path: "labels.tsv"\n'
        '  bookmarks_path: "bookmarks.txt"\n'
        "  sprite {\n"
        '    image_path: "thumbnails.png"\n'
        f"    single_image_dim: {thumbnail_px}\n"
        f"    single_image_dim: {thumbnail_px}\n"
        "  }\n"
        "}\n"
    )


def _clean(text: str) -> str:
    """Return text that cannot break the table: no tabs, line ends or other control characters, and not too long."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:_MAX_TEXT]
