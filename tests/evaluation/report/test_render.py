"""Templates filled in."""

import pytest
from jinja2 import UndefinedError

from handnet.evaluation.report.render import render


def test_a_template_that_names_what_is_not_there_is_an_error():
    with pytest.raises(UndefinedError, match="'about' is undefined"):
        render("pairs.html.j2", title="x", sections={})
