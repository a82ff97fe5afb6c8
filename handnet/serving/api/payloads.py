"""What requests hold and answers return; unknown fields are refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200, description="1 to 200 printable characters.")]
Identifier = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="32 hexadecimal digits.")]
View = Annotated[Literal["", "dorsal", "palmar"], Field(description="Of all photos; blank: as the model sees it.")]
Side = Annotated[Literal["", "left", "right"], Field(description="Of all photos; blank: as the model sees it.")]
Review = Annotated[Literal["", "off", "standard", "strict"], Field(description="Blank: the collection's level.")]


class Strict(BaseModel):
    """A model that knows all its fields."""

    model_config = ConfigDict(extra="forbid")


class Rename(Strict):
    """A person's new name."""

    name: Name


class Merge(Strict):
    """Who is the same person."""

    other: Annotated[Identifier, Field(description="Whose photos are moved; that person is removed.")]


class HandFields(Strict):
    """Fields of a form other than its photos: which hand they show."""

    view: View = ""
    side: Side = ""


class PhotoFields(HandFields):
    """Fields of photos for a person who is enrolled."""

    review: Review = ""


class EnrolFields(PhotoFields):
    """Fields of an enrolment."""

    name: Name


class IdentifyFields(HandFields):
    """Fields of a search."""

    top: Annotated[int, Field(ge=1, le=1000, description="People to list.")] = 10
    fpir: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Share of people who are not enrolled that may be named by mistake."),
    ] = None
    fpir_bound: Annotated[
        Literal["estimate", "upper"],
        Field(description="What fpir is of the threshold: the best estimate, or the upper end of its 95 % interval."),
    ] = "estimate"
    prior: Annotated[
        float, Field(gt=0, lt=1, description="Prior probability that the hand belongs to somebody enrolled.")
    ] = 0.5
    together: Annotated[bool, Field(description="All photos show one person: one answer.")] = False


class VerifyFields(HandFields):
    """Fields of the question whether photos show a person."""

    person: Identifier


class CompareFields(Strict):
    """Fields of the question whether two photos show one person."""

    first_view: View = ""
    first_side: Side = ""
    second_view: View = ""
    second_side: Side = ""


class Status(Strict):
    """Whether the server works."""

    status: str


class CollectionOut(Strict):
    """A collection."""

    name: str
    model: Annotated[str, Field(description="Digest of the model that it is bound to.")]
    num_people: int
    keeps_photos: bool
    review: str
    protected: Annotated[bool, Field(description="Templates are encrypted and turned by a secret key.")]
    calibration: Annotated[str, Field(description="Where its calibration comes from.")]
    created: str


class NewCollection(Strict):
    """A collection to be made."""

    name: Annotated[
        str,
        Field(
            pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
            description="Of its folder too: letters, digits, _ and -, 64 at most; not _ or - at the beginning.",
        ),
    ]
    like: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="A collection of this server, whose model, calibration and key it gets.",
        ),
    ]
    keep_photos: Annotated[bool, Field(description="Keep the photos themselves too.")] = False
    review: Annotated[Literal["off", "standard", "strict"], Field(description="Level of the review.")] = "standard"


class HandOut(Strict):
    """Which hand is seen from where."""

    view: str
    side: str


class PersonLine(Strict):
    """A line of the list of people."""

    id: str
    name: str
    num_photos: int
    created: str


class People(Strict):
    """Some of the people of a collection, sorted by name."""

    people: list[PersonLine]
    total: Annotated[int, Field(description="People who match, on all pages.")]


class PhotoOut(Strict):
    """An enrolled photo."""

    id: str
    hand: HandOut
    quality: float
    created: str
    has_picture: bool


class PersonOut(Strict):
    """A person and the enrolled photos."""

    id: str
    name: str
    created: str
    photos: list[PhotoOut]


class AcceptedOut(Strict):
    """A photo that was enrolled."""

    photo: str
    id: str
    hand: HandOut
    quality: float
    remarks: list[str]


class RefusedOut(Strict):
    """A photo that was not enrolled."""

    photo: str
    reason: str


class EnrolmentOut(Strict):
    """What came of an enrolment."""

    person: Annotated[str, Field(description="Id of the person; blank where nobody was enrolled.")]
    name: str
    is_new: bool
    accepted: list[AcceptedOut]
    refused: list[RefusedOut]


class Count(Strict):
    """How many photos were moved."""

    num_photos: int


