"""The one engine for answers: where photos are, by a model folder's graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from lostfound.data.images import ImageSource, as_photos
from lostfound.errors import DatasetError, ImageError, ModelError, UsageError
from lostfound.predict.answerer import Answerer, AnswerSettings
from lostfound.predict.answering import Looks
from lostfound.predict.belief import Belief
from lostfound.predict.engine import BATCH_SIZE, Engine, Seen, SeenDataset, Unanswered
from lostfound.predict.guess import Guess
from lostfound.predict.model_folder import STARTER, ModelFolder
from lostfound.predict.predictions import Predictions, concatenated
from lostfound.predict.views import mean_of_views, pooled
from lostfound.progress import progress

if TYPE_CHECKING:
    from lostfound.data.dataset import Dataset
    from lostfound.predict.explain import Explanation, Method

MOST_NUMBERS = 1 << 25
"""So many probabilities at most are held at once: a quarter of a gigabyte."""

Answer = TypeVar("Answer")
Unit = Literal["image", "place"]
"""What is answered, and scored: each image, or each place once."""


class Locator(Engine):
    """Locates photos with one model. Safe to use from several threads.

    Attributes:
        model: The model folder.
        threads: CPU threads for the network.
        device: What it is computed on.
        session: The graph on ONNX Runtime.
        answerer: How it answers (see `using`).

    Examples:
        >>> import lostfound
        >>> locator = lostfound.load("models/mine")
        >>> isinstance(locator, lostfound.Locator)
        True
        >>> locator.locate_place(["photo.jpg", "photo.jpg"]).country == locator.locate("photo.jpg").country
        True
    """

    def __init__(self, model: ModelFolder, *, threads: int | None = None, device: str = "cpu") -> None:
        super().__init__(model, threads=threads, device=device)
        self.answerer = Answerer(model, AnswerSettings())

    @classmethod
    def load(cls, path: str | Path = STARTER, *, threads: int | None = None, device: str = "cpu") -> Self:
        """Open a model folder.

        Args:
            path: The folder; by default the starter model in the package.
            threads: CPU threads for the network; all cores if None.
            device: What it is computed on: cpu, cuda, openvino, coreml or directml.

        Raises:
            ModelError: It is not a complete model folder, or a file in it is not its own.
            UsageError: There is no such device here.
        """
        return cls(ModelFolder.open(path), threads=threads, device=device)

    def using(self, **changes: Any) -> Self:
        """The same model, answering in another way.

        Args:
            changes: Of `lostfound.predict.answerer.AnswerSettings`: `point`, `prior`, `within`,
                `always_answer`, `min_probability`.

        Raises:
            UsageError: There is no such setting, or the model can't do it.

        Examples:
            >>> import lostfound
            >>> locator = lostfound.load().using(point="score", always_answer=True)
            >>> locator.locate("photo.jpg").abstained
            False
        """
        return self._with(self.answerer.using(**changes))

    def _with(self, answerer: Answerer) -> Self:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.answerer = answerer
        return other

    @overload  # a text is a path, though also an iterable of texts
    def locate(self, photos: ImageSource, *, top: int = 5) -> Guess: ...  # type: ignore[overload-overlap]

    @overload
    def locate(self, photos: Iterable[ImageSource], *, top: int = 5) -> list[Guess]: ...

    @overload
    def locate(
        self, photos: Iterable[ImageSource], *, top: int = 5, errors: Literal["return"]
    ) -> list[Guess | Unanswered]: ...

    def locate(
        self,
        photos: ImageSource | Iterable[ImageSource],
        *,
        top: int = 5,
        errors: Literal["raise", "return"] = "raise",
    ) -> Guess | list[Guess] | list[Guess | Unanswered]:
        """Say where photos were taken.

        Args:
            photos: A path, the bytes of a file, a file opened in binary mode, a `PIL.Image` or an array
                (h, w, 3) of uint8; or several of them (a list, a tuple, a generator), which are answered in
                batches.
            top: How many candidates to give.
            errors: What becomes of photos that can't be read: raise the first one's error, or return each
                error in its photo's place.

        Returns:
            A guess, or a list of guesses for several photos.

        Raises:
            ImageError: A photo can't be read.
            UsageError: What was given is no photo, and no photos.

        Examples:
            >>> import lostfound
            >>> found = lostfound.load().locate(["photo.jpg", "no-such.jpg"], errors="return")
            >>> found[0].country_name is not None, str(found[1])
            (True, 'no-such.jpg: no such file')
        """
        many, alone = as_photos(photos)
        guesses = list(self.guesses(many, top=top))
        if errors == "raise" or alone:
            guesses = [_readable(answer) for answer in guesses]
        return guesses[0] if alone else guesses  # type: ignore[return-value]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled is where the model lies and how it answers; it is opened again elsewhere."""
        return _opened_again, (type(self), self.model.path, self.threads, self.device, self.answerer.settings)

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

        Examples:
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
        guess: Guess | None = None,
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
            guess: What to explain instead of the answer to this photo alone, such as that to all views of its
                place.

        Raises:
            ImageError: The photo can't be read.
            CountryNameError: No such country is known; the message names the nearest.
            UsageError: The model can't answer with that country.
            ModelError: The model has no class activation, and that alone was asked for; or it gives no
                features to compare photos by.
            DatasetError: The data set is empty or damaged.

        Examples:
            >>> import lostfound
            >>> explanation = lostfound.load("models/mine").explain("photo.jpg")
            >>> explanation.guess == lostfound.load("models/mine").locate("photo.jpg")
            True
            >>> points, down, across = explanation.maps[0].strongest  # where it speaks most for the answer
            >>> 0 < down < 1 and 0 < across < 1
            True
        """
        from lostfound.predict.explain import explain  # which needs this module

        return explain(self, photo, country=country, method=method, like=like, guess=guess)

    def guesses(self, photos: Iterable[ImageSource], *, top: int = 5) -> Iterator[Guess | Unanswered]:
        """Locate any number of photos, in order, in flat memory; one without an answer gives its error."""
        looked: Iterable[Seen | Unanswered] = self.look(photos)
        locator = self
        if self.answerer.settings.prior == "estimate":  # all are needed to tell of the first
            looked = list(looked)
            if readable := [each for each in looked if isinstance(each, Seen)]:
                locator = self.for_album(readable)
        for some in batched(looked):
            found = iter(locator.guess_each([each for each in some if isinstance(each, Seen)], top=top))
            for seen in some:
                yield next(found) if isinstance(seen, Seen) else seen

    def for_album(self, seen: Sequence[Seen]) -> Self:
        """The same with these photos' own prior, if one is to be estimated.

        Args:
            seen: What the network said of the photos; blank ones are left aside.

        Raises:
            UsageError: There are fewer than two photos to tell from.
        """
        belief, looks, _ = self.believe(SeenDataset.of(seen), _row_names(len(seen)))
        return self._with(self.answerer.for_album(belief, looks.blank))

    def guess(self, seen: Seen, *, top: int = 5) -> Guess:
        """The guess that what the network said of a photo means."""
        return self.guess_place([seen], top=top)

    def guess_each(self, seen: Sequence[Seen], *, top: int = 5) -> list[Guess]:
        """The guesses about photos by themselves: the same as one by one, in a tenth of the time."""
        return self.guess_groups(seen, _row_names(len(seen)), top=top) if seen else []

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
        return self.answerer.guesses(belief, looks, top)

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
        belief, looks, _ = self.believe(SeenDataset.of(seen), _row_names(len(seen)))
        return self.answerer.for_album(belief, looks.blank).guesses_of_trip(belief, looks, when, top)

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
        model = self.model
        outputs = model.calibration.weighed(seen.outputs, seen.strangeness, model.decoder.logit_count)
        belief, first, views = pooled(model.decoder, model.calibration, outputs, groups, ids)
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

        Examples:
            >>> import lostfound
            >>> dataset = lostfound.Dataset.open("data/streets").split("test")
            >>> predictions = lostfound.load("models/mine").predict(dataset)
            >>> len(predictions) == len(dataset)
            True
        """
        from lostfound.data.records import strings  # here, for photos need no data sets

        seen = self.see(dataset)
        ids = strings(dataset.records, "image_id")
        of_places = (unit or self.unit) == "place"
        groups = strings(dataset.records, "place_id") if of_places else _row_names(len(ids))
        if self.answerer.settings.prior == "estimate":  # which needs all of them at once
            belief, looks, _ = self.believe(seen, groups, ids)
            predictions = self.answerer.for_album(belief, looks.blank).predictions(belief, looks, top)
        else:
            predictions = concatenated(
                [
                    self.answerer.predictions(
                        *self.believe(seen.take(rows), groups[rows], ids[rows])[:2], top
                    )
                    for rows in self._blocks(groups)
                ]
            )
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
        return SeenDataset.of(list(self.see_each(dataset)))

    def see_each(
        self, dataset: Dataset, *, features: bool = False, doing: str = "Evaluating"
    ) -> Iterator[Seen]:
        """The same, image by image.

        Args:
            dataset: The images.
            features: Whether to keep their features.
            doing: What the progress is called.

        Raises:
            DatasetError: There are no images, or one can't be read.
        """
        if not len(dataset):
            raise DatasetError(f"{dataset.folder} has no images to answer in the part that was asked for")
        with progress(doing, len(dataset)) as advance:
            photos = (dataset.read(row) for row in range(len(dataset)))
            for row, seen in enumerate(self.look(photos, features=features)):
                if isinstance(seen, ModelError):
                    raise seen
                if isinstance(seen, ImageError):
                    image_id = dataset.records["image_id"][row].as_py()
                    raise DatasetError(
                        f"image {image_id} of {dataset.folder} can't be read ({seen}): import again"
                    )
                yield seen
                advance(1)

    def _blocks(self, groups: NDArray[np.object_]) -> Iterator[NDArray[np.int64]]:
        """The rows of photos in blocks of whole groups, in the order of their names, that memory holds."""
        cells = 1 if self.model.partition is None else len(self.model.partition)
        _, index = np.unique(groups.astype(str), return_inverse=True)
        step = max(1, MOST_NUMBERS // cells)
        for start in range(0, int(index.max()) + 1, step):
            yield np.flatnonzero((index >= start) & (index < start + step))

    @property
    def unit(self) -> Unit:
        """What the model was trained to answer: an image, or a place by several views."""
        return "place" if self.model.views > 1 else "image"

    @property
    def settings(self) -> AnswerSettings:
        """How it answers."""
        return self.answerer.settings

    def decode(
        self,
        outputs: NDArray[np.floating[Any]],
        strangeness: NDArray[np.float64] | None = None,
        *,
        top: int = 5,
    ) -> Predictions:
        """What outputs (n, width) for single photos come to, answered as `settings` say.

        Args:
            outputs: The network's.
            strangeness: Of the photos, (n,); None if unknown.
            top: How many cells to rank for each.
        """
        blank = np.zeros(len(outputs), dtype=bool)
        seen = SeenDataset(np.asarray(outputs, dtype=np.float32), blank, strangeness)
        belief, looks, _ = self.believe(seen, _row_names(len(outputs)))
        return self.answerer.predictions(belief, looks, top)


def batched(items: Iterable[Answer]) -> Iterator[list[Answer]]:
    """Items in lists as long as the network's batches, so that they are answered as they come."""
    rest = iter(items)
    while some := list(islice(rest, BATCH_SIZE)):
        yield some


def _row_names(n: int) -> NDArray[np.object_]:
    """A name for each row, in the rows' order."""
    return np.array([f"{row:012}" for row in range(n)], dtype=object)


def _opened_again(
    kind: type[Locator], path: Path, threads: int | None, device: str, settings: AnswerSettings
) -> Locator:
    locator = kind.load(path, threads=threads, device=device)
    return locator._with(Answerer(locator.model, settings))


def _readable(answer: Answer | Unanswered) -> Answer:
    if isinstance(answer, ImageError | ModelError):
        raise answer
    return answer
