"""What four losses do to the same embedding on a circle: the pictures and the table of docs/explainers/losses.md.

Command: python benchmarks/explain_losses.py [--seeds 10]

Ten synthetic people are ten random vectors of 6 numbers. A back is a linear map of the person's vector to 24 numbers plus noise,
a palm is another linear map plus noise: what the two views share is hidden, as it is in photos. A network of two hidden
layers of 64 maps a back or a palm to a point on the circle. Each loss starts from the same weights, sees the same 16
photos a step, and is handnet's own class. Seed 0 is drawn; the table has all seeds, a world, weights and batches each.
"""

import argparse
import itertools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from explainer_picture import PEOPLE, Picture

from handnet.losses import build_loss
from handnet.losses.contrastive import ContrastiveLoss, contrastive_slopes
from handnet.losses.distances import cosine_similarities, paired_distances, pairwise_distances
from handnet.losses.pair_masks import Pairs, compare_labels
from handnet.losses.similarity import InfoNCELoss, info_nce
from handnet.losses.triplet import TripletLoss, hard_terms, hard_triplets, semihard_terms

NUM_PEOPLE, TRAITS, NUMBERS = 10, 6, 24
PHOTOS, NEW_PHOTOS = 4, 20  # of each person and view: seen in training, and only searched
NOISE = 0.4
STEPS, RATE, BATCH = 400, 3e-3, 8  # a batch has eight backs and eight palms
FRAMES, FRAME_S, LAST_S = 76, 0.13, 3.0

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


class System(NamedTuple):
    """A loss in the comparison.

    Attributes:
        title: its name in the pictures.
        loss: of handnet.losses.
        slopes: embeddings (16, 2) and labels → the derivative of the loss by each distance or similarity, (16, 16).
        compare: what the slopes are by.
    """

    title: str
    loss: Any
    slopes: Callable[[Any, Any], Any]
    compare: Callable[[Any, Any], Any]


class Photos(NamedTuple):
    """Photos as numbers.

    Attributes:
        backs: (N, 24).
        palms: (N, 24), of the same people in the same order.
        people: (N,).
    """

    backs: Floats
    palms: Floats
    people: Labels


class Moment(NamedTuple):
    """The embedding at a step.

    Attributes:
        step: how many batches it has seen.
        backs: (N, 2) of the training photos.
        palms: (N, 2).
        pairs: (first row, second row, slope) of the batch's pairs that have a gradient; rows of backs, then palms.
        figures: R@1 and the two angles, of new photos of the same people.
    """

    step: int
    backs: Floats
    palms: Floats
    pairs: list[tuple[int, int, float]]
    figures: "Figures"


class Figures(NamedTuple):
    """How good the embedding is for new photos.

    Attributes:
        recall_at_1: share of backs whose nearest palm is the person's.
        within_deg: mean angle of a photo to the middle of its person.
        apart_deg: mean angle of a person's middle to the nearest other one.
    """

    recall_at_1: float
    within_deg: float
    apart_deg: float


def build_systems() -> dict[str, System]:
    """Return the losses with the options of the published configs, at handnet's defaults where these say nothing."""
    by_l2 = lambda a, b: pairwise_distances(a, b, "l2")  # noqa: E731
    pairs = build_loss("contrastive", {"margin": 2.0})
    hard = build_loss("triplet", {"mining": "hard", "margin": 0.5, "views": "cross"})
    semihard = build_loss("triplet", {"mining": "semihard", "margin": 0.5, "views": "cross"})
    infonce = build_loss("infonce", {"temperature": 0.07, "views": "cross"})
    return {
        "contrastive": System("contrastive on pairs", pairs, lambda z, y: slopes_of_pairs(pairs, z, y), by_l2),
        "hard": System("triplet, batch-hard", hard, lambda z, y: slopes_of_hard(hard, z, y), by_l2),
        "semihard": System("triplet, semi-hard", semihard, lambda z, y: slopes_of_semihard(semihard, z, y), by_l2),
        "infonce": System("InfoNCE", infonce, lambda z, y: slopes_of_infonce(infonce, z, y), cosine_similarities),
    }


