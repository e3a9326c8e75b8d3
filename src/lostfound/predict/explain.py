"""Why a model answers as it does: which parts of a picture speak for its answer, and for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lostfound.data.images import ImageSource
from lostfound.errors import CountryNameError, ModelError, UsageError, nearest_name, nearest_names
from lostfound.geo.sphere import haversine_km
from lostfound.predict.guess import Candidate, Guess, guesses
from lostfound.predict.head import LinearHead, find_head, stored_head
from lostfound.predict.occlusion import cell_means, occluded_outputs
from lostfound.predict.predictions import Predictions
from lostfound.predict.similar import SimilarPhoto, similar_photos

if TYPE_CHECKING:
    from lostfound.data.dataset import Dataset
    from lostfound.predict.locator import Locator

Method = Literal["auto", "cam", "occlusion"]
Role = Literal["answer", "runner-up", "asked for"]
Measure = Literal["class activation", "probability", "distance"]
UNITS: dict[Measure, str] = {"class activation": "logit", "probability": "points", "distance": "km"}
"""What a map's values count: logits; points of percent of probability; kilometres."""
NO_CAM = (
    "class activation is exact only for a model whose answer is one linear layer on the mean of its last "
    "feature map, and this is none of those{detail}; occlusion works for any model"
)
PICTURE_SIDE = 640
"""About so many pixels has the longer side of the picture that maps are drawn on."""


@dataclass(frozen=True)
class EvidenceMap:
    """Which parts of a picture speak for one answer, and which against it.

    Attributes:
        role: Why this answer is looked at: it is the model's, its second, or the one that was asked for.
        candidate: The answer.
        measure: What the values are.

            - "class activation", in logits: what each part says of this answer. The mean over the map is the
              answer's score before probabilities are made of the scores, exactly.
            - "probability", in points of percent: how much of its probability the answer loses while the part
              is hidden; negative where it gains.
            - "distance", in km: how far the answered point moves while the part is hidden; never negative.
        values: (rows, columns), float32, from the picture's top left.

    Examples:
        >>> import lostfound
        >>> explanation = lostfound.load("models/mine").explain("photo.jpg", method="occlusion")
        >>> [(each.role, each.unit) for each in explanation.maps]
        [('answer', 'points'), ('answer', 'km'), ('runner-up', 'points')]
    """

    role: Role
    candidate: Candidate
    measure: Measure
    values: NDArray[np.float32]

    @property
    def unit(self) -> str:
        """Of the values."""
        return UNITS[self.measure]

    @property
    def strongest(self) -> tuple[float, float, float]:
        """The largest value, and where its cell's middle lies: shares of the height and of the width."""
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        rows, columns = self.values.shape
        return float(self.values.max()), float((row + 0.5) / rows), float((column + 0.5) / columns)

    def as_dict(self) -> dict[str, Any]:
        """The map as plain values."""
        return {
            "role": self.role,
            "candidate": asdict(self.candidate),
            "measure": self.measure,
            "unit": self.unit,
            "values": [[round(float(value), 4) for value in row] for row in self.values],
        }


@dataclass(frozen=True)
class Explanation:
    """Why a model answers as it does about one photo.

    Attributes:
        guess: The answer that is explained, as `Locator.locate` gives it.
        picture: What the model sees of the photo (the middle, of its input's proportions), about 640
            pixels wide or high: (height, width, 3), uint8. The maps lie over all of it.
        maps: For the answer, the runner-up and a country that was asked for, as far as the model has them.
        similar: The photos of a data set that look most alike to the model, most similar first.
        notice: What could not be shown, and why.

    Examples:
        >>> import lostfound
        >>> explanation = lostfound.load("models/mine").explain("photo.jpg", country="JP")
        >>> "JP" in {each.candidate.country for each in explanation.maps}
        True
        >>> explanation.maps[0].values.ndim
        2
    """

    guess: Guess
    picture: NDArray[np.uint8]
    maps: tuple[EvidenceMap, ...]
    similar: tuple[SimilarPhoto, ...] = ()
    notice: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """All but the pictures, as plain values."""
        return {
            "guess": self.guess.as_dict(),
            "maps": [each.as_dict() for each in self.maps],
            "similar": [each.as_dict() for each in self.similar],
            **({"notice": self.notice} if self.notice else {}),
        }


