"""Which negatives each mining picks: the pictures and the table of docs/explainers/mining.md.

Command: python benchmarks/explain_mining.py

A batch of eight synthetic people with two backs and two palms each, drawn with seed 1, is described by the backbone of
`--arch hand` before any training; the mean of the batch is taken off and each vector brought to length 1. The distances are real,
and the triplets are those that handnet's own losses pick. The second picture has the trainings of explain_losses.py, seed 0.
"""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import numpy.typing as npt
from explain_losses import STEPS, build_systems, slopes_of_hard, slopes_of_semihard, train
from explainer_picture import Picture, place
from PIL import Image

from handnet.data.synthetic import draw_batch
from handnet.losses import build_loss
from handnet.losses.distances import pairwise_distances
from handnet.networks.backbones.build import build_backbone

SEED, PEOPLE, PHOTOS, SIDE_PX, MARGIN = 1, 8, 2, 192, 0.2
COLOURS = {"hard": "orange", "semi-hard": "blue", "easy": "grey"}
Floats = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """A batch of photos.

    Attributes:
        photos: uint8 (32, S, S, 3), backs and then palms.
        labels: int32 (32, 2) = [person, view].
        vectors: (32, D) of length 1.
        distances: (32, 32).
    """

    photos: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float32]
    distances: Floats


def describe_batch() -> Batch:
    """Draw the photos and describe them."""
    people = np.tile(np.repeat(np.arange(PEOPLE), PHOTOS), 2)
    views = np.repeat([0, 1], PEOPLE * PHOTOS)
    photos = draw_batch(SEED, people, views, np.ones_like(views), np.tile(np.arange(PHOTOS), 2 * PEOPLE), SIDE_PX)
    backbone = build_backbone("hand", image_size_px=SIDE_PX, weights="handnet-synthetic")
    features = np.asarray(backbone.predict_on_batch(photos), np.float64)
    features -= features.mean(axis=0)
    vectors = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    labels = np.stack([people, views], axis=1).astype(np.int32)
    return Batch(photos, labels, vectors, np.asarray(pairwise_distances(vectors, vectors, "l2"), np.float64))


def name_region(to_positive: float, to_negative: float, margin: float) -> str:
    """Return the region of a negative: nearer than the positive, within the margin beyond it, or farther."""
    if to_negative < to_positive:
        return "hard"
    return "semi-hard" if to_negative < to_positive + margin else "easy"


def count_regions(distances: Floats, labels: npt.NDArray[Any], margin: float) -> dict[str, float]:
    """Return the share of all triplets across the views in each region, in per cent."""
    counts = dict.fromkeys(COLOURS, 0)
    other_view = labels[:, None, 1] != labels[None, :, 1]
    same = labels[:, None, 0] == labels[None, :, 0]
    for anchor in range(len(labels)):
        to_positives = distances[anchor, same[anchor] & other_view[anchor]][:, None]
        to_negatives = distances[anchor, ~same[anchor] & other_view[anchor]][None]
        counts["hard"] += int(np.sum(to_negatives < to_positives))
        counts["easy"] += int(np.sum(to_negatives >= to_positives + margin))
        counts["semi-hard"] += int(np.sum((to_negatives >= to_positives) & (to_negatives < to_positives + margin)))
    total = sum(counts.values())
    return {name: 100 * count / total for name, count in counts.items()}


def choose_anchor(batch: Batch) -> int:
    """Return the back that shows the regions best: the fewest hard negatives, but two at least,

    with two semi-hard ones, and palms of its own that do not hide each other."""
    counted = []
    for anchor in range(PEOPLE * PHOTOS):
        positives, negatives = split_palms(batch, anchor)
        farthest = float(batch.distances[anchor, positives[-1]])
        regions = [name_region(farthest, float(batch.distances[anchor, row]), MARGIN) for row in negatives]
        apart = farthest - float(batch.distances[anchor, positives[0]])
        if min(regions.count("hard"), regions.count("semi-hard")) >= 2 and apart > MARGIN / 2:
            counted.append((regions.count("hard"), anchor))
    if not counted:
        raise SystemExit("no back shows all regions: choose another margin")
    return min(counted)[1]


