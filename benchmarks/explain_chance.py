"""Why the published chance level is wrong, and what one person is worth: the pictures of docs/explainers/chance.md.

Command: python benchmarks/explain_chance.py

41 queries against 41 entries, one right entry each, as published. Random rankings are drawn with seed 0; the expectation comes
from handnet.metrics.chance, the intervals from handnet.metrics.intervals, as `handnet eval` computes them.
"""

import numpy as np
import numpy.typing as npt
from explainer_picture import Picture, place
from scipy.stats import binom

from handnet.metrics.chance import compute_chance
from handnet.metrics.intervals import bootstrap_means, find_interval

PEOPLE, DRAWS = 41, 20_000
# As published: the systems' R@1 on 41 people, and what was called chance.
PUBLISHED = {"ResNet50, contrastive": 4, "DINOv2, contrastive": 13, "ResNet50, triplet": 20, "DINOv2, triplet": 25}
CALLED_CHANCE, CALLED_RANK = 0.5, 100


def simulate() -> tuple[npt.NDArray[np.int64], float]:
    """Return how many of 41 people random vectors find first, in each draw, and the mean rank over all draws."""
    random = np.random.default_rng(0)
    found, ranks = np.zeros(DRAWS, np.int64), np.zeros(DRAWS)
    for draw in range(DRAWS):
        # A random ranking puts the right entry on any place, for each query on its own.
        places = random.integers(1, PEOPLE + 1, PEOPLE)
        found[draw], ranks[draw] = np.sum(places == 1), places.mean()
    return found, float(ranks.mean())


def interval_of(hits: int, people: int) -> tuple[float, float]:
    """Return the 95 % interval of R@1 in per cent where `hits` of the people are found first, as `handnet eval` states it."""
    values = (np.arange(people) < hits).astype(float)[:, None]
    low, high = find_interval(bootstrap_means(values, np.arange(people), 0.0, 1.0))[:, 0] * 100
    return float(low), float(high)


def draw_chance(found: npt.NDArray[np.int64]) -> None:
    """Draw how many people random vectors find first, and where the published systems and the published chance lie."""
    picture = Picture(
        262,
        "Bars: R@1 of random vectors on 41 people, from 0 to 12 per cent. What was published as chance, 0.5 per cent, is no "
        "value that 41 people can have; the contrastive system with 9.8 per cent lies in the upper tail.",
    )
    ends, bottom, top = (42.0, 390.0), 196.0, 52.0
    shares = [100 * float(np.mean(found == hits)) for hits in range(6)]
    step = 100 / PEOPLE
    picture.write(8, 18, "R@1 of random vectors, 41 people", "title")
    for tick in range(0, 41, 10):
        y = place(tick, (bottom, top), 0, 40)
        picture.draw(ends, (y, y), "grid thin")
        picture.write(36, y + 4, f"{tick} %" if tick else "0", "end small soft")
    picture.write(8, 36, "of 20,000 draws", "small soft")
    for hits, share in enumerate(shares):
        x, y = place(hits * step, ends, -1.2, 14), place(share, (bottom, top), 0, 40)
        picture.add("rect", x=x - 22, y=y, width=44, height=bottom - y, class_="blue")
        picture.write(x, y - 5, f"{share:.1f} %" if share < 10 else f"{share:.0f} %", "middle small")
        picture.write(x, bottom + 15, f"{hits * step:.1f}", "middle small")
        picture.write(x, bottom + 29, ("nobody", "1", "2", "3", "4", "5")[hits], "middle small soft")
    for value, words, colour, y, text_x, class_ in (
        (CALLED_CHANCE, "published as chance: 0.5 %", "orange", 66, 174, ""),
        (step, "what chance is: 2.4 %", "green", 86, 174, ""),
        (4 * step, "a published system: 9.8 %", "grey", 124, 388, " end"),
    ):
        x = place(value, ends, -1.2, 14)
        picture.draw((x, x), (y, bottom - (24 if class_ else 0)), f"{colour} dash")
        if not class_:
            picture.draw((x, text_x - 4), (y, y), f"{colour} thin")
        picture.write(text_x, y + (-5 if class_ else 4), words, f"small{class_}")
    picture.write(8, 250, "R@1 in %, and people found. No value lies between two bars.", "small soft")
    picture.save("chance.svg")


