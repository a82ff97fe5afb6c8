"""What is seen in photos before the model: by the hand front end where its models are, else sharpness and contrast alone."""

from collections.abc import Callable, Sequence

from handnet.gallery.photo_quality import Seen, look_at_photo
from handnet.gallery.records import HandKind
from handnet.images.hand.findings import SEVERAL
from handnet.images.hand.quality_rule import REFUSE
from handnet.images.hand_models.model_files import has_hand_models
from handnet.images.hand_report import HandReport, look_at_photos

# Below it view or side counts as not known. On 856 photos of 11k Hands the front end is right in 98.9 and 98.8 %.
MIN_CONFIDENCE = 0.9


def choose_look() -> Callable[[Sequence[bytes]], Sequence[Seen]]:
    """Return the function from the bytes of photos to what is seen in each of them."""
    return look_at_hands if has_hand_models() else look_at_pixels


def look_at_hands(photos: Sequence[bytes]) -> list[Seen]:
    """Look for the hand in photos: view, side, and how far the photo can be relied on.

    A photo that the front end refuses (no hand, blurred beyond use) keeps its vector, with the quality 0: what that means is for
    the review at enrolment to decide, and said with every answer. A photo of several hands has no answer: its vector would be
    that of any one of them.

    Args:
        photos: bytes of files.

    Raises:
        WeightsError: the hand models are missing.
    """
    return [_to_seen(report) for report in look_at_photos(photos)]


def look_at_pixels(photos: Sequence[bytes]) -> list[Seen]:
    """Rate photos by sharpness and contrast; view and side stay unknown.

    Args:
        photos: bytes of files.
    """
    return [look_at_photo(photo) for photo in photos]


def _to_seen(report: HandReport) -> Seen:
    if report.problem:
        return Seen(reason=report.problem)
    verdict = report.verdict
    if report.finding == SEVERAL:
        return Seen(reason=verdict.reasons[0])
    quality = 0.0 if verdict.level == REFUSE else verdict.quality
    if not report.found:
        return Seen(quality=quality, remarks=verdict.reasons)
    kind = HandKind(
        report.view if report.view_confidence >= MIN_CONFIDENCE else "",
        report.side if report.side_confidence >= MIN_CONFIDENCE else "",
    )
    return Seen(kind, quality, verdict.reasons)
