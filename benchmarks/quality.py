"""What bad photos cost: hands made worse in steps, whether their person is still found, and what the verdict says of them.

Command: python benchmarks/quality.py RUN --data DIR [--every 3] [--only blur]

RUN is a run on a part of DIR, which has the layout of 11k Hands. Each row makes photos of its test people worse by one step and
asks with them; the photos that are searched stay as they are. Printed: hands found; view right; photo R@1 (the most similar
photo of the other view is of the same person; no hand counts as wrong), of all, of those that the verdict does not refuse, and
of those that it calls good; medians of measures; verdicts good/usable/refuse. --every 3 asks with a third of the photos.
"""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
SHOWN = ("sharpness", "brightness", "overexposed", "cut_off", "palm_width_px", "hand_score")
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
    "as they are": lambda photo: photo,
    **{f"blur, σ {sigma:g} px": blur(sigma) for sigma in (1, 1.5, 2, 2.5, 3)},
    **{f"shaken, {length} px": shake(length) for length in (5, 9)},
    **{f"light, {stops:+g} stops": expose(stops) for stops in (-6, -4, -3, -2, -1, 0.5, 1, 1.5)},
    **{f"smaller, 1/{factor:g}": shrink(factor) for factor in (2, 3, 4, 6)},
    **{f"JPEG, quality {quality}": compress(quality) for quality in (20, 10, 5)},
    **{f"cut, {fraction:.0%} of the height": cut(fraction) for fraction in (0.05, 0.1, 0.2, 0.35)},
}


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
    arguments = parser.parse_args()
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    from handnet.config.run_folder import read_run, read_run_split
    from handnet.data.leaks import select_photos
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.images.hand.findings import NONE, ONE
    from handnet.images.hand.front_end import Hands, find_hands
    from handnet.images.hand.quality import Measures, measure_quality
    from handnet.images.hand.quality_rule import GOOD, REFUSE, rate_photo
    from handnet.images.hand_models.models import load_hand_models
    from handnet.images.photo_store import build_decoder
    from handnet.networks.encoder import load_encoder

    run = read_run(arguments.run)
    encoder, decode, models = load_encoder(run).model, build_decoder(run.config.image), load_hand_models()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def look(photo: tf.Tensor) -> tuple[Hands, Measures]:
        hands = find_hands(photo, models)
        return hands, measure_quality(photo, hands)

    def embed(photos: list[Image.Image]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        squares = []
        for photo in photos:
            buffer = io.BytesIO()
            photo.save(buffer, "PNG")
            squares.append(decode(buffer.getvalue())[0])
        ok = np.array([square is not None for square in squares])
        vectors = np.zeros((len(photos), encoder.output_shape[-1]), np.float32)
        if ok.any():
            vectors[ok] = encoder.predict(np.stack([s for s in squares if s is not None]), batch_size=32, verbose=0)
        return vectors, ok

    dataset = read_hands11k(arguments.data)
    examples = select_photos(dataset, read_run_split(run), "test")
    labels = [(example.identity, example.view) for example in examples]
    photos = [Image.open(example.path).convert("RGB") for example in examples]
    gallery = embed(photos)[0]
    asked = list(range(0, len(examples), arguments.every))
    people = len({person for person, _ in labels})
    print(f"{len(examples)} photos of {people} test people, {len(asked)} ask; crop {run.config.image.crop}")
    print(
        f"{'':22}{'found':>7}{'view':>7}{'R@1':>7}{'kept':>7}{'good':>7}  "
        + " ".join(f"{name:>13}" for name in SHOWN)
        + "  verdicts"
    )
    for name, step in STEPS.items():
        if not name.startswith((arguments.only, "as they")):
            continue
        worse = [step(photos[k]) for k in asked]
        vectors, ok = embed(worse)
        right = find_right_ones(vectors, [labels[k] for k in asked], gallery, labels) & ok
        verdicts, measured, views = [], [], []
        for k, photo in zip(asked, worse, strict=True):
            hands, measures = look(tf.constant(np.asarray(photo)))
            values = {field: float(value[0]) for field, value in measures._asdict().items()}
            found = bool(hands.found[0])
            verdicts.append(rate_photo("", ONE if found else NONE, values))
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


if __name__ == "__main__":
    main()
