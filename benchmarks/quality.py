"""What bad photos cost: hands made worse in steps, whether their person is still found, and what the verdict says of them.

Command: python benchmarks/quality.py RUN --data DIR [--every 3] [--only blur] [--keep FILE]

RUN is a run on a part of DIR, which has the layout of 11k Hands. Each row makes photos of its test people worse by one step and
asks with them; the photos that are searched stay as they are. Printed: hands found; view right; photo R@1 (the most similar
photo of the other view is of the same person; no hand counts as wrong), of all, of those that the verdict does not refuse, and
of those that it calls good; medians of measures; verdicts good/usable/refuse. --every 3 asks with a third of the photos.

Then, for each measure, what its limits cost and save, on the photos as they are and on those that were made worse in what it
measures: how many photos lie on each side of the limits, and their R@1, with a 95 % interval (bootstrap over people). And the
limits that half of the people would have given, by the rule that gave those of the package: `good` where R@1 falls below nine
tenths of that of photos as they are, `refuse` where it falls below half; R@1 over the measure is an isotonic regression. Median
and tenths of 40 deals of people to halves, and what the other half of the people says of photos beyond its `refuse`.

--keep FILE (.npz) keeps what was measured of each photo; if it is there already, the tables of limits are printed from it.
"""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
SHOWN = ("sharpness", "brightness", "overexposed", "cut_off", "palm_width_px", "hand_score")
# The steps that make a photo worse in what a measure measures: the beginnings of their names.
WORSENED_BY = {
    "sharpness": ("blur", "shaken"),
    "brightness": ("light, -",),
    "overexposed": ("light, +",),
    "cut_off": ("cut",),
    "palm_width_px": ("smaller",),
    "hand_score": ("",),
    "certainty": ("",),
}
AS_THEY_ARE = "as they are"
NUM_DEALS = 40
Step = Callable[[Image.Image], Image.Image]


def blur(sigma_px: float) -> Step:
    """Blur by a Gaussian."""
    return lambda photo: photo.filter(ImageFilter.GaussianBlur(sigma_px))


