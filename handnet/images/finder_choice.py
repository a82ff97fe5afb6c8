"""Which hand finder suits a data set: what `image.hand_finder = "auto"` comes to once the photos are known."""

from collections.abc import Sequence
from dataclasses import replace

from handnet.config.settings import Config
from handnet.console import Echo
from handnet.images.hand_finder import choose_hand_finder
from handnet.images.hand_survey import count_hands

# Photos without a hand stop a training. Of hands on other grounds landmarks find 97 in 100; of synthetic ones, two thirds.
LEAST_FOUND_SHARE = 0.9


def settle_hand_finder(config: Config, paths: Sequence[str], echo: Echo) -> Config:
    """Return the settings with the hand finder chosen; those in which it is already are returned as they are.

    "auto" becomes landmarks where their networks are on this machine and find a hand in nearly all of a sample of the photos. Not
    photo by photo: colour finds a hand in a foot too, and such a photo shall be refused.

    Args:
        config: the settings.
        paths: the photos of the data set.
        echo: is told where landmarks are there, but colour is chosen.
    """
    image = choose_hand_finder(config.image)
    if image.hand_finder == "auto":
        found, looked_at = count_hands(paths)
        by_landmarks = found >= LEAST_FOUND_SHARE * looked_at
        if not by_landmarks:
            echo(f"by landmarks a hand is found in {found} of {looked_at} photos of a sample alone: colour is used.")
        image = replace(image, hand_finder="landmarks" if by_landmarks else "colour")
    return replace(config, image=image)
