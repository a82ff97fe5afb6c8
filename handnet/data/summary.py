"""What `handnet data check` says and draws of a data set: counts, health, photos per person, a montage."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from PIL import Image, ImageDraw, ImageFont, ImageOps

from handnet.config.split import PARTS, Split
from handnet.data.checks import PhotoProblem, find_header_problem
from handnet.data.dataset import DataSet, distinct_identities, people_with_both_views
from handnet.data.example import SIDES, VIEWS, Example
from handnet.data.leaks import select_photos
from handnet.data.plain_names import draw_plain_names
from handnet.errors import DataError, printable
from handnet.files import write_with

_Item = TypeVar("_Item")
_MAX_VALUES = 8
_MAX_NAMED = 20
_COLORS = {"dorsal": "#c0562f", "palmar": "#2f6fc0", "": "#555555"}
_TILE_PX = (160, 120)
_MOST_BARS = 100
_MONTAGE_PEOPLE, _MONTAGE_COLUMNS = 8, 8
_LABEL_PX, _GAP_PX, _HEADER_PX = 90, 6, 24


def describe(dataset: DataSet, split: Split | None = None) -> str:
    """Describe a data set in lines of text.

    Args:
        dataset: what a reader returned.
        split: whose parts to count as well.

    Returns:
        People, photos by view, side and attribute, people with both views, the parts of the split, and the reader's
        problems; safe to print.
    """
    examples = dataset.examples
    per_person = Counter(example.identity for example in examples)
    both = people_with_both_views(examples)
    lines = [f"{dataset.name}: {printable(dataset.directory)}"]
    if len(dataset.rows) > len(examples):
        lines.append(f"table: {len(dataset.rows):,} rows, {len(dataset.all_identities):,} people")
    counts = sorted(per_person.values()) or [0]
    lines.append(
        f"photos: {len(examples):,} of {_people(len(per_person))}, {counts[0]} to {counts[-1]} each, "
        f"median {median(counts):g}"
    )
    has_views = any(example.view for example in examples)
    if has_views:
        lines.append(f"both views: {_people(len(both))}; one view only: {_people(len(per_person) - len(both))}")
    if len(per_person) < 2:
        lines.append("Matching needs at least 2 people.")
    lines += dataset.notes
    lines += [f"left out: {problem}" for problem in dataset.problems]
    if values := _count_values(examples):
        lines += ["", *_format_table(("", "photos", "people"), values)]
    if split is not None:
        by_photo = split.by == "photo"
        in_table = len(dataset.rows) > len(examples) and not by_photo
        header = [
            "split",
            "people",
            *([] if by_photo else ["with photos"]),
            *(["both views"] if has_views else []),
            "photos",
        ]
        header += [*(VIEWS if has_views else ()), *(["rows in table"] if in_table else [])]
        lines += ["", *_format_table(header, [_count_part(dataset, split, part, header) for part in PARTS])]
        dealt = {example.identity for part in PARTS for example in select_photos(dataset, split, part)}
        if outside := [person for person in per_person if person not in dealt]:
            lines.append(f"{_people(len(outside))} with photos in no part of the split")
        lines += [split.note] if split.note else []
    return "\n".join(lines)


def describe_health(
    problems: Sequence[PhotoProblem], duplicates: Sequence[Sequence[str]], examples: Iterable[Example] = ()
) -> str:
    """Describe what `check_photos` and `find_duplicates` found, in lines of text safe to print.

    Args:
        problems: unusable photos and those with a remark.
        duplicates: groups of paths of identical content.
        examples: the photos' labels, which tell duplicates under different labels: those are wrong labels.
    """
    unusable = [problem for problem in problems if not problem.usable]
    remarks = Counter(problem.reason for problem in problems if problem.usable)
    lines = [f"unusable photos: {len(unusable):,}"]
    lines += [f"  {printable(problem.path)}: {problem.reason}" for problem in unusable[:_MAX_NAMED]]
    lines += [f"  … and {len(unusable) - _MAX_NAMED:,} more"] if len(unusable) > _MAX_NAMED else []
    lines += [f"{count:,} usable: {reason}" for reason, count in remarks.most_common()]
    label = {example.path: (example.identity, example.view, example.side) for example in examples}
    groups = [(len({label[path] for path in group if path in label}) > 1, group) for group in duplicates]
    contradictory = sum(differ for differ, _ in groups)
    lines.append(
        f"groups of photos of identical content: {len(groups):,}"
        + (f", {contradictory:,} of them under different labels" if contradictory else "")
    )
    # Different labels first: they spoil training, while plain copies only weigh a photo twice.
    groups.sort(key=lambda pair: not pair[0])
    for differ, group in groups[:_MAX_NAMED]:
        names = ", ".join(printable(path) for path in group[:4]) + (", …" if len(group) > 4 else "")
        lines.append(f"  {'different labels: ' if differ else ''}{names}")
    lines += [f"  … and {len(groups) - _MAX_NAMED:,} more"] if len(groups) > _MAX_NAMED else []
    return "\n".join(lines)


@draw_plain_names()
def draw_histogram(dataset: DataSet, path: Path) -> None:
    """Draw how many people have how many photos, in all and by view, as a PNG.

    Of a data set without views and of at most 100 people or classes there is a bar for each of them too, by name.

    Raises:
        DataError: there is no photo.
        DiskError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    _require_photos(dataset)
    views = [view for view in VIEWS if any(example.view == view for example in dataset.examples)]
    people = dataset.identities
    counts = Counter((example.identity, example.view) for example in dataset.examples)
    totals = Counter(example.identity for example in dataset.examples)
    panels = [("all photos", "", [totals[person] for person in people])]
    panels += [(view, view, [counts[person, view] for person in people]) for view in views]
    largest = max(totals.values())
    width = max(1, -(-largest // 40))
    # Whole numbers in the middle of their bars, however wide these are.
    edges = [width * number - 0.5 for number in range(largest // width + 2)]
    by_name = not views and len(people) <= _MOST_BARS
    figure = Figure(figsize=(8, 2.2 * len(panels) + 0.6 + 3.2 * by_name), layout="constrained")
    upper: Any = figure
    if by_name:
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.8, 3.2))[:, 0]
        _draw_bars(lower.subplots(), dataset, totals)
    all_axes = upper.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, view, values) in zip(all_axes, panels, strict=True):
        axes.hist(values, bins=edges, color=_COLORS[view], edgecolor="white", linewidth=0.5)
        axes.set_title(f"{title}: {sum(values):,} photos of {_people(sum(v > 0 for v in values))}", loc="left", size=10)
        axes.set_ylabel("people")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
    # From the first bar on: nobody has fewer than no photos.
    all_axes[-1].set_xlim(edges[0], edges[-1])
    all_axes[-1].xaxis.get_major_locator().set_params(integer=True)
    all_axes[-1].set_xlabel("photos of one person" + (f" (bars of {width})" if width > 1 else ""))
    write_with(Path(path), lambda draft: figure.savefig(draft, format="png", dpi=110))


def _draw_bars(axes: Any, dataset: DataSet, totals: Counter[str]) -> None:
    """Draw one bar for each person or class, named by its words where it has any."""
    words = {example.identity: example.attributes.get("words", "").split(",")[0] for example in dataset.examples}
    names = [words[identity] or identity for identity in dataset.identities]
    axes.bar(range(len(names)), [totals[identity] for identity in dataset.identities], color=_COLORS[""])
    axes.set_xticks(range(len(names)), names, rotation=90, size=8 if len(names) <= 50 else 5)
    axes.set_xlim(-0.8, len(names) - 0.2)
    axes.set_ylabel("photos")
    axes.spines[["top", "right"]].set_visible(False)


def draw_montage(dataset: DataSet, path: Path) -> None:
    """Draw photos of a few people as a PNG: a row for each person, dorsal left and palmar right, upright.

    People are taken evenly from the whole data set, those with both views and several photos of each where there are enough.

    Raises:
        DataError: there is no photo.
        DiskError: the file cannot be written.
    """
    _require_photos(dataset)
    has_views = any(example.view for example in dataset.examples)
    people = (people_with_both_views(dataset.examples) if has_views else []) or dataset.identities
    groups = list(VIEWS) if has_views else [""]
    counts = Counter((example.identity, example.view) for example in dataset.examples)
    for least in range(_MONTAGE_COLUMNS // len(groups), 1, -1):
        # Whose photos fill the columns, so that no row is half empty, where enough people have so many.
        full = [person for person in people if min(counts[person, view] for view in groups) >= least]
        if len(full) >= _MONTAGE_PEOPLE:
            people = full
            break
    people = _pick_evenly(people, _MONTAGE_PEOPLE)
    # At most 4 dorsal and 4 palmar, or 8 of a data set without views; no columns that nobody fills.
    photos = {
        (person, view): [example for example in dataset.examples if (example.identity, example.view) == (person, view)]
        for person in people
        for view in groups
    }
    columns = [
        min(_MONTAGE_COLUMNS // len(groups), max(1, *(len(photos[person, view]) for person in people)))
        for view in groups
    ]
    width, height = (length + _GAP_PX for length in _TILE_PX)
    lefts = [_LABEL_PX + sum(columns[:number]) * width + number * 2 * _GAP_PX for number in range(len(groups))]
    size = (lefts[-1] + columns[-1] * width + _GAP_PX, _HEADER_PX + height * len(people) + _GAP_PX)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for left, view, count in zip(lefts, groups, columns, strict=True):
        draw.text((left, 4), view, fill=_COLORS[view], font=font)
        for row, person in enumerate(people):
            for column, example in enumerate(_pick_evenly(photos[person, view], count)):
                sheet.paste(_draw_tile(example), (left + column * width, _HEADER_PX + row * height))
    for row, person in enumerate(people):
        draw.text((4, _HEADER_PX + row * height + height // 2 - 7), printable(person)[:12], fill="black", font=font)
    write_with(Path(path), lambda draft: sheet.save(draft, format="PNG"))


def _draw_tile(example: Example) -> Image.Image:
    width, height = _TILE_PX
    tile = Image.new("RGB", _TILE_PX, "#dddddd")
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(11)
    photo = _load_thumbnail(Path(example.path))
    if photo is None:
        draw.line((0, 0, width, height), fill="#b00000")
        draw.text((6, height // 2 - 6), "cannot be read", fill="#b00000", font=font)
    else:
        tile.paste(photo, ((width - photo.width) // 2, (height - photo.height) // 2))
    # Where a photo ends whose background is as white as the sheet.
    draw.rectangle((0, 0, width - 1, height - 1), outline="#aaaaaa")
    if example.side in SIDES:
        draw.text((4, height - 15), example.side, fill="black", font=font)
    return tile


def _load_thumbnail(path: Path) -> Image.Image | None:
    """Return the photo upright, within a tile, or None where it cannot be read: `check_photos` names those."""
    try:
        contents = path.read_bytes()
        if find_header_problem(contents):
            return None
        with Image.open(BytesIO(contents)) as image:
            # Twice the tile's longer side both ways, since the photo may yet be turned.
            image.draft("RGB", (2 * _TILE_PX[0], 2 * _TILE_PX[0]))
            photo = ImageOps.exif_transpose(image).convert("RGB")
    # Decoders raise errors of every kind on damaged input.
    except Exception:
        return None
    return ImageOps.contain(photo, _TILE_PX, Image.Resampling.LANCZOS)


def _count_values(examples: Sequence[Example]) -> list[tuple[str, ...]]:
    """Return rows (label, photos, people) for each view, side, their combinations and each attribute's values."""
    columns: list[tuple[str, list[str]]] = [("view", [e.view for e in examples]), ("side", [e.side for e in examples])]
    columns.append(("view and side", [f"{e.view} {e.side}" if e.view and e.side else "" for e in examples]))
    keys = dict.fromkeys(key for example in examples for key in example.attributes)
    columns += [(key, [example.attributes.get(key, "") for example in examples]) for key in keys]
    rows: list[tuple[str, ...]] = []
    for title, values in columns:
        if not any(values):
            continue
        rows.append((_shorten(title), "", ""))
        photos = Counter(values)
        people: Mapping[str, set[str]] = {value: set() for value in photos}
        for example, value in zip(examples, values, strict=True):
            people[value].add(example.identity)
        for value, count in photos.most_common(_MAX_VALUES):
            rows.append((f"  {_shorten(value) or 'unknown'}", f"{count:,}", f"{len(people[value]):,}"))
        if rest := photos.most_common()[_MAX_VALUES:]:
            others = set().union(*(people[value] for value, _ in rest))
            total = sum(count for _, count in rest)
            rows.append((f"  {len(rest):,} other values", f"{total:,}", f"{len(others):,}"))
    return rows


def _count_part(dataset: DataSet, split: Split, part: str, header: Sequence[str]) -> tuple[str, ...]:
    people = set(split.people(part))
    examples = select_photos(dataset, split, part)
    views = Counter(example.view for example in examples)
    counts = {
        # By photo, people are those of the photos; else those of the split, with photos or without.
        "people": len(distinct_identities(examples)) if split.by == "photo" else len(people),
        "with photos": len(distinct_identities(examples)),
        "both views": len(people_with_both_views(examples)),
        "photos": len(examples),
        "dorsal": views["dorsal"],
        "palmar": views["palmar"],
        "rows in table": sum(row.identity in people for row in dataset.rows),
    }
    return (f"  {part}", *(f"{counts[column]:,}" for column in header[1:]))


def _format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines with the first column to the left and the others to the right, as wide as they need to be."""
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in table
    ]


def _pick_evenly(items: Sequence[_Item], count: int) -> list[_Item]:
    return [items[number * len(items) // count] for number in range(count)] if len(items) > count else list(items)


def _require_photos(dataset: DataSet) -> None:
    if not dataset.examples:
        raise DataError(f"There is no photo to draw in {printable(dataset.directory)}.")


def _people(count: int) -> str:
    return f"{count:,} person" if count == 1 else f"{count:,} people"


def _shorten(text: str, length: int = 24) -> str:
    text = printable(text)
    return text if len(text) <= length else text[: length - 1] + "…"
