"""The settings of how a photo becomes the square that a network sees."""

import math
from dataclasses import dataclass, replace

from handnet.config.ranges import check_choice, check_range
from handnet.errors import ConfigError

HAND_FINDERS = ("colour", "landmarks", "auto")
CROPS = (
    "none",
    "hand",
    "hand-upright",
    "hand-canonical",
    "hand-palm",
    "hand-warped",
    "hand-and-photo",
    "middle",
    "several",
)
# Those that are a picture of their own, not several in one.
SINGLE_CROPS = tuple(crop for crop in CROPS if crop not in ("hand-and-photo", "several"))
# Those for which no hand is looked for.
WHOLE_CROPS = ("none", "middle")
# Those in which left and right hands look the same.
MIRRORED_CROPS = ("hand-canonical", "hand-palm", "hand-warped", "hand-and-photo")
# Those that landmarks alone can lay.
LANDMARK_CROPS = ("hand-palm", "hand-warped")


def find_tiles_per_side(num_crops: int) -> int:
    """Return how many squares lie along each side of the smallest square grid that holds so many crops, at least 1."""
    return math.ceil(math.sqrt(max(num_crops, 1)))


@dataclass(frozen=True)
class ImageConfig:
    """How a photo becomes a square array, the same for training, evaluation and serving.

    Attributes:
        size_px: side of the square, pixels.
        fit: "letterbox" (whole photo, padded), "stretch" (whole photo, aspect lost) or "center-crop" (cuts fingers off;
            only for comparison with systems that do it).
        crop: "none"; "hand": the hand alone, segmented, centred and scaled on a plain background; "hand-upright": turned as
            well, so that the fingers point up; "hand-canonical": and mirrored, so that the thumb is on the left. Left and
            right hands look the same then, and so do backs and palms: for identities that are people, not hands.
            "hand-palm": as "hand-canonical", but laid by the landmarks of the palm instead of the outline; "hand-warped": warped
            so that all landmarks lie where a mean hand has them; both need image.hand_finder = "landmarks".
            "hand-and-photo": "hand-canonical" in the upper left two thirds of the picture and the whole photo in the lower right
            third. "middle": the middle half of either side, for faces that are centred. "several": those of `crops`, in one
            picture.
        crops: of "several": the crops that are laid into one picture, row by row on the smallest square grid that holds them.
            They follow from `model.sources`.
        background: grey level 0..255 of the padding and of the cropped hand's background.
        hand_finder: what a crop to the hand goes by. "colour": the hand stands out from a plain background; "landmarks": 21
            landmarks that two networks find on any background (`handnet weights fetch mediapipe-hands`); "auto": landmarks
            where these networks are on this machine and a sample of the photos shows hands on other than plain grounds, else
            colour. A run records which of the two it is.
    """

    size_px: int = 224
    fit: str = "letterbox"
    crop: str = "none"
    crops: tuple[str, ...] = ()
    background: int = 255
    # Runs made before there was a choice do not say it, and went by colour.
    hand_finder: str = "colour"

    def __post_init__(self) -> None:
        check_range("image.size_px", self.size_px, 16, 2048)
        check_range("image.background", self.background, 0, 255)
        check_choice("image.fit", self.fit, ("letterbox", "stretch", "center-crop"))
        check_choice("image.crop", self.crop, CROPS)
        check_choice("image.hand_finder", self.hand_finder, HAND_FINDERS)
        if self.hand_finder == "landmarks" and not self.is_hand_crop:
            raise ConfigError(
                f'image.hand_finder = "landmarks" is for crops to the hand. Received: image.crop = "{self.crop}". '
                'Leave one out, or give e.g. image.crop = "hand-canonical".'
            )
        by_landmarks = next((crop for crop in LANDMARK_CROPS if crop in (self.crop, *self.crops)), "")
        if self.hand_finder == "colour" and by_landmarks:
            raise ConfigError(
                f'image.crop = "{by_landmarks}" needs landmarks. Received: image.hand_finder="colour". Fetch the networks that '
                'find them (handnet weights fetch mediapipe-hands), and give image.hand_finder = "landmarks".'
            )
        if self.crop == "hand-and-photo" and self.size_px % 3:
            raise ConfigError(
                'image.crop = "hand-and-photo" divides the picture in thirds: `image.size_px` must be a multiple of 3. '
                f"Received: {self.size_px}. Give 192."
            )
        for crop in self.crops:
            check_choice("image.crops", crop, SINGLE_CROPS)
        if (self.crop == "several") != (len(self.crops) > 1):
            raise ConfigError(
                'image.crop = "several" goes with two or more `image.crops`, and other crops with none. Received: image.crop='
                f"{self.crop!r}, image.crops={list(self.crops)}. Leave both out: they follow from `model.sources`."
            )
        if self.size_px % self.tiles_per_side:
            raise ConfigError(
                f"`image.size_px` must be a multiple of {self.tiles_per_side}: {len(self.crops)} crops form such a grid. "
                f"Received: {self.size_px}."
            )

    @property
    def tiles_per_side(self) -> int:
        """How many crops lie along each side of the picture: 1 but for "several"."""
        return find_tiles_per_side(len(self.crops))

    @property
    def tiles(self) -> tuple["ImageConfig", ...]:
        """The settings of each crop in the picture, row by row; those of the picture itself where it is one crop."""
        if not self.crops:
            return (self,)
        size_px = self.size_px // self.tiles_per_side
        return tuple(
            replace(
                self,
                size_px=size_px,
                crop=crop,
                crops=(),
                hand_finder=self.hand_finder if crop not in WHOLE_CROPS else "colour",
            )
            for crop in self.crops
        )

    @property
    def is_hand_crop(self) -> bool:
        """Whether the hand is looked for in each photo."""
        return self.crop not in WHOLE_CROPS
