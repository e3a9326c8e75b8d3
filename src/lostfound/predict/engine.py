"""Running a model folder's graph on ONNX Runtime: what the network says of photos."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.images import ImageSource
from lostfound.errors import ImageError, ModelError, refused_as
from lostfound.predict.devices import check_opened, providers_of
from lostfound.predict.features import channels_first, mean_axes
from lostfound.predict.model_folder import ModelFolder
from lostfound.predict.outliers import Outliers

BATCH_SIZE = 32
"""Photos that are prepared, and answered, at a time."""
_A_THREAD, _FEWEST = 4, 8
"""Photos that a processor's network sees at once, for each thread and at least: they fit its caches."""
_LEVELS_OF_BLANK = 2  # of 255, between the darkest and the brightest
_ALIKE, _APART, _SIDE_FOR_NOISE = 0.2, 40, 128
"""The least correlation of pixels a fortieth of the side apart, and from how many pixels a side on it tells
noise from photos: at 160 pixels noise of 48 and more has 0.15 and less, and 2973 photos had 0.31 and more."""

Unanswered = ImageError | ModelError
"""Why a photo has no answer: it can't be read, or the model gives no numbers for it."""


@dataclass(frozen=True)
class Seen:
    """What the network said of a photo.

    Attributes:
        outputs: Its outputs, (width,).
        blank: Whether the photo holds nothing to see.
        features: Its last feature map averaged over the photo, (channels,); None if the graph gives none, or
            they were not asked for.
        strangeness: How unlike it is to the photos that the model learnt from; None if that is unknown.
    """

    outputs: NDArray[np.float32]
    blank: bool
    features: NDArray[np.float32] | None = None
    strangeness: float | None = None


@dataclass(frozen=True)
class SeenDataset:
    """What the network said of a data set's images.

    Attributes:
        outputs: Its outputs, (n, width).
        blank: Which hold nothing to see, (n,).
        strangeness: How unlike each is to what the model learnt from, (n,); None if that is unknown.
    """

    outputs: NDArray[np.float32]
    blank: NDArray[np.bool_]
    strangeness: NDArray[np.float64] | None

    def take(self, rows: NDArray[np.int64]) -> SeenDataset:
        """What was said of some of the images."""
        strangeness = None if self.strangeness is None else self.strangeness[rows]
        return SeenDataset(self.outputs[rows], self.blank[rows], strangeness)

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> SeenDataset:
        """Put together what was said of each image."""
        strangeness = [each.strangeness for each in seen]
        return cls(
            np.stack([each.outputs for each in seen]),
            np.array([each.blank for each in seen]),
            None if None in strangeness else np.array(strangeness, dtype=np.float64),
        )


onnxruntime.disable_telemetry_events()  # nothing about what is located is anyone else's business