def shake(length_px: int) -> Step:
    """Blur along a line, as a camera that moves."""

    def move(photo: Image.Image) -> Image.Image:
        values = np.asarray(photo, np.float32)
        shifted = [np.roll(values, k - length_px // 2, axis=1) for k in range(length_px)]
        return Image.fromarray(np.mean(shifted, axis=0).astype(np.uint8))

    return move


def expose(stops: float) -> Step:
    """Change the light by stops, and add a sensor's noise."""

    def change(photo: Image.Image) -> Image.Image:
        linear = (np.asarray(photo, np.float64) / 255.0) ** 2.2 * 2.0**stops
        noise = np.random.default_rng(0).normal(0.0, 0.004, linear.shape)
        return Image.fromarray((255 * np.clip(linear + noise, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8))

    return change


def shrink(factor: float) -> Step:
    """Make the whole photo smaller."""

    def resize(photo: Image.Image) -> Image.Image:
        return photo.resize((round(photo.width / factor), round(photo.height / factor)), Image.Resampling.BOX)

    return resize


def compress(quality: int) -> Step:
    """Save as JPEG."""

    def save(photo: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=quality)
        return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")

    return save


def cut(fraction: float) -> Step:
    """Cut a part of the hand off, from the tips of its fingers on: in photos of 11k Hands they point down."""

    def crop(photo: Image.Image) -> Image.Image:
        paper = np.asarray(photo.convert("HSV"), np.int32)[..., 1]
        rows = np.flatnonzero((paper > 60).sum(axis=1) > 3)
        tip = rows[-1] + 1 if len(rows) else photo.height
        return photo.crop((0, 0, photo.width, max(8, round((1 - fraction) * tip))))

    return crop


STEPS: dict[str, Step] = {
    AS_THEY_ARE: lambda photo: photo,
    **{f"blur, σ {sigma:g} px": blur(sigma) for sigma in (1, 1.5, 2, 2.5, 3, 4, 5, 6)},
    **{f"shaken, {length} px": shake(length) for length in (5, 9, 15)},
    **{f"light, {stops:+g} stops": expose(stops) for stops in (-6, -4, -3, -2, -1, 0.5, 1, 1.5)},
    **{f"smaller, 1/{factor:g}": shrink(factor) for factor in (2, 3, 4, 6)},
    **{f"JPEG, quality {quality}": compress(quality) for quality in (20, 10, 5)},
    **{f"cut, {fraction:.0%} of the height": cut(fraction) for fraction in (0.05, 0.1, 0.2, 0.35)},
}


class Rows(NamedTuple):
    """What was measured, a row for each photo and step, (N,) each.

    Attributes:
        step: name of the step.
        person: whose hand.
        right: the most similar photo of the other view is this person's.
        measures: float32 (N, M), in the order of `LIMITS`; NaN where no hand is found.
    """

    step: npt.NDArray[np.str_]
    person: npt.NDArray[np.str_]
    right: npt.NDArray[np.bool_]
    measures: npt.NDArray[np.float32]


def fit_limits(
    values: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], usual: float, sign: int
) -> tuple[float, float]:
    """Return the values at which R@1 falls below half and below nine tenths of what is usual; NaN where it never does.

    Args:
        values: (N,) of a measure.
        right: (N,).
        usual: R@1 of photos as they are.
        sign: 1 where high values are the better ones, -1 where low ones are.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(sign * values, kind="stable")
    fitted = isotonic_regression(right[order].astype(float)).x
    limits = []
    for share in (0.5, 0.9):
        below = np.flatnonzero(fitted < share * usual)
        limits.append(float(values[order][below[-1]]) if len(below) else np.nan)
    return limits[0], limits[1]


def resample_rate(rows: Rows, chosen: npt.NDArray[np.bool_], random: np.random.Generator) -> str:
    """Return the number of the chosen photos and R@1 of them, with a 95 % interval over people, as text."""
    if not chosen.any():
        return f"{0:5}" + " " * 20
    people, index = np.unique(rows.person[chosen], return_inverse=True)
    total, good = np.bincount(index), np.bincount(index, rows.right[chosen])
    picks = random.integers(0, len(people), (2000, len(people)))
    low, high = 100 * np.quantile(good[picks].sum(1) / total[picks].sum(1), [0.025, 0.975])
    return f"{chosen.sum():5} {100 * good.sum() / total.sum():5.1f} [{low:4.1f}, {high:5.1f}]"


def print_limits(rows: Rows) -> None:
    """Print what each limit costs and saves, and what halves of the people say of it."""
    from handnet.images.hand.quality_rule import LIMITS

    random = np.random.default_rng(0)
    plain = rows.step == AS_THEY_ARE
    found = ~np.isnan(rows.measures[:, 0])
    print(f"\n{'':14}{'refused':>23}{'usable':>25}{'good':>25}   photos and their R@1, %, by this measure alone")
    for name, limit in LIMITS.items():
        value = rows.measures[:, list(LIMITS).index(name)]
        rate = (value - limit.refuse) / (limit.good - limit.refuse)
        worse = plain | np.logical_or.reduce(
            [np.char.startswith(rows.step, by) for by in WORSENED_BY.get(name, ("-",))]
        )
        for title, family in (("as they are", plain), ("and worse", worse)):
            if title == "and worse" and name not in WORSENED_BY:
                continue
            parts = (rate <= 0, (rate > 0) & (rate < 1), rate >= 1)
            cells = [resample_rate(rows, part & family & found, random) for part in parts]
            print(f"{name if title == AS_THEY_ARE else '  ' + title:14}" + " | ".join(cells))
    print(
        f"\n{'':14}{'refuse':>8}{'10 to 90 %':>16}{'good':>8}{'10 to 90 %':>16}  beyond `refuse`, other half: photos, R@1"
    )
    people = np.unique(rows.person)
    for name, beginnings in WORSENED_BY.items():
        limit, value = LIMITS[name], rows.measures[:, list(LIMITS).index(name)]
        sign = 1 if limit.good > limit.refuse else -1
        family = found & (plain | np.logical_or.reduce([np.char.startswith(rows.step, by) for by in beginnings]))
        refuse, good, refused, rates = [], [], [], []
        for _ in range(NUM_DEALS):
            half = np.isin(rows.person, random.permutation(people)[: len(people) // 2])
            low, high = fit_limits(
                value[half & family], rows.right[half & family], rows.right[half & plain].mean(), sign
            )
            refuse.append(low)
            good.append(high)
            beyond = family & ~half & (sign * value <= sign * low)
            refused.append(beyond.sum())
            rates.append(rows.right[beyond].mean() if beyond.any() else np.nan)
        cells = [
            f"{np.nanmedian(fitted):8.3f}{np.nanquantile(fitted, 0.1):8.3f}{np.nanquantile(fitted, 0.9):8.3f}"
            if not np.isnan(fitted).all()
            else f"{'never':>8}{'':16}"
            for fitted in (refuse, good)
        ]
        outcome = "" if np.isnan(rates).all() else f"{np.median(refused):6.0f}{100 * np.nanmedian(rates):6.1f} %"
        print(f"{name:14}" + "".join(cells) + outcome + f"   (set: {limit.refuse:g}, {limit.good:g})")


def find_right_ones(
    vectors: npt.NDArray[np.float32],
    asked: list[tuple[str, str]],
    gallery: npt.NDArray[np.float32],
    known: list[tuple[str, str]],
) -> npt.NDArray[np.bool_]:
    """Return for each vector whether the most similar one of the other view is of the same person; labels are (person, view)."""
    similar = vectors @ gallery.T
    for row, (_, view) in enumerate(asked):
        similar[row, [other == view for _, other in known]] = -np.inf
    nearest = similar.argmax(axis=1)
    return np.array([known[k][0] == person for k, (person, _) in zip(nearest, asked, strict=True)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--only", default="", help="Steps whose name begins so, and the photos as they are.")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    if arguments.keep and arguments.keep.exists():
        with np.load(arguments.keep) as file:
            print_limits(Rows(**file))
        return
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    from handnet.config.run_folder import read_run, read_run_split
    from handnet.data.leaks import select_photos
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.images.decode import fit_photo, is_usable
    from handnet.images.hand.findings import NONE, ONE
    from handnet.images.hand.front_end import Hands, find_hands
    from handnet.images.hand.quality import Measures, measure_quality
    from handnet.images.hand.quality_rule import GOOD, LIMITS, REFUSE, rate_photo
    from handnet.images.hand_models.models import load_hand_models
    from handnet.networks.encoder import load_encoder

    run = read_run(arguments.run)
    image, encoder, models = run.config.image, load_encoder(run).model, load_hand_models()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def look(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Hands, Measures]:
        hands = find_hands(photo, models)
        # Looked for once, also where the crop goes by it.
        square = fit_photo(photo, image, hands if image.hand_finder == "landmarks" else None)
        return square, is_usable(photo, square, image), hands, measure_quality(photo, hands)

    def look_at_all(photos: list[Image.Image]) -> tuple[npt.NDArray[np.float32], list[Any]]:
        """Return the vectors of photos, 0 where one cannot be used, and what `look` says of them."""
        seen = [look(tf.constant(np.asarray(photo))) for photo in photos]
        ok = np.array([bool(usable) for _, usable, *_ in seen])
        vectors = encoder.predict(np.stack([square for square, *_ in seen]), batch_size=32, verbose=0)
        return np.where(ok[:, np.newaxis], vectors, 0), seen

    dataset = read_hands11k(arguments.data)
    examples = select_photos(dataset, read_run_split(run), "test")
    labels = [(example.identity, example.view) for example in examples]
    photos = [Image.open(example.path).convert("RGB") for example in examples]
    gallery = look_at_all(photos)[0]
    asked = list(range(0, len(examples), arguments.every))
    people = len({person for person, _ in labels})
    print(f"{len(examples)} photos of {people} test people, {len(asked)} ask; crop {run.config.image.crop}")
    print(
        f"{'':22}{'found':>7}{'view':>7}{'R@1':>7}{'kept':>7}{'good':>7}  "
        + " ".join(f"{name:>13}" for name in SHOWN)
        + "  verdicts"
    )
    rows: list[tuple[str, str, bool, list[float]]] = []
    for name, step in STEPS.items():
        if not name.startswith((arguments.only, "as they")):
            continue
        vectors, seen = look_at_all([step(photos[k]) for k in asked])
        right = find_right_ones(vectors, [labels[k] for k in asked], gallery, labels) & vectors.any(axis=1)
        verdicts, measured, views = [], [], []
        for k, hit, (_, _, hands, measures) in zip(asked, right, seen, strict=True):
            values = {field: float(value[0]) for field, value in measures._asdict().items()}
            found = bool(hands.found[0])
            verdicts.append(rate_photo("", ONE if found else NONE, values))
            rows.append((name, labels[k][0], bool(hit), [values[field] if found else np.nan for field in LIMITS]))
            if found:
                measured.append([values[field] for field in SHOWN])
                views.append((float(hands.palmar[0]) > 0.5) == (labels[k][1] == "palmar"))
        levels = np.array([verdict.level for verdict in verdicts])
        kept, good = right[levels != REFUSE], right[levels == GOOD]
        counts = Counter(levels.tolist())
        reasons = Counter(verdict.reasons[0].split(":")[0] for verdict in verdicts if verdict.reasons).most_common(1)
        shares = [len(views) / len(asked), *(np.mean(v) if len(v) else np.nan for v in (views, right, kept, good))]
        medians = np.median(measured, axis=0) if measured else np.full(len(SHOWN), np.nan)
        print(
            f"{name:22}"
            + "".join(f"{100 * share:7.1f}" for share in shares)
            + "  "
            + " ".join(f"{median:13.3f}" for median in medians)
            + f"  {counts['good']}/{counts['usable']}/{counts['refuse']}"
            + (f" {reasons[0][0]} ({reasons[0][1]})" if reasons else ""),
            flush=True,
        )
    steps, people, rights, measured_rows = zip(*rows, strict=True)
    measured_all = Rows(np.array(steps), np.array(people), np.array(rights), np.array(measured_rows, np.float32))
    if arguments.keep:
        np.savez_compressed(arguments.keep, **measured_all._asdict())
    print_limits(measured_all)


if __name__ == "__main__":
    main()
