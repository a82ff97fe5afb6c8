"""What the background leaks: the picture and the table of docs/explainers/background.md.

Command: python benchmarks/explain_background.py [--people 40] [--photos 2] [--work FOLDER]

The same synthetic hands are drawn three times: on white paper; each person on paper of a colour of their own, as one session
has one table; and with the palms on the next person's paper, as if they had been photographed on another day. handnet trains
`hand-photo` (the hand and the colours of the whole photo) on white and on coloured paper, and `hand` (the hand alone) on coloured
paper, and tests them on people who are in no training; the hand is painted out as `handnet audit` does it. Seed 1.
"""

import argparse
import base64
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from explainer_picture import Picture, place
from PIL import Image

import handnet
from handnet.config.run_folder import Run
from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.library.opened_run import open_run
from handnet.metrics.all_figures import evaluate_brief
from handnet.metrics.embedded import make_part

SEED, SIZE_PX = 1, (256, 192)
COLUMNS = "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"
PAPERS = {
    "white": "white paper",
    "own": "own paper",
    "moved": "palms on other paper",
}
MODELS = {"hand-photo": "whole photo", "hand": "hand alone"}
# Model and training paper → what it is tested on; "moved" is the whole photo of the third data set.
TESTS = {
    ("hand-photo", "white"): ("whole", "background"),
    ("hand-photo", "own"): ("whole", "background", "moved"),
    ("hand", "own"): ("whole", "moved"),
}
TESTED = {"whole": "whole", "background": "background", "moved": "whole"}


def choose_paper(kind: str, person: int, view: str, num_people: int) -> npt.NDArray[np.uint8] | None:
    """Return what a person's hand lies on, uint8 (H, W, 3); None is white paper."""
    if kind == "white":
        return None
    owner = (person + 1) % num_people if kind == "moved" and view == "palmar" else person
    return np.broadcast_to(choose_colour(owner), (SIZE_PX[1], SIZE_PX[0], 3)).astype(np.uint8)


def choose_colour(person: int) -> npt.NDArray[np.floating]:
    """Return the RGB of a person's own paper, 0..255: paper that is a little tinted, lighter than skin."""
    return np.round(np.random.default_rng((SEED, person)).uniform(215, 255, 3))


def draw_photos(folder: Path, kind: str, num_people: int, num_photos: int) -> None:
    """Draw a data set in the layout of 11k Hands: the same hands, whatever they lie on."""
    (folder / "Hands").mkdir(parents=True)
    rows = [COLUMNS]
    for index in range(num_people):
        person = sample_person(SEED, index)
        for number, view in enumerate(("dorsal", "palmar")):
            for photo in range(num_photos):
                random = np.random.default_rng((SEED, index, number, photo))
                ground = choose_paper(kind, index, view, num_people)
                drawn, _ = draw_hand_with_mask(person, view, "right", random, SIZE_PX, ground)
                name = f"{index:04d}_{view}_{photo}.jpg"
                Image.fromarray(drawn).save(folder / "Hands" / name, quality=92)
                rows.append(f'"{index:07d}",30,"male","fair",0,0,"{view} right","{name}",0')
    (folder / "HandInfo.csv").write_text("\n".join([*rows, ""]), "ascii")


