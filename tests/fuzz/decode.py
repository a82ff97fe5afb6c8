"""Damaged photos by the thousand through the three decoders: `data check`, the store of training, and the exported graph.

    python tests/fuzz/decode.py --count 20000

All three must give the same verdict and the same pixels, in bounded time and memory, and none may end the process. The
differences that docs/measurements/reliability.md states are counted apart. Inputs are mutations of small whole files by a seed,
so that every finding can be made again; the input at work lies in --keep, where it stays if the process dies of it.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (
    "jpeg", "progressive-jpeg", "grey-jpeg", "cmyk-adobe-jpeg", "exif-6-jpeg", "png", "16-bit-png", "alpha-png", "palette-png",
    "animated-gif", "bmp",
)  # fmt: skip
MOST_SECONDS = 5.0
MOST_BYTES = 3_000_000_000
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF, 0x7FFFFFFF, 0xFFFFFFFF)


class Findings(NamedTuple):
    """What came of the inputs.

    Attributes:
        verdicts: how many inputs had each outcome.
        failures: number of the input and what was wrong, for each that broke the rules.
        slowest_s: processor time of the slowest input.
        peak_bytes: by how much the memory of the process grew.
    """

    verdicts: Counter[str]
    failures: list[tuple[int, str]]
    slowest_s: float
    peak_bytes: int


def mutate(contents: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return a file with one to four damages: bits, bytes, numbers, blocks that are cut out, doubled, zeroed or of another."""
    data = bytearray(contents)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        # Most damages go to the beginning, where the headers are.
        reach = len(data) if rng.random() < 0.5 else min(len(data), 128)
        at = int(rng.integers(reach))
        end = min(len(data), at + int(rng.integers(1, 65)))
        kind = int(rng.integers(8))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(rng.integers(256))
        elif kind == 2:
            size, order = int(rng.choice([1, 2, 4])), "big" if rng.random() < 0.5 else "little"
            value = int(rng.choice(_EXTREMES)) & (256**size - 1)
            data[at : at + size] = value.to_bytes(size, "big" if order == "big" else "little")
        elif kind == 3:
            del data[at:end]
        elif kind == 4:
            data[at:at] = data[at:end]
        elif kind == 5:
            data[at:end] = bytes(end - at)
        elif kind == 6:
            del data[at:]
        else:
            other = others[int(rng.integers(len(others)))]
            data[at:end] = other[at:end]
    return bytes(data)


def fuzz(count: int, keep: Path, seed: int = 0, size_px: int = 32) -> Findings:
    """Put `count` damaged photos through the three decoders.

    Args:
        count: inputs.
        keep: folder for the input at work and for those that broke a rule.
        seed: of the mutations.
        size_px: of the decoded square.
    """
    import tensorflow as tf

    from handnet.config.image import ImageConfig
    from handnet.data.checks import check_photo, find_damage, needs_pillow
    from handnet.images.header_guard import MAX_GIF_BYTES, load_photos
    from handnet.images.photo_store import build_decoder
    from tests.photos import USABLE

    keep.mkdir(parents=True, exist_ok=True)
    sources = [USABLE[name](keep / f"source-{name}").read_bytes() for name in SEEDS]
    image = ImageConfig(size_px=size_px)
    decode = build_decoder(image)
    signature = [tf.TensorSpec((None,), tf.string)]
    graph = tf.function(lambda photos: load_photos(photos, image), signature, autograph=False)
    graph(tf.constant(sources[:1]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = np.random.default_rng(seed)
    verdicts, failures, slowest = Counter[str](), list[tuple[int, str]](), 0.0
    file = keep / "at-work"
    for number in range(count):
        contents = mutate(sources[number % len(sources)], sources, rng)
        file.write_bytes(contents)
        begin = time.process_time()
        problem = check_photo(str(file))
        pixels, reason = decode(contents)
        squares, flags = graph(tf.constant([contents]))
        seconds = time.process_time() - begin
        slowest = max(slowest, seconds)
        checked, ok = problem is None or problem.usable, bool(flags.numpy()[0])
        wrong = f"{seconds:.1f} s" if seconds > MOST_SECONDS else ""
        if not checked == ok == (pixels is not None) and contents[:3] == b"GIF" and len(contents) <= MAX_GIF_BYTES:
            verdicts["a GIF that Pillow and TensorFlow's library take differently"] += 1
        elif checked != (pixels is not None):
            said = "" if problem is None else problem.reason
            wrong = f"check says {said or 'usable'!r}, the store {reason or 'usable'!r}"
        elif ok != checked:
            if needs_pillow(contents) or len(contents) > MAX_GIF_BYTES:
                verdicts["usable, and of a format that the graph flags"] += 1
            elif ok and find_damage(contents):
                verdicts["refused as damaged, and taken by the graph"] += 1
            else:
                wrong = f"check and store say {reason or 'usable'!r}, the graph {'usable' if ok else 'not ok'!r}"
        elif pixels is not None and not np.array_equal(pixels, squares.numpy()[0]):
            wrong = "the store and the graph give other pixels"
        else:
            verdicts["usable by all three" if ok else "refused by all three"] += 1
        if wrong:
            failures.append((number, wrong))
            (keep / f"input-{number}").write_bytes(contents)
    file.unlink(missing_ok=True)
    peak = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return Findings(verdicts, failures, slowest, peak)


def main() -> None:
    """Fuzz, print what was found, and end with 1 where a rule was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "handnet-fuzz")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    found = fuzz(given.count, given.keep, given.seed)
    for verdict, number in found.verdicts.most_common():
        print(f"{number:7,} {verdict}")
    for kind, number in Counter(wrong for _, wrong in found.failures).most_common(20):
        first = next(k for k, wrong in found.failures if wrong == kind)
        print(f"{number:7,} FAILED: {kind} (first: {given.keep / f'input-{first}'})")
    print(f"slowest {found.slowest_s:.2f} s of processor time, memory grew by {found.peak_bytes / 1e6:,.0f} MB")
    sys.exit(1 if found.failures or found.peak_bytes > MOST_BYTES else 0)


if __name__ == "__main__":
    main()
