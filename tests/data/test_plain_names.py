"""Names in drawings are drawn as they are."""

import io
import warnings

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from handnet.data.plain_names import draw_plain_names


def draw(title: str) -> bytes:
    figure = Figure(figsize=(2, 1))
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def test_a_dollar_begins_no_formula_and_an_unknown_sign_is_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with draw_plain_names():
            plain = draw(r"$x^2$ \u0e01")
            draw(r"half a $formula{")
    assert plain != draw("$x^2$")