def split_palms(batch: Batch, anchor: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the rows of the anchor's own palms and of the others', nearest first."""
    palms = np.flatnonzero(batch.labels[:, 1] != batch.labels[anchor, 1])
    palms = palms[np.argsort(batch.distances[anchor, palms])]
    own = batch.labels[palms, 0] == batch.labels[anchor, 0]
    return palms[own], palms[~own]


def list_triplets(batch: Batch, anchor: int) -> dict[str, list[tuple[int, int]]]:
    """Return the (positive, negative) that each mining learns from at this anchor, as the losses' gradients say."""
    positives, negatives = split_palms(batch, anchor)
    found = {}
    for mining, slopes_of in (("hard", slopes_of_hard), ("semihard", slopes_of_semihard)):
        loss: Any = build_loss("triplet", {"mining": mining, "margin": MARGIN, "views": "cross"})
        slopes = slopes_of(loss, batch.vectors, batch.labels)[anchor]
        pulled = [int(row) for row in positives if slopes[row] > 0]
        pushed = [int(row) for row in negatives if slopes[row] < 0]
        # Each positive meets the nearest negative beyond it; batch-hard has one of each.
        found[mining] = [
            (positive, min(pushed, key=lambda row, p=positive: rank_negative(batch.distances[anchor], p, row, mining)))
            for positive in pulled
        ]
    found["all"] = [
        (int(positive), int(negative))
        for positive in positives
        for negative in negatives
        if batch.distances[anchor, negative] < batch.distances[anchor, positive] + MARGIN
    ]
    return found


def rank_negative(distances: Floats, positive: int, negative: int, mining: str) -> tuple[bool, float]:
    """Return the order in which a mining prefers the negatives of a positive."""
    beyond = mining == "hard" or distances[negative] > distances[positive]
    return not beyond, float(distances[negative])


def draw_batch_picture(batch: Batch, anchor: int, triplets: dict[str, list[tuple[int, int]]]) -> None:
    """Draw the anchor's distances to all palms, the regions, and the triplets of each mining."""
    positives, negatives = split_palms(batch, anchor)
    distances = batch.distances[anchor]
    low, high = float(distances[[*positives, *negatives]].min()), float(distances[[*positives, *negatives]].max())
    ends, low, high = (16.0, 384.0), low - 0.05, high + 0.04
    rows = {"hard": "batch-hard", "semihard": "semi-hard", "all": "all triplets"}
    picture = Picture(
        128 + 106 * len(rows) + 62,
        "Distances of one back to sixteen palms. Batch-hard takes the farthest own palm and the nearest other one; semi-hard "
        "takes for each own palm the nearest other palm beyond it; the third uses every triplet that breaks the margin.",
    )
    x_of = lambda row: place(float(distances[row]), ends, low, high)  # noqa: E731
    shown = [(anchor, "anchor"), (int(positives[-1]), "own palm, farthest"), (int(negatives[0]), "other palm, nearest")]
    for column, (row, words) in enumerate(shown):
        left = 8 + 131 * column
        picture.add("image", href=encode(batch.photos[row]), x=left, y=22, width=122, height=92)
        picture.write(left, 16, words, "small")
    top = 128.0
    farthest = int(positives[-1])
    edge = float(distances[farthest])
    for number, (mining, words) in enumerate(rows.items()):
        y = top + 106 * number
        picture.add("rect", x=4, y=y, width=392, height=102, rx=6, class_="panel")
        pairs = triplets[mining]
        losing = sum(max(distances[p] + MARGIN - distances[n], 0) for p, n in pairs) / max(len(pairs), 1)
        counted = f"{len(pairs)} triplet{'s' if len(pairs) > 1 else ''}, mean loss {losing:.2f}"
        picture.write(12, y + 17, words, "title")
        picture.write(388, y + 17, counted, "end small soft")
        line = y + 74
        first, last = place(edge, ends, low, high), min(place(edge + MARGIN, ends, low, high), 392)
        picture.add("rect", x=first, y=y + 24, width=last - first, height=70, class_="blue wash")
        picture.draw(ends, (line, line), "grid thin")
        for positive, negative in pairs:
            a, b = x_of(positive), x_of(negative)
            lift = 12 + 0.22 * abs(b - a)
            shape = f"M{a:.1f} {line - 6:.1f}Q{(a + b) / 2:.1f} {line - 6 - lift:.1f} {b:.1f} {line - 6:.1f}"
            kind = COLOURS[name_region(float(distances[positive]), float(distances[negative]), MARGIN)]
            picture.add("path", d=shape, class_=f"line {'thin' if mining == 'all' else ''} {kind}")
        for negative in negatives:
            kind = COLOURS[name_region(edge, float(distances[negative]), MARGIN)]
            picture.add("circle", cx=x_of(negative), cy=line, r=4.5, class_=kind)
        for positive in positives:
            x = x_of(positive)
            picture.add("path", d=f"M{x - 6:.1f} {line - 6}h12v12h-12z", class_="green")
        if number == 0:
            picture.write(first + 3, y + 36, f"margin {MARGIN:g}", "small soft")
    bottom = top + 106 * len(rows) + 6
    for tick in np.arange(np.ceil(low * 5) / 5, high, 0.2):
        picture.write(place(float(tick), ends, low, high), bottom + 6, f"{tick:.1f}", "middle small soft")
    picture.write(388, bottom + 20, "distance to the anchor", "end small soft")
    for x, words, colour in ((12, "own palm", "green"), (88, "hard", COLOURS["hard"])):
        picture.add("circle", cx=x, cy=bottom + 36, r=4.5, class_=colour)
        picture.write(x + 9, bottom + 40, words, "small")
    for x, words, colour in (
        (138, "semi-hard", COLOURS["semi-hard"]),
        (222, "easy", COLOURS["easy"]),
    ):
        picture.add("circle", cx=x, cy=bottom + 36, r=4.5, class_=colour)
        picture.write(x + 9, bottom + 40, words, "small")
    picture.save("mining.svg")


def draw_geometry(batch: Batch, anchor: int) -> None:
    """Draw the palms around the anchor at their distances: the region in which a negative costs something is a ring."""
    positives, negatives = split_palms(batch, anchor)
    distances = batch.distances[anchor]
    picture = Picture(
        372,
        "The same palms around the anchor, each at its distance: inside the circle hard, in the ring semi-hard, outside easy.",
    )
    edge = float(distances[positives[-1]])
    longest = max(float(distances[negatives[-1]]), edge + MARGIN) + 0.03
    radius = lambda value: 164 * value / longest  # noqa: E731
    x, y = 200.0, 182.0
    picture.add("circle", cx=x, cy=y, r=radius(edge + MARGIN), class_="blue wash")
    picture.add("circle", cx=x, cy=y, r=radius(edge), class_="ground")
    picture.add("circle", cx=x, cy=y, r=radius(edge), class_="orange wash")
    for value in (edge, edge + MARGIN):
        picture.add("circle", cx=x, cy=y, r=radius(value), class_="ring")
    # Around the circle in an order that keeps neighbours in distance apart.
    rows = [*positives, *negatives]
    for number, row in enumerate(rows):
        angle = 2 * np.pi * (number * 7 % len(rows)) / len(rows) + 0.1
        at = (x + radius(distances[row]) * np.cos(angle), y - radius(distances[row]) * np.sin(angle))
        if row in positives:
            picture.draw((x, at[0]), (y, at[1]), "green thin")
            picture.add("path", d=f"M{at[0] - 6:.1f} {at[1] - 6:.1f}h12v12h-12z", class_="green")
        else:
            picture.add(
                "circle", cx=at[0], cy=at[1], r=5, class_=COLOURS[name_region(edge, float(distances[row]), MARGIN)]
            )
    picture.add("circle", cx=x, cy=y, r=5, class_="green")
    picture.write(x, y + 20, "anchor", "middle small")
    for left, words, colour in (
        (12, "own palm", "green"),
        (92, "hard", "orange"),
        (146, "semi-hard", "blue"),
        (230, "easy", "grey"),
    ):
        picture.add("circle", cx=left, cy=360, r=4.5, class_=colour)
        picture.write(left + 9, 364, words, "small")
    picture.save("geometry.svg")


def draw_course(steps: Sequence[int]) -> None:
    """Draw how the shares of hard, semi-hard and easy triplets change while each loss trains."""
    systems, margin = build_systems(), 0.5
    picture = Picture(
        2 * 170 + 34,
        "Shares of hard, semi-hard and easy triplets during training: under batch-hard the hard ones stay longer.",
    )
    print("| loss | step | hard, % | semi-hard, % | easy, % |\n|---|---|---|---|---|")
    for number, name in enumerate(("hard", "semihard")):
        moments = train(systems[name], 0, set(steps))
        shares = []
        for moment in moments:
            z = np.concatenate([moment.backs, moment.palms])
            half = len(moment.backs)
            people = np.tile(np.repeat(np.arange(10), half // 10), 2)
            labels = np.stack([people, np.repeat([0, 1], half)], axis=1)
            shares.append(count_regions(np.asarray(pairwise_distances(z, z, "l2"), np.float64), labels, margin))
        top = 4 + 170 * number
        picture.add("rect", x=4, y=top, width=392, height=164, rx=6, class_="panel")
        picture.write(12, top + 17, systems[name].title, "title")
        ends, bottom, high = (44.0, 384.0), top + 140.0, top + 28.0
        xs = [place(float(np.sqrt(moment.step)), ends, 0, float(np.sqrt(STEPS))) for moment in moments]
        base = np.zeros(len(moments))
        for kind, colour in COLOURS.items():
            upper = base + np.array([share[kind] for share in shares])
            below, above = ([place(float(v), (bottom, high), 0, 100) for v in line] for line in (base, upper))
            picture.fill([*xs, *reversed(xs)], [*below, *reversed(above)], colour)
            base = upper
        for tick in (0, 50, 100):
            picture.write(38, place(tick, (bottom, high), 0, 100) + 4, f"{tick} %", "end small soft")
        for step in (0, 40, 120, 400):
            picture.write(
                place(float(np.sqrt(step)), ends, 0, float(np.sqrt(STEPS))), bottom + 15, str(step), "middle small soft"
            )
        for moment, share in zip(moments, shares, strict=True):
            if moment.step in (0, 40, 120, 400):
                cells = " | ".join(f"{share[kind]:.0f}" for kind in COLOURS)
                print(f"| {systems[name].title} | {moment.step} | {cells} |")
    y = 2 * 170 + 18
    picture.write(12, y + 4, "step (root scale)", "small soft")
    for x, (kind, colour) in zip((150, 212, 300), COLOURS.items(), strict=True):
        picture.add("circle", cx=x, cy=y, r=4.5, class_=colour)
        picture.write(x + 9, y + 4, kind, "small")
    picture.save("course.svg")


def encode(photo: npt.NDArray[np.uint8]) -> str:
    """Return a photo without its padding as a data address."""
    buffer = io.BytesIO()
    pad = SIDE_PX // 8
    Image.fromarray(photo[pad:-pad]).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def main() -> None:
    """Draw the pictures and print the figures."""
    batch = describe_batch()
    anchor = choose_anchor(batch)
    triplets = list_triplets(batch, anchor)
    regions = count_regions(batch.distances, batch.labels, MARGIN)
    print("all triplets of the batch: " + ", ".join(f"{name} {share:.0f} %" for name, share in regions.items()))
    for mining, pairs in triplets.items():
        shown = ", ".join(f"{batch.distances[anchor, p]:.2f} – {batch.distances[anchor, n]:.2f}" for p, n in pairs)
        print(f"{mining}, positive – negative: {shown}")
    draw_batch_picture(batch, anchor, triplets)
    draw_geometry(batch, anchor)
    draw_course([round(STEPS * (frame / 40) ** 2) for frame in range(41)] + [40, 120])


if __name__ == "__main__":
    main()
