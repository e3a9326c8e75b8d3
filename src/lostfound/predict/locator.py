"""The one engine for answers: a model folder's graph on ONNX Runtime."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar, overload

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.images import ImageSource
from lostfound.data.records import strings
from lostfound.errors import DatasetError, ImageError, ModelError, UsageError, refused_as
from lostfound.predict.guess import Guess, guesses
from lostfound.predict.model_folder import STARTER, ModelFolder
from lostfound.predict.predictions import Predictions
from lostfound.predict.views import mean_of_views
from lostfound.progress import progress

BATCH_SIZE = 32
BLANK = "there is nothing to see in it: it is all of one colour, and the answer means nothing"
_LEVELS_OF_BLANK = 2  # of 255, between the darkest and the brightest

Answer = TypeVar("Answer")
Unit = Literal["image", "place"]
"""What is answered, and scored: each image, or each place once."""
Unanswered = ImageError | ModelError
"""Why a photo has no answer: it can't be read, or the model gives no numbers for it."""


@dataclass(frozen=True)
class Seen:
    """What the network said of a photo.

    Attributes:
        outputs: Its outputs, (width,).
        blank: Whether the photo holds nothing to see.
    """

    outputs: NDArray[np.float32]
    blank: bool


def common_warning(views: Iterable[Seen]) -> str | None:
    """Why the answer to views of a place, one or more, is worth nothing, if it is."""
    return BLANK if all(each.blank for each in views) else None


onnxruntime.disable_telemetry_events()  # nothing about what is located is anyone else's business


