"""The page of evidence: heat maps, lines and shares."""

import numpy as np
import pytest

from handnet.evaluation.evidence import Evidence, Shares
from handnet.evaluation.report.evidence_page import (
    list_groups,
    list_landmark_lines,
    list_lines,
    list_tiles,
    write_evidence,
)
from handnet.networks.feature_places import GRID
from tests.evaluation.report.hostile import HOSTILE, read


def make_evidence(with_shares: bool = True) -> Evidence:
    cells = np.zeros((2, GRID, GRID))
    cells[0, 1, 2], cells[1, 7, 0] = 0.4, -0.2
    pairs = np.zeros((GRID**2, GRID**2))
    pairs[10, 56], pairs[0, 0], pairs[5, 5] = 0.3, 0.1, -0.4
    shares = Shares({"outline": 0.4, "what all hands share": -0.1}, cells, pairs, np.zeros(2))
    pictures = np.zeros((2, 16, 16, 3), np.uint8)
    return Evidence(0.3, pictures, shares if with_shares else None, cells)


def test_tiles_lie_where_the_cells_are_on_one_scale() -> None:
    tiles = list_tiles(make_evidence().occlusion)
    assert len(tiles) == 2 * GRID**2
    strong = [tile for tile in tiles if tile.strength > 0]
    assert [(tile.x, tile.y, tile.kind, tile.strength, tile.value) for tile in strong] == [
        (80, 40, "good", 1.0, "+0.4000"),
        (440, 280, "bad", 0.5, "-0.2000"),
    ]


def test_lines_join_the_places_with_the_largest_shares_and_none_that_speak_against() -> None:
    shares = make_evidence().shares
    assert shares is not None
    lines = list_lines(shares.pairs)
    assert [(line.x1, line.y1, line.x2, line.y2, line.value) for line in lines] == [
        (100, 60, 460, 300, "+0.3000"),
        (20, 20, 460, 20, "+0.1000"),
    ]
    assert lines[0].width > lines[1].width
    assert list_lines(np.zeros((GRID**2, GRID**2))) == []
    assert [row["percent"] for row in list_groups(shares.groups)] == [100, 25]


def test_lines_join_the_same_places_of_both_hands_wider_where_their_cells_share_more() -> None:
    pairs = np.zeros((GRID**2, GRID**2))
    # The first landmark lies in cell (1, 2) and (7, 0); the share of a cell next to it counts, one two cells away does not.
    pairs[1 * GRID + 2, 7 * GRID], pairs[0 * GRID + 3, 6 * GRID + 1], pairs[5 * GRID + 2, 7 * GRID] = 0.3, 0.1, 5.0
    pairs[0, 7 * GRID + 7] = -0.2
    landmarks = np.full((2, 21, 2), 0.99)
    landmarks[0, 0], landmarks[1, 0] = (1.5 / GRID, 2.5 / GRID), (7.5 / GRID, 0.5 / GRID)
    (line,) = list_landmark_lines(pairs, landmarks)
    assert (line.x1, line.y1, line.x2, line.y2, line.value) == (100, 60, 460, 300, "+0.4000")
    assert list_landmark_lines(np.zeros((GRID**2, GRID**2)), landmarks) == []


@pytest.mark.parametrize("with_shares", [True, False])
def test_the_page_is_whole_and_deaf_to_names(tmp_path, with_shares: bool) -> None:
    path = tmp_path / "evidence.html"
    write_evidence(path, make_evidence(with_shares), (HOSTILE, "b.jpg"), 0.25, HOSTILE)
    reader = read(path.read_text(encoding="utf-8"))
    text = "".join(reader.text)
    assert reader.tags.count("script") == 1
    assert "at the threshold of 0.250 they are taken for one person's" in text
    assert HOSTILE[:20] in text
    assert ("outline" in text) == with_shares
    assert ("there are no exact shares" in text) != with_shares
    write_evidence(path, make_evidence(), ("a", "b"), None, "run")
    assert "has no threshold yet" in path.read_text(encoding="utf-8")