def measure(work: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Train and evaluate; return the figures by (model, paper trained on, what it is tested on)."""
    found = {}
    settings = {"data.split": "fractions", "data.split_options": {"train": 0.5, "val": 0.1, "test": 0.4}}
    for model, trained in (("hand-photo", "white"), ("hand-photo", "own"), ("hand", "own")):
        run = handnet.train(
            {"model": {"arch": model}},
            data=work / trained,
            run=work / f"{model}-{trained}",
            settings={**settings, "train.seed": SEED},
            echo=lambda line: None,
        )
        for test in TESTS[model, trained]:
            found[model, trained, test] = evaluate_on(run, work / ("moved" if test == "moved" else trained), test)
    return found


def evaluate_on(run: Run, data: Path, test: str) -> dict[str, Any]:
    """Return the figures of person templates, back to palm, on the test people's photos, altered as the audit alters them."""
    from handnet.embedding.encode import embed_batches
    from handnet.evaluation.alterations import read_altered
    from handnet.networks.encoder import load_encoder

    examples = open_run(run.folder, str(data), "test", echo=lambda line: None).examples
    images = read_altered([example.path for example in examples], run.config.image, TESTED[test])
    vectors = embed_batches(load_encoder(run).model, images)
    people, views = ([getattr(example, name) for example in examples] for name in ("identity", "view"))
    return evaluate_brief(make_part(vectors, people, views))["person_template"]["dorsal_to_palmar"]


def print_table(found: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    """Print R@1 of every model on every test."""
    print("| model | trained on | tested on | R@1, % |\n|---|---|---|---|")
    for (model, trained, test), figures in found.items():
        low, high = (100 * bound for bound in figures["interval"]["recall_at_1"])
        words = {
            "whole": PAPERS[trained],
            "background": f"{PAPERS[trained]}, hand painted out",
            "moved": PAPERS["moved"],
        }
        value = f"{100 * figures['recall_at_1']:.0f} [{low:.0f}, {high:.0f}]"
        print(f"| `{model}`, {MODELS[model]} | {PAPERS[trained]} | {words[test]} | {value} |")
    first = next(iter(found.values()))
    print(f"{first['num_queries']} test people; chance {100 * first['chance']['recall_at_1']:.1f} %")


def draw_picture(work: Path, num_people: int, found: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    """Write the photos and the bars."""
    rows = [
        ("hand-photo", "white", "whole", "white paper, whole photo"),
        ("hand-photo", "white", "background", "white paper, hand painted out"),
        ("hand-photo", "own", "whole", "own paper, whole photo"),
        ("hand-photo", "own", "background", "own paper, hand painted out"),
        ("hand-photo", "own", "moved", "palms on another day's paper"),
        ("hand", "own", "whole", "own paper, model of the hand alone"),
        ("hand", "own", "moved", "the same, on another day's paper"),
    ]
    picture = Picture(
        250 + 31 * len(rows) + 42,
        "Above: synthetic hands on white paper, on each person's own paper, and with palms on other paper. Below: how often the "
        "right person is found first.",
    )
    # The person whose paper is farthest from white.
    shown = min(range(num_people), key=lambda person: float(np.mean(choose_colour(person))))
    for column, (kind, words) in enumerate(PAPERS.items()):
        left = 8 + 130 * column
        picture.write(left, 18, words, "small")
        for row, name in enumerate((f"{shown:04d}_dorsal_0.jpg", f"{shown:04d}_palmar_0.jpg")):
            data = shrink(work / kind / "Hands" / name)
            picture.add("image", href=data, x=left, y=26 + 96 * row, width=124, height=93)
    top = 238
    picture.write(8, top, "Right person found first, % of test people", "title")
    ends, chance = (8.0, 340.0), 100 * found["hand", "own", "whole"]["chance"]["recall_at_1"]
    for number, (model, trained, test, words) in enumerate(rows):
        figures, y = found[model, trained, test], top + 20 + 31 * number
        value = 100 * figures["recall_at_1"]
        low, high = (place(100 * bound, ends, 0, 100) for bound in figures["interval"]["recall_at_1"])
        colour = "blue" if model == "hand" else "orange" if trained == "own" else "grey"
        picture.write(ends[0], y, words, "small")
        picture.add(
            "rect",
            x=ends[0],
            y=y + 4,
            width=place(value, ends, 0, 100) - ends[0],
            height=10,
            class_=f"{colour} middling",
        )
        picture.draw((low, high), (y + 9, y + 9), colour)
        picture.write(394, y + 14, f"{value:.0f} %", "title end")
    bottom = top + 20 + 31 * len(rows) - 10
    at = place(chance, ends, 0, 100)
    picture.draw((at, at), (top + 10, bottom), "grey thin dash")
    picture.write(
        8, bottom + 20, f"Dashed: chance, {chance:.1f} %; lines: 95 % interval. Grey: trained on white", "small soft"
    )
    picture.write(8, bottom + 35, "paper; orange: on own paper; blue: on own paper, the hand alone.", "small soft")
    picture.save("background.svg")


def shrink(path: Path) -> str:
    """Return a photo as a small data address."""
    buffer = io.BytesIO()
    with Image.open(path) as photo:
        photo.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def main() -> None:
    """Draw, train, evaluate; write the picture and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--photos", type=int, default=2, help="of each person and view")
    parser.add_argument("--work", type=Path, help="folder for photos and runs; without it one that is removed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        for kind in PAPERS:
            draw_photos(work / kind, kind, options.people, options.photos)
        found = measure(work)
        print_table(found)
        draw_picture(work, options.people, found)


if __name__ == "__main__":
    main()