class Locator:
    """Locates photos with one model. Safe to use from several threads.

    Attributes:
        model: The model folder.
        threads: CPU threads for the network.
        session: The graph on ONNX Runtime.

    Example:
        >>> import lostfound
        >>> locator = lostfound.load("models/mine")
        >>> isinstance(locator, lostfound.Locator)
        True
        >>> locator.locate_place(["photo.jpg", "photo.jpg"]).country == locator.locate("photo.jpg").country
        True
    """

    def __init__(self, model: ModelFolder, *, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads or os.cpu_count() or 1
        self._opening = Lock()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        size = [model.preprocessing.height, model.preprocessing.width, 3]
        with refused_as(ModelError, f"{model.graph} can't be run"):
            self.session = onnxruntime.InferenceSession(
                model.graph, options, providers=["CPUExecutionProvider"]
            )
            nodes = (*self.session.get_inputs(), *self.session.get_outputs())
            shapes = {node.name: node.shape for node in nodes}
            if "images" not in shapes or len(shapes.get("outputs", ())) != 2:
                raise ModelError(f"{model.graph} is no graph of a lostfound model: train again")
        width = shapes["outputs"][1]
        if isinstance(width, int) and width != model.decoder.width:
            raise ModelError(
                f"{model.graph} has {width} outputs where the model's answers need "
                f"{model.decoder.width}: the folder was changed; copy it whole or train again"
            )
        if shapes["images"][1:] != size:
            raise ModelError(
                f"{model.graph} takes other images than config.json says ({size[0]}x{size[1]} pixels): the "
                "folder was changed; copy it whole or train again"
            )

    @classmethod
    def load(cls, path: str | Path = STARTER, *, threads: int | None = None) -> Locator:
        """Open a model folder.

        Args:
            path: The folder; by default the starter model in the package.
            threads: CPU threads for the network; all cores if None.

        Raises:
            ModelError: It is not a complete model folder, or a file in it is not its own.
        """
        return cls(ModelFolder.open(path), threads=threads)

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
        """Say where one place is that several photos show; their outputs are averaged.

        Args:
            photos: One or more views of the same place, as `locate` takes them.
            top: How many candidates to give.

        Raises:
            UsageError: There are no photos.
            ImageError: A photo can't be read.
        """
        if not photos:
            raise UsageError("a place can't be located without a photo of it: give one or more")
        seen = [_readable(each) for each in self.look(photos)]
        return self.guess_place([each.outputs for each in seen], top=top, warning=common_warning(seen))

    def guesses(self, photos: Iterable[ImageSource], *, top: int = 5) -> Iterator[Guess | Unanswered]:
        """Locate any number of photos, in order, in flat memory; one without an answer gives its error."""
        for seen in self.look(photos):
            if isinstance(seen, Seen):
                yield self.guess(seen.outputs, top=top, warning=common_warning([seen]))
            else:
                yield seen

    def guess(self, outputs: NDArray[np.floating[Any]], *, top: int = 5, warning: str | None = None) -> Guess:
        """The guess that a network's outputs (width,) mean."""
        (guess,) = guesses(self.model.decoder.decode(outputs[None], top))
        return replace(guess, warning=warning)

    def guess_place(
        self, outputs: Sequence[NDArray[np.floating[Any]]], *, top: int = 5, warning: str | None = None
    ) -> Guess:
        """The guess that a network's outputs (width,) for several views of one place mean together."""
        mean, _ = mean_of_views(np.stack(outputs), np.full(len(outputs), "place", dtype=object))
        return self.guess(mean[0], top=top, warning=warning)

    def predict(self, dataset: Dataset, *, unit: Unit | None = None, top: int = 5) -> Predictions:
        """Answer all images of a data set.

        Args:
            dataset: The images, n of them.
            unit: One prediction for each image, or one for each place by the mean of its views' outputs,
                under the id of its first image; by default as the model was trained.
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
        outputs, rows = self.dataset_outputs(dataset, unit=unit)
        predictions = self.model.decoder.decode(outputs, top, strings(dataset.records, "image_id")[rows])
        task = self.model.config["task"]
        if task["kind"] != "distance":
            return predictions
        return replace(
            predictions, anchor_degrees=-outputs.astype(np.float32), clip_degrees=float(task["clip_degrees"])
        )

    def dataset_outputs(
        self, dataset: Dataset, *, unit: Unit | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The network's outputs for a data set, with progress.

        Args:
            dataset: The images.
            unit: For each image, or for each place the mean over its views; as the model was trained if None.

        Returns:
            The outputs, (n, width), and the row that each is of, (n,): of a place the first.

        Raises:
            DatasetError: There are no images, or one can't be read.
        """
        if not len(dataset):
            raise DatasetError(f"{dataset.folder} has no images to answer in the part that was asked for")
        found = []
        with progress("Evaluating", len(dataset)) as advance:
            for row, outputs in enumerate(self.outputs(dataset.read(row) for row in range(len(dataset)))):
                if isinstance(outputs, ModelError):
                    raise outputs
                if isinstance(outputs, ImageError):
                    image_id = dataset.records["image_id"][row].as_py()
                    raise DatasetError(
                        f"image {image_id} of {dataset.folder} can't be read ({outputs}): import again"
                    )
                found.append(outputs)
                advance(1)
        if (unit or self.unit) == "image":
            return np.stack(found), np.arange(len(found))
        return mean_of_views(np.stack(found), strings(dataset.records, "place_id"))

    @property
    def unit(self) -> Unit:
        """What the model was trained to answer: an image, or a place by several views."""
        return "place" if self.model.views > 1 else "image"

    def outputs(self, photos: Iterable[ImageSource]) -> Iterator[NDArray[np.float32] | Unanswered]:
        """The network's outputs (width,) for each photo, in order; one without any gives its error."""
        for seen in self.look(photos):
            yield seen.outputs if isinstance(seen, Seen) else seen

    def look(self, photos: Iterable[ImageSource]) -> Iterator[Seen | Unanswered]:
        """What the network says of each photo, in order; one that it says nothing of gives its error.

        Photos are decoded in threads while the network runs.

        Raises:
            ModelError: The graph can't be run, or has other outputs than the model's answers need.
        """
        batch: list[NDArray[np.uint8] | ImageError] = []
        for prepared in self._prepared(photos):
            batch.append(prepared)
            if len(batch) == BATCH_SIZE:
                yield from self._answer(batch)
                batch = []
        yield from self._answer(batch)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The outputs (n, width) for prepared images (n, height, width, 3), uint8.

        Raises:
            ModelError: The graph can't be run, or has other outputs than the model's answers need.
        """
        with refused_as(ModelError, f"{self.model.graph} can't be run"):
            (found,) = self.session.run(["outputs"], {"images": images})
            outputs = np.asarray(found, dtype=np.float32)
        if outputs.shape != (len(images), self.model.decoder.width):
            raise ModelError(
                f"{self.model.graph} gives outputs of the shape {outputs.shape} for {len(images)} images, "
                f"where {self.model.decoder.width} each are needed: copy the folder whole or train again"
            )
        return outputs

    def _prepared(self, photos: Iterable[ImageSource]) -> Iterator[NDArray[np.uint8] | ImageError]:
        with ThreadPoolExecutor(min(self.threads, 8)) as pool:
            waiting: deque[Future[NDArray[np.uint8] | ImageError]] = deque()
            for photo in photos:
                waiting.append(pool.submit(self._prepare, photo))
                if len(waiting) > 2 * BATCH_SIZE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _prepare(self, photo: ImageSource) -> NDArray[np.uint8] | ImageError:
        if isinstance(photo, Image.Image):
            # Pillow reads an open image when it is first used, and not in two threads at once
            with self._opening, suppress(Exception):  # preprocessing meets the same error, and names it
                photo.load()
        try:
            return self.model.preprocessing(photo)
        except ImageError as error:
            return error
        except Exception as error:  # of whatever kind: it must not cost the answers of other photos
            return ImageError(f"unexpected {type(error).__name__}: {error} (please report it)")

    def _answer(self, batch: Sequence[NDArray[np.uint8] | ImageError]) -> Iterator[Seen | Unanswered]:
        images = [each for each in batch if not isinstance(each, ImageError)]
        rows = iter(self.run(np.stack(images))) if images else iter(())
        for each in batch:
            if isinstance(each, ImageError):
                yield each
                continue
            outputs = next(rows)
            if np.isfinite(outputs).all():
                yield Seen(outputs, int(np.ptp(each, axis=(0, 1)).max()) <= _LEVELS_OF_BLANK)
            else:
                yield ModelError(f"{self.model.graph} gives no numbers for it: train the model again")


def _readable(answer: Answer | Unanswered) -> Answer:
    if isinstance(answer, ImageError | ModelError):
        raise answer
    return answer
