"""The terms that a report explains."""

import re
from importlib.resources import files

from handnet.evaluation.report.terms import TERMS
from tests.test_imports import ROOT


def test_every_term_that_a_template_names_is_explained_in_one_sentence_or_two() -> None:
    folder = files("handnet.evaluation.report") / "templates"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name.endswith(".j2"))
    named = set(re.findall(r'term\("([^"]+)"', text))
    assert named
    assert named <= set(TERMS)
    assert all(explained.endswith(".") and len(explained) < 130 for explained in TERMS.values())


def test_the_glossary_explains_them_in_the_same_words() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    missing = [name for name, explained in TERMS.items() if f"| {name} | {explained} |" not in glossary]
    assert not missing
