"""What is seen in photos before the model: by the hand front end where its models are, else sharpness and contrast alone."""

from collections.abc import Callable, Mapping, Sequence

from handnet.gallery.photo_quality import Seen, look_at_photo
from handnet.gallery.records import UNKNOWN, HandKind
from handnet.images.hand.findings import SEVERAL
from handnet.images.hand.quality_rule import REFUSE, rate_photo
from handnet.images.hand_models.model_files import has_hand_models
from handnet.images.seen_hand import SeenHand

# Below it view or side counts as not known. On 856 photos of 11k Hands the front end is right in 98.9 and 98.8 %.
MIN_CONFIDENCE = 0.9


# Bytes of photos → what is seen in each.
Look = Callable[[Sequence[bytes]], Sequence[Seen]]


def choose_look() -> Look:
    """Return the function from the bytes of photos to what is seen in each of them."""
    return look_at_hands if has_hand_models() else look_at_pixels


def look_at_hands(photos: Sequence[bytes]) -> list[Seen]:
    """Look for the hand in photos: view, side, and how far the photo can be relied on.

    A photo that the front end refuses (no hand, several hands, or too little of one) has no answer, and is not enrolled: its
    vector would tell of anything but this person's hand, and a model of complete photos makes one of a face or a foot too.

    Args:
        photos: bytes of files.

    Raises:
        WeightsError: the hand models are missing.
    """
    # It imports TensorFlow.
    from handnet.images.hand_report import look_at_photos

    return [
        Seen(reason=report.problem)
        if report.problem
        else rate_hand(
            *(report.finding, report.found, report.measures),
            *((report.view, report.view_confidence), (report.side, report.side_confidence)),
        )
        for report in look_at_photos(photos)
    ]


def look_at_pixels(photos: Sequence[bytes]) -> list[Seen]:
    """Rate photos by sharpness and contrast; view and side stay unknown.

    Args:
        photos: bytes of files.
    """
    return [look_at_photo(photo) for photo in photos]


def take_over(seen: Seen, hand: SeenHand) -> Seen:
    """Return what is seen in a photo with view, side and quality as the model has seen them.

    Args:
        seen: by the pixels alone.
        hand: what the model says.
    """
    known = hand.confidence >= MIN_CONFIDENCE
    return seen._replace(kind=HandKind(hand.view, hand.side) if known else UNKNOWN, quality=hand.quality)


def rate_hand(
    finding: int, found: bool, measures: Mapping[str, float], view: tuple[str, float], side: tuple[str, float]
) -> Seen:
    """Return what the gallery makes of what the front end says of a photo.

    Args:
        finding: how many hands, of `handnet.images.hand.findings`.
        found: there is a hand.
        measures: of the photo, by the names of LIMITS.
        view: "dorsal" or "palmar", and its probability.
        side: "left" or "right", and its probability.
    """
    verdict = rate_photo("", finding, measures)
    kind = HandKind(*(name if probability >= MIN_CONFIDENCE else "" for name, probability in (view, side)))
    seen = Seen(kind if found and finding != SEVERAL else UNKNOWN, verdict.quality, verdict.reasons)
    return seen._replace(reason="; ".join(verdict.reasons), remarks=()) if verdict.level == REFUSE else seen
