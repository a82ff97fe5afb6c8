"""Names from data sets in plots, drawn as they are, with every character that they hold."""

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def draw_plain_names() -> Iterator[None]:
    """Let matplotlib draw all text as it is: a $ begins no formula, and a sign that the font lacks is a box, not a warning."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
