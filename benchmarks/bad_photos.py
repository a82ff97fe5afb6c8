"""Photos that are not one whole hand, by all ways into handnet: what does each answer?

Command: python benchmarks/bad_photos.py MODEL GALLERY --data DIR [--only NAMES] [--keep FOLDER]

MODEL is an exported SavedModel (saved_models/NAME/1), GALLERY a gallery of people of DIR, which has the layout of 11k Hands.
Photos are drawn (those of tests/images/test_bad_photos.py) or made of one photo of DIR. Each is given to the graph of MODEL in
plain TensorFlow (`embed`, and `verify` with a good photo) and, by the HTTP API over a copy of GALLERY, to identify, compare (with
a good photo) and enrol. Printed: what each answers, and at the end how many had an answer, and how many were matched: `verify` or
compare decided on the same person, or identify named somebody. An exception, or a status of 500 or more, ends the run.

--only takes the photos whose names contain one of these, separated by commas. --keep writes the photos into FOLDER.
"""

import argparse
import io
import shutil
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Of hands, not of what is no hand: an answer is right for these.
WHOLE_HANDS = "whole: "
Pixels = npt.NDArray[np.uint8]


def encode(photo: Image.Image | Pixels, format_name: str = "PNG", **options: Any) -> bytes:
    """Return a photo as the bytes of a file."""
    image = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
    image.save(buffer := io.BytesIO(), format_name, **options)
    return buffer.getvalue()