def compare_views(labels: Any) -> tuple[Any, Any]:
    """Return which rows of a batch are positives and which negatives of each other, across the views."""
    return compare_labels(labels, labels, np.arange(len(labels)), cross=True)


def slopes_of_pairs(loss: ContrastiveLoss, z: Any, same: Any) -> Any:
    """Return the slopes of the contrastive loss: a back with the palm in its place, and no other pair."""
    half = len(z) // 2
    distances = paired_distances(z[:half], z[half:], "l2")
    positive, negative = (np.asarray(rate) for rate in contrastive_slopes(distances, loss.margin, loss.form))
    own = (same * positive + (1.0 - same) * negative) / half
    slopes = np.zeros((len(z), len(z)))
    slopes[np.arange(half), half + np.arange(half)] = own
    return slopes


def slopes_of_hard(loss: TripletLoss, z: Any, labels: Any) -> Any:
    """Return the slopes of the batch-hard loss: of each anchor the farthest positive and the nearest negative."""
    pairs = Pairs(z, z, *compare_views(labels))
    farthest, nearest, _ = (np.asarray(found) for found in hard_triplets(pairs, loss.distance))
    losses, counted = hard_terms(pairs, loss.distance, loss.margin, loss.soft, loss.average)
    active = (np.asarray(losses) > 0) / np.asarray(counted).sum()
    slopes = np.zeros((len(z), len(z)))
    np.add.at(slopes, (np.arange(len(z)), farthest), active)
    np.add.at(slopes, (np.arange(len(z)), nearest), -active)
    return slopes


def slopes_of_semihard(loss: TripletLoss, z: Any, labels: Any) -> Any:
    """Return the slopes of the semi-hard loss, by automatic differentiation of the package's function."""
    distances = tf.convert_to_tensor(pairwise_distances(z, z, loss.distance))
    with tf.GradientTape() as tape:
        tape.watch(distances)
        totals, counts = semihard_terms(distances, *compare_views(labels), loss.margin, loss.soft, loss.average)
        mean = tf.reduce_sum(totals) / tf.reduce_sum(counts)
    return np.asarray(tape.gradient(mean, distances))


def slopes_of_infonce(loss: InfoNCELoss, z: Any, labels: Any) -> Any:
    """Return the slopes of InfoNCE: every pair of a back and a palm has one."""
    _, slopes = info_nce(cosine_similarities(z, z), *compare_views(labels), loss.temperature)
    return np.asarray(slopes) / len(z)


def draw_people(random: np.random.Generator) -> Callable[[int], Photos]:
    """Return a camera: it takes n backs and n palms of each person."""
    traits = random.normal(size=(NUM_PEOPLE, TRAITS))
    maps = random.normal(size=(2, TRAITS, NUMBERS)) / np.sqrt(TRAITS)
    offsets = 0.5 * random.normal(size=(2, NUMBERS))

    def take(count: int) -> Photos:
        people = np.repeat(np.arange(NUM_PEOPLE, dtype=np.int32), count)
        views = [
            (traits[people] @ maps[view] + offsets[view] + NOISE * random.normal(size=(len(people), NUMBERS)))
            for view in (0, 1)
        ]
        return Photos(views[0].astype(np.float32), views[1].astype(np.float32), people)

    return take


def build_network(seed: int) -> keras.Model:
    """Return the network from 24 numbers to a point on the circle."""
    start = keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((NUMBERS,)),
            keras.layers.Dense(64, "relu", kernel_initializer=start(3 * seed)),
            keras.layers.Dense(64, "relu", kernel_initializer=start(3 * seed + 1)),
            keras.layers.Dense(2, kernel_initializer=start(3 * seed + 2)),
            keras.layers.UnitNormalization(),
        ]
    )


