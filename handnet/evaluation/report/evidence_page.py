"""evidence.html: which places of two photos make their similarity, on one page that needs nothing but itself."""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from handnet.evaluation.evidence import Evidence
from handnet.evaluation.report.render import render
from handnet.files import write_bytes
from handnet.networks.feature_places import GRID

_NUM_LINES = 8
# Of the drawing, in its own units: the side of a picture, and where the second one begins.
_SIDE, _SECOND = 320, 440
_CELL = _SIDE / GRID


class Tile(NamedTuple):
    """A cell of a heat map: its corner, "good" (for the same person) or "bad" (against), how strong 0..1, and its number."""

    x: float
    y: float
    kind: str
    strength: float
    value: str


class Line(NamedTuple):
    """A line from a cell of the first picture to one of the second: its ends, its width, and its number."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    value: str


class HeatMap(NamedTuple):
    """Two pictures with a heat map on each.

    Attributes:
        tiles: of both pictures.
        lines: between them.
        caption: what it shows.
    """

    tiles: list[Tile]
    lines: list[Line]
    caption: str


def write_evidence(path: Path, evidence: Evidence, photos: tuple[str, str], threshold: float | None, run: str) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the page.
        evidence: of the two photos.
        photos: their names.
        threshold: score from which the run takes photos for one person's; None where it has none.
        run: its name.

    Raises:
        DiskError: a folder that cannot be written.
    """
    page = render(
        "evidence.html.j2",
        title="Why these photos are as similar as they are",
        verdict=_tell(evidence.score, threshold),
        photos=photos,
        run=run,
        drawn=draw_evidence(evidence),
    )
    write_bytes(path, page)


def draw_evidence(evidence: Evidence) -> dict[str, Any]:
    """Return what the macro show_evidence of a page shows: both pictures, the heat maps on them, and the shares by group."""
    shares = evidence.shares
    maps = []
    if shares is not None and shares.cells is not None and shares.pairs is not None:
        lines = list_lines(shares.pairs)
        joined = "lines join the pairs of places with the largest shares."
        if evidence.landmarks is not None:
            lines = list_landmark_lines(shares.pairs, evidence.landmarks)
            joined = "lines join the same places of both hands, wider where the cells around them share more."
        maps.append(HeatMap(list_tiles(shares.cells), lines, f"Each cell's share of the similarity; {joined}"))
    maps.append(
        HeatMap(
            list_tiles(evidence.occlusion),
            [],
            "By how much the similarity falls when a cell is painted over, measured.",
        )
    )
    return {
        "pictures": [_encode(picture) for picture in evidence.pictures],
        "maps": maps,
        "groups": list_groups(shares.groups) if shares is not None else [],
        "size": {"side": _SIDE, "second": _SECOND, "cell": _CELL},
    }


def list_tiles(cells: npt.NDArray[np.float64]) -> list[Tile]:
    """Return the heat maps of both pictures, (2, GRID, GRID), on one scale."""
    most = max(float(np.abs(cells).max()), 1e-9)
    return [
        Tile(
            photo * _SECOND + column * _CELL,
            row * _CELL,
            "good" if value >= 0 else "bad",
            round(abs(float(value)) / most, 3),
            f"{value:+.4f}",
        )
        for (photo, row, column), value in np.ndenumerate(cells)
    ]


def list_lines(pairs: npt.NDArray[np.float64]) -> list[Line]:
    """Return lines for the pairs of cells with the largest shares, (GRID², GRID²), the widest first."""
    order = np.argsort(-pairs, axis=None, kind="stable")[:_NUM_LINES]
    lines = []
    most = float(pairs.flat[order[0]])
    for index in order:
        first, second = np.unravel_index(index, pairs.shape)
        value = float(pairs[first, second])
        if value <= 0:
            break
        (x1, y1), (x2, y2) = (((cell % GRID + 0.5) * _CELL, (cell // GRID + 0.5) * _CELL) for cell in (first, second))
        lines.append(Line(x1, y1, x2 + _SECOND, y2, round(1 + 3 * value / most, 2), f"{value:+.4f}"))
    return lines


def list_landmark_lines(pairs: npt.NDArray[np.float64], landmarks: npt.NDArray[np.float64]) -> list[Line]:
    """Return a line for each landmark whose surroundings, three by three cells in either picture, speak for one person.

    Args:
        pairs: (GRID², GRID²) the share of each cell of the first picture with each of the second.
        landmarks: (2, 21, 2) as (y, x) in 0..1 of the pictures.
    """
    row, column = np.divmod(np.arange(GRID**2), GRID)
    own = np.clip((landmarks * GRID).astype(int), 0, GRID - 1)
    # (2, 21, GRID²)
    near = (np.abs(row - own[..., :1]) <= 1) & (np.abs(column - own[..., 1:]) <= 1)
    values = np.einsum("li,ij,lj->l", near[0].astype(float), pairs, near[1].astype(float))
    most = max(float(values.max()), 1e-9)
    places = np.round(np.clip(landmarks, 0, 1) * _SIDE, 1)
    return [
        Line(x1, y1, x2 + _SECOND, y2, round(0.5 + 4 * value / most, 2), f"{value:+.4f}")
        for (y1, x1), (y2, x2), value in zip(places[0].tolist(), places[1].tolist(), values.tolist(), strict=True)
        if value > 0
    ]


def list_groups(groups: dict[str, float]) -> list[dict[str, Any]]:
    """Return the rows of the table: name, share of the score, and the ends of its bar in per cent of the longest."""
    most = max(max(abs(value) for value in groups.values()), 1e-9)
    return [
        {
            "name": name,
            "value": f"{value:+.3f}",
            "kind": "good" if value >= 0 else "bad",
            "percent": round(100 * abs(value) / most, 1),
        }
        for name, value in groups.items()
    ]


def _tell(score: float, threshold: float | None) -> str:
    said = f"Their similarity is {score:.3f}"
    if threshold is None:
        return f"{said}. The run has no threshold yet: handnet eval chooses one."
    taken = "one person's" if score >= threshold else "two people's"
    return f"{said}; at the threshold of {threshold:.3f} they are taken for {taken}."


def _encode(picture: npt.NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
