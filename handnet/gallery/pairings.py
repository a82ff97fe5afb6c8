"""How a photo is compared with a template: back against palm or like with like, same hand or other, each calibrated alone."""

import base64
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError, GalleryError
from handnet.gallery.records import HandKind, Vector
from handnet.gallery.templates import average_vectors
from handnet.metrics.pairs.calibration import fit_calibration
from handnet.metrics.pairs.pair_list import collect_pairs
from handnet.metrics.pairs.verification import build_curve, compute_eer

# Fewer people cannot carry a curve from similarity to probability.
MIN_PEOPLE = 5
# Of each person; photos of one session say little more than a few of them.
_MAX_PROBES = 3
_MAX_PEOPLE = 400
_NUM_DRAWS = 3

Similarities = npt.NDArray[np.float32]


class Pairing(NamedTuple):
    """What is compared with what.

    Attributes:
        views: "dorsal-palmar", "dorsal-dorsal", "palmar-palmar", or "any" where a view is not known.
        hands: "same": both left or both right; "other": one of each; "unknown".
        photos: "one" or "several": what the template was made of.
    """

    views: str
    hands: str
    photos: str

    def __str__(self) -> str:
        hands = {"same": "the same hand", "other": "the other hand", "unknown": "hand not known"}[self.hands]
        return f"{self.views}, {hands}, template of {self.photos}"


# It compares any two photos of a person: where it fails, all do.
_WIDEST = str(Pairing("any", "unknown", "one"))


