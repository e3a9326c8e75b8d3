"""The one engine for answers: a model folder's graph on ONNX Runtime."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.images import ImageSource
from lostfound.errors import ImageError, ModelError, UsageError
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.model_folder import STARTER, ModelFolder

BATCH_SIZE = 32

Answer = TypeVar("Answer")

onnxruntime.disable_telemetry_events()  # nothing about what is located is anyone else's business


class Locator:
    """Locates photos with one model. Safe to use from several threads."""

    def __init__(self, model: ModelFolder, *, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads or os.cpu_count() or 1
        self._opening = Lock()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(
                model.graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own errors share no base class
            raise ModelError(f"{model.graph} can't be run: {error}") from None
        size = [model.preprocessing.height, model.preprocessing.width, 3]
        if self.session.get_inputs()[0].shape[1:] != size:
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
        return self.guess(np.mean([_readable(outputs) for outputs in self.outputs(photos)], axis=0), top=top)

    def guesses(self, photos: Iterable[ImageSource], *, top: int = 5) -> Iterator[Guess | ImageError]:
        """Locate any number of photos, in order, in flat memory; an unreadable one gives its error."""
        for answer in self.outputs(photos):
            yield answer if isinstance(answer, ImageError) else self.guess(answer, top=top)

    def guess(self, outputs: NDArray[np.floating[Any]], *, top: int = 5) -> Guess:
        """The guess that a network's outputs (width,) mean."""
        ranked, partition = self.model.answers.read(outputs[None], top), self.model.partition
        found = []
        for cell, probability, point in zip(
            ranked.cells[0], ranked.probabilities[0], ranked.points[0], strict=True
        ):
            latitude, longitude = (float(degrees) for degrees in point)
            if partition is None:
                found.append(_bare(latitude, longitude))
                continue
            found.append(
                Candidate(
                    partition.cell_ids[cell],
                    partition.names[cell],
                    float(probability),
                    latitude,
                    longitude,
                    partition.countries[cell],
                )
            )
        return Guess(tuple(found))

    def outputs(self, photos: Iterable[ImageSource]) -> Iterator[NDArray[np.float32] | ImageError]:
        """The network's outputs (width,) for each photo, in order; an unreadable one gives its error.

        Photos are decoded in threads while the network runs.
        """
        batch: list[NDArray[np.uint8] | ImageError] = []
        for prepared in self._prepared(photos):
            batch.append(prepared)
            if len(batch) == BATCH_SIZE:
                yield from self._answer(batch)
                batch = []
        yield from self._answer(batch)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The outputs (n, width) for prepared images (n, height, width, 3), uint8."""
        (outputs,) = self.session.run(["outputs"], {"images": images})
        return np.asarray(outputs)

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

    def _answer(
        self, batch: Sequence[NDArray[np.uint8] | ImageError]
    ) -> Iterator[NDArray[np.float32] | ImageError]:
        images = [each for each in batch if not isinstance(each, ImageError)]
        rows = iter(self.run(np.stack(images))) if images else iter(())
        for each in batch:
            yield each if isinstance(each, ImageError) else next(rows)


def _readable(answer: Answer | ImageError) -> Answer:
    if isinstance(answer, ImageError):
        raise answer
    return answer


def _bare(latitude: float, longitude: float) -> Candidate:
    """The answer of a model that knows no cells: a point, in the country that holds it."""
    from lostfound.geo.boundaries import Boundaries  # only such models need the map
    from lostfound.geo.countries import country_name

    country = Boundaries.packed().country_at(np.array([[latitude, longitude]]))[0]
    name = "open sea" if country is None else country_name(country)
    return Candidate(None, name, None, latitude, longitude, country)