def draw_batch(random: np.random.Generator, by_pairs: bool) -> tuple[Labels, Any]:
    """Return which backs and palms a step sees, (16,), and what its loss is told.

    Pairs of two views, half of them of one person; or eight people with a back and a palm each, as published.
    """
    photo = random.integers(0, PHOTOS, (2, BATCH))
    first = random.permutation(NUM_PEOPLE)[:BATCH]
    other = random.integers(1, NUM_PEOPLE, BATCH)
    same = np.arange(BATCH) < BATCH // 2
    second = np.where(same, first, (first + other) % NUM_PEOPLE) if by_pairs else first
    rows = np.stack([first, second]) * PHOTOS + photo + [[0], [NUM_PEOPLE * PHOTOS]]
    labels = np.stack([np.tile(first, 2), np.repeat([0, 1], BATCH)], axis=1).astype(np.int32)
    return rows.ravel().astype(np.int32), same.astype(np.float32) if by_pairs else labels


def train(system: System, seed: int, wanted: set[int]) -> list[Moment]:
    """Train the network with one loss and return the embedding at the wanted steps."""
    random = np.random.default_rng(seed)
    take = draw_people(random)
    seen, new = take(PHOTOS), take(NEW_PHOTOS)
    photos = np.concatenate([seen.backs, seen.palms])
    network = build_network(seed)
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(network.trainable_variables)
    by_pairs = isinstance(system.loss, ContrastiveLoss)

    def measure(z: Any, told: Any) -> Any:
        if by_pairs:
            return system.loss(told, paired_distances(z[:BATCH], z[BATCH:], "l2"))
        return system.loss(told, z)

    @tf.function
    def learn(batch: Any, told: Any) -> None:
        with tf.GradientTape() as tape:
            value = measure(network(batch), told)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)

    moments = []
    for step in range(STEPS + 1):
        rows, told = draw_batch(random, by_pairs)
        batch = photos[rows]
        if step in wanted:
            # In float64: near collapse the direction between two photos is rounding in float32.
            z = tf.cast(network(batch), tf.float64)
            slopes = np.asarray(system.slopes(z, told))
            check_slopes(system, slopes, z, measure, told)
            pairs = [
                (int(rows[i]), int(rows[j]), float(slopes[i, j])) for i, j in zip(*np.nonzero(slopes), strict=True)
            ]
            backs, palms = (np.asarray(network(view)) for view in (seen.backs, seen.palms))
            moments.append(Moment(step, backs, palms, pairs, compute_figures(network, new)))
        learn(batch, told)
    return moments


