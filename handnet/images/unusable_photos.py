"""Why photos cannot be used, in words: the same from every decoder."""

from collections.abc import Mapping

from handnet.config.image import ImageConfig
from handnet.data.blank_rule import BLANK

DAMAGED = "damaged or truncated: it cannot be decoded whole"
# By the hand finder.
NO_HAND = {
    "colour": "no hand was found in it; expected a hand on a plain ground that is lighter than skin",
    "landmarks": "no hand was found in it; expected a whole hand, back or palm, not a fist, on any background",
}
_MAX_NAMED = 5


def explain_unusable(blank: bool, config: ImageConfig) -> str:
    """Return why a photo that was decoded cannot be used: nothing is seen in it, or no hand."""
    return BLANK if blank else NO_HAND[config.hand_finder]


def describe_problems(problems: Mapping[str, str], num_photos: int) -> str:
    """Return one sentence: how many photos cannot be used, and the first few with the reason."""
    named = "; ".join(f"{path!r}: {problems[path]}" for path in sorted(problems)[:_MAX_NAMED])
    more = f" and {len(problems) - _MAX_NAMED} more" if len(problems) > _MAX_NAMED else ""
    return f"{len(problems)} of {num_photos} photos cannot be used: {named}{more}."


def explain_problems(problems: Mapping[str, str], num_photos: int) -> str:
    """Return what `describe_problems` says, and what to do."""
    # `handnet data check` looks for hands by landmarks.
    listed = "damaged and blank ones" + (" and those without a hand" * (NO_HAND["landmarks"] in problems.values()))
    advice = f"Repair or remove them (`handnet data check` lists {listed})."
    if set(NO_HAND.values()) & set(problems.values()):
        advice += " To leave out those without a hand: --skip-without-hand (train, cv, eval and audit)."
        advice += " Whole photos need no hand to be found: --crop none."
    if NO_HAND["colour"] in problems.values():
        advice += " A model trained with --set image.hand_finder=landmarks finds hands on any background."
    return f"{describe_problems(problems, num_photos)} {advice}"


def explain_given(problems: Mapping[str, str], num_photos: int) -> str:
    """Return what `describe_problems` says, and what to do, of photos that were given for one answer."""
    advice = "Take them again, or give other photos."
    if NO_HAND["colour"] in problems.values():
        advice += " A model trained with --set image.hand_finder=landmarks finds hands on any background."
    return f"{describe_problems(problems, num_photos)} {advice}"
