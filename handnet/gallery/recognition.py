"""Recognition: whose hand is it, and is it this person's?"""

from collections.abc import Sequence
from typing import NamedTuple

from handnet.errors import EvaluationError
from handnet.gallery.answers import Verdict, Verification, decide_same
from handnet.gallery.identification_threshold import Compared, Threshold, choose_threshold
from handnet.gallery.index import choose_pairing
from handnet.gallery.matching import MAX_RANKED, Answer, combine_hits, rank_people
from handnet.gallery.pairings import Matching
from handnet.gallery.photo_encoder import PhotoEncoder, PhotoInput, name_photo
from handnet.gallery.records import UNKNOWN, HandKind, Person, check_kind, decide_kind, describe_contradiction
from handnet.gallery.search import Found, PersonSearch
from handnet.gallery.stores.store import Store
from handnet.gallery.templates import build_templates


class Question(NamedTuple):
    """How `Recognition.identify` answers.

    Attributes:
        top: people to list at most, 1 or more.
        fpir: false-positive identification rate, 0..1; None: the lowest of 1, 5, 10 and 30 % that the calibration carries.
        fpir_bound: what `fpir` is of the threshold: "estimate" or "upper".
        prior: probability that a hand belongs to somebody enrolled, before it is seen.
        view: of all photos: "dorsal", "palmar", or "" as the model sees it.
        side: likewise: "left", "right" or "".
        together: all photos show one person: one answer.
    """

    top: int = 10
    fpir: float | None = None
    fpir_bound: str = "estimate"
    prior: float = 0.5
    view: str = ""
    side: str = ""
    together: bool = False


class Recognition:
    """Answers from the enrolled people and the calibrations of one model."""

    def __init__(self, store: Store, matching: Matching) -> None:
        """Start with nothing read.

        Args:
            store: the truth.
            matching: the calibrations.
        """
        self._store = store
        self._matching = matching
        self.search = PersonSearch(store, matching)
        self._thresholds: dict[tuple[object, ...], Threshold | str] = {}

    def identify(self, encoder: PhotoEncoder, inputs: Sequence[PhotoInput], question: Question) -> Sequence[Answer]:
        """Say whose hands these are; the answer may be nobody enrolled.

        Args:
            encoder: the collection's model.
            inputs: the photos.
            question: how to answer.

        Returns:
            An answer for each photo; with `together`, one for all, and one for each photo that cannot be used.

        Raises:
            EvaluationError: a rate that the calibration cannot carry.
            ConfigError: an unknown view, side or bound.
        """
        check_kind(question.view, question.side)
        titles = [name_photo(photo, number) for number, photo in enumerate(inputs, 1)]
        embedded = encoder.embed(inputs) if inputs else []
        answers: list[Answer] = []
        usable: list[tuple[str, HandKind, Found]] = []
        all_remarks: list[str] = []
        for title, result in zip(titles, embedded, strict=True):
            if result.vector is None:
                answers.append(Answer(title, result.reason, "", "", "", (), None, question.prior, None, (), 0, 0))
                continue
            kind = decide_kind(result.kind, question.view, question.side)
            vector = self._store.codec.turn(result.vector[None])[0]
            found = self.search.find(kind, vector, None if question.together else max(question.top, MAX_RANKED))
            usable.append((title, kind, found))
            remarks = (*result.remarks, *describe_contradiction(result.kind, kind))
            all_remarks += [f"{title}: {remark}" for remark in remarks]
            if not question.together:
                answers.append(self._answer(title, [kind], found, [found.compared], remarks, question))
        if question.together and usable:
            title = ", ".join(row[0] for row in usable)
            found = usable[0][2]._replace(hits=combine_hits([row[2].hits for row in usable]))
            kinds, compared = [row[1] for row in usable], [row[2].compared for row in usable]
            answers.insert(0, self._answer(title, kinds, found, compared, tuple(all_remarks), question))
        return answers

    def verify(
        self, encoder: PhotoEncoder, person: Person, inputs: Sequence[PhotoInput], view: str = "", side: str = ""
    ) -> Sequence[Verification]:
        """Say of each photo whether it shows an enrolled person.

        Args:
            encoder: the collection's model.
            person: who it may be.
            inputs: the photos.
            view: of all photos: "dorsal", "palmar", or "" as the model sees it.
            side: likewise: "left", "right" or "".

        Raises:
            ConfigError: an unknown view or side.
        """
        check_kind(view, side)
        templates = build_templates(self._store.read_photos([person.id]))
        answers = []
        for number, (photo, result) in enumerate(zip(inputs, encoder.embed(inputs), strict=True), 1):
            title = name_photo(photo, number)
            if result.vector is None:
                answers.append(Verification(title, person.name, Verdict(result.reason)))
                continue
            kind = decide_kind(result.kind, view, side)
            found = choose_pairing(self._matching, kind, templates)
            if found is None:
                verdict = Verdict(_explain_no_pairing(kind))
            else:
                template, pairing, fit = found
                vector = self._store.codec.turn(result.vector[None])[0]
                verdict = decide_same(template.vector, vector, pairing, fit, self._matching.origin)
            remarks = (*result.remarks, *describe_contradiction(result.kind, kind))
            answers.append(Verification(title, person.name, verdict, remarks))
        return answers

    def _answer(
        self,
        title: str,
        kinds: Sequence[HandKind],
        found: Found,
        compared: Sequence[Sequence[Compared]],
        remarks: tuple[str, ...],
        question: Question,
    ) -> Answer:
        hits, num_people = found.hits, found.num_people
        view, side = kinds[0] if len(set(kinds)) == 1 else UNKNOWN
        threshold: Threshold | None = None
        if not num_people:
            remarks += ("nobody is enrolled",)
        elif not hits.num_compared:
            remarks += (_explain_no_pairing(kinds[0]),)
        else:
            thresholds = [self._choose_threshold(part, question) for part in compared if part]
            remarks += tuple(dict.fromkeys(row for row in thresholds if isinstance(row, str)))
            # Of several photos of different kinds the strictest threshold counts.
            told = [row for row in thresholds if isinstance(row, Threshold)]
            threshold = max(told, key=lambda row: row.log_ratio, default=None)
            if apart := num_people - hits.num_compared:
                remarks += (f"{apart:,} of {num_people:,} people cannot be compared with this photo",)
        matches, nobody = rank_people(hits, threshold, num_people=num_people, top=question.top, prior=question.prior)
        return Answer(
            photo=title,
            problem="",
            view=view,
            side=side,
            name=matches[0].name if matches and matches[0].accepted else "",
            matches=matches,
            nobody=nobody,
            prior=question.prior,
            threshold=threshold,
            remarks=remarks,
            num_people=num_people,
            num_compared=hits.num_compared,
        )

    def _choose_threshold(self, compared: Sequence[Compared], question: Question) -> Threshold | str:
        """Return the threshold, or, where no rate was asked for, why there is none."""
        sizes = sorted((id(part.fit), part.num_people) for part in compared)
        place = (*sizes, question.fpir, question.fpir_bound)
        if place not in self._thresholds:
            try:
                self._thresholds[place] = choose_threshold(
                    compared, question.fpir, self._matching.origin, bound=question.fpir_bound
                )
            except EvaluationError as error:
                if question.fpir is not None:
                    raise
                self._thresholds[place] = f"nobody is named: {error}"
        return self._thresholds[place]


def _explain_no_pairing(kind: HandKind) -> str:
    return f"nobody's photos can be compared with this one ({kind}): another hand, or no calibration for such a pair"