def check_slopes(system: System, slopes: Any, z: Any, measure: Callable[[Any, Any], Any], told: Any) -> None:
    """Make sure that the pairs that are drawn are all that the loss pulls and pushes: they give its whole gradient."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        value = measure(z, told)
        sum_of_pairs = tf.reduce_sum(slopes * system.compare(z, z))
    expected, found = np.asarray(tape.gradient(value, z)), np.asarray(tape.gradient(sum_of_pairs, z))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def compute_figures(network: keras.Model, new: Photos) -> Figures:
    """Return R@1 and the angles of new photos."""
    backs, palms = np.asarray(network(new.backs)), np.asarray(network(new.palms))
    found = new.people[(backs @ palms.T).argmax(axis=1)]
    everything, people = np.concatenate([backs, palms]), np.tile(new.people, 2)
    middles = np.stack([everything[people == person].mean(axis=0) for person in range(NUM_PEOPLE)])
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    between = middles @ middles.T - 2 * np.eye(NUM_PEOPLE)
    return Figures(
        float(np.mean(found == new.people)),
        float(to_degrees((everything * middles[people]).sum(axis=1)).mean()),
        float(to_degrees(between.max(axis=1)).mean()),
    )


def to_degrees(cosines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the angles of cosines."""
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def draw_animation(systems: dict[str, System], moments: dict[str, list[Moment]]) -> None:
    """Write the four losses next to each other, moving."""
    picture = Picture(
        486,
        "Animation: ten people on a circle while four losses train. Contrastive and semi-hard spread them from the start; "
        "batch-hard first draws everybody into one place; InfoNCE pulls and pushes every pair.",
    )
    clock = [FRAME_S] * (len(next(iter(moments.values()))) - 1) + [LAST_S]
    for i, (name, system) in enumerate(systems.items()):
        left, top = 4 + 198 * (i % 2), 4 + 224 * (i // 2)
        picture.add("rect", x=left, y=top, width=194, height=220, rx=6, class_="panel")
        picture.write(left + 8, top + 18, system.title, "title")
        draw_circle(picture, left + 97, top + 112, 82, moments[name], clock)
        for moment, when in zip(moments[name], list_shown(clock), strict=True):
            words = f"step {moment.step}: R@1 {100 * moment.figures.recall_at_1:.0f} %"
            picture.add("text", words, inside=when, x=left + 8, y=top + 212, class_="soft", visibility="hidden")
    draw_key(picture, 462)
    picture.save("losses.svg")


def draw_still(systems: dict[str, System], moments: dict[str, list[Moment]], steps: tuple[int, ...]) -> None:
    """Write a few moments of each loss in rows, for print."""
    side = 94
    picture = Picture(
        28 + len(systems) * (side + 24) + 26, "The same as the animation: each loss at the start and after some steps."
    )
    for column, step in enumerate(steps):
        picture.write(4 + column * 98 + side / 2, 17, f"step {step}", "middle soft")
    for row, (name, system) in enumerate(systems.items()):
        top = 24 + row * (side + 24)
        picture.add("rect", x=4, y=top, width=392, height=side + 20, rx=6, class_="panel")
        picture.write(12, top + 15, system.title, "title")
        for column, step in enumerate(steps):
            moment = next(moment for moment in moments[name] if moment.step == step)
            middle = 4 + column * 98 + 49
            draw_circle(picture, middle, top + 66, 40, [moment], [])
            picture.write(middle, top + 70, f"{100 * moment.figures.recall_at_1:.0f} %", "middle small")
    draw_key(picture, 28 + len(systems) * (side + 24) + 8)
    picture.save("losses_still.svg")


def draw_circle(picture: Picture, x: float, y: float, radius: float, moments: list[Moment], clock: list[float]) -> None:
    """Draw the circle, the pairs with a gradient and the photos; moving where there are several moments."""
    inner = radius * 0.82
    for length in (radius, inner):
        picture.add("circle", cx=x, cy=y, r=length, class_="ring")
    paths: dict[str, list[str]] = {
        f"{colour} {strength}": [] for colour in ("blue", "orange") for strength in STRENGTHS
    }
    places = [np.concatenate([radius * moment.backs, inner * moment.palms]) * (1, -1) + (x, y) for moment in moments]
    for moment, at in zip(moments, places, strict=True):
        for kind, path in list_paths(moment.pairs, at, paths).items():
            paths[kind].append(path)
    for kind, shapes in paths.items():
        picture.add("path", d=shapes[0], class_=f"line thin {kind}", inside=animate("d", shapes, clock))
    half = NUM_PEOPLE * PHOTOS
    for row in range(2 * half):
        moving = [tuple(at[row]) for at in places]
        inside = "".join(
            animate(name, [f"{place[axis]:.1f}" for place in moving], clock) for axis, name in enumerate(("cx", "cy"))
        )
        size = (3.4 if row < half else 2.6) * (0.75 if not clock else 1.0)
        colour = PEOPLE[(row % half) // PHOTOS]
        picture.add("circle", inside=inside, cx=moving[0][0], cy=moving[0][1], r=size, fill=colour)


# How strong a pair's slope is, as a share of the batch's strongest.
STRENGTHS = {"strong": 0.5, "middling": 0.1, "weak": 0.005}


def list_paths(pairs: list[tuple[int, int, float]], places: npt.NDArray[Any], kinds: Any) -> dict[str, str]:
    """Return for each colour and strength the lines between the pairs; the sign says whether they are pulled or pushed."""
    # A distance that must fall, or a similarity that must rise: whichever it is, positives are pulled.
    half, most = NUM_PEOPLE * PHOTOS, max((abs(slope) for *_, slope in pairs), default=1.0)
    lines: dict[str, str] = dict.fromkeys(kinds, "")
    for first, second, slope in pairs:
        same = (first % half) // PHOTOS == (second % half) // PHOTOS
        strength = next((name for name, least in STRENGTHS.items() if abs(slope) >= least * most), None)
        if strength is not None:
            (x1, y1), (x2, y2) = places[first], places[second]
            lines[f"{'blue' if same else 'orange'} {strength}"] += f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"
    return {kind: path or "M0 0" for kind, path in lines.items()}


def animate(name: str, values: list[str], clock: list[float]) -> str:
    """Return the animation of an attribute; "" for one moment."""
    if not clock:
        return ""
    times = ";".join(f"{time:.4f}".rstrip("0") for time in np.cumsum([0, *clock[:-1]]) / sum(clock))
    return (
        f'<animate attributeName="{name}" calcMode="discrete" dur="{sum(clock):.2f}s" '
        f'repeatCount="indefinite" keyTimes="{times}" values="{";".join(values)}"/>'
    )


def list_shown(clock: list[float]) -> list[str]:
    """Return for each moment the animation that shows an element then and hides it at all other times."""
    starts, total = np.cumsum([0, *clock]) / sum(clock), sum(clock)
    shown = []
    for start, end in itertools.pairwise(starts):
        times = [f"{time:.4f}" for time in (start, end) if 0 < time < 1]
        values = ["hidden"] * int(start > 0) + ["visible"] + ["hidden"] * int(end < 1)
        shown.append(
            f'<animate attributeName="visibility" calcMode="discrete" dur="{total:.2f}s" repeatCount="indefinite" '
            f'keyTimes="{";".join(["0", *times])}" values="{";".join(values)}"/>'
        )
    return shown


def draw_key(picture: Picture, y: float) -> None:
    """Draw what the marks mean."""
    picture.add("circle", cx=12, cy=y, r=3.4, class_="grey")
    picture.write(20, y + 4, "back", "small")
    picture.add("circle", cx=62, cy=y, r=2.6, class_="grey")
    picture.write(69, y + 4, "palm", "small")
    picture.draw((112, 134), (y, y), "blue")
    picture.write(139, y + 4, "pulled together", "small")
    picture.draw((238, 260), (y, y), "orange")
    picture.write(265, y + 4, "pushed apart", "small")


def print_table(systems: dict[str, System], all_moments: dict[str, list[list[Moment]]], steps: tuple[int, ...]) -> None:
    """Print the means over the seeds, with the lowest and the highest R@1."""
    print(
        "| loss | step | R@1 of new photos, % | photo to its person | person to nearest other | pairs with a gradient |"
    )
    print("|---|---|---|---|---|---|")
    for name, system in systems.items():
        for step in steps:
            found = [next(m for m in moments if m.step == step) for moments in all_moments[name]]
            recalls = [100 * moment.figures.recall_at_1 for moment in found]
            pairs = np.mean([len({frozenset(pair[:2]) for pair in moment.pairs}) for moment in found])
            print(
                f"| {system.title} | {step} | {np.mean(recalls):.0f} ({min(recalls):.0f}–{max(recalls):.0f}) | "
                f"{np.mean([m.figures.within_deg for m in found]):.0f}° | "
                f"{np.mean([m.figures.apart_deg for m in found]):.0f}° | {pairs:.0f} |"
            )


def main() -> None:
    """Train, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="worlds in the table")
    seeds = parser.parse_args().seeds
    systems, told = build_systems(), (0, 40, 120, STEPS)
    drawn = {round(STEPS * (frame / FRAMES) ** 1.4) for frame in range(FRAMES)} | set(told)
    all_moments = {
        name: [train(system, seed, drawn if seed == 0 else set(told)) for seed in range(seeds)]
        for name, system in systems.items()
    }
    first = {name: moments[0] for name, moments in all_moments.items()}
    draw_animation(systems, first)
    draw_still(systems, first, told)
    print_table(systems, all_moments, told)


if __name__ == "__main__":
    main()
