"""A part whose every text is hostile, its figures, and a reader of the page about it."""

import html.parser

import numpy as np
from PIL import Image

from handnet.metrics.embedded import make_part
from tests.metrics.test_protocols import draw_hands

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m$x_1$'


class Reader(html.parser.HTMLParser):
    """Collects tags, addresses and text, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.text, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def hostile_part(folder):
    part = draw_hands(seed=2, num_people=8)
    names = []
    for i in range(len(part.views)):
        path = folder / f"{i} <b>&'.jpg"
        if i % 2:
            Image.fromarray(np.full((60, 80, 3), i, np.uint8)).save(path)
        names.append(str(path))
    people = np.char.add(part.identities, HOSTILE)
    attributes = [{HOSTILE: HOSTILE + str(i % 2), "age": "21"} for i in range(len(names))]
    return make_part(part.embeddings, people, part.views, part.sides, attributes, names, HOSTILE)


def audit_of(metrics):
    return {
        "conditions": {
            "whole": {"title": "Whole " + HOSTILE, "definition": HOSTILE, **metrics["protocols"]},
            "rings": {"title": "No rings", "definition": "", "refused": HOSTILE},
        }
    }
