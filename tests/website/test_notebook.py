"""The tutorial runs from its first cell to its last, and becomes a page of the site."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="the tutorial is not run: pip install -e '.[docs]'")
pytest.importorskip("ipykernel", reason="the tutorial is not run: pip install -e '.[docs]'")

import nbformat

from tests.served_commands import ServedCommands
from website.notebook import NOTEBOOK, describe_notebook, run_notebook, tidy_outputs

# Which lines of the tutorial say how many of the 20 were named.
NAMED = ("named and right", "named and wrong", "nobody named")


def list_kinds(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Return for each cell which kinds of output it has: printed, or pictures."""
    kinds = []
    for cell in notebook.cells:
        outputs = tidy_outputs(cell.get("outputs", []), Path("/none"))
        kinds.append(["picture" if "image/png" in output.get("data", {}) else "text" for output in outputs])
    return kinds


def find_printed(notebook: nbformat.NotebookNode, words: str) -> str:
    texts = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    return next(line for text in texts for line in text.splitlines() if words in line)


@pytest.mark.slow
def test_the_tutorial_runs_to_its_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = ServedCommands(capfd, monkeypatch)
    # With graphs as tests/conftest.py has them, in the process of the notebook too.
    (tmp_path / "profile_default/startup").mkdir(parents=True)
    (tmp_path / "profile_default/startup/graphs.py").write_text(
        "import tensorflow; tensorflow.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})"
    )
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_notebook, tmp_path, commands.program, IPYTHONDIR=str(tmp_path))
        commands.serve(running.done)
    commands.close()
    notebook = running.result()
    # Else: python -m website.notebook
    assert list_kinds(notebook) == list_kinds(nbformat.read(NOTEBOOK, as_version=4))
    # Well above the one that guessing finds on average; four or more by chance: 2 %.
    assert int(find_printed(notebook, "stands first").split(": ")[1].split()[0]) >= 6
    assert sum(int(find_printed(notebook, words).split(": ")[1]) for words in NAMED) == 20


def test_a_notebook_becomes_a_page_with_its_pictures() -> None:
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nText with a [link](use.md)."),
        nbformat.v4.new_code_cell("%%sh\nhandnet --version\n"),
        nbformat.v4.new_code_cell("1 + 1", outputs=[nbformat.v4.new_output("execute_result", {"text/plain": "2"})]),
        nbformat.v4.new_code_cell("p", outputs=[nbformat.v4.new_output("display_data", {"image/png": "iVBO"})]),
    ]
    files = describe_notebook(nbformat.v4.new_notebook(cells=cells), "tutorial.md")
    page = files["tutorial.md"]
    assert isinstance(page, str)
    assert page.startswith("# Title\n\n[Download")
    assert "```sh\nhandnet --version\n```" in page
    assert "```python\n1 + 1\n```\n\n```{ .text .no-copy .output }\n2\n```" in page
    assert "](tutorial_files/1.png)" in page
    assert files["tutorial_files/1.png"] == b"\x89PN"


def test_what_was_printed_is_one_text_without_the_folder_of_the_run() -> None:
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="folder: /tmp/x/tutorial/"),
        nbformat.v4.new_output("stream", name="stderr", text="draw: 1/2"),
        nbformat.v4.new_output("stream", name="stdout", text="photos\n"),
    ]
    tidy = tidy_outputs(outputs, Path("/tmp/x"))
    assert [output.text for output in tidy] == ["folder: tutorial/photos\n"]


def test_the_committed_tutorial_has_its_outputs_and_no_path_of_a_machine() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert "stands first" in find_printed(notebook, "stands first")
    assert ["picture"] in list_kinds(notebook)
    assert not [word for word in ("/tmp/", "/home/", "/root/") if word in NOTEBOOK.read_text(encoding="utf-8")]
