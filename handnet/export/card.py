"""The model card: what a model was made from, how good it is, and what it is for."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handnet.config.run_folder import Run, is_run, read_run
from handnet.config.settings import ModelConfig
from handnet.config.split import Split
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.weights.catalogue import PUBLISHED, SHIPPED, find_preset
from handnet.networks.weights.manifest import MANIFEST_FILE, read_manifest

PROTOCOLS = {"person": "person templates", "photo": "single photos"}
DIRECTIONS = {"dorsal_to_palmar": "back → palm", "palmar_to_dorsal": "palm → back"}
_PERCENT = ("recall_at_1", "recall_at_5", "recall_at_10", "mean_average_precision")


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
    facts, config = run.facts, run.config
    data, packages = facts.get("data", {}), facts.get("packages", {})
    photos, people = data.get("num_photos", {}), data.get("num_people", {})
    of_hands = data.get("reader", "hands11k") in ("hands11k", "synthetic")
    lines = [
        f"# {name}",
        "",
        "Maps a photo of a hand to a unit vector; photos of one person lie close, back and palm alike."
        if of_hands
        else "Maps a photo to a unit vector; photos of one person, or of things of one class, lie close.",
        "",
        f"- Architecture: {config.model.arch}, {facts.get('num_parameters', 0):,} parameters, vectors of "
        f"{config.model.embedding_size} numbers.",
        f"- Trained with: {_describe_training(run)}; seed {config.train.seed}, {facts.get('precision', 'unknown precision')}.",
        f"- Photos: {config.image.size_px} px, {config.image.fit}, crop {config.image.crop}; EXIF orientation is obeyed.",
        f"- Made by: handnet {packages.get('handnet', '?')}, TensorFlow {packages.get('tensorflow', '?')}, Keras "
        f"{packages.get('keras', '?')}; revision {facts.get('git_revision') or 'unknown'}.",
        f"- Licence of the pretrained weights: {find_licence(config.model)}",
        "",
        "## Data",
        "",
        f"Reader {data.get('reader', '?')}, split `{config.data.split}`, fingerprint `{data.get('fingerprint', '?')}`. No person "
        "is in two parts.",
        "",
        "| part | people in the split | used | photos used |",
        "|---|---|---|---|",
        f"| train | {len(split.train)} | {people.get('train', '?')} | {photos.get('train', '?')} |",
        f"| validation | {len(split.val)} | {people.get('val', '?')} | {photos.get('val', '?')} |",
        f"| test | {len(split.test)} | | |",
        "",
        "## Figures on people never seen in training",
        "",
        *_format_metrics(metrics),
        "",
        "## Are two photos of one person?",
        "",
        *_format_calibration(calibration, metrics),
        "",
        "## Audit",
        "",
        *(_format_audit(audit) if of_hands else ["Shortcuts were looked for in photos of hands only."]),
        "",
        "## Intended use",
        "",
        f"Research on matching {'the two sides of a hand' if of_hands else 'photos'}, among people who agreed to it,",
        "photographed as in the data above.",
        f"Vectors of {'hands' if of_hands else 'people'} are biometric data: in many places the law asks for consent",
        "and limits what may be stored.",
        "",
        "Not for: deciding anything about a person on the match alone; people, cameras or backgrounds unlike those of the data;",
        "telling a living hand from a picture of one, which it does not try.",
        "",
    ]
    return "\n".join(lines)


def _describe_training(run: Run) -> str:
    if run.config.model.head == "lda":
        return f"discriminant analysis in closed form, penalty {run.config.model.lda_penalty:g}"
    epochs, best = run.facts.get("epochs_done", 0), run.facts.get("best_epoch", -1) + 1
    return f"{run.config.loss.name} loss, {epochs} epochs; weights of epoch {best}"


def find_licence(model: ModelConfig) -> str:
    """Return the licence of the weights that training began from, as far as their record says."""
    if model.weights == "none":
        return "none were used; training began from random weights."
    if model.weights == "preset":
        preset = find_preset(model.arch)
        licence = next((p.licence for p in PUBLISHED.values() if p.preset == preset), "unknown")
        return f"{licence} (keras-hub's preset {preset!r})."
    path = SHIPPED.get(model.weights, Path(model.weights))
    if is_run(path):
        return f"those of the run {path.name!r}, whose weights had: {find_licence(read_run(path).config.model)}"
    folder = path if path.is_dir() else path.parent
    if (folder / MANIFEST_FILE).is_file():
        manifest = read_manifest(folder)
        return f"{manifest.licence} ({manifest.source})."
    return f"unknown: {model.weights!r} holds no record of it. Ask whoever published them."


def list_versions() -> dict[str, str]:
    """Return the versions that an exported model depends on or was written by."""
    return {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}


def _format_metrics(metrics: Mapping[str, Any] | None) -> list[str]:
    if metrics is None:
        return ["Not evaluated. Run `handnet eval RUN` and export again."]
    lines = ["| gallery | mean rank | R@1 | R@5 | R@10 | mAP | queries |", "|---|---|---|---|---|---|---|"]
    for level, directions in metrics["retrieval"].items():
        for direction, figures in directions.items():
            # The protocols are the same figures with intervals, where the evaluation has computed them.
            names = {"person": "person_template", "photo": "photo"}
            detailed = metrics.get("protocols", {}).get(names.get(level, ""), {}).get(direction, figures)
            cells = [_format_figure(detailed, name) for name in ("mean_rank", *_PERCENT)]
            title = f"{PROTOCOLS.get(level, level)}, {DIRECTIONS.get(direction, direction)}"
            lines.append(
                f"| {title} | {' | '.join(cells)} | {figures['num_queries']:,} of {figures['num_gallery']:,} |"
            )
    return [
        *lines,
        "",
        "In round brackets what a random ranking scores; in square brackets the 95 % interval over people, where computed.",
    ]


def _format_figure(figures: Mapping[str, Any], name: str) -> str:
    scale, unit = (100, " %") if name in _PERCENT else (1, "")
    text = f"{scale * figures[name]:.1f}{unit} ({scale * figures['chance'][name]:.1f})"
    interval = figures.get("interval", {}).get(name)
    return f"{text} [{scale * interval[0]:.1f}, {scale * interval[1]:.1f}]" if interval else text


def _format_calibration(calibration: Calibration | None, metrics: Mapping[str, Any] | None) -> list[str]:
    if calibration is None:
        return ["Not calibrated: there were no validation people with both views. There is no signature `verify`."]
    sign = "−" if calibration.intercept < 0 else "+"
    lines = [
        f"Fitted on {calibration.num_people} validation people ({calibration.num_genuine:,} pairs of one person, "
        f"{calibration.num_impostor:,} of two): log likelihood ratio = {calibration.slope:.4g} · cosine {sign} "
        f"{abs(calibration.intercept):.4g}. `probability` holds at prior 0.5; `decision` is cosine ≥ "
        f"{calibration.equal_error_threshold:.4f}, where both errors were alike.",
    ]
    verification = (metrics or {}).get("verification")
    if verification:
        interval = verification.get("interval", {})
        shown = [_with_interval(name.upper(), verification[name], interval.get(name)) for name in ("auc", "eer")]
        lines += ["", f"On the test people: {', '.join(shown)}."]
    return lines


def _with_interval(name: str, value: float, interval: list[float] | None) -> str:
    return f"{name} {value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _format_audit(audit: Mapping[str, Any] | None) -> list[str]:
    general = (
        "Where people were photographed in one session each, as in 11k Hands, the background alone, with the hand painted out, "
        "finds the right person far above chance, and so do rings and sleeves. Figures on such data flatter."
    )
    if not audit:
        return [f"Not audited for this model: run `handnet audit RUN` and export again. {general}"]
    lines = [
        general,
        "",
        "The same people, person templates, back → palm, on photos from which something was taken away:",
        "",
        "| what the photos show | mean rank | R@1 | R@5 |",
        "|---|---|---|---|",
    ]
    for condition in audit["conditions"].values():
        if "refused" in condition:
            lines.append(f"| {condition['title']} | {condition['refused']} | | |")
            continue
        figures = condition["person_template"]["dorsal_to_palmar"]
        cells = [_format_figure(figures, name) for name in ("mean_rank", "recall_at_1", "recall_at_5")]
        lines.append(f"| {condition['title']} | {' | '.join(cells)} |")
    return lines
