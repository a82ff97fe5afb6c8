"""`handnet project`: the files of TensorBoard's embedding projector."""

from pathlib import Path

import click

from handnet.cli._console import echo, show_progress
from handnet.cli._options import with_run
from handnet.cli._output import claim_output
from handnet.cli._run import open_run


@click.command()
@with_run
@click.option(
    "--part", "parts", multiple=True, help="train, val or test; give it again for more parts.  [default: val and test]"
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the files.  [default: RUN/projector]")
@click.option("--maps/--no-maps", default=True, show_default=True, help="Draw t-SNE and, if installed, UMAP maps too.")
@click.option("--seed", default=0, show_default=True, help="Random seed for the maps.")
def project(run_folder: Path, data: str, parts: tuple[str, ...], output: Path | None, maps: bool, seed: int) -> None:
    """Write the embeddings of RUN with labels and thumbnails for TensorBoard's projector, and maps as pictures."""
    opened = open_run(run_folder, data)
    run = opened.run
    chosen = {part: opened.select(part) for part in parts or ("val", "test") if opened.split.people(part)}
    target = output or run_folder / "projector"
    claim_output(target)
    from handnet.embedding.run_vectors import embed_run_part
    from handnet.evaluation.report.maps import draw_maps
    from handnet.evaluation.report.projector import write_projector
    from handnet.images.kept_photos import find_kept_files, read_squares
    from handnet.library.evaluate_run import load_once

    examples = [example for part in chosen.values() for example in part]
    part_names = [name for name, part in chosen.items() for _ in part]
    load = load_once(run)
    embedded = embed_run_part(run, load, examples, show_progress)
    files = find_kept_files(embedded.paths, run.config.image)
    if files is None:
        # It starts TensorFlow, which decodes.
        load()
        from handnet.images.photo_store import prepare_photos

        files = prepare_photos(embedded.paths, run.config.image).files
    pictures = (read_squares([file], run.config.image.size_px)[0] for file in files)
    write_projector(target, embedded, part_names, pictures)
    echo(
        f"wrote {len(examples):,} photos to {target}; look at them: tensorboard --logdir {target}, tab Projector, "
        "bookmark 'coloured by person'"
    )
    if maps:
        for file in draw_maps(target, embedded, part_names, seed, echo):
            echo(f"wrote {file}")