def explain(
    locator: Locator,
    photo: ImageSource,
    *,
    country: str | None = None,
    method: Method = "auto",
    like: Dataset | None = None,
    guess: Guess | None = None,
) -> Explanation:
    """Explain a model's answer; see `Locator.explain`."""
    if method not in get_args(Method):
        near = nearest_name(method, get_args(Method))
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"no method {method!r}: choose {', '.join(get_args(Method))}{hint}")
    guess = guess or locator.locate(photo)
    image = locator.model.preprocessing(photo)
    answers = _answers(locator, image, guess, country)
    head, notice = None, None
    if method != "occlusion":
        head, missing = explain_head(locator, image)
        if head is None and method == "cam":
            raise ModelError(f"{locator.model.path}: {missing}: leave method out, or choose occlusion")
        notice = missing
    maps: list[EvidenceMap] = []
    if head is not None:
        maps += class_activation(locator, image, head, answers)
    if method != "cam":
        maps += occlusion(locator, image, guess, answers)
    similar = () if like is None else similar_photos(locator, image, like, guess)
    return Explanation(guess, _picture(locator, photo), tuple(maps), similar, notice)


def class_activation(
    locator: Locator, image: NDArray[np.uint8], head: LinearHead, answers: Sequence[tuple[Role, Candidate]]
) -> list[EvidenceMap]:
    """What each place of the last feature map says of an answer (Zhou et al. 2016); exact.

    Args:
        locator: The model.
        image: As `Preprocessing` gives it, (height, width, 3), uint8.
        head: Of the model.
        answers: Which to look at.

    Returns:
        A map for each, whose mean is the answer's logit.
    """
    partition = locator.model.partition
    if partition is None:
        return []
    _, (features,) = locator.feature_map(image[None])
    cells = {cell_id: number for number, cell_id in enumerate(partition.cell_ids)}
    maps = []
    for role, candidate in answers:
        assert candidate.cell_id is not None
        cell = cells[candidate.cell_id]  # logits come first, whatever else a head gives
        values = np.tensordot(head.weight[cell], features, axes=1) + head.bias[cell]
        maps.append(EvidenceMap(role, candidate, "class activation", values.astype(np.float32)))
    return maps


def occlusion(
    locator: Locator, image: NDArray[np.uint8], guess: Guess, answers: Sequence[tuple[Role, Candidate]]
) -> list[EvidenceMap]:
    """What an answer loses while parts of the picture are hidden, with progress.

    Args:
        locator: The model.
        image: As `Preprocessing` gives it, (height, width, 3), uint8.
        guess: The model's, without anything hidden.
        answers: Which to look at.

    Returns:
        A map of probability for each, if the model gives any, and one of how far the answer moves.
    """
    shape, outputs = occluded_outputs(locator, image)
    decoded = decode_all(locator, np.concatenate([locator.run(image[None]), outputs]), image)
    moved = haversine_km(decoded.points[1:], (guess.latitude, guess.longitude))
    maps = []
    for role, candidate in answers:
        if candidate.probability is not None:
            whole, *hidden = 100 * probability_of(decoded, candidate)
            lost = cell_means(whole - np.array(hidden), shape)
            maps.append(EvidenceMap(role, candidate, "probability", lost))
        if role == "answer":
            maps.append(EvidenceMap(role, candidate, "distance", cell_means(moved, shape)))
    return maps


