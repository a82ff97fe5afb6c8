"""Published weights: what they fit, where they are, their size and licence."""

from dataclasses import dataclass
from pathlib import Path

from handnet.images.hand_models import files as hand_models

META = "https://dl.fbaipublicfiles.com/dinov2"
TORCHVISION = "https://download.pytorch.org/models"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
FACENET = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
APACHE = "Apache-2.0"
DINO3 = "DINOv3 License (asks for acceptance)"
# Weights that come with handnet, learnt from made-up hands alone, and the backbones that they fit.
SHIPPED = {"handnet-synthetic": Path(__file__).resolve().parent / "synthetic"}
SHIPPED_ARCHS = ("hand", "hand-photo", "mini")


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that someone published.

    Attributes:
        arch: the backbone that they fit.
        num_parameters: of the backbone as built here at the size of pretraining, pixel normalisation left out.
        width: of the features.
        image_size_px: side of the photos in pretraining.
        licence: of the weights; what the training data allow is another question.
        url: a file that can be fetched; "" where its owner asks for acceptance first.
        preset: keras-hub's name; "" where it has none.
        page: where a person reads about them.
    """

    arch: str
    num_parameters: int
    width: int
    image_size_px: int
    licence: str
    url: str = ""
    preset: str = ""
    page: str = ""


def find_preset(arch: str) -> str:
    """Return keras-hub's preset for a backbone; "" where there is none."""
    return next((p.preset for p in PUBLISHED.values() if p.arch == arch and p.preset), "")


def list_published() -> list[tuple[str, ...]]:
    """Return the rows of `handnet weights list`, the header first."""
    rows: list[tuple[str, ...]] = [
        ("weights", "backbone", "parameters", "float32", "width", "trained at", "licence", "from")
    ]
    for name in SHIPPED:
        parts = ("0.6 M", "3 MB", "4760", "96 px", APACHE, "this package: --weights " + name)
        rows.append((name, " ".join(SHIPPED_ARCHS), *parts))
    rows.append(
        (
            hand_models.NAME,
            "finds hands: any",
            "3.8 M",
            f"{sum(file.num_bytes for file in hand_models.FILES) / 1e6:.0f} MB",
            "",
            "192 and 224 px",
            hand_models.LICENCE,
            f"the package index: handnet weights fetch {hand_models.NAME}; {hand_models.PAGE}",
        )
    )
    for name, published in PUBLISHED.items():
        rows.append(
            (
                name,
                published.arch,
                f"{published.num_parameters / 1e6:,.1f} M",
                f"{4 * published.num_parameters / 1e6:,.0f} MB",
                str(published.width),
                f"{published.image_size_px} px",
                published.licence,
                published.url or published.page,
            )
        )
    return rows


def _dino2(arch: str, code: str, num_parameters: int, width: int, size: str) -> Published:
    registers = arch.endswith("-reg")
    file = f"dinov2_{code}14_reg4_pretrain.pth" if registers else f"dinov2_{code}14_pretrain.pth"
    return Published(
        arch,
        num_parameters,
        width,
        518,
        APACHE,
        f"{META}/dinov2_{code}14/{file}",
        f"dinov2_with_registers_{size}" if registers else f"dinov2_{size}",
        "https://github.com/facebookresearch/dinov2",
    )


def _dino3(arch: str, name: str, num_parameters: int, width: int) -> Published:
    page = f"https://huggingface.co/facebook/dinov3-{name}-pretrain-lvd1689m"
    preset = "dinov3_vit_" + arch.removeprefix("dino3-").replace("-", "_") + "_lvd1689m"
    return Published(arch, num_parameters, width, 224, DINO3, "", preset, page)


PUBLISHED: dict[str, Published] = {
    "dino": _dino2("dino", "vitb", 86_579_712, 768, "base"),
    "dino-small": _dino2("dino-small", "vits", 22_056_192, 384, "small"),
    "dino-large": _dino2("dino-large", "vitl", 304_367_616, 1024, "large"),
    "dino-giant": _dino2("dino-giant", "vitg", 1_136_479_232, 1536, "giant"),
    "dino-base-reg": _dino2("dino-base-reg", "vitb", 86_582_784, 768, "base"),
    "dino-small-reg": _dino2("dino-small-reg", "vits", 22_057_728, 384, "small"),
    "dino-large-reg": _dino2("dino-large-reg", "vitl", 304_371_712, 1024, "large"),
    "dino-giant-reg": _dino2("dino-giant-reg", "vitg", 1_136_485_376, 1536, "giant"),
    "dino3-small": _dino3("dino3-small", "vits16", 21_600_768, 384),
    "dino3-small-plus": _dino3("dino3-small-plus", "vits16plus", 28_697_088, 384),
    "dino3-base": _dino3("dino3-base", "vitb16", 85_668_864, 768),
    "dino3-large": _dino3("dino3-large", "vitl16", 303_153_152, 1024),
    "dino3-huge-plus": _dino3("dino3-huge-plus", "vith16plus", 840_632_320, 1280),
    "dino3-7b": _dino3("dino3-7b", "vit7b16", 6_716_522_496, 4096),
    "resnet50": Published(
        "resnet50",
        23_561_152,
        2048,
        224,
        "BSD-3-Clause",
        f"{TORCHVISION}/resnet50-0676ba61.pth",
        "resnet_50_imagenet",
        "https://pytorch.org/vision/stable/models/resnet.html",
    ),
    "resnet50-v2": Published(
        "resnet50",
        23_561_152,
        2048,
        224,
        "BSD-3-Clause",
        f"{TORCHVISION}/resnet50-11ad3fa6.pth",
        page="https://pytorch.org/vision/stable/models/resnet.html",
    ),
    "vgg16": Published(
        "vgg16",
        14_714_688,
        512,
        224,
        "BSD-3-Clause",
        f"{TORCHVISION}/vgg16-397923af.pth",
        "vgg_16_imagenet",
        "https://pytorch.org/vision/stable/models/vgg.html",
    ),
    "vgg16-keras": Published(
        "vgg16",
        14_714_688,
        512,
        224,
        "CC BY 4.0",
        f"{KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        page="https://keras.io/api/applications/vgg/",
    ),
    "inception-v3": Published(
        "inception-v3",
        21_802_784,
        2048,
        299,
        "Apache-2.0",
        f"{KERAS}/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        page="https://keras.io/api/applications/inceptionv3/",
    ),
    "inception-resnet-v1": Published(
        "inception-resnet-v1",
        23_512_224,
        512,
        160,
        "MIT",
        f"{FACENET}/20180402-114759-vggface2.pt",
        page="https://github.com/timesler/facenet-pytorch",
    ),
    "inception-resnet-v1-casia": Published(
        "inception-resnet-v1",
        23_512_224,
        512,
        160,
        "MIT",
        f"{FACENET}/20180408-102900-casia-webface.pt",
        page="https://github.com/timesler/facenet-pytorch",
    ),
}
