"""`handnet export`."""

import json
from pathlib import Path
from typing import Any

import click

from handnet.cli._console import echo
from handnet.cli._run import open_run
from handnet.cli._tensorflow import start_tensorflow
from handnet.errors import RunError

_NUM_CHECKED = 16
# Graph, warm-up requests and card; the values take as much as the run's weights.
_OTHER_BYTES = 20_000_000


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("target", metavar="saved_models/NAME", type=click.Path(path_type=Path))
@click.option("--data", default="", metavar="DIR", help="Photos to check the export on.  [default: the run's own]")
@click.option(
    "--format", "format_name", default="savedmodel", show_default=True, help="savedmodel, openvino, onnx or litert."
)
def export(run_folder: Path, target: Path, data: str, format_name: str = "savedmodel") -> None:
    """Write the encoder of RUN at the next version number under saved_models/NAME.

    A SavedModel takes the bytes of photos: serving_default and embed return unit vectors, verify the probability that two
    photos show one person; embed_pixels and verify_pixels take decoded photos. The other formats hold the encoder alone, from
    pixels to vectors. Before the version appears, it is run on photos of the run's data and compared with the run itself.
    """
    from handnet.config.presets import check_name
    from handnet.config.run_folder import WEIGHTS_FILE
    from handnet.files import check_free_space
    from handnet.networks.formats import FORMATS, check_format

    check_name("format", format_name, FORMATS)
    file = run_folder / WEIGHTS_FILE
    check_free_space(target, (file.stat().st_size if file.is_file() else 0) + _OTHER_BYTES)
    opened = open_run(run_folder, data)
    run, dataset = opened.run, opened.dataset
    start_tensorflow()
    from handnet.data.leaks import select_photos
    from handnet.evaluation.origin import describe_origin
    from handnet.evaluation.thresholds import find_thresholds
    from handnet.export.archive import export_encoder
    from handnet.export.card import list_versions, write_card_text
    from handnet.export.signatures import PairHead
    from handnet.networks.encoder import load_encoder
    from handnet.training.pair_training import load_pair_classifier

    check_format(format_name)
    encoder = load_encoder(run)
    calibration = find_thresholds(run, encoder, dataset, echo)
    pairs = load_pair_classifier(run)
    head = None if pairs is None else PairHead(pairs.classifier, run.config.pairs.features, pairs.calibration)
    folder = run.folder / "eval-test"
    origin = describe_origin(run, dataset, select_photos(dataset, opened.split, "test"))
    metrics = keep_current(read_metrics(folder / "metrics.json"), origin, folder / "metrics.json")
    # `handnet audit` writes its own file, `handnet eval --audit` writes the same into metrics.json.
    audit = keep_current(read_audit(folder / "audit.json"), origin, folder / "audit.json")
    audit = audit or (metrics or {}).get("audit")
    step = max(1, len(dataset.examples) // _NUM_CHECKED)
    paths = [example.path for example in dataset.examples[::step]][:_NUM_CHECKED]
    result = export_encoder(
        encoder,
        run.config.image,
        target,
        paths,
        format_name=format_name,
        calibration=calibration,
        head=head,
        card=write_card_text(target.name, run, opened.split, metrics, calibration, audit),
        facts={
            "run": {
                "name": run.folder.name,
                "data_fingerprint": run.facts["data"]["fingerprint"],
                "git_revision": run.facts.get("git_revision", ""),
                "best_epoch": run.facts.get("best_epoch"),
            },
            "packages": list_versions(),
        },
    )
    echo(f"wrote {result.folder}; max abs error on {result.num_checked} photos: {result.max_error:.1e}")
    if result.signatures:
        echo(f"signatures: {', '.join(result.signatures)}")


def keep_current(found: dict[str, Any] | None, origin: dict[str, Any], file: Path) -> dict[str, Any] | None:
    """Return figures of a run for its card, or None, and say why, where they are not those of its weights on these photos.

    Args:
        found: what `handnet eval` or `handnet audit` wrote.
        origin: what `describe_origin` says of the run and its test photos.
        file: where they lie, for the message.
    """
    from handnet.evaluation.origin import find_difference

    difference = "" if found is None else find_difference(found, origin)
    if not difference:
        return found
    echo(f"{str(file)!r} is not on the card: {difference}. Evaluate the run again and export again.")
    return None


def read_audit(file: Path) -> dict[str, Any] | None:
    """Return what `handnet audit` found on the run's test people, or None where it was not run.

    Raises:
        RunError: the file is damaged.
    """
    if not file.exists():
        return None
    try:
        audit: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        audit["conditions"]["whole"]["person_template"]["dorsal_to_palmar"]["mean_rank"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{str(file)!r} is damaged ({error!r}). Audit the run again: handnet audit RUN.") from None
    return audit


def read_metrics(file: Path) -> dict[str, Any] | None:
    """Return the figures of the run's evaluation on its test people, or None where there was none.

    Raises:
        RunError: the file is damaged.
    """
    if not file.exists():
        return None
    try:
        metrics: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        metrics["retrieval"]["person"]["dorsal_to_palmar"]["mean_rank"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{str(file)!r} is damaged ({error!r}). Evaluate the run again: handnet eval RUN.") from None
    return metrics
