"""`handnet quickstart`: the main job on synthetic hands, from nothing."""

from pathlib import Path

import click

from handnet.cli._console import echo

DATA = Path("data/synthetic")
RUN = Path("runs/quickstart")
MODEL = Path("saved_models/quickstart")
CONFIG = Path("configs/quickstart.toml")


@click.command()
@click.pass_context
def quickstart(context: click.Context) -> None:
    """Draw synthetic hands, train on them, evaluate and export; steps that are done are skipped."""
    from handnet.cli.data import synth
    from handnet.cli.eval import evaluate
    from handnet.cli.export import export
    from handnet.cli.train import train
    from handnet.config.run_folder import read_run
    from handnet.config.toml import read_tree
    from handnet.errors import RunError
    from handnet.networks.complete_config import complete_config

    wanted = complete_config(read_tree(CONFIG))
    if not DATA.exists():
        context.invoke(synth, directory=DATA, **SYNTHETIC)
    if not RUN.exists():
        context.invoke(train, config_file=CONFIG, data=str(DATA), run_folder=RUN)
    elif read_run(RUN).config != wanted:
        raise RunError(
            f"{str(RUN)!r} was trained with other settings than {str(CONFIG)!r}. Delete the folder and start again."
        )
    elif read_run(RUN).facts["status"] != "finished":
        context.invoke(train, resume=True, run_folder=RUN)
    report = RUN / "eval-test"
    if not (report / "metrics.json").exists():
        context.invoke(evaluate, run_folder=RUN)
    if not any(MODEL.glob("[0-9]*")):
        context.invoke(export, run_folder=RUN, target=MODEL)
    echo(summarize_quickstart(report / "metrics.json"))
    echo(f"figures: {report / 'metrics.json'}   model: {MODEL}   to start over: rm -r {DATA} {RUN} {MODEL}")


def summarize_quickstart(metrics_file: Path) -> str:
    """Return the line with the main figures."""
    import json

    figures = json.loads(metrics_file.read_text(encoding="utf-8"))["retrieval"]["person"]["dorsal_to_palmar"]
    chance = figures["chance"]
    return (
        f"{figures['num_queries']} unseen people, dorsal → palmar: mean rank {figures['mean_rank']:.2f} (chance "
        f"{chance['mean_rank']:.1f}), R@1 {100 * figures['recall_at_1']:.1f} % (chance {100 * chance['recall_at_1']:.1f} %), "
        f"R@5 {100 * figures['recall_at_5']:.1f} %"
    )


SYNTHETIC = {"people": 200, "photos": 3, "seed": 1, "size": "256x192"}