class ThresholdOut(Strict):
    """From which log ratio on somebody is named."""

    log_ratio: float
    probability: Annotated[float, Field(description="The same for the likeliest person, all else as it is.")]
    fpir: float
    bound: str
    predicted: float
    interval: tuple[float, float]
    num_people: int
    num_calibration_people: int
    origin: str
    text: str


class MatchOut(Strict):
    """An enrolled person as the answer to a search."""

    rank: int
    person: str
    name: str
    probability: float
    log_ratio: float
    similarity: float
    pairing: str
    accepted: bool
    picture: Annotated[str, Field(description="Id of an enrolled photo whose picture is kept, or blank.")]


class AnswerOut(Strict):
    """Who a hand belongs to."""

    photo: str
    problem: str
    hand: HandOut
    name: Annotated[str, Field(description="Who it is; blank: nobody enrolled.")]
    matches: list[MatchOut]
    nobody: Annotated[float | None, Field(description="Probability of nobody enrolled; null where there is a problem.")]
    prior: float
    threshold: ThresholdOut | None
    remarks: list[str]
    num_people: int
    num_compared: int


class Answers(Strict):
    """An answer for each photo, or one for all."""

    answers: list[AnswerOut]


class VerdictOut(Strict):
    """Whether two hands are one person's; everything that would be an answer is null where there is a problem."""

    problem: str
    same: bool | None
    probability: float | None
    log_ratio: float | None
    similarity: float | None
    threshold: float | None
    pairing: str
    origin: str
    remarks: list[str]


class VerificationOut(VerdictOut):
    """Whether a photo shows a person."""

    photo: str
    name: str


class Verifications(Strict):
    """A verdict for each photo."""

    answers: list[VerificationOut]


class DistributionsOut(Strict):
    """Histograms of the scores of calibration people."""

    edges: list[float]
    genuine: list[float]
    impostor: list[float]


class ComparisonOut(VerdictOut):
    """Whether two photos show one person."""

    hands: tuple[HandOut, HandOut]
    distributions: DistributionsOut | None


class EmbeddingOut(Strict):
    """A photo's vector."""

    photo: str
    problem: str
    vector: list[float]
    hand: HandOut
    quality: float
    remarks: list[str]


class Embeddings(Strict):
    """A vector for each photo that can be used."""

    model: str
    embeddings: list[EmbeddingOut]


class SamePersonOut(Strict):
    """Two enrolled people who may be one."""

    first: str
    second: str
    probability: float
    pairing: str


class MisplacedOut(Strict):
    """A photo that looks more like another person's."""

    photo: str
    person: str
    looks_like: str
    probability: float


class DuplicateOut(Strict):
    """Two enrolled photos of nearly the same picture."""

    first: str
    first_person: str
    second: str
    second_person: str
    similarity: float


class CheckOut(Strict):
    """The state of a collection; people are named, photos have their ids."""

    damage: Annotated[list[str], Field(description="Rows that are not as they were written.")]
    same_people: list[SamePersonOut]
    misplaced: list[MisplacedOut]
    duplicates: list[DuplicateOut]


class AuditLine(Strict):
    """A line of a collection's log."""

    number: int
    time: str
    action: str
    person: Annotated[str, Field(description="Id, or blank.")]
    detail: str


class Log(Strict):
    """Some lines of a collection's log, the newest first."""

    entries: list[AuditLine]
    total: int


class Backup(Strict):
    """A backup that was made."""

    name: Annotated[str, Field(description="Of its folder, in the server's folder of backups.")]


class Forgotten(Strict):
    """The proof that nothing is left of a person."""

    num_photos: int
    num_traces: Annotated[int, Field(description="Byte strings that were found before and are found nowhere now.")]
    unsearched: Annotated[str, Field(description="What could not be searched; blank: nothing.")]


class TestPerson(Strict):
    """A person of a run's test part."""

    name: str
    photos: list[int]


class ExplorerOut(Strict):
    """A run's test part."""

    name: str
    num_people: int
    num_dorsal: int
    num_palmar: int
    people: list[TestPerson]


class Neighbour(Strict):
    """A person of the test part, by the photo nearest to the query."""

    rank: int
    photo: int
    name: str
    similarity: float
    right: bool


class QueryOut(Strict):
    """A query and who is nearest to it."""

    photo: int
    name: str
    view: str
    side: str
    rank: Annotated[int, Field(description="Of the right person; 0 where that person has no photo of the other view.")]
    num_ranked: int
    neighbours: list[Neighbour]


class ProblemOut(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
