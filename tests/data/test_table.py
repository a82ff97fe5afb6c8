"""Tables as people and spreadsheets write them; each of these was read wrongly, or refused in a line that did not help."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handnet.data.dataset import normalise_identity
from handnet.data.table import is_missing, read_table
from handnet.errors import DataError
from tests.photos import write_bytes

SYNONYMS = {"identity": ("person", "subject", "id"), "view": ("aspect",)}
ROWS = [(2, {"path": "ä.jpg", "identity": "1"}), (3, {"path": "b.jpg", "identity": "2"})]
PLAIN = "path,identity\nä.jpg,1\nb.jpg,2\n"


@pytest.mark.parametrize(
    "contents",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace("\n", ",,\r\n").encode(),
        PLAIN.replace("\n", ";;;\r\n").replace(",", ";").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("identity", "Identity").replace("path", " PATH ").encode(),
        PLAIN.replace("identity", "Person").encode(),
        # As pandas writes its index.
        ",path,identity\n0,ä.jpg,1\n1,b.jpg,2\n".encode(),
        PLAIN.replace("ä", '"ä').replace(".jpg,1", '.jpg",1').encode(),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, contents: bytes) -> None:
    assert read_table(write_bytes(tmp_path / "t.csv", contents), ("path", "identity"), SYNONYMS) == ROWS


def test_the_separator_may_be_noted_in_the_first_line(tmp_path: Path) -> None:
    table = write_bytes(tmp_path / "t.csv", b"sep=;\r\npath;identity\r\na.jpg;1\r\n")
    assert read_table(table, ("path",)) == [(3, {"path": "a.jpg", "identity": "1"})]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (PLAIN.encode("cp1252"), r"in UTF-8, first in line 2 .*ANSI.*Save it as CSV UTF-8"),
        (PLAIN.encode("utf-16-le"), r"full of zero bytes. Save it as CSV UTF-8"),
        (b"PK\x03\x04rest", r"is a file of a spreadsheet program. Expected a table of text. Save it as CSV UTF-8"),
        (b"who,path\na,b\n", r"lacks the column identity. Received: who, path. .*identity: person, subject, id"),
        (b"path,person,subject\na,b,c\n", r"'identity' more than once: 'person' and 'subject'"),
        (b"path,identity\na.jpg,Doe, Jane\n", r"line 2: expected 2 cells. Received: 3. .*quotation marks"),
        (b"path,identity,\na.jpg,Doe, Jane\n", r"line 2: the cell 'Jane' is in column 3, which has no name"),
        (b'path,identity\na.jpg,1\n"b.jpg,2\nc.jpg,3\n', r"line 3: a quotation mark is opened and not closed"),
        (b'path,identity\na.jpg,"1\nb.jpg,2\nc.jpg,3"\n', r"line 2: a quotation mark is opened .* up to line 4"),
        (b'path,identity\n"a.jpg,1\n"b.jpg",2\n', r"line 2: a quotation mark is opened and not closed"),
        (b'path,identity\na.jpg,1\nb.jpg,"2\nc.jpg,3"\n', r"line 3: a quotation mark is opened .* up to line 4"),
        (b'"path","identity"\n"a.jpg","1\n"b.jpg","2"\n', r"line 2: .*not closed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_line_and_the_way_out(
    tmp_path: Path, contents: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write_bytes(tmp_path / "t.csv", contents), ("path", "identity"), SYNONYMS)


def test_the_own_name_of_a_column_goes_before_its_synonyms(tmp_path: Path) -> None:
    table = write_bytes(tmp_path / "t.csv", b"id,Identity,path\n7,Ann,a.jpg\n")
    assert read_table(table, ("path",), SYNONYMS) == [(2, {"id": "7", "identity": "Ann", "path": "a.jpg"})]


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN", "<NA>", "#N/A", "None", "null", "n/a"])
def test_what_programs_write_for_no_value_is_no_person(text: str) -> None:
    assert is_missing(text)
    assert not is_missing(text + "a")


def test_one_name_in_two_unicode_forms_is_one_person() -> None:
    assert normalise_identity("Jose\u0301 ") == normalise_identity("José") == "José"
    assert normalise_identity("a\nb") == "a b"


CELLS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85"), min_size=1
).filter(lambda text: text.strip() == text and not text.startswith("\ufeff"))


@settings(deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1), st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"])
)
def test_any_cells_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], separator: str, end: str
) -> None:
    def quote(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    text = end.join(separator.join(map(quote, row)) for row in [("path", "identity"), *rows]) + end
    for encoding in ("utf-8", "utf-16"):
        table = write_bytes(tmp_path_factory.getbasetemp() / "cells.csv", text.encode(encoding))
        read = read_table(table, ("path", "identity"))
        assert [tuple(row.values()) for _, row in read] == rows
        assert [line for line, _ in read] == list(range(2, len(rows) + 2))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_one_clear_line(tmp_path_factory: pytest.TempPathFactory, contents: bytes) -> None:
    table = write_bytes(tmp_path_factory.getbasetemp() / "bytes.csv", contents)
    for start in (b"", b"path,identity\n"):
        table.write_bytes(start + contents)
        with contextlib.suppress(DataError):
            assert all(row.keys() >= {"path"} for _, row in read_table(table, ("path",), SYNONYMS))


@settings(deadline=None)
@given(st.text())
def test_the_spelling_of_a_person_is_settled_at_once(text: str) -> None:
    assert normalise_identity(normalise_identity(text)) == normalise_identity(text)
