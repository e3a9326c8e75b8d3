"""The one engine for answers: where photos are, by a model folder's graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import ImageSource
from lostfound.data.records import strings
from lostfound.errors import DatasetError, ImageError, ModelError, UsageError, refused_as
from lostfound.geo.countries import country_name
from lostfound.predict.answering import AnswerSettings, Looks, answer
from lostfound.predict.belief import Belief
from lostfound.predict.engine import Engine, Seen, Unanswered
from lostfound.predict.guess import Guess, guesses
from lostfound.predict.levels import Levels
from lostfound.predict.model_folder import STARTER, ModelFolder
from lostfound.predict.predictions import Predictions
from lostfound.predict.priors import estimated_shares, read_prior, reweighted
from lostfound.predict.restrictions import Allowed, allowed_cells, restricted
from lostfound.predict.support import Support
from lostfound.predict.trips import smooth_trip
from lostfound.predict.views import mean_of_views, pooled
from lostfound.progress import progress

if TYPE_CHECKING:
    from lostfound.predict.explain import Explanation, Method

Answer = TypeVar("Answer")
Unit = Literal["image", "place"]
"""What is answered, and scored: each image, or each place once."""


@dataclass(frozen=True)
class SeenDataset:
    """What the network said of a data set's images.

    Attributes:
        outputs: Its outputs, (n, width).
        blank: Which hold nothing to see, (n,).
        strangeness: How far each is from what the model learnt from, (n,); None if that is unknown.
    """

    outputs: NDArray[np.float32]
    blank: NDArray[np.bool_]
    strangeness: NDArray[np.float64] | None

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> SeenDataset:
        """Put together what was said of each image."""
        strangeness = [each.strangeness for each in seen]
        return cls(
            np.stack([each.outputs for each in seen]),
            np.array([each.blank for each in seen]),
            None if None in strangeness else np.array(strangeness, dtype=np.float64),
        )


class Locator(Engine):
    """Locates photos with one model. Safe to use from several threads.

    Attributes:
        model: The model folder.
        threads: CPU threads for the network.
        session: The graph on ONNX Runtime.
        settings: How it answers (see `using`).

    Example:
        >>> import lostfound
        >>> locator = lostfound.load("models/mine")
        >>> isinstance(locator, lostfound.Locator)
        True
        >>> locator.locate_place(["photo.jpg", "photo.jpg"]).country == locator.locate("photo.jpg").country
        True
    """

    def __init__(self, model: ModelFolder, *, threads: int | None = None) -> None:
        super().__init__(model, threads=threads)
        self.settings = AnswerSettings()
        self._prior: NDArray[np.float64] | None = None
        self._allowed: Allowed | None = None

    @classmethod
    def load(cls, path: str | Path = STARTER, *, threads: int | None = None) -> Self:
        """Open a model folder.

        Args:
            path: The folder; by default the starter model in the package.
            threads: CPU threads for the network; all cores if None.

        Raises:
            ModelError: It is not a complete model folder, or a file in it is not its own.
        """
        return cls(ModelFolder.open(path), threads=threads)

    def using(self, **changes: Any) -> Self:
        """The same model, answering in another way.

        Args:
            changes: Of `lostfound.predict.answering.AnswerSettings`: `point`, `prior`, `within`,
                `always_answer`.

        Raises:
            UsageError: There is no such setting, or the model can't do it.

        Example:
            >>> import lostfound
            >>> locator = lostfound.load().using(point="score", always_answer=True)
            >>> locator.locate("photo.jpg").abstained
            False
        """
        settings = self.settings.changed(**changes)
        settings.check(self.model)
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.settings = settings
        if (partition := self.model.partition) is not None:
            prior, within = settings.prior, settings.within
            named = prior in (None, "training", "estimate")  # the last is found when the photos are seen
            trained = np.array(self.model.calibration.prior)
            other._prior = None if named or prior is None else read_prior(prior, partition, trained)
            other._allowed = None if within is None else allowed_cells(partition, self.support, within)
        return other

    @overload
    def locate(self, photos: ImageSource, *, top: int = 5) -> Guess: ...

    @overload
    def locate(self, photos: list[ImageSource], *, top: int = 5) -> list[Guess]: ...

    def locate(self, photos: ImageSource | list[ImageSource], *, top: int = 5) -> Guess | list[Guess]:
        """Say where photos were taken.

        Args:
            photos: A path, the bytes of a file, a `PIL.Image` or an array (h, w, 3) of uint8; or a list
                of them, which is answered in batches.
            top: How many candidates to give.

        Returns:
            A guess, or a list of guesses for a list.

        Raises:
            ImageError: A photo can't be read.
        """
        many = photos if isinstance(photos, list) else [photos]
        guesses = [_readable(answer) for answer in self.guesses(many, top=top)]
        return guesses if isinstance(photos, list) else guesses[0]

    def locate_place(self, photos: Sequence[ImageSource], *, top: int = 5) -> Guess:
        """Say where one place is that several photos show; what they say is pooled.

        Args:
            photos: One or more views of the same place, as `locate` takes them.
            top: How many candidates to give.

        Raises:
            UsageError: There are no photos.
            ImageError: A photo can't be read.
        """
        if not photos:
            raise UsageError("a place can't be located without a photo of it: give one or more")
        return self.guess_place([_readable(each) for each in self.look(photos)], top=top)

    def locate_trip(
        self, photos: Sequence[ImageSource], times: Sequence[float] | None = None, *, top: int = 5
    ) -> list[Guess]:
        """Say where the photos of one trip were taken: those near in time pull each other's answers together.

        Args:
            photos: As `locate` takes them, in any order.
            times: When each was taken, in any unit; None: one after another, as they stand.
            top: How many candidates to give.

        Raises:
            UsageError: The times are none, or the model answers with bare coordinates.
            ImageError: A photo can't be read.

        Example:
            >>> import lostfound
            >>> first, second = lostfound.load().locate_trip(["photo.jpg", "photo.jpg"], times=[9.0, 9.5])
            >>> first.country == second.country
            True
        """
        seen = [_readable(each) for each in self.look(photos)]
        return self.guess_trip(seen, times, top=top)[0] if seen else []

    def explain(
        self,
        photo: ImageSource,
        country: str | None = None,
        method: Method = "auto",
        *,
        like: Dataset | None = None,
    ) -> Explanation:
        """Say which parts of a photo speak for the answer, and which for the runner-up.

        Args:
            photo: As `locate` takes it.
            country: Another country to look at, by its name or code; of a model with finer cells, its most
                probable cell in it.
            method: cam for class activation, exact and quick, which only some models have; occlusion for what
                the answer loses while a part is hidden, which runs the network some 170 times; auto for all
                that the model has.
            like: A data set of which to give the most similar photos; the first call with it looks at all of
                them, later ones remember.

        Raises:
            ImageError: The photo can't be read.
            CountryNameError: No such country is known; the message names the nearest.
            UsageError: The model can't answer with that country.
            ModelError: The model has no class activation, and that alone was asked for; or it gives no
                features to compare photos by.
            DatasetError: The data set is empty or damaged.

        Example:
            >>> import lostfound
            >>> explanation = lostfound.load("models/mine").explain("photo.jpg")
            >>> explanation.guess == lostfound.load("models/mine").locate("photo.jpg")
            True
            >>> points, down, across = explanation.maps[0].strongest  # where it speaks most for the answer
            >>> 0 < down < 1 and 0 < across < 1
            True
        """
        from lostfound.predict.explain import explain  # which needs this module

        return explain(self, photo, country=country, method=method, like=like)

    def guesses(self, photos: Iterable[ImageSource], *, top: int = 5) -> Iterator[Guess | Unanswered]:
        """Locate any number of photos, in order, in flat memory; one without an answer gives its error."""
        looked: Iterable[Seen | Unanswered] = self.look(photos)
        locator = self
        if self.settings.prior == "estimate":  # all are needed to tell of the first
            looked = list(looked)
            if readable := [each for each in looked if isinstance(each, Seen)]:
                locator = self._with_estimate(readable)
        for seen in looked:
            yield locator.guess(seen, top=top) if isinstance(seen, Seen) else seen

    def guess(self, seen: Seen, *, top: int = 5) -> Guess:
        """The guess that what the network said of a photo means."""
        return self.guess_place([seen], top=top)

    def guess_place(self, seen: Sequence[Seen], *, top: int = 5) -> Guess:
        """The guess that what the network said of several views of one place means together."""
        (guess,) = self.guess_groups(seen, np.full(len(seen), "place", dtype=object), top=top)
        return guess

    def guess_groups(self, seen: Sequence[Seen], groups: NDArray[np.object_], *, top: int = 5) -> list[Guess]:
        """The guesses about places that photos show, in the order of their names.

        Args:
            seen: What the network said of n photos.
            groups: The place that each shows, (n,).
            top: How many candidates to give.
        """
        belief, looks, _ = self.believe(SeenDataset.of(seen), groups)
        return self._guesses_of(*self._informed(belief), looks, top)

    def guess_trip(
        self, seen: Sequence[Seen], times: Sequence[float] | None = None, *, top: int = 5
    ) -> tuple[list[Guess], float]:
        """The guesses about the photos of one trip, in their order.

        Args:
            seen: What the network said of n photos, one or more.
            times: When each was taken, (n,), in any unit; None: one after another.
            top: How many candidates to give.

        Returns:
            The guesses, and the probability that the country stays from one photo to the next.

        Raises:
            UsageError: The times are none, or the model answers with bare coordinates.
        """
        when = (
            np.arange(len(seen), dtype=np.float64) if times is None else np.asarray(times, dtype=np.float64)
        )
        if when.shape != (len(seen),) or not np.isfinite(when).all():
            raise UsageError(f"{len(seen)} photos of a trip need as many times: leave out what has none")
        if self.model.partition is None:
            raise UsageError(
                f"{self.model.path} answers with one bare coordinate and ranks no places: photos of a trip "
                "can't pull it; use a model of cells"
            )
        locator = self._with_estimate(seen)
        belief, looks, _ = locator.believe(SeenDataset.of(seen), _row_names(len(seen)))
        belief, left_out = locator._informed(belief)
        silent, limit = looks.blank, self.model.calibration.strange_above
        if limit is not None and looks.strangeness is not None:
            silent = silent | (looks.strangeness > limit)
        trip = smooth_trip(belief, when, self.levels, locator._presumed(), silent)
        return locator._guesses_of(trip.belief, left_out, looks, top), trip.staying

    def _with_estimate(self, seen: Sequence[Seen]) -> Self:
        """The same with the prior of these photos, if it is to be estimated."""
        return self.using(prior=self.estimate_prior(seen)) if self.settings.prior == "estimate" else self

    def _presumed(self) -> NDArray[np.float64]:
        """The cells' shares that what is believed presumes, (cells,); all alike if they are unknown."""
        assert self.model.partition is not None
        shares = np.array(self.model.calibration.prior or np.ones(len(self.model.partition)))
        shares = shares if self._prior is None else self._prior
        left = shares if self._allowed is None else shares * self._allowed.shares
        return np.asarray(left / left.sum())

    def _guesses_of(
        self, belief: Belief, left_out: NDArray[np.float64] | None, looks: Looks, top: int
    ) -> list[Guess]:
        found = guesses(self._answer_to(belief, looks, top), always_answer=self.settings.always_answer)
        if not belief.ranks_cells:
            return found
        levels = self.levels.ranked(belief, top)
        found = [replace(guess, areas=areas) for guess, areas in zip(found, levels, strict=True)]
        return (
            found
            if left_out is None
            else [each.within(out) for each, out in zip(found, left_out.tolist(), strict=True)]
        )

    def estimate_prior(self, seen: Sequence[Seen]) -> dict[str, float]:
        """The countries' shares among photos, as a prior for them (see `estimated_shares`).

        Args:
            seen: What the network said of the photos, such as those of one trip; blank ones are left aside.

        Raises:
            UsageError: The model can't take a prior, or there are fewer than two photos.
        """
        belief, looks, _ = self.believe(SeenDataset.of(seen), _row_names(len(seen)))
        return self._estimated(belief, looks.blank)

    def _estimated(self, belief: Belief, blank: NDArray[np.bool_]) -> dict[str, float]:
        self.settings.changed(prior="uniform").check(self.model)
        belief = replace(
            belief, ids=belief.ids[~blank], probabilities=belief.probabilities[~blank], points=None
        )
        if len(belief) < 2:
            raise UsageError(
                f"countries' shares are estimated from a whole album, and {len(belief)} of its photos can be "
                "told from: give two or more together, or another prior"
            )
        assert belief.partition is not None
        trained = np.array(self.model.calibration.prior)
        return estimated_shares(belief, trained, np.array(belief.partition.countries, dtype=object))

    def believe(
        self, seen: SeenDataset, groups: NDArray[np.object_], ids: NDArray[np.object_] | None = None
    ) -> tuple[Belief, Looks, NDArray[np.int64]]:
        """What the model believes of places, before any prior or restriction of the settings.

        Args:
            seen: What the network said of n photos.
            groups: The place that each shows, (n,).
            ids: What the photos are called, (n,); their groups if None.

        Returns:
            Of each place, in the order of their names: the belief, how its photos look, and the first row.
        """
        belief, first, views = pooled(self.model.decoder, self.model.calibration, seen.outputs, groups, ids)
        _, index = np.unique(groups.astype(str), return_inverse=True)
        blank = np.bincount(index, weights=~seen.blank) == 0  # all of its photos are
        strangeness = None
        if seen.strangeness is not None:
            strangeness = np.full(len(first), np.inf)
            np.minimum.at(strangeness, index, seen.strangeness)  # one that is not strange is enough
        return belief, Looks(views, blank, strangeness), first

    def predict(self, dataset: Dataset, *, unit: Unit | None = None, top: int = 5) -> Predictions:
        """Answer all images of a data set.

        Args:
            dataset: The images, n of them.
            unit: One prediction for each image, or one for each place by its views together, under the id of
                its first image; by default as the model was trained.
            top: How many cells to rank for each.

        Raises:
            DatasetError: There are no images, or one can't be read.

        Example:
            >>> import lostfound
            >>> dataset = lostfound.Dataset.open("data/streets").split("test")
            >>> predictions = lostfound.load("models/mine").predict(dataset)
            >>> len(predictions) == len(dataset)
            True
        """
        seen = self.see(dataset)
        ids = strings(dataset.records, "image_id")
        of_places = (unit or self.unit) == "place"
        groups = strings(dataset.records, "place_id") if of_places else _row_names(len(ids))
        belief, looks, _ = self.believe(seen, groups, ids)
        locator = self
        if self.settings.prior == "estimate":
            locator = self.using(prior=self._estimated(belief, looks.blank))
        predictions = self._answer_to(locator._informed(belief)[0], looks, top)
        task = self.model.config["task"]
        if task["kind"] != "distance":
            return predictions
        anchors = -seen.outputs if not of_places else -mean_of_views(seen.outputs, groups)[0]
        return replace(
            predictions,
            anchor_degrees=anchors.astype(np.float32),
            clip_degrees=float(task["clip_degrees"]),
        )

    def see(self, dataset: Dataset) -> SeenDataset:
        """What the network says of a data set's images, with progress.

        Raises:
            DatasetError: There are no images, or one can't be read.
        """
        return SeenDataset.of([replace(seen, features=None) for seen in self.see_each(dataset)])

    def see_each(self, dataset: Dataset) -> Iterator[Seen]:
        """The same, image by image, with their features.

        Raises:
            DatasetError: There are no images, or one can't be read.
        """
        if not len(dataset):
            raise DatasetError(f"{dataset.folder} has no images to answer in the part that was asked for")
        with progress("Evaluating", len(dataset)) as advance:
            for row, seen in enumerate(self.look(dataset.read(row) for row in range(len(dataset)))):
                if isinstance(seen, ModelError):
                    raise seen
                if isinstance(seen, ImageError):
                    image_id = dataset.records["image_id"][row].as_py()
                    raise DatasetError(
                        f"image {image_id} of {dataset.folder} can't be read ({seen}): import again"
                    )
                yield seen
                advance(1)

    @property
    def unit(self) -> Unit:
        """What the model was trained to answer: an image, or a place by several views."""
        return "place" if self.model.views > 1 else "image"

    @cached_property
    def support(self) -> Support | None:
        """Where in its cells photos are; None of a model of bare coordinates, or not yet calibrated."""
        partition = self.model.partition
        if partition is None:
            return None
        with refused_as(ModelError, f"{self.model.path} holds damaged statistics"):
            return Support.from_arrays(self.model.statistics, len(partition))

    def decode(self, outputs: NDArray[np.floating[Any]], *, top: int = 5) -> Predictions:
        """What outputs (n, width) for single photos come to, answered as `settings` say."""
        seen = SeenDataset(np.asarray(outputs, dtype=np.float32), np.zeros(len(outputs), dtype=bool), None)
        belief, looks, _ = self.believe(seen, _row_names(len(outputs)))
        return self._answer_to(belief, looks, top)

    @property
    def countries_without_cells(self) -> tuple[str, ...]:
        """The names of countries that the restriction asks for, and that the model can't answer with."""
        within = self.settings.within
        if within is None or within.countries is None or self.model.partition is None:
            return ()
        known = set(self.levels.ids["countries"].tolist())
        return tuple(country_name(code) for code in sorted(within.countries - known))

    @cached_property
    def levels(self) -> Levels:
        """The continents, countries, regions and cities that the model's cells lie in."""
        assert self.model.partition is not None
        return Levels.of(self.model.partition, self.support)

    def _informed(self, belief: Belief) -> tuple[Belief, NDArray[np.float64] | None]:
        """The belief with the settings' prior and restriction, and what the restriction left out, (n,)."""
        if self._prior is not None:
            belief = reweighted(belief, self._prior, np.array(self.model.calibration.prior))
        if self._allowed is None:
            return belief, None
        return restricted(belief, self._allowed)

    def _answer_to(self, belief: Belief, looks: Looks, top: int) -> Predictions:
        of_countries = belief.partition is None or belief.partition.kind == "countries"
        return answer(
            belief,
            looks,
            self.model.calibration,
            self.support if self._allowed is None else self._allowed.support,
            self.settings,
            levels=None if of_countries else self.levels,
            top=top,
        )


def _row_names(n: int) -> NDArray[np.object_]:
    """A name for each row, in the rows' order."""
    return np.array([f"{row:012}" for row in range(n)], dtype=object)


def _readable(answer: Answer | Unanswered) -> Answer:
    if isinstance(answer, ImageError | ModelError):
        raise answer
    return answer
