"""The sheet of hands: nine photos with what is seen in them drawn on, landmarks, mask, side, view and quality."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from handnet.data.example import Example
from handnet.files import write_with
from handnet.images.hand.findings import FINDINGS, ONE
from handnet.images.hand.quality_rule import GOOD, REFUSE, USABLE
from handnet.images.hand_report import HandReport, look_at_photos
from handnet.images.hand_survey import Surveyed

COLUMNS, ROWS = 3, 3
# The caption has room for five rows: what is seen and the verdict may take two each.
TILE_PX, CAPTION_PX, GAP_PX, FONT_PX = (400, 300), 116, 14, 17
# Landmarks joined by a line: the palm's edge, and each finger from its root to its tip.
CHAINS = ((0, 5, 9, 13, 17, 0), (0, 1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
LEVEL_COLORS = {GOOD: "#1a7f37", USABLE: "#9a6700", REFUSE: "#c62828"}
MASK_COLOR, BONE_COLOR, JOINT_COLOR = (0, 150, 255), "#ffd400", "#d81b60"


def choose_for_sheet(surveyed: Sequence[Surveyed]) -> list[int]:
    """Return the rows of nine photos: three of the worst quality, and six that are spread over the rest; in their order.

    Args:
        surveyed: what the photos show.
    """
    count = COLUMNS * ROWS
    by_quality = sorted(range(len(surveyed)), key=lambda row: surveyed[row].verdict.quality)
    worst = [row for row in by_quality if surveyed[row].verdict.level != GOOD][: count // 3]
    rest = [row for row in range(len(surveyed)) if row not in worst]
    places = np.linspace(0, len(rest) - 1, min(count - len(worst), len(rest))).round().astype(int)
    return sorted([*worst, *(rest[place] for place in places)])


def draw_sheet(examples: Sequence[Example], path: Path, models_folder: Path | None = None) -> None:
    """Draw up to nine photos with what is seen in them, as a PNG.

    Args:
        examples: the photos and their labels.
        path: the PNG.
        models_folder: that holds the hand models, by default that of `find_models_folder`.

    Raises:
        WeightsError: the hand models are missing.
        DiskError: the file cannot be written.
    """
    chosen = examples[: COLUMNS * ROWS]
    width, height = TILE_PX[0] + GAP_PX, TILE_PX[1] + CAPTION_PX + GAP_PX
    num_rows = -(-len(chosen) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width + GAP_PX, max(1, num_rows) * height + GAP_PX), "white")
    reports = look_at_photos([example.path for example in chosen], models_folder)
    for number, (example, report) in enumerate(zip(chosen, reports, strict=True)):
        place = GAP_PX + number % COLUMNS * width, GAP_PX + number // COLUMNS * height
        sheet.paste(_draw_tile(report), place)
        draw = ImageDraw.Draw(sheet)
        draw.rectangle((*place, place[0] + TILE_PX[0] - 1, place[1] + TILE_PX[1] - 1), outline="#bbbbbb")
        _write_caption(draw, (place[0], place[1] + TILE_PX[1] + 5), example, report)
    write_with(Path(path), lambda draft: sheet.save(draft, format="PNG"))


def _draw_tile(report: HandReport) -> Image.Image:
    tile = Image.new("RGB", TILE_PX, "#eeeeee")
    if report.problem:
        return tile
    height, width = report.picture.shape[:2]
    scale = min(TILE_PX[0] / width, TILE_PX[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    photo = Image.fromarray(report.picture).resize(size, Image.Resampling.LANCZOS)
    corner = (TILE_PX[0] - size[0]) // 2, (TILE_PX[1] - size[1]) // 2
    if report.found:
        mask = np.asarray(Image.fromarray(report.mask).resize(size)) > 0
        edge = ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask)
        pixels = np.array(photo)
        pixels[mask] = (0.8 * pixels[mask] + 0.2 * np.array(MASK_COLOR)).astype(np.uint8)
        pixels[edge] = MASK_COLOR
        photo = Image.fromarray(pixels)
        _draw_landmarks(ImageDraw.Draw(photo), (report.picture_landmarks + 0.5) * scale)
    tile.paste(photo, corner)
    return tile


def _draw_landmarks(draw: ImageDraw.ImageDraw, landmarks: np.ndarray) -> None:
    points = [(float(x), float(y)) for y, x in landmarks]
    for chain in CHAINS:
        draw.line([points[k] for k in chain], fill=BONE_COLOR, width=2)
    for x, y in points:
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=JOINT_COLOR, outline="white")


def _write_caption(draw: ImageDraw.ImageDraw, place: tuple[int, int], example: Example, report: HandReport) -> None:
    verdict, font = report.verdict, ImageFont.load_default(FONT_PX)
    label = " ".join(filter(None, (example.view, example.side))) or "no label"
    if report.found:
        seen = f"{report.view} {report.side}, {min(report.view_confidence, report.side_confidence):.0%}"
        if report.finding != ONE:
            seen += f"; {FINDINGS[report.finding]}"
    else:
        seen = FINDINGS[report.finding]
    lines = (
        (f"seen: {seen}", "black"),
        (f"label: {label}", "#555555"),
        (
            f"{verdict.level} ({verdict.quality:.2f})" + "".join(f", {reason}" for reason in verdict.reasons[:1]),
            LEVEL_COLORS[verdict.level],
        ),
    )
    rows = [
        (row, color) for text, color in lines for row in wrap_text(text, lambda row: draw.textlength(row, font=font))
    ]
    for number, (row, color) in enumerate(rows):
        draw.text((place[0], place[1] + number * (FONT_PX + 5)), row, fill=color, font=font)


def wrap_text(text: str, measure: Callable[[str], float], width_px: float = TILE_PX[0]) -> list[str]:
    """Return text in rows of at most a width, broken between words; a word that is wider alone has a row of its own.

    Args:
        text: one paragraph.
        measure: from a row to its width in pixels.
        width_px: of a row.
    """
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}".lstrip()
        if rows[-1] and measure(longer) > width_px:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows
