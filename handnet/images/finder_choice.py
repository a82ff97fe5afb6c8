"""Which hand finder suits a data set: what `image.hand_finder = "auto"` comes to once the photos are known."""

from collections.abc import Sequence
from dataclasses import replace

from handnet.config.settings import Config
from handnet.console import Echo
from handnet.images.hand_finder import choose_hand_finder
from handnet.images.hand_survey import LEAST_SHARE, Surveyed, survey_sample

# Of white paper colour finds the same hand in 95 photos of 100, on other grounds in 2 to 10.
LEAST_PLAIN_SHARE = 0.8


def settle_hand_finder(config: Config, paths: Sequence[str], echo: Echo) -> Config:
    """Return the settings with the hand finder chosen; those in which it is already are returned as they are.

    "auto" becomes landmarks where their networks are on this machine and a sample of the photos shows hands on other than
    plain grounds. On plain ones colour finds the same hands, in a quarter of the time, and also the few that landmarks miss, for
    which a training stops. It is chosen for all photos alike: colour finds a hand in a foot too, so a photo in which landmarks
    find none is refused.

    Args:
        config: the settings.
        paths: the photos of the data set.
        echo: is told what was seen, where that decides.
    """
    image = choose_hand_finder(config.image)
    if image.hand_finder == "auto":
        echo("looking for hands in a sample of the photos, to choose how they are found")
        sample = survey_sample(paths)
        found, plain = sum(photo.found for photo in sample), sum(photo.plain for photo in sample)
        echo(f"of a sample of {len(sample)} photos {found} show a hand, {plain} of these on a plain ground")
        image = replace(image, hand_finder="landmarks" if needs_landmarks(sample) else "colour")
    return replace(config, image=image)


def needs_landmarks(photos: Sequence[Surveyed]) -> bool:
    """Return whether these photos show hands, and too few of them on plain grounds for crops by colour.

    Args:
        photos: what photos of the data set show, a sample or all.
    """
    found, plain = sum(photo.found for photo in photos), sum(photo.plain for photo in photos)
    return found >= LEAST_SHARE * len(photos) and plain < LEAST_PLAIN_SHARE * found
