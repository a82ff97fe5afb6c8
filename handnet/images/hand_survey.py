"""What the photos of a data set show, each looked at once: what was found is kept in the cache by the photo's digest."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from handnet.console import Progress, hide_progress
from handnet.data.cache import digest_bytes, find_feature_folder, mark_used, trim_cache, use_folder, write_cached
from handnet.data.checks import read_photo
from handnet.data.missing_labels import HandInPhoto
from handnet.files import parse_json
from handnet.images.hand.findings import NONE, SEVERAL
from handnet.images.hand.quality_rule import Verdict, rate_photo
from handnet.images.hand_models.model_files import FILES
from handnet.images.hand_report import HandReport, look_at_photos
from handnet.images.pixel_rules import digest_report_rules

# Of so many photos, spread over a data set, this share must show a hand before all of them are looked at: a photo without
# one takes ten times as long as one with.
NUM_SAMPLED, LEAST_SHARE = 24, 0.5


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What one photo shows, as `HandReport` says it, without its pixels.

    Attributes:
        problem: "" or why the photo cannot be used; all else means nothing then.
        finding: one of `handnet.images.hand.findings`.
        found: there is a hand; what follows is that of the surest one.
        score: 0..1, how sure it is that there is a hand.
        side: "left" or "right".
        side_confidence: its probability, 0.5..1.
        view: "dorsal" or "palmar".
        view_confidence: its probability, 0.5..1.
        measures: a value for each of `LIMITS`.
        plain: the hand lies on a plain ground.
    """

    problem: str = ""
    finding: int = NONE
    found: bool = False
    score: float = 0.0
    side: str = "left"
    side_confidence: float = 0.5
    view: str = "dorsal"
    view_confidence: float = 0.5
    measures: dict[str, float] | None = None
    plain: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the photo is good, usable or to be refused, and why."""
        return rate_photo(self.problem, self.finding, self.measures or {})


def survey_photos(
    paths: Sequence[str], progress: Progress = hide_progress, models_folder: Path | None = None
) -> list[Surveyed]:
    """Look at every photo for its hand; photos that were looked at before are not decoded again.

    Args:
        paths: the files.
        progress: told of (photos done, photos in all).
        models_folder: that holds the hand models, by default that of `find_models_folder`.

    Returns:
        One for each path, in order; a photo that cannot be read has its problem.

    Raises:
        WeightsError: the hand models are missing.
        DiskError: the cache cannot be written.
    """
    folder = find_feature_folder(
        {"kind": "hands", "rules": digest_report_rules(), "models": [file.sha256 for file in FILES]}
    )
    use_folder(folder)
    files = [_find_file(folder, path) for path in paths]
    found = [_read(file) if file is not None else None for file in files]
    unknown = [row for row, photo in enumerate(found) if photo is None]
    reports, count = look_at_photos((paths[row] for row in unknown), models_folder), progress("look for hands")
    for done, (row, report) in enumerate(zip(unknown, reports, strict=True), 1):
        photo = found[row] = _shorten(report)
        if (file := files[row]) is not None and not report.problem:
            write_cached(file, json.dumps(asdict(photo)).encode())
        count(done, len(unknown))
    mark_used(file for file in files if file is not None)
    trim_cache()
    return [photo or Surveyed() for photo in found]


def shows_hands(paths: Sequence[str], models_folder: Path | None = None) -> bool:
    """Return whether a data set is one of hands: at least half of a few of its photos show one.

    Args:
        paths: its photos.
        models_folder: as for `survey_photos`.
    """
    sample = survey_sample(paths, models_folder)
    return sum(photo.found for photo in sample) >= LEAST_SHARE * max(1, len(sample))


def survey_sample(paths: Sequence[str], models_folder: Path | None = None) -> list[Surveyed]:
    """Look at a few photos of a data set, spread over it.

    Args:
        paths: its photos.
        models_folder: as for `survey_photos`.
    """
    count = min(NUM_SAMPLED, len(paths))
    return survey_photos([paths[i * len(paths) // count] for i in range(count)], models_folder=models_folder)


def see_hands(paths: Sequence[str], progress: Progress = hide_progress) -> list[HandInPhoto | None]:
    """Return which hand each photo shows, None where it shows none, several or is not surely of hands at all.

    What a reader asks for the labels that a data set leaves open; see `handnet.data.missing_labels`.

    Args:
        paths: the files.
        progress: told of (photos done, photos in all).
    """
    if not shows_hands(paths):
        return [None] * len(paths)
    return [
        HandInPhoto(photo.view, photo.view_confidence, (photo.side == "right") == (photo.view == "palmar"))
        if photo.found and photo.finding != SEVERAL
        else None
        for photo in survey_photos(paths, progress)
    ]


def _find_file(folder: Path, path: str) -> Path | None:
    contents, problem = read_photo(path)
    if problem:
        return None
    digest = digest_bytes(contents)
    return folder / digest[:2] / digest


def _read(file: Path) -> Surveyed | None:
    """Return what is kept of a photo, or None where nothing is, or a power cut has left a piece."""
    try:
        return Surveyed(**parse_json(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _shorten(report: HandReport) -> Surveyed:
    return Surveyed(
        report.problem,
        report.finding,
        report.found,
        report.score,
        report.side,
        report.side_confidence,
        report.view,
        report.view_confidence,
        report.measures,
        report.plain,
    )
