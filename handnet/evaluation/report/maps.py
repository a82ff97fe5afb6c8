"""Maps of the embeddings in two dimensions as pictures: t-SNE, and UMAP where umap-learn is installed."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handnet.console import Echo
from handnet.data.plain_names import draw_plain_names
from handnet.evaluation.report.projector import rank_rows
from handnet.files import write_with
from handnet.metrics.embedded import EmbeddedPart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = npt.NDArray[np.float64]
_MARKERS = {"dorsal": "o", "palmar": "^", "": "o"}
_VIEW_COLORS = {"dorsal": "#1f6f8b", "palmar": "#d1495b", "": "#555555"}
_VIEW_NAMES = {"dorsal": "back", "palmar": "palm", "": "photo"}
_PERPLEXITY = 30.0
_MAX_NAMED = 20
# From here on t-SNE is worth more threads.
_MANY_PHOTOS = 2000


def draw_maps(
    folder: Path, part: EmbeddedPart, part_names: Sequence[str], seed: int = 0, echo: Echo = print
) -> list[Path]:
    """Draw a picture for each kind of map: coloured by person on the left, by view on the right.

    Args:
        folder: where `tsne.png` and `umap.png` go.
        part: embedded photos.
        part_names: the part of the split of each photo; the title names them.
        seed: random seed for the maps.
        echo: told where a map is left out.

    Returns:
        The files written; none for fewer than ten photos.

    Raises:
        DiskError: the folder cannot be written.
    """
    if len(part.embeddings) < 10:
        echo("no maps: they need at least ten photos")
        return []
    written = []
    for name, compute in MAPS.items():
        try:
            points = compute(part.embeddings, seed)
        except ImportError as error:
            echo(f"no {name} map: {error}. Install it: pip install 'handnet[maps]'")
            continue
        file = folder / f"{name.lower().replace('-', '')}.png"
        _draw(file, name, points, part, part_names)
        written.append(file)
    return written


def compute_tsne(embeddings: npt.NDArray[np.floating], seed: int) -> Points:
    """Return t-SNE's map by cosine distance, float64 (N, 2).

    Reference:
        van der Maaten and Hinton, Visualizing Data using t-SNE, 2008; perplexity 30, or less where photos are few.
    """
    # A second to import.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(_PERPLEXITY, (len(embeddings) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    # A thousand steps of a tenth of a millisecond each: more threads wait for each other for twenty times as long as one works.
    # The map is the same to the bit.
    with threadpool_limits(1 if len(embeddings) < _MANY_PHOTOS else None):
        return np.asarray(tsne.fit_transform(embeddings), np.float64)


def compute_umap(embeddings: npt.NDArray[np.float32], seed: int) -> Points:
    """Return UMAP's map by cosine distance, float64 (N, 2).

    Reference:
        McInnes, Healy and Melville, UMAP, 2018; 15 neighbours.

    Raises:
        ImportError: umap-learn is not installed.
    """
    with warnings.catch_warnings():
        # It warns that a seed makes it run on one core.
        warnings.simplefilter("ignore")
        from umap import UMAP

        neighbors = min(15, len(embeddings) - 1)
        reducer: Any = UMAP(n_components=2, n_neighbors=neighbors, metric="cosine", random_state=seed)
        return np.asarray(reducer.fit_transform(embeddings), np.float64)


@draw_plain_names()
def _draw(file: Path, name: str, points: Points, part: EmbeddedPart, part_names: Sequence[str]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_people(left, points, part)
    _draw_views(right, points, part)
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
    parts = ", ".join(dict.fromkeys(part_names))
    people = len(np.unique(part.identities))
    figure.suptitle(
        f"{name} of {len(points):,} photos of {people} people ({parts}); distances between groups mean little"
    )
    write_with(file, lambda draft: figure.savefig(draft, format="png", dpi=110))


def _draw_people(axes: "Axes", points: Points, part: EmbeddedPart) -> None:
    from matplotlib import colormaps

    people = np.unique(part.identities)
    # Neighbours in the list get colours far apart, so that they are told from each other.
    colors = colormaps["turbo"](np.modf(np.arange(len(people)) * 0.61803)[0] * 0.9 + 0.05)
    for person, color in zip(people, colors, strict=True):
        own = part.identities == person
        for view, marker in _MARKERS.items():
            mine = points[own & (part.views == view)]
            axes.scatter(mine[:, 0], mine[:, 1], s=22, marker=marker, color=color, linewidths=0)
        if len(people) <= _MAX_NAMED:
            name_person(axes, person, points[own], color)
    axes.set_title("colour: person; ● back, ▲ palm" if (part.views != "").any() else "colour: person or class")


def name_person(axes: "Axes", person: str, points: Points, color: Any) -> None:
    """Write a person's whole name next to that photo which lies the nearest to the middle of theirs, in their colour."""
    middle = points[np.argmin(np.linalg.norm(points - np.median(points, axis=0), axis=1))]
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": color, "linewidth": 0.8, "alpha": 0.85}
    axes.annotate(person, middle, (6, 6), textcoords="offset points", fontsize=8, bbox=box)


def _draw_views(axes: "Axes", points: Points, part: EmbeddedPart) -> None:
    for view in np.unique(part.views):
        mine = part.views == view
        label = f"{_VIEW_NAMES[view]} ({int(mine.sum()):,})"
        axes.scatter(
            points[mine, 0],
            points[mine, 1],
            s=18,
            marker=_MARKERS[view],
            color=_VIEW_COLORS[view],
            linewidths=0,
            label=label,
        )
    if (part.views == "").all():
        axes.legend(loc="best", fontsize=9, framealpha=0.85)
        axes.set_title("all photos")
        return
    missed = rank_rows(part) > 1
    axes.scatter(
        points[missed, 0],
        points[missed, 1],
        s=70,
        facecolors="none",
        edgecolors="black",
        linewidths=0.8,
        label=f"other view not found first ({int(missed.sum()):,})",
    )
    axes.legend(loc="best", fontsize=9, framealpha=0.85)
    axes.set_title("colour: view; ring: another person is nearer")


# By the name in the title; the file is named after it in small letters.
MAPS: dict[str, Callable[[npt.NDArray[np.float32], int], Points]] = {"t-SNE": compute_tsne, "UMAP": compute_umap}
