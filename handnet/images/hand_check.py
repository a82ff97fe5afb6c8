"""What `handnet data check` says of the hands in a data set: how many are found, wrong labels, photos to leave out, quality."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from handnet.data.example import Example
from handnet.data.missing_labels import FILLED
from handnet.errors import printable
from handnet.images.finder_choice import needs_landmarks
from handnet.images.hand.findings import FINDINGS, SEVERAL
from handnet.images.hand.quality_rule import GOOD, REFUSE, USABLE
from handnet.images.hand_survey import Surveyed

# A label is said to be contradicted from this probability of the other view on.
CONTRADICTING_CONFIDENCE = 0.9
MAX_NAMED = 20


def describe_hands(examples: Sequence[Example], surveyed: Sequence[Surveyed]) -> str:
    """Describe what the photos show, in lines of text safe to print.

    Args:
        examples: the photos and their labels.
        surveyed: what each shows.
    """
    readable = [(example, photo) for example, photo in zip(examples, surveyed, strict=True) if not photo.problem]
    findings = Counter(FINDINGS[photo.finding] for _, photo in readable)
    lines = [
        "hands: " + ", ".join(f"{words} in {findings[words]:,}" for words in FINDINGS) + f" of {len(readable):,} photos"
    ]
    for number, words in enumerate(FINDINGS[1:], 1):
        lines += _list_photos(f"  {words}", [(e, "") for e, photo in readable if photo.finding == number])
    lines += _describe_grounds([photo for _, photo in readable])
    wrong = sorted(
        (
            (photo.view_confidence, example, words)
            for example, photo in readable
            if photo.found and photo.finding != SEVERAL and (words := find_contradiction(example, photo))
        ),
        key=lambda row: -row[0],
    )
    lines += [f"labels that the photo contradicts (from {CONTRADICTING_CONFIDENCE:.0%} confidence on): {len(wrong):,}"]
    lines += _name_first((f"  {printable(example.path)}: {words}" for _, example, words in wrong), len(wrong))
    verdicts = [(example, photo.verdict) for example, photo in readable]
    levels = Counter(verdict.level for _, verdict in verdicts)
    lines.append("quality: " + ", ".join(f"{level} {levels[level]:,}" for level in (GOOD, USABLE, REFUSE)))
    reasons = Counter(verdict.reasons[0] for _, verdict in verdicts if verdict.level == USABLE)
    lines += [f"  usable, {count:,}: {reason}" for reason, count in reasons.most_common()]
    # Those without a hand are named above.
    refused = [
        (example, "; ".join(photo.verdict.reasons))
        for example, photo in readable
        if photo.found and photo.verdict.level == REFUSE
    ]
    lines += _list_photos("  refused, with a hand", refused)
    return "\n".join(lines)


def find_contradiction(example: Example, photo: Surveyed) -> str:
    """Return "" or how a photo contradicts its given labels: the view's by its look, the side's by view and thumb.

    Args:
        example: the photo and its labels; labels that were filled from the photo itself are no labels of it.
        photo: what it shows.
    """
    filled = example.attributes.get(FILLED, "")
    view = "" if "view" in filled else example.view
    side = "" if "side" in filled else example.side
    if photo.view_confidence < CONTRADICTING_CONFIDENCE or ((view or photo.view), (side or photo.side)) == (
        photo.view,
        photo.side,
    ):
        return ""
    shown = f"{photo.view} {photo.side}" if side else photo.view
    return f"labelled {f'{view} {side}'.strip()}, shows {shown} ({photo.view_confidence:.0%})"


def _describe_grounds(photos: Sequence[Surveyed]) -> list[str]:
    """Return what lies behind the hands that were found, and what that means for crops; nothing where none was."""
    found = [photo for photo in photos if photo.found]
    if not found:
        return []
    line = f"ground: plain in {sum(photo.plain for photo in found):,} of {len(found):,} photos with a hand"
    if needs_landmarks(photos):
        line += "; elsewhere colour does not find it, so a training that crops to the hand takes landmarks"
        line += " (or what image.hand_finder says)"
    return [line]


def _list_photos(title: str, photos: Sequence[tuple[Example, str]]) -> list[str]:
    if not photos:
        return []
    named = (f"    {printable(example.path)}" + (f": {reason}" if reason else "") for example, reason in photos)
    return [f"{title}, {len(photos):,}:", *_name_first(named, len(photos), "    ")]


def _name_first(lines: Iterable[str], total: int, indent: str = "  ") -> list[str]:
    return [*islice(lines, MAX_NAMED), *([f"{indent}… and {total - MAX_NAMED:,} more"] if total > MAX_NAMED else [])]
