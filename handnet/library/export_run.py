"""Exporting a run from Python: `handnet.export_model`, which `handnet export` calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.console import Echo, Progress, hide_progress
from handnet.errors import RunError
from handnet.files import parse_json
from handnet.library.evaluate_run import find_run_folder
from handnet.library.opened_run import open_run
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.export.archive import Export

_NUM_CHECKED = 16
# Graph, warm-up requests and card; the values take as much as the run's weights.
_OTHER_BYTES = 20_000_000


def export_model(
    run: "str | Path | Run",
    target: str | Path,
    *,
    data: str | Path = "",
    format_name: str = "savedmodel",
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> "Export":
    """Write the encoder of a run at the next version number under `target`, checked on photos before it appears.

    Args:
        run: a run folder, or what `handnet.train` returned.
        target: the model's folder, e.g. saved_models/hands; versions 1, 2, … lie in it.
        data: photos to check the export on; "" takes the run's own.
        format_name: "savedmodel", "openvino", "onnx" or "litert".
        echo: is given notes, e.g. which figures are not on the model card.
        progress: is told of each piece of work.

    Returns:
        The version's folder, and the largest difference from the run's own vectors.

    Raises:
        HandnetError: no run, an unknown format, vectors that differ, a full disk; one line each.
    """
    from handnet.config.presets import check_name
    from handnet.config.run_folder import WEIGHTS_FILE
    from handnet.files import check_free_space
    from handnet.networks.formats import FORMATS, check_format

    check_name("format", format_name, FORMATS)
    folder, target = find_run_folder(run), Path(target)
    file = folder / WEIGHTS_FILE
    check_free_space(target, (file.stat().st_size if file.is_file() else 0) + _OTHER_BYTES)
    opened = open_run(folder, str(data), echo=echo, progress=progress)
    trained, dataset = opened.run, opened.dataset
    echo(f"loading the encoder of {str(folder)!r}")
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
    encoder = load_encoder(trained)
    calibration = find_thresholds(trained, lambda: encoder, dataset, echo)
    pairs = load_pair_classifier(trained)
    head = None if pairs is None else PairHead(pairs.classifier, trained.config.pairs.features, pairs.calibration)
    evaluated = trained.folder / "eval-test"
    origin = describe_origin(trained, dataset, select_photos(dataset, opened.split, "test"))
    metrics = keep_current(read_metrics(evaluated / "metrics.json"), origin, evaluated / "metrics.json", echo)
    # `handnet audit` writes its own file, `handnet eval --audit` writes the same into metrics.json.
    audit = keep_current(read_audit(evaluated / "audit.json"), origin, evaluated / "audit.json", echo)
    audit = audit or (metrics or {}).get("audit")
    step = max(1, len(dataset.examples) // _NUM_CHECKED)
    paths = [example.path for example in dataset.examples[::step]][:_NUM_CHECKED]
    return export_encoder(
        encoder,
        trained.config.image,
        target,
        paths,
        format_name=format_name,
        calibration=calibration,
        head=head,
        card=write_card_text(target.name, trained, opened.split, metrics, calibration, audit),
        facts={
            "run": {
                "name": trained.folder.name,
                "data_fingerprint": trained.facts["data"]["fingerprint"],
                "git_revision": trained.facts.get("git_revision", ""),
                "best_epoch": trained.facts.get("best_epoch"),
            },
            "packages": list_versions(),
        },
        echo=echo,
    )


def keep_current(found: dict[str, Any] | None, origin: dict[str, Any], file: Path, echo: Echo) -> dict[str, Any] | None:
    """Return figures of a run for its card, or None, and say why, where they are not those of its weights on these photos.

    Args:
        found: what `handnet eval` or `handnet audit` wrote.
        origin: what `describe_origin` says of the run and its test photos.
        file: where they lie, for the message.
        echo: prints the message.
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
    return _read_figures(file, ("conditions", "whole", "person_template"), "Audit the run again: handnet audit RUN.")


def read_metrics(file: Path) -> dict[str, Any] | None:
    """Return the figures of the run's evaluation on its test people, or None where there was none.

    Raises:
        RunError: the file is damaged.
    """
    return _read_figures(file, ("retrieval", "person"), "Evaluate the run again: handnet eval RUN.")


def _read_figures(file: Path, keys: Sequence[str], advice: str) -> dict[str, Any] | None:
    """Read figures that the card shows; `keys` lead to those of the published protocol."""
    if not file.exists():
        return None
    try:
        figures: dict[str, Any] = parse_json(file.read_text(encoding="utf-8"))
        found: Any = figures
        for key in (*keys, "dorsal_to_palmar", "mean_rank"):
            found = found[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{str(file)!r} is damaged ({error!r}). {advice}") from None
    return figures