def draw_width(true_share: float = 0.6) -> None:
    """Draw how wide the interval of R@1 is for more and more people, and what one person moves."""
    picture = Picture(
        300,
        "The 95 per cent interval of R@1 narrows with the number of people: with 41 it is 30 points wide at 60 per cent.",
    )
    sizes = [10, 15, 20, 30, 41, 60, 80, 120, 190, 300]
    ends, bottom, top = (40.0, 386.0), 236.0, 34.0
    at = [place(float(np.log(size)), ends, float(np.log(10)), float(np.log(300))) for size in sizes]
    picture.write(8, 18, "95 % interval of R@1 where 60 % are found first", "title")
    for tick in range(0, 101, 20):
        y = place(tick, (bottom, top), 0, 100)
        picture.draw(ends, (y, y), "grid thin")
        picture.write(34, y + 4, f"{tick} %", "end small soft")
    bounds = [interval_of(round(true_share * size), size) for size in sizes]
    low, high = ([place(bound[end], (bottom, top), 0, 100) for bound in bounds] for end in (0, 1))
    picture.fill([*at, *reversed(at)], [*low, *reversed(high)], "blue wash")
    for line in (low, high):
        picture.draw(at, line, "blue")
    one = [place(100 * true_share + 100 / size, (bottom, top), 0, 100) for size in sizes]
    picture.draw(at, one, "orange")
    middle = place(100 * true_share, (bottom, top), 0, 100)
    picture.draw(ends, (middle, middle), "grey thin")
    for size, x in zip(sizes, at, strict=True):
        if size not in (15, 80):
            picture.write(x, bottom + 16, str(size), "middle small")
    x = at[sizes.index(PEOPLE)]
    picture.draw((x, x), (top, bottom), "grey thin dash")
    width = bounds[sizes.index(PEOPLE)]
    picture.write(x + 6, top + 12, f"41 people: {width[0]:.0f} to {width[1]:.0f} %", "small")
    picture.write((ends[0] + ends[1]) / 2, bottom + 32, "people tested", "middle small soft")
    picture.draw((12, 34), (284, 284), "blue")
    picture.write(40, 288, "interval", "small")
    picture.draw((112, 134), (284, 284), "orange")
    picture.write(140, 288, "one person more is found", "small")
    picture.save("width.svg")
    print("| people | one person, points | interval of R@1 60 %, % | width, points |\n|---|---|---|---|")
    for size, (lowest, highest) in zip(sizes, bounds, strict=True):
        print(f"| {size} | {100 / size:.1f} | {lowest:.0f}–{highest:.0f} | {highest - lowest:.0f} |")


def draw_published() -> None:
    """Draw the published R@1 of each system with the interval that 41 people give."""
    picture = Picture(
        60 + 32 * len(PUBLISHED) + 34,
        "Published R@1 of four systems on 41 people with their 95 per cent intervals: those of the two triplet systems overlap.",
    )
    ends = (146.0, 344.0)
    picture.write(8, 18, "Published R@1, with the interval of 41 people", "title")
    bottom = 34 + 32 * len(PUBLISHED)
    for tick in range(0, 101, 20):
        x = place(tick, ends, 0, 100)
        picture.draw((x, x), (28, bottom), "grid thin")
        picture.write(x, bottom + 15, f"{tick} %", "middle small soft")
    print("| system | found first | R@1, % | interval, % |\n|---|---|---|---|")
    for row, (name, hits) in enumerate(PUBLISHED.items()):
        y, (low, high) = 36 + 32 * row, interval_of(hits, PEOPLE)
        picture.write(8, y + 16, name, "small")
        picture.draw((place(low, ends, 0, 100), place(high, ends, 0, 100)), (y + 12, y + 12), "blue")
        picture.add("circle", cx=place(100 * hits / PEOPLE, ends, 0, 100), cy=y + 12, r=5, class_="blue")
        picture.write(356, y + 16, f"{100 * hits / PEOPLE:.1f}", "title")
        print(f"| {name} | {hits} of {PEOPLE} | {100 * hits / PEOPLE:.1f} | {low:.0f}–{high:.0f} |")
    x = place(100 / PEOPLE, ends, 0, 100)
    picture.draw((x, x), (28, bottom), "orange dash")
    picture.write(8, bottom + 38, "Orange: chance, 2.4 %", "small soft")
    picture.save("published.svg")


def main() -> None:
    """Draw the pictures and print the figures."""
    found, mean_rank = simulate()
    chance = compute_chance(PEOPLE, np.ones(PEOPLE, int))
    print(f"chance: R@1 {100 * chance.recall_at(1):.2f} %, mean rank {chance.mean_rank:g} (exact)")
    print(f"drawn {DRAWS} times: R@1 {100 * found.mean() / PEOPLE:.2f} %, mean rank {mean_rank:.2f}")
    # 0.5 % and rank 100 belong to a gallery of about 200: one of 189 people, had each of them been an entry.
    whole = compute_chance(189, np.ones(1, int))
    print(f"189 entries: R@1 {100 * whole.recall_at(1):.2f} %, mean rank {whole.mean_rank:g}")
    at_least = 100 * binom.sf(3, PEOPLE, 1 / PEOPLE)
    print(
        f"random vectors reach 4 of {PEOPLE} (9.8 %) or more in {at_least:.1f} % of draws; in 20,000: "
        f"{100 * np.mean(found >= 4):.1f} %"
    )
    draw_chance(found)
    draw_width()
    draw_published()


if __name__ == "__main__":
    main()
