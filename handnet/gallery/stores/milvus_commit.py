"""Write to a gallery on a Milvus server: a batch of rows and, last, its head; finish what a writer that died had begun."""

import json
import time
from collections import Counter
from dataclasses import replace

from handnet.gallery.records import AuditEntry
from handnet.gallery.stores.milvus_client import Server
from handnet.gallery.stores.milvus_lock import WriterLock
from handnet.gallery.stores.milvus_reading import CommittedRows
from handnet.gallery.stores.milvus_rows import RowWriter, ServerRow, compose, write_composition
from handnet.gallery.stores.store import Changes
from handnet.gallery.templates import build_templates


def commit(server: Server, committed: CommittedRows, changes: Changes, lock: WriterLock) -> None:
    """Write the changes as one batch, whose head is written last, and sweep away what they supersede."""
    head = committed.read_head()
    number = head.version + 1
    removed_people, removed_photos = set(changes.remove_people), set(changes.remove_photos)
    put = {photo.id: photo for photo in changes.put_photos}
    owners = server.query_in("kind == 'photo'", "item", sorted({*put, *removed_photos}), ("owner",))
    touched = {row["owner"] for row in owners} | {photo.person for photo in changes.put_photos}
    touched |= {person.id for person in changes.put_people} | removed_people
    before = committed.read_photos(head, "owner", sorted(touched))
    known = {person.id: person for person in committed.read_people(head, sorted(touched))}
    people = {**known, **{person.id: person for person in changes.put_people}}
    staying = [people[person] for person in sorted(touched - removed_people)]
    after = [photo for photo in before if photo.id not in put and photo.id not in removed_photos]
    after = [photo for photo in [*after, *changes.put_photos] if photo.person not in removed_people]
    after_ids = {photo.id for photo in after}
    gone = [photo.id for photo in before if photo.id not in after_ids] + changes.remove_people

    writer = RowWriter(committed.rows, committed.header.width, number)
    rows = [writer.make_person(replace(person, version=number)) for person in staying]
    rows += [writer.make_photo(photo) for photo in changes.put_photos]
    rows += [writer.make_template(template) for template in build_templates(after)]
    rows += [writer.make("gone", item) for item in gone]
    rows.append(make_log(writer, number, changes))
    composition = Counter(head.composition)
    composition.subtract(write_composition(compose(known, before)))
    composition.update(write_composition(compose([person.id for person in staying], after)))
    kept = {text: count for text, count in composition.items() if count}
    server.insert(rows)
    lock.check()
    server.insert([writer.make_head(head._replace(version=number, composition=kept))])
    server.flush()
    # From here on the commit stands; what follows is done by the next writer where this one dies.
    server.delete_in(f"kind == 'template' and batch < {number}", "owner", sorted(touched))
    items = [*(person.id for person in staying), *put]
    server.delete_in(f"kind in ['person', 'photo'] and batch < {number}", "item", [*items, *gone])
    server.delete(f"kind == 'gone' and batch <= {number}")
    # Last: more than one head tells the next writer that this was not done to its end.
    server.delete(f"kind == 'head' and batch < {number}")


def recover(server: Server, committed: CommittedRows) -> None:
    """Finish what a writer that died had begun: drop what was not committed, sweep away what was superseded."""
    head = committed.read_head()
    server.delete(f"batch > {head.version}")
    if server.count("kind == 'head'") == 1:
        return
    rows = _read_unswept(server)
    newest: dict[str, int] = {}
    for row in rows:
        if row["kind"] != "template":
            newest[row["item"]] = max(row["batch"], newest.get(row["item"], -1))
    gone = {row["item"] for row in rows if row["kind"] == "gone" and row["batch"] == newest[row["item"]]}

    def is_superseded(row: ServerRow) -> bool:
        subject = row["owner"] if row["kind"] == "template" else row["item"]
        return row["kind"] == "gone" or subject in gone or row["batch"] < newest.get(subject, -1)

    # The marks of what is gone only after what they mark.
    superseded = sorted((row["kind"] == "gone", row["key"]) for row in rows if is_superseded(row))
    server.delete_in("", "key", [key for _, key in superseded])
    server.delete(f"kind == 'head' and batch < {head.version}")


def _read_unswept(server: Server) -> list[ServerRow]:
    """Return the rows of everything that a commit changed whose sweep did not come to its end, the superseded ones too."""
    fields = ("key", "kind", "item", "owner", "batch")
    kinds = "kind in ['person', 'photo', 'gone']"
    # The head of the last commit that was swept to its end is there still: it is deleted last.
    swept = min(row["batch"] for row in server.query("kind == 'head'", ("batch",)))
    items = sorted({row["item"] for row in server.query(f"{kinds} and batch > {swept}", ("item",))})
    rows = server.query_in(kinds, "item", items, fields)
    return rows + server.query_in("kind == 'template'", "owner", items, fields)


def make_log(writer: RowWriter, number: int, changes: Changes) -> ServerRow:
    """Return the line of the log that says what a batch changed."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return _make_entry(writer, AuditEntry(number, now, changes.action, changes.subject, changes.detail))


def _make_entry(writer: RowWriter, entry: AuditEntry) -> ServerRow:
    body = json.dumps([entry.time, entry.action, entry.subject, entry.detail])
    return writer.make("audit", str(entry.number), body=body)
