"""What a run relies on, from Python: `handnet.audit`, and what `handnet audit` shares with it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.console import Echo, Progress, hide_progress
from handnet.library.evaluate_run import LEAST_FREE_BYTES, find_run_folder
from handnet.library.opened_run import OpenRun, open_run
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run


def audit(
    run: "str | Path | Run",
    *,
    data: str | Path = "",
    part: str = "test",
    output: str | Path | None = None,
    seed: int = 0,
    skip_without_hand: bool = False,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> dict[str, Any]:
    """Find out what a run relies on, as `handnet audit` does: the published protocol on altered photos; takes minutes.

    Args:
        run: a run folder, or what `handnet.train` returned.
        data: the data set's folder; "" takes the one that the run was trained on.
        part: "test", "val" or "train".
        output: folder of audit.json; without it RUN/eval-PART.
        seed: random seed for the bootstrap.
        skip_without_hand: leave photos out that show no hand; without it as the run was trained.
        echo: is given notes, e.g. what was left out of the data set.
        progress: is told of each piece of work.

    Returns:
        audit.json's content: "conditions", name → title, definition, and the figures of both protocols or "refused".

    Raises:
        HandnetError: no run, no photos of the part, too few people, photos that cannot be decoded; one line each.
    """
    from handnet.files import check_free_space, hold_lock

    folder = find_run_folder(run)
    target = folder / f"eval-{part}" if output is None else Path(output)
    opened = open_run(folder, str(data), part, echo, progress, skip_without_hand)
    check_free_space(target, LEAST_FREE_BYTES)
    with hold_lock(target):
        return audit_opened(opened, part, target, seed, progress)


def audit_opened(opened: OpenRun, part: str, target: Path, seed: int, progress: Progress) -> dict[str, Any]:
    """Audit a run that is open, into audit.json of the folder `target`, which no other process writes; see `audit`."""
    start_tensorflow()
    from handnet.embedding.encode import embed_batches, embed_part
    from handnet.evaluation.audit import audit_part
    from handnet.evaluation.origin import describe_origin
    from handnet.metrics.all_figures import write_metrics
    from handnet.networks.encoder import load_encoder

    origin = describe_origin(opened.run, opened.dataset, opened.examples)
    encoder, config = load_encoder(opened.run), opened.run.config
    embedded = embed_part(config, encoder, opened.examples, progress, part)
    found = audit_part(partial(embed_batches, encoder.model), embedded, config.image, seed=seed, progress=progress)
    write_metrics(target / "audit.json", {**found, **origin})
    return {**found, **origin}