def encode_deep(pixels: Pixels) -> bytes:
    """Return a photo as a PNG of 16 bits for each colour, which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def find_hand(photo: Image.Image) -> npt.NDArray[np.bool_]:
    """Return which pixels of a photo on white paper are the hand."""
    return np.asarray(photo.convert("HSV"))[..., 1] > 60


def lay_on(ground: Image.Image, hand: Image.Image, fraction: float) -> Image.Image:
    """Paste a hand in the middle of a ground, `fraction` of its shorter side long."""
    scale = fraction * min(ground.size) / max(hand.size)
    size = (max(1, round(hand.width * scale)), max(1, round(hand.height * scale)))
    mask = Image.fromarray(find_hand(hand)).convert("L").filter(ImageFilter.MedianFilter(5)).resize(size)
    pasted = ground.copy()
    pasted.paste(hand.resize(size), ((ground.width - size[0]) // 2, (ground.height - size[1]) // 2), mask)
    return pasted


def draw_sleeve(hand: Image.Image) -> Image.Image:
    """Return a hand below a sleeve of its own mean colour that reaches the border."""
    mask = find_hand(hand)
    columns = np.flatnonzero(mask.any(axis=0))
    color = tuple(int(value) for value in np.asarray(hand)[mask].mean(axis=0))
    photo = Image.new("RGB", (2 * hand.width, 2 * hand.height), (225, 225, 225))
    left, top = hand.width // 2, hand.height
    photo.paste(hand, (left, top))
    ImageDraw.Draw(photo).rectangle((left + columns[0], 0, left + columns[-1], top + 10), fill=color)
    return photo


def draw_drawn() -> Iterator[tuple[str, bytes]]:
    """Yield the photos that are drawn: without a hand, or of what looks like hands."""
    from tests.images.test_bad_photos import LIKE_HANDS, NO_HAND

    for name, draw in {**NO_HAND, **LIKE_HANDS}.items():
        yield name, encode(draw(), "JPEG", quality=92)
    yield (
        "a wall of skin colour",
        encode(
            np.clip(np.array((205, 150, 120)) + np.random.default_rng(1).normal(0, 12, (400, 500, 3)), 0, 255).astype(
                np.uint8
            )
        ),
    )
    yield "a chessboard", encode(((np.indices((300, 400)).sum(0) // 10 % 2) * 255).astype(np.uint8))


def make_files(hand: Image.Image, other: Image.Image, contents: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield files of every kind: of a whole hand, and damaged or no photo at all."""
    whole = {
        "CMYK JPEG": encode(hand.convert("CMYK"), "JPEG"),
        "grey JPEG": encode(hand.convert("L"), "JPEG"),
        "progressive JPEG": encode(hand, "JPEG", progressive=True),
        "16-bit PNG": encode_deep(np.asarray(hand)),
        "grey 16-bit PNG": encode((np.asarray(hand.convert("L")).astype(np.uint16) * 257).astype(np.uint16)),
        "palette PNG": encode(hand.quantize(32)),
        "transparent PNG": encode(Image.fromarray(np.dstack([np.asarray(hand), find_hand(hand) * np.uint8(255)]))),
        "animated GIF": encode(hand, "GIF", save_all=True, append_images=[other]),
        "animated WebP": encode(hand, "WEBP", save_all=True, append_images=[other], duration=100),
        "TIFF of two pages": encode(hand, "TIFF", save_all=True, append_images=[other]),
        "BMP": encode(hand, "BMP"),
        "bytes after the end": contents + bytes(200_000),
    }
    for name, file in whole.items():
        yield WHOLE_HANDS + name, file
    for orientation, turn in ((3, 180), (6, 90), (8, -90)):
        (exif := Image.Exif())[0x0112] = orientation
        turned = hand.rotate(turn, expand=True)
        yield WHOLE_HANDS + f"Exif orientation {orientation}", encode(turned, "JPEG", exif=exif.tobytes(), quality=95)
    yield "truncated JPEG", contents[: len(contents) // 2]
    yield "truncated PNG", encode(hand)[:20_000]
    yield "empty file", b""
    yield "text", b"no photo" * 30
    yield "a film", b"\0\0\0\x18ftypmp42" + bytes(500)
    yield "one pixel", encode(np.full((1, 1, 3), 180, np.uint8))
    yield "one row of pixels", encode(np.asarray(hand)[:1])


def make_hands(hand: Image.Image, other: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield photos of a hand, or of hands, in other than one whole one in good light."""
    from handnet.data.synthetic.grounds import GROUNDS

    pixels = np.asarray(hand)
    wood = np.clip(GROUNDS["wood"](np.random.default_rng(2), (360, 480)), 0, 255).astype(np.uint8)
    table = Image.fromarray(wood).resize((1024, 768))
    noise = np.random.default_rng(0).normal(0, 60, pixels.shape)
    holding, glove = hand.copy(), pixels.astype(float)
    width, height = hand.size
    ImageDraw.Draw(holding).rectangle((0.25 * width, 0.35 * height, 0.75 * width, 0.65 * height), fill=(30, 90, 60))
    light = glove.mean(axis=-1, keepdims=True) / 255
    glove = np.where(find_hand(hand)[..., np.newaxis], np.array((40, 70, 150)) * (0.6 + 0.4 * light), glove)
    both = np.concatenate([pixels, np.asarray(other)], axis=1)
    photos: dict[str, Image.Image | Pixels] = {
        WHOLE_HANDS + "turned upside down": hand.rotate(180),
        WHOLE_HANDS + "mirrored, as a selfie": ImageOps.mirror(hand),
        WHOLE_HANDS + "below a sleeve of its colour": draw_sleeve(hand),
        WHOLE_HANDS + "15 % of the frame, on wood": lay_on(table, hand, 0.15),
        "8 % of the frame, on wood": lay_on(table, hand, 0.08),
        "4 % of the frame, on wood": lay_on(table, hand, 0.04),
        "two people's real hands": both,
        "four hands": np.concatenate([both, both[:, ::-1]], axis=0),
        "two hands through each other": Image.blend(hand, other.resize(hand.size), 0.5),
        "a real hand holding a box": holding,
        "a real hand painted blue": glove.astype(np.uint8),
        "16×16 of a real hand": hand.resize((16, 16)),
        "8000×6000 of a real hand": hand.resize((8000, 6000)),
        "without its fingers": hand.crop((0, 0, width, height // 3)),
        "fingers alone": hand.crop((0, height // 2, width, height)),
        "a finger's tip": hand.crop((width // 3, int(0.75 * height), 2 * width // 3, height)),
        "blurred, σ 8 px": hand.filter(ImageFilter.GaussianBlur(8)),
        "noise over a hand": (pixels + noise).clip(0, 255).astype(np.uint8),
        "negative": ImageOps.invert(hand),
        "in two tones": hand.convert("1"),
        "a strip": hand.resize((6000, 60)),
    }
    for name, photo in photos.items():
        yield name, encode(photo) if name != "8000×6000 of a real hand" else encode(photo, "JPEG")


def ask_api(client: Any, name: str, good: bytes, photo: bytes) -> tuple[dict[str, str], bool]:
    """Return what the API's routes answer in words, and whether it named somebody or decided on the same person."""

    def post(path: str, photos: list[bytes], **fields: str) -> Any:
        files = [("photos", (f"{number}.jpg", contents)) for number, contents in enumerate(photos)]
        answer = client.post(f"/v1/collections/g/{path}", files=files, data=fields)
        assert answer.status_code < 500, (name, path, answer.text)
        return answer.json()

    found, pair, enrolled = (
        post("identify", [photo]),
        post("compare", [good, photo]),
        post("people", [photo], name="somebody", review="off"),
    )
    if enrolled.get("person"):
        client.delete(f"/v1/collections/g/people/{enrolled['person']}")
    if "answers" not in found:
        words = str(found.get("detail", found))
        return dict.fromkeys(("identify", "compare", "enrol"), words), False
    answer = found["answers"][0]
    said = {
        "identify": answer["problem"] or ("named" if answer["name"] else "nobody enrolled"),
        "compare": pair["problem"] or ("same" if pair["same"] else f"different, {pair['probability']:.2f}"),
        "enrol": "; ".join(row["reason"] for row in enrolled["refused"]) or "enrolled",
    }
    return said, bool(answer["name"]) or (not pair["problem"] and bool(pair["same"]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("gallery", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf
    from fastapi.testclient import TestClient

    from handnet.data.readers.hands11k import read_hands11k
    from handnet.gallery import Gallery
    from handnet.gallery.bound_models import load_model
    from handnet.serving.api.app import build_app
    from handnet.serving.api.batching import BatchingEncoder
    from handnet.serving.api.limits import Limits
    from handnet.serving.api.service import Collection, Service

    examples = read_hands11k(arguments.data).examples
    one = next(row for row in examples if (row.view, row.side) == ("dorsal", "right"))
    two = next(row for row in examples if (row.view, row.side) == ("palmar", "left") and row.identity != one.identity)
    hand, other = (Image.open(row.path).convert("RGB") for row in (one, two))
    good = Path(one.path).read_bytes()
    photos = dict(draw_drawn()) | dict(make_files(hand, other, good)) | dict(make_hands(hand, other))
    chosen = [name for name in photos if any(part in name for part in arguments.only.split(","))]
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(chosen):
            (arguments.keep / f"{number:02} {name}".replace("/", "-")).write_bytes(photos[name])
    # To optimise the graphs takes longer than to run them on these few photos.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    signatures = tf.saved_model.load(str(arguments.model)).signatures
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(arguments.gallery, Path(folder) / "g")
        gallery = Gallery.open(Path(folder) / "g")
        encoder = BatchingEncoder(load_model(dict(gallery.header.source)))
        gallery.bind(encoder)
        service = Service(
            {"g": Collection("g", gallery, encoder)}, Limits(rate_per_s=1e4, burst=10_000, work_timeout_s=600)
        )
        with TestClient(build_app(service), raise_server_exceptions=True) as client:
            for name in chosen:
                seen = {key: value.numpy()[0] for key, value in signatures["embed"](photos=[photos[name]]).items()}
                pair = signatures["verify"](first=[good], second=[photos[name]])
                verdict = {key: value.numpy()[0] for key, value in pair.items()}
                same = bool(verdict["decision"])
                said, matched = ask_api(client, name, good, photos[name])
                why = verdict["second_problem"].decode() if "second_problem" in verdict else "not ok"
                print(
                    f"{name}\n  embed: ok {bool(seen['ok'])}, {seen.get('finding', b'').decode()}, "
                    f"quality {float(seen.get('quality', np.nan)):.2f}; verify: "
                    + (why if not verdict["ok"] else f"{'same' if same else 'different'}, {verdict['probability']:.2f}")
                    + "\n  "
                    + "; ".join(f"{route}: {words}" for route, words in said.items()),
                    flush=True,
                )
                kind = "whole hands" if name.startswith(WHOLE_HANDS) else "others"
                counts.update({kind: 1, f"{kind}, matched": int(same or matched), f"{kind}, ok": int(verdict["ok"])})
    print(", ".join(f"{key} {value}" for key, value in sorted(counts.items())))


if __name__ == "__main__":
    main()
