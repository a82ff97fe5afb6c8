"""What figures were computed from: weights, photos and labels; kept with them, so that outdated figures are recognised."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from handnet.config.run_folder import WEIGHTS_FILE, Run, fingerprint_data
from handnet.data.cache import digest_bytes
from handnet.data.checks import read_photo
from handnet.data.dataset import DataSet
from handnet.data.example import Example, write_label
from handnet.networks.weights.manifest import hash_file


def describe_origin(run: Run, dataset: DataSet, examples: Sequence[Example]) -> dict[str, Any]:
    """Return what figures of a run on some photos are computed from.

    Args:
        run: a finished run.
        dataset: where the photos lie.
        examples: the photos.

    Returns:
        weights: digest of the run's weights; data: directory, num_photos, and fingerprint, the digest of the photos' bytes
        and labels; and the photos that were left out because they show no hand, if any.
    """
    # A photo that has gone is none of those that the figures are of.
    digests = [digest_bytes(read_photo(example.path)[0]) for example in examples]
    return {
        "weights": hash_file(run.folder / WEIGHTS_FILE),
        "data": {
            "directory": os.path.realpath(dataset.directory),
            "num_photos": len(examples),
            "fingerprint": fingerprint_data(digests, [write_label(example) for example in examples]),
            **({"without_hand": list(dataset.without_hand)} if dataset.without_hand else {}),
        },
    }


def find_difference(kept: Mapping[str, Any], origin: Mapping[str, Any]) -> str:
    """Return in what kept figures differ from what they would be computed from now, "" where in nothing.

    Args:
        kept: what `handnet eval` or `handnet audit` wrote, with what `describe_origin` returned then.
        origin: what it returns now.
    """
    data = kept.get("data")
    if not isinstance(data, dict) or "weights" not in kept:
        return "it does not say from which photos it was computed (an earlier version wrote it)"
    if kept["weights"] != origin["weights"]:
        return "it was computed with other weights"
    if data.get("fingerprint") != origin["data"]["fingerprint"]:
        elsewhere = f", those in {data['directory']!r}" if data.get("directory") != origin["data"]["directory"] else ""
        return f"it was computed on other photos or labels{elsewhere}"
    return ""