@dataclass(frozen=True, slots=True)
class PairingFit:
    """What calibration people say of one pairing.

    The natural logarithm of the likelihood ratio is `slope` · cosine + `intercept`.

    Attributes:
        slope: at least 0.
        intercept: log ratio at cosine 0.
        equal_error_rate: 0..0.5, by which the pairings are ordered.
        equal_error_threshold: the cosine of that.
        num_people: with genuine pairs.
        impostors: float32 (probe photos, people) cosine of each probe with the template of each person; NaN for its own
            person and for people without such a template.
        probe_people: int64 (probe photos,) column of the probe's own person.
        genuine: float32, cosines of probes with templates of their own person.
    """

    slope: float
    intercept: float
    equal_error_rate: float
    equal_error_threshold: float
    num_people: int
    impostors: Similarities = field(repr=False)
    probe_people: npt.NDArray[np.int64] = field(repr=False)
    genuine: Similarities = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)

    def compute_log_ratio(self, cosine: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the log-likelihood ratio: above 0 speaks for the same person."""
        return np.asarray(self.slope * np.asarray(cosine, np.float64) + self.intercept)


@dataclass(frozen=True, slots=True)
class Matching:
    """The calibrations of a model, as far as its calibration people carry them.

    Attributes:
        fits: by pairing.
        refused: why a pairing has none.
        origin: where the calibration comes from, in words.
    """

    fits: Mapping[Pairing, PairingFit]
    refused: Mapping[str, str]
    origin: str

    def find(self, probe: HandKind, template: HandKind, num_photos: int) -> tuple[Pairing, PairingFit] | None:
        """Return the pairing by which a photo is compared with a template, or None where they must not be compared.

        Where the very pairing could not be fitted, the number of photos is left aside, then which hand it is. Photos of
        two hands are compared only where that pairing itself was fitted: never as if they were one hand.

        Args:
            probe: what is searched for.
            template: what is enrolled.
            num_photos: of the template.
        """
        views = "-".join(sorted((probe.view, template.view))) if probe.view and template.view else "any"
        hands = "unknown"
        if probe.side and template.side:
            hands = "same" if probe.side == template.side else "other"
        photos = ("one", "several") if num_photos == 1 else ("several", "one")
        for nearest_hands in ("other",) if hands == "other" else dict.fromkeys((hands, "unknown")):
            for nearest_photos in photos:
                pairing = Pairing(views, nearest_hands, nearest_photos)
                if pairing in self.fits:
                    return pairing, self.fits[pairing]
        return None


def fit_matching(
    vectors: Vector,
    people: Sequence[str],
    kinds: Sequence[HandKind],
    *,
    seed: int = 0,
    origin: str = "",
) -> Matching:
    """Calibrate every pairing that the photos of calibration people carry.

    Args:
        vectors: float32 (N, D), unit norm, of people who were not trained on.
        people: N, whose photo it is.
        kinds: N; blank where unknown.
        seed: random seed for the draws of photos.
        origin: where these people come from, in words.

    Raises:
        EvaluationError: no pairing at all can be fitted.
    """
    generator = np.random.default_rng(seed)
    codes = np.unique(np.asarray(people, dtype=np.str_), return_inverse=True)[1]
    photos = _Photos(
        np.asarray(vectors, np.float32),
        codes,
        np.array([kind.view for kind in kinds], dtype=np.str_),
        np.array([kind.side for kind in kinds], dtype=np.str_),
    )
    if codes.size and codes.max() >= _MAX_PEOPLE:
        photos = photos.select(np.isin(codes, generator.permutation(codes.max() + 1)[:_MAX_PEOPLE]))
    fits: dict[Pairing, PairingFit] = {}
    refused: dict[str, str] = {}
    for pairing in list_pairings(photos.views, photos.sides):
        scores = _score(photos, pairing, generator)
        reason = _refuse(scores)
        if reason:
            refused[str(pairing)] = reason
        else:
            fits[pairing] = _fit(scores)
    if not fits:
        raise _explain_refusal(refused.get(_WIDEST, ""))
    return Matching(fits, refused, origin)


def check_people(people: Sequence[str]) -> None:
    """Check what can be known before any photo is embedded: that enough people have two photos.

    Args:
        people: N, whose photo it is.

    Raises:
        EvaluationError: `fit_matching` would refuse these people.
    """
    num_people = sum(count > 1 for count in Counter(people).values())
    if num_people < MIN_PEOPLE:
        raise _explain_refusal(_say_few(num_people) if people else "")


def _explain_refusal(why: str) -> EvaluationError:
    why = f"{_WIDEST}: {why}" if why else "there are no photos"
    return EvaluationError(
        f"These people cannot carry a calibration ({why}). Give more people with more photos each: of a run, a larger "
        "validation part; for an exported model, --data DIR."
    )


def _say_few(num_people: int) -> str:
    return f"{num_people} people have such pairs, and it takes {MIN_PEOPLE}"


def list_pairings(views: npt.NDArray[np.str_], sides: npt.NDArray[np.str_]) -> list[Pairing]:
    """Return the pairings that photos of such views and sides can be compared by."""
    known = sorted(set(views.tolist()) - {""})
    names = [f"{a}-{b}" for i, a in enumerate(known) for b in known[i:]] + ["any"]
    hands = ["same", "other", "unknown"] if set(sides.tolist()) - {""} else ["unknown"]
    return [Pairing(name, hand, photos) for name in names for hand in hands for photos in ("one", "several")]


def matching_to_json(matching: Matching) -> dict[str, Any]:
    """Return a matching as plain values."""
    return {
        "origin": matching.origin,
        "refused": dict(matching.refused),
        "fits": [
            {
                "pairing": list(pairing),
                "slope": fit.slope,
                "intercept": fit.intercept,
                "equal_error_rate": fit.equal_error_rate,
                "equal_error_threshold": fit.equal_error_threshold,
                "num_people": fit.num_people,
                "shape": list(fit.impostors.shape),
                "impostors": _pack(fit.impostors.astype("<f4")),
                "probe_people": fit.probe_people.tolist(),
                "genuine": _pack(fit.genuine.astype("<f4")),
            }
            for pairing, fit in matching.fits.items()
        ],
    }


def matching_from_json(value: Mapping[str, Any]) -> Matching:
    """Undo `matching_to_json`.

    Raises:
        GalleryError: something is missing.
    """
    try:
        fits = {}
        for row in value["fits"]:
            raw = _unpack(row["impostors"])
            fits[Pairing(*row["pairing"])] = PairingFit(
                float(row["slope"]),
                float(row["intercept"]),
                float(row["equal_error_rate"]),
                float(row["equal_error_threshold"]),
                int(row["num_people"]),
                raw.reshape(row["shape"]).astype(np.float32),
                np.asarray(row["probe_people"], np.int64),
                _unpack(row["genuine"]).astype(np.float32),
            )
        return Matching(fits, dict(value["refused"]), str(value["origin"]))
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise GalleryError(f"The gallery's calibration cannot be read ({error}). Restore it from a backup.") from error


class _Photos(NamedTuple):
    vectors: Vector
    people: npt.NDArray[np.intp]
    views: npt.NDArray[np.str_]
    sides: npt.NDArray[np.str_]

    def select(self, rows: npt.NDArray[np.bool_]) -> "_Photos":
        return _Photos(self.vectors[rows], self.people[rows], self.views[rows], self.sides[rows])


class _Scores(NamedTuple):
    genuine: list[float]
    genuine_people: list[int]
    impostors: Similarities
    probe_people: npt.NDArray[np.int64]


def _score(photos: _Photos, pairing: Pairing, generator: np.random.Generator) -> _Scores:
    """Score probes against templates that are made as a gallery makes them, and never of the probe itself."""
    num_people = int(photos.people.max(initial=-1)) + 1
    genuine: list[float] = []
    owners: list[int] = []
    blocks = [np.zeros((0, num_people), np.float32)]
    probe_people = [np.zeros(0, np.int64)]
    for probe_kind, template_kind in _list_directions(pairing):
        members = _group(photos, _find(photos, template_kind), num_people)
        probes = _draw_probes(photos, _find(photos, probe_kind), generator)
        for probe in probes:
            person = int(photos.people[probe])
            own = members[person][members[person] != probe]
            scores = [
                float(vector @ photos.vectors[probe]) for vector in _build(photos, own, pairing, generator, _NUM_DRAWS)
            ]
            genuine += scores
            owners += [person] * len(scores)
        templates = np.full((num_people, photos.vectors.shape[1]), np.nan, np.float32)
        for person, rows in enumerate(members):
            for vector in _build(photos, rows, pairing, generator, 1):
                templates[person] = vector
        block = photos.vectors[probes] @ templates.T
        block[np.arange(len(probes)), photos.people[probes]] = np.nan
        blocks.append(block)
        probe_people.append(photos.people[probes].astype(np.int64))
    return _Scores(genuine, owners, np.concatenate(blocks), np.concatenate(probe_people))


def _list_directions(pairing: Pairing) -> list[tuple[HandKind, HandKind]]:
    """Return (probe, template) kinds, "" for whatever it is."""
    first, second = ("", "") if pairing.views == "any" else pairing.views.split("-")
    views = list(dict.fromkeys([(first, second), (second, first)]))
    sides = {
        "same": [("left", "left"), ("right", "right")],
        "other": [("left", "right"), ("right", "left")],
        "unknown": [("", "")],
    }[pairing.hands]
    return [
        (HandKind(probe_view, probe_side), HandKind(view, side))
        for probe_view, view in views
        for probe_side, side in sides
    ]


def _find(photos: _Photos, kind: HandKind) -> npt.NDArray[np.intp]:
    chosen = np.ones(len(photos.people), dtype=bool)
    if kind.view:
        chosen &= photos.views == kind.view
    if kind.side:
        chosen &= photos.sides == kind.side
    return np.flatnonzero(chosen)


def _group(photos: _Photos, rows: npt.NDArray[np.intp], num_people: int) -> list[npt.NDArray[np.intp]]:
    return [rows[photos.people[rows] == person] for person in range(num_people)]


def _draw_probes(photos: _Photos, rows: npt.NDArray[np.intp], generator: np.random.Generator) -> npt.NDArray[np.intp]:
    shuffled = generator.permutation(rows)
    order = shuffled[np.argsort(photos.people[shuffled], kind="stable")]
    people = photos.people[order]
    place = np.arange(len(order)) - np.searchsorted(people, people)
    return np.asarray(order[place < _MAX_PROBES])


def _build(
    photos: _Photos, rows: npt.NDArray[np.intp], pairing: Pairing, generator: np.random.Generator, draws: int
) -> list[Vector]:
    """Return a person's templates of one photo each, at most `draws`, or the one of several photos, where there are any."""
    if pairing.photos == "one":
        return list(photos.vectors[generator.permutation(rows)[:draws]])
    return [average_vectors(photos.vectors[rows])] if len(rows) > 1 else []


def _refuse(scores: _Scores) -> str:
    num_people = len(set(scores.genuine_people))
    if num_people < MIN_PEOPLE:
        return _say_few(num_people)
    if int(np.isfinite(scores.impostors).sum()) < MIN_PEOPLE:
        return "there are no pairs of different people"
    return ""


def _fit(scores: _Scores) -> PairingFit:
    probes, columns = np.nonzero(np.isfinite(scores.impostors))
    genuine = np.stack([scores.genuine_people] * 2, axis=1)
    impostor = np.stack([scores.probe_people[probes], columns], axis=1)
    values = np.concatenate([scores.genuine, scores.impostors[probes, columns]])
    same = np.arange(len(values)) < len(genuine)
    pairs = collect_pairs(np.clip(values, -1, 1), same, np.concatenate([genuine, impostor]))
    calibration = fit_calibration(pairs)
    return PairingFit(
        calibration.slope,
        calibration.intercept,
        compute_eer(build_curve(pairs))[0],
        calibration.equal_error_threshold,
        len(set(scores.genuine_people)),
        scores.impostors,
        scores.probe_people,
        np.asarray(scores.genuine, np.float32),
    )


def _pack(values: Similarities) -> str:
    return base64.b64encode(zlib.compress(values.tobytes())).decode("ascii")


def _unpack(text: str) -> Similarities:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f4")
