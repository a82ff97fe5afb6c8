"""The page of the Python API: which names are on it. Their text comes from the docstrings, read without running the code."""

import handnet

# What is public beside `handnet.NAME`: heading → names.
OTHERS = {
    "What they return": (
        "handnet.config.run_folder.Run",
        "handnet.library.evaluate_run.Evaluation",
        "handnet.library.matcher.Matcher",
        "handnet.evaluation.verify.Verdict",
    ),
    "Galleries": ("handnet.gallery.Gallery",),
}


def describe_python() -> str:
    """Return the page: `handnet.NAME` for all names in `handnet.__all__`, then the others."""
    parts = [
        "# Python API",
        "Made from the docstrings. [How to use it](../python.md), with examples. `import handnet` takes no time: what a name "
        "stands for is imported when it is first used.",
    ]
    own = [f"handnet.{name}" for name in handnet.__all__ if not name.startswith("__")]
    for title, names in {"In handnet": own, **OTHERS}.items():
        parts += [f"## {title}", *(f"::: {name}" for name in names)]
    return "\n\n".join(parts) + "\n"
