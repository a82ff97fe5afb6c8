"""The tutorial: docs/tutorial.ipynb, run in a folder of its own, and as a page of the site.

`python -m website.notebook` runs it and writes its outputs back into the file, which is committed with them.
"""

import base64
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from website.links import ROOT

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
_MINUTES = 15


def run_notebook(folder: Path, program: str = "", **settings: str) -> Any:
    """Run the tutorial with this interpreter and this checkout, and return it with its outputs.

    Args:
        folder: where it runs, and leaves what it writes.
        program: what the cells call as `handnet`; if empty, this interpreter with this checkout.
        settings: variables of its environment.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # The cells call `handnet`, which an environment has and a checkout has not.
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "handnet").write_text(program or f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m handnet "$@"\n')
    (programs / "handnet").chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    client = NotebookClient(
        notebook,
        timeout=_MINUTES * 60,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env={**os.environ, **settings, "PATH": path, "PYTHONPATH": str(ROOT)})


def tidy_outputs(outputs: Sequence[Any], folder: Path) -> list[Any]:
    """Return what the cell printed as one output, with paths relative to the folder it ran in and without progress."""
    texts = [output.text for output in outputs if output.output_type == "stream" and output.name == "stdout"]
    kept = [output for output in outputs if output.output_type != "stream"]
    for output in kept:
        # A photo is there as PNG and as JPEG.
        output.get("data", {}).pop("image/jpeg", None)
    text = "".join(texts).replace(f"{folder}/", "")
    return [nbformat.v4.new_output("stream", name="stdout", text=text), *kept] if text else kept


def describe_notebook(notebook: Any, uri: str) -> dict[str, str | bytes]:
    """Return a notebook as a page and its pictures: address in the site → Markdown or bytes.

    Args:
        notebook: with its outputs.
        uri: address of the page, e.g. "tutorial.md".
    """
    name = uri.removesuffix(".md")
    files: dict[str, str | bytes] = {}
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        magic, _, rest = cell.source.partition("\n")
        parts.append(_fence("sh", rest) if magic.startswith("%%sh") else _fence("python", cell.source))
        for output in cell.outputs:
            if picture := output.get("data", {}).get("image/png"):
                address = f"{name}_files/{len(files) + 1}.png"
                files[address] = base64.b64decode(picture)
                parts.append(f"![What the cell above draws]({address})")
            elif text := output.get("text") or output.get("data", {}).get("text/plain"):
                parts.append(_fence("{ .text .no-copy .output }", text))
    download = f"[Download this page as a notebook]({name}.ipynb){{ download }}"
    title, _, rest = "\n\n".join(parts).partition("\n")
    return {uri: f"{title}\n\n{download}\n{rest}\n", **files}


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"


def main() -> None:
    """Run the tutorial and write its outputs into the file."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = run_notebook(Path(folder))
        for cell in notebook.cells:
            cell.metadata.clear()
            if cell.cell_type == "code":
                cell.outputs = tidy_outputs(cell.outputs, Path(folder))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
