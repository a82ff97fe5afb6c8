"""What the background leaks: the picture and the table of docs/explainers/background.md.

Command: python benchmarks/explain_background.py [--people 48] [--photos 2] [--work FOLDER]

The same synthetic hands are drawn three times: on white paper; each person on paper of a colour of their own, as one session
has one table; and with the palms on the next person's paper, as if they had been photographed on another day. handnet trains
`hand-photo` (the hand and the colours of the whole photo) and `hand` (the hand alone) on white and on coloured paper,
evaluates and audits them on people who are in no training. Seed 1.
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
from handnet.data.synthetic import draw_hand_with_mask, sample_person

SEED, SIZE_PX = 1, (256, 192)
COLUMNS = "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"
PAPERS = {
    "white": "white paper",
    "own": "own paper",
    "moved": "palms on other paper",
}
MODELS = {"hand-photo": "whole photo", "hand": "hand alone"}


def choose_paper(kind: str, person: int, view: str, num_people: int) -> npt.NDArray[np.uint8] | None:
    """Return what a person's hand lies on, uint8 (H, W, 3); None is white paper."""
    if kind == "white":
        return None
    owner = (person + 1) % num_people if kind == "moved" and view == "palmar" else person
    colour = np.random.default_rng((SEED, owner)).uniform(150, 250, 3)
    return np.broadcast_to(np.round(colour), (SIZE_PX[1], SIZE_PX[0], 3)).astype(np.uint8)


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
    settings = {
        "data.split": "fractions",
        "data.split_options": {"train": 0.5, "val": 0.1, "test": 0.4},
        "train.seed": SEED,
    }
    for model in MODELS:
        for trained in ("white", "own"):
            run = handnet.train(
                {"model": {"arch": model}},
                data=work / trained,
                run=work / f"{model}-{trained}",
                settings=settings,
                echo=lambda line: None,
            )
            audited = handnet.evaluate(run, audit=True, echo=lambda line: None).metrics
            assert audited is not None
            for name, figures in audited["audit"]["conditions"].items():
                if "refused" not in figures:
                    found[model, trained, name] = figures["person_template"]["dorsal_to_palmar"]
            other = handnet.evaluate(
                run, data=work / "moved", output=work / "moved-eval", echo=lambda line: None
            ).metrics
            assert other is not None
            found[model, trained, "moved"] = other["protocols"]["person_template"]["dorsal_to_palmar"]
    return found


def print_table(found: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    """Print R@1 of every model on every test."""
    names = {"whole": "as photographed", "background": "background only", "hand": "hand only", "moved": PAPERS["moved"]}
    print(f"| model | trained on | {' | '.join(names.values())} |\n|---|---|{'---|' * len(names)}")
    for model, words in MODELS.items():
        for trained in ("white", "own"):
            cells = []
            for name in names:
                figures = found[model, trained, name]
                low, high = (100 * bound for bound in figures["interval"]["recall_at_1"])
                cells.append(f"{100 * figures['recall_at_1']:.0f} [{low:.0f}, {high:.0f}]")
            print(f"| `{model}`, {words} | {PAPERS[trained]} | {' | '.join(cells)} |")
    chance = found["hand", "white", "whole"]["chance"]["recall_at_1"]
    num_people = found["hand", "white", "whole"]["num_queries"]
    print(f"{num_people} test people; chance {100 * chance:.1f} %")


def draw_picture(work: Path, found: dict[tuple[str, str, str], dict[str, Any]]) -> None:
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
    for column, (kind, words) in enumerate(PAPERS.items()):
        left = 8 + 130 * column
        picture.write(left, 18, words, "small")
        for row, name in enumerate(("0001_dorsal_0.jpg", "0001_palmar_0.jpg")):
            data = shrink(work / kind / "Hands" / name)
            picture.add("image", href=data, x=left, y=26 + 96 * row, width=124, height=93)
    top = 238
    picture.write(8, top, "Right person found first, % of test people", "title")
    ends, chance = (8.0, 352.0), 100 * found["hand", "white", "whole"]["chance"]["recall_at_1"]
    for number, (model, trained, test, words) in enumerate(rows):
        figures, y = found[model, trained, test], top + 20 + 31 * number
        value = 100 * figures["recall_at_1"]
        low, high = (place(100 * bound, ends, 0, 100) for bound in figures["interval"]["recall_at_1"])
        colour = "blue" if model == "hand" else "orange" if trained == "own" else "grey"
        picture.write(ends[0], y, words, "small")
        picture.add("rect", x=ends[0], y=y + 4, width=place(value, ends, 0, 100) - ends[0], height=10, class_=colour)
        picture.draw((low, high), (y + 9, y + 9), "ring thin")
        picture.write(360, y + 14, f"{value:.0f} %", "title")
    bottom = top + 20 + 31 * len(rows) - 10
    at = place(chance, ends, 0, 100)
    picture.draw((at, at), (top + 10, bottom), "grey thin dash")
    picture.write(8, bottom + 20, f"Dashed: chance, {chance:.1f} %. Grey bars: trained on white paper;", "small soft")
    picture.write(8, bottom + 35, "orange: on own paper; blue: on own paper, the hand alone.", "small soft")
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
    parser.add_argument("--people", type=int, default=48)
    parser.add_argument("--photos", type=int, default=2, help="of each person and view")
    parser.add_argument("--work", type=Path, help="folder for photos and runs; without it one that is removed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        for kind in PAPERS:
            draw_photos(work / kind, kind, options.people, options.photos)
        found = measure(work)
        print_table(found)
        draw_picture(work, found)


if __name__ == "__main__":
    main()