class Engine:
    """Runs one model. Safe to use from several threads.

    Attributes:
        model: The model folder.
        threads: CPU threads for the network.
        device: What it is computed on, one of `lostfound.predict.devices.DEVICES`.
        session: The graph on ONNX Runtime.
        gives_features: Whether the graph also gives its last feature map.
    """

    def __init__(self, model: ModelFolder, *, threads: int | None = None, device: str = "cpu") -> None:
        self.model = model
        self.device = device
        providers = providers_of(device)
        self.threads = threads or os.cpu_count() or 1
        self._opening = Lock()
        self._outliers = Outliers.of(model.statistics)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        # Its threads would wait by spinning, and take the cores from those that decode the next photos.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        size = [model.preprocessing.height, model.preprocessing.width, 3]
        with refused_as(ModelError, f"{model.graph} can't be run"):
            self.session = onnxruntime.InferenceSession(model.graph, options, providers=providers)
            check_opened(device, self.session)
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
        self.gives_features = "features" in shapes
        self._gives_mean = "mean_features" in shapes  # models of version 0.1 and before don't
        if not self.gives_features:
            self._outliers = None

    def outputs(self, photos: Iterable[ImageSource]) -> Iterator[NDArray[np.float32] | Unanswered]:
        """The network's outputs (width,) for each photo, in order; one without any gives its error."""
        for seen in self.look(photos):
            yield seen.outputs if isinstance(seen, Seen) else seen

    def look(self, photos: Iterable[ImageSource], *, features: bool = False) -> Iterator[Seen | Unanswered]:
        """What the network says of each photo, in order; one that it says nothing of gives its error.

        Photos are decoded in threads while the network runs.

        Args:
            photos: As `Preprocessing` takes them.
            features: Whether to keep each photo's features, which are larger than all else.

        Raises:
            ModelError: The graph can't be run, or has other outputs than the model's answers need.
        """
        batch: list[NDArray[np.uint8] | ImageError] = []
        for prepared in self._prepared(photos):
            batch.append(prepared)
            if len(batch) == BATCH_SIZE:
                yield from self.look_at(batch, features=features)
                batch = []
        yield from self.look_at(batch, features=features)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The outputs (n, width) for prepared images (n, height, width, 3), uint8.

        Raises:
            ModelError: The graph can't be run, or has other outputs than the model's answers need.
        """
        return self._run(images, ["outputs"])[0]

    def feature_map(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The outputs for prepared images, and the feature map that they were computed from.

        Args:
            images: (n, height, width, 3), uint8, as `Preprocessing` gives them.

        Returns:
            The outputs, (n, width), and the features: (n, channels, rows, columns) of a convolutional
            network, (n, tokens, channels) of a transformer, or (n, channels).

        Raises:
            ModelError: The graph gives no features, or can't be run.
        """
        if not self.gives_features:
            raise ModelError(
                f"{self.model.graph} gives no features, only answers: convert or train the model again"
            )
        outputs, features = self._run(images, ["outputs", "features"])
        return outputs, channels_first(features)

    def embed(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The outputs, and the feature map averaged over the photo, (n, channels), of prepared images.

        Raises:
            ModelError: The graph can't be run, or gives no features.
        """
        if self._gives_mean:
            outputs, embedding = self._run(images, ["outputs", "mean_features"])
            return outputs, embedding
        outputs, features = self.feature_map(images)
        axes = mean_axes(features.shape)
        return outputs, features.mean(axis=axes) if axes else features

    def strangeness(self, images: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """How unlike prepared images are to what the model learnt from, (n,); None if that is unknown."""
        return None if self._outliers is None else self._outliers.strangeness(self.embed(images)[1])

    def _run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[np.float32]]:
        with refused_as(ModelError, f"{self.model.graph} can't be run"):
            found = self._run_in_parts(images, names)
        outputs = found[0]
        if outputs.shape != (len(images), self.model.decoder.width):
            raise ModelError(
                f"{self.model.graph} gives outputs of the shape {outputs.shape} for {len(images)} images, "
                f"where {self.model.decoder.width} each are needed: copy the folder whole or train again"
            )
        return found

    def _run_in_parts(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[np.float32]]:
        size = max(_FEWEST, _A_THREAD * self.threads) if self.device == "cpu" else len(images)
        parts = [
            self.session.run(names, {"images": images[start : start + size]})
            for start in range(0, max(len(images), 1), max(size, 1))
        ]
        whole = (each[0] if len(each) == 1 else np.concatenate(each) for each in zip(*parts, strict=True))
        return [np.asarray(each, dtype=np.float32) for each in whole]

    def _prepared(self, photos: Iterable[ImageSource]) -> Iterator[NDArray[np.uint8] | ImageError]:
        with ThreadPoolExecutor(min(self.threads, 8)) as pool:
            waiting: deque[Future[NDArray[np.uint8] | ImageError]] = deque()
            for photo in photos:
                waiting.append(pool.submit(self.prepare, photo))
                if len(waiting) > 2 * BATCH_SIZE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def prepare(self, photo: ImageSource) -> NDArray[np.uint8] | ImageError:
        """A photo as the graph takes it, (height, width, 3), uint8; or why it can't be read."""
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

    def look_at(
        self, batch: Sequence[NDArray[np.uint8] | ImageError], *, features: bool = False
    ) -> Iterator[Seen | Unanswered]:
        """What the network says of photos that are prepared, all in one batch; see `look`."""
        images = [each for each in batch if not isinstance(each, ImageError)]
        rows = iter(self._see(np.stack(images), features)) if images else iter(())
        for each in batch:
            yield each if isinstance(each, ImageError) else next(rows)

    def _see(self, images: NDArray[np.uint8], keep: bool) -> Iterator[Seen | Unanswered]:
        wanted = self.gives_features and (keep or self._outliers is not None)
        outputs, features = self.embed(images) if wanted else (self.run(images), None)
        strange = None if self._outliers is None or features is None else self._outliers.strangeness(features)
        for row, each in enumerate(outputs):
            if np.isfinite(each).all():
                yield Seen(
                    each,
                    _is_blank(images[row]) or _is_noise(images[row]),
                    features[row] if keep and features is not None else None,
                    None if strange is None else float(strange[row]),
                )
            else:
                yield ModelError(f"{self.model.graph} gives no numbers for it: train the model again")


def _is_blank(image: NDArray[np.uint8]) -> bool:
    """Whether a photo (height, width, 3) holds nothing to see: no channel varies.

    A few of its pixels tell this of nearly all photos; only where they are alike the others are looked at.
    """
    return all(np.ptp(pixels, axis=(0, 1)).max() <= _LEVELS_OF_BLANK for pixels in (image[::16, ::16], image))


def _is_noise(image: NDArray[np.uint8]) -> bool:
    """Whether a photo (height, width, 3) is but noise: pixels have nothing of those a few pixels off."""
    side = min(image.shape[:2])
    if side < _SIDE_FOR_NOISE:
        return False
    off = side // _APART
    green = image[..., 1].astype(np.float32)
    green -= green.mean()
    alike = max(np.vdot(green[off:], green[:-off]), np.vdot(green[:, off:], green[:, :-off]))
    return bool(alike < _ALIKE * np.vdot(green, green))