def _answers(
    locator: Locator, image: NDArray[np.uint8], guess: Guess, country: str | None
) -> list[tuple[Role, Candidate]]:
    """The answer, the runner-up, and the most probable cell of the country that is asked for."""
    answers: list[tuple[Role, Candidate]] = [("answer", guess.best)]
    answers += [("runner-up", each) for each in guess.candidates[1:2]]
    if country is None:
        return answers
    from lostfound.geo.countries import country_name, parse_country  # few calls need names

    partition = locator.model.partition
    name = locator.model.name
    known = [] if partition is None else sorted({each for each in partition.countries if each is not None})
    try:
        code = parse_country(country, guess=False)
    except CountryNameError as error:
        near = [f"{each} ({country_name(each)})" for each in nearest_names(country.upper(), known, least=0.5)]
        hint = f" Of the codes that {name} knows, most like it: {', '.join(near)}." if near else ""
        raise CountryNameError(f"{error}{hint}") from None
    if partition is None:
        raise UsageError(
            f"{name} answers with bare coordinates and weighs no countries, so {country_name(code)} can't "
            "be asked for: leave the country out"
        )
    if code not in known:
        listed = ", ".join(known) if len(known) <= 100 else f"{len(known)} others"
        raise UsageError(f"{name} can't answer with {country_name(code)} ({code}); it knows {listed}")
    (everything,) = guesses(decode_all(locator, locator.run(image[None]), image))
    asked = next(each for each in everything.candidates if each.country == code)
    if asked.cell_id not in {each.cell_id for _, each in answers}:
        answers.append(("asked for", asked))
    return answers


def decode_all(locator: Locator, outputs: NDArray[np.float32], image: NDArray[np.uint8]) -> Predictions:
    """The predictions with every cell ranked, not only the best.

    Args:
        locator: The model.
        outputs: Its outputs (n, width) for an image, whole or with parts hidden.
        image: The whole image, whose strangeness holds for all.
    """
    partition = locator.model.partition
    strangeness = locator.strangeness(image[None])
    every = None if strangeness is None else np.repeat(strangeness, len(outputs))
    return locator.decode(outputs, every, top=1 if partition is None else len(partition))


def probability_of(decoded: Predictions, candidate: Candidate) -> NDArray[np.float64]:
    """The probability of one cell in each of some predictions, (n,)."""
    assert decoded.cells is not None
    assert decoded.probabilities is not None
    found = np.where(decoded.cells == candidate.cell_id, decoded.probabilities, 0.0)
    return np.asarray(found.sum(axis=1), dtype=np.float64)


def explain_head(locator: Locator, image: NDArray[np.uint8]) -> tuple[LinearHead | None, str | None]:
    """The model's linear head as it is stored, or as its graph holds it; or why there is none."""
    if locator.model.partition is None:
        return None, NO_CAM.format(detail=" (it answers with bare coordinates)")
    if not locator.gives_features:
        return None, NO_CAM.format(detail=" (its graph gives no feature map)")
    several = np.stack([image, image[:, ::-1], image[::-1], 255 - image])
    outputs, features = locator.feature_map(several)
    if features.ndim != 4:
        return None, NO_CAM.format(detail=" (its features are no map)")
    if features.shape[2] * features.shape[3] == 1:
        return None, "its last feature map has a single place, so class activation shows nothing"
    stored = stored_head(locator.model.statistics)
    head = (
        stored if stored is not None and stored.explains(features, outputs) else find_head(locator, several)
    )
    if head is None and find_spec("onnx") is None:
        return (
            None,
            "the model's head is not in its folder, and finding it needs pip install 'lostfound[train]'",
        )
    return (None, NO_CAM.format(detail="")) if head is None else (head, None)


def _picture(locator: Locator, photo: ImageSource) -> NDArray[np.uint8]:
    """What the model sees of a photo, in more pixels than it sees."""
    own = locator.model.preprocessing
    times = max(1, round(PICTURE_SIDE / max(own.height, own.width)))
    return replace(own, height=times * own.height, width=times * own.width)(photo)
