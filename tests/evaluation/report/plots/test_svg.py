"""One way to draw a plot as SVG text."""

from xml.etree import ElementTree

from handnet.evaluation.report.plots.svg import draw_svg


def test_the_same_plot_is_the_same_text_in_the_asked_size():
    def draw(left, right):
        left.plot([0, 1], [1, 0])
        right.set_title("what <costs> $5 & $6")

    first = draw_svg(draw, 4.0, 2.0, columns=2)
    assert first == draw_svg(draw, 4.0, 2.0, columns=2)
    page = ElementTree.fromstring(first)
    assert (page.get("width"), page.get("height")) == ("288pt", "144pt")
