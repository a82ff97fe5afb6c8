"""`handnet lr-find`."""

from pathlib import Path

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._options import with_overrides
from handnet.cli._output import claim_output
from handnet.cli._run import open_run
from handnet.library.given_weights import check_given_weights
from handnet.library.start import start_tensorflow


@click.command("lr-find")
@click.argument("source", metavar="CONFIG.toml|RUN", type=click.Path(path_type=Path))
@click.option(
    "--data", default="", metavar="DIR", help="Data set.  [default: as for `handnet train`, or the run's own]"
)
@with_overrides("sampler.people_per_batch=16")
@click.option("--low", default=1e-6, show_default=True, help="Lowest learning rate.")
@click.option("--high", default=1.0, show_default=True, help="Highest learning rate.")
@click.option("--steps", default=100, show_default=True, help="Number of batches.")
@click.option(
    "--output", default=Path("lr-find.png"), show_default=True, type=click.Path(path_type=Path), help="The plot."
)
def lr_find(
    source: Path, data: str, overrides: tuple[str, ...], low: float, high: float, steps: int, output: Path
) -> None:
    """Draw the learning-rate range plot and suggest a rate: of the encoder of CONFIG.toml, or of the pair classifier of RUN.

    The rate rises from batch to batch. The suggestion is the rate at which the loss falls fastest, not counting the first
    steps.
    """
    from handnet.cli._data import read_data
    from handnet.config.toml import read_tree
    from handnet.errors import ConfigError, RunError
    from handnet.networks.complete_config import complete_config

    claim_output(output)
    if source.is_dir():
        if overrides:
            raise ConfigError("--set goes with CONFIG.toml: a run has its settings.")
        opened = open_run(source, data)
        start_tensorflow()
        from handnet.training.lr_range import draw_range, try_pair_rates

        measured = try_pair_rates(opened.run, opened.dataset, low, high, steps, show_progress)
        key = "pairs.learning_rate"
    else:
        config = complete_config(read_tree(source, overrides))
        check_given_weights(config)
        dataset = read_data(config.data.reader, data or config.data.path, config.data.fill_labels)
        start_tensorflow()
        from handnet.training.lr_range import draw_range, try_encoder_rates
        from handnet.training.session import Job

        job = Job(config, dataset, echo=echo, warn=warn, progress=show_progress)
        measured = try_encoder_rates(job, low, high, steps)
        key = "optimizer.learning_rate"
    # A run and a settings file are known by their names; where they lie is of no use in a picture.
    draw_range(output, measured, f"Learning rates for {source.resolve().name}")
    echo(f"wrote {output}")
    if measured.suggestion is None:
        raise RunError(
            f"There is no rate to suggest: between {low:g} and {measured.rates[-1]:g} the loss does not fall beyond its noise. "
            "Try more --steps or another --low and --high, or look at the data and the settings."
        )
    echo(f"the loss falls fastest at {measured.suggestion:.2g}: {key}={measured.suggestion:.2g}")
