"""Asking a server of ours, as one asks a `Locator`."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, overload
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from lostfound.data.images import ImageSource, as_photos, file_bytes, read_file
from lostfound.errors import ImageError, MissingExtraError, ServerError, UsageError
from lostfound.predict.guess import Guess

_TRIES = 6
_LONGEST_WAIT_S = 60.0
_OPTIONS = ("point", "prior", "countries", "excluded", "box", "near", "always_answer", "min_probability")


class Client:
    """Locates photos by a server that `lostfound serve` started. Safe to use from several threads.

    The photos' files are sent as they are; the server drops what they say of themselves.

    Attributes:
        url: The server's address.
        options: How it is to answer (see `using`).

    Examples:
        >>> import lostfound
        >>> client = lostfound.Client("http://127.0.0.1:8000")
        >>> client.locate("photo.jpg").country  # doctest: +SKIP
        'FR'
    """

    def __init__(
        self, url: str, *, model: str | None = None, token: str | None = None, timeout_s: float = 120.0
    ) -> None:
        """Make a client; nothing is asked yet.

        Args:
            url: The server's address, such as http://127.0.0.1:8000.
            model: The name of one of its models; its first if None.
            token: The bearer token that it asks for, if it does.
            timeout_s: Longest wait for an answer, in seconds.

        Raises:
            UsageError: It is no address.
            MissingExtraError: The extra `client` is not installed.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{url!r} is no server's address: give one such as http://127.0.0.1:8000")
        try:
            import httpx2
        except ImportError:
            raise MissingExtraError(
                "asking a server needs an extra: pip install 'lostfound[client]'"
            ) from None
        self.url = url.rstrip("/")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        self._failed: tuple[type[Exception], ...] = (httpx2.HTTPError,)
        self._limits: Mapping[str, Any] | None = None
        self.options: Mapping[str, str] = {} if model is None else {"model": model}

    def __enter__(self) -> Self:
        """Itself; the end of the block closes its connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def using(self, **changes: Any) -> Self:
        """The same server, answering in another way.

        Args:
            changes: `point`, `prior`, `always_answer` and `min_probability` as of `Locator.using`;
                `countries`, `excluded`, `box` and `near` as `lostfound locate` takes them: texts such as
                "FR,ES". None takes one back.

        Raises:
            UsageError: There is no such option.
        """
        options = dict(self.options)
        for name, value in changes.items():
            if name not in _OPTIONS:
                raise UsageError(f"no option {name!r}: choose of {', '.join(_OPTIONS)}")
            asked = "not" if name == "excluded" else name
            options.pop(asked, None)
            if value is not None:
                options[asked] = str(value).lower() if isinstance(value, bool) else str(value)
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.options = options
        return other

    @overload  # a text is a path, though also an iterable of texts
    def locate(self, photos: ImageSource, *, top: int = 5) -> Guess: ...  # type: ignore[overload-overlap]

    @overload
    def locate(self, photos: Iterable[ImageSource], *, top: int = 5) -> list[Guess]: ...

    @overload
    def locate(
        self, photos: Iterable[ImageSource], *, top: int = 5, errors: Literal["return"]
    ) -> list[Guess | ImageError]: ...

    def locate(
        self,
        photos: ImageSource | Iterable[ImageSource],
        *,
        top: int = 5,
        errors: Literal["raise", "return"] = "raise",
    ) -> Guess | list[Guess] | list[Guess | ImageError]:
        """Say where photos were taken; as `Locator.locate`.

        Args:
            photos: As there; several are sent in as few requests as the server allows.
            top: How many candidates to give.
            errors: What becomes of photos that can't be read; as there.

        Raises:
            ImageError: A photo can't be read.
            ServerError: The server does not answer, or refuses to.
            UsageError: An option is wrong.
        """
        many, alone = as_photos(photos)
        found: list[Guess | ImageError] = []
        for answer in self.guesses(many, top=top):
            if isinstance(answer, ImageError) and (errors == "raise" or alone):
                raise answer
            found.append(answer)
        return found[0] if alone else found  # type: ignore[return-value]

    def guesses(self, photos: Sequence[ImageSource], *, top: int = 5) -> Iterator[Guess | ImageError]:
        """Locate any number of photos, in order; one without an answer gives its error."""
        for batch in self._batches(photos):
            readable = [each for each in batch if not isinstance(each, ImageError)]
            answers = iter(self._ask(readable, {"top": str(top)}) if readable else ())
            for each in batch:
                yield each if isinstance(each, ImageError) else _answer(next(answers), self.url)

    def locate_place(self, photos: Sequence[ImageSource], *, top: int = 5) -> Guess:
        """Say where one place is that several photos show; as `Locator.locate_place`.

        Args:
            photos: One or more views of the same place, as `locate` takes them; as many as the server takes
                in one request.
            top: How many candidates to give.

        Raises:
            UsageError: There are no photos, or too many.
            ImageError: A photo can't be read.
            ServerError: The server does not answer, or refuses to.
        """
        guess, failed = self.place(photos, top=top)
        for error in (*failed.values(), guess):
            if isinstance(error, ImageError):
                raise error
        assert isinstance(guess, Guess)
        return guess

    def place(
        self, photos: Sequence[ImageSource], *, top: int = 5
    ) -> tuple[Guess | ImageError, dict[int, ImageError]]:
        """The same, for photos of which some can't be read.

        Returns:
            The answer of the others together, and the errors by the photos' numbers.
        """
        if not photos:
            raise UsageError("a place can't be located without a photo of it: give one or more")
        batches = list(self._batches(photos))
        if len(batches) > 1:
            raise UsageError(
                f"{len(photos)} photos are more than the server takes at once ({self.limits['max_photos']} "
                f"photos, {self.limits['max_bytes']:,} bytes): leave some out"
            )
        failed = {row: each for row, each in enumerate(batches[0]) if isinstance(each, ImageError)}
        # called by their numbers, so that it is known of which photo an error speaks
        sent = [
            (str(row), each[1]) for row, each in enumerate(batches[0]) if not isinstance(each, ImageError)
        ]
        if not sent:
            return next(iter(failed.values())), failed
        first, *unread = self._ask(sent, {"top": str(top), "same_place": "true"})
        for each in unread if "error" not in first else [first, *unread]:
            row = int(each["photo"])
            failed[row] = ImageError(f"{batches[0][row][0]}: {each['error']}")  # type: ignore[index]
        return (_answer(first, self.url) if "error" not in first else failed[int(first["photo"])]), failed

    @property
    def limits(self) -> Mapping[str, Any]:
        """What the server takes: `max_photos`, `max_bytes` and more.

        Raises:
            ServerError: It does not answer, or is none of ours.
        """
        if self._limits is None:
            self._limits = self._json(self._send("GET", "/v1/settings"))
            if not isinstance(self._limits.get("max_photos"), int):
                raise ServerError(f"{self.url} is no server of lostfound: start one with `lostfound serve`")
        return self._limits

    def models(self) -> list[dict[str, Any]]:
        """The server's models, and what they are.

        Raises:
            ServerError: It does not answer, or refuses to.
        """
        return list(self._json(self._send("GET", "/v1/models"))["models"])

    def _batches(self, photos: Sequence[ImageSource]) -> Iterator[list[tuple[str, bytes] | ImageError]]:
        """Photos as they are sent, as many at once as one request holds."""
        most, most_bytes = self.limits["max_photos"], 0.9 * self.limits["max_bytes"]
        batch: list[tuple[str, bytes] | ImageError] = []
        size = 0
        for photo in photos:
            try:
                each: tuple[str, bytes] | ImageError = _file(photo)
            except ImageError as error:
                each = error
            length = 0 if isinstance(each, ImageError) else len(each[1])
            if batch and (len(batch) == most or size + length > most_bytes):
                yield batch
                batch, size = [], 0
            batch.append(each)
            size += length
        if batch:
            yield batch

    def _ask(self, photos: Sequence[tuple[str, bytes]], options: Mapping[str, str]) -> list[dict[str, Any]]:
        files = [("photos", (name, data, "application/octet-stream")) for name, data in photos]
        params = {**self.options, **options}
        response = self._send("POST", "/v1/locate", params=params, files=files)
        if response.status_code == 422 and len(photos) == 1:
            return [{"photo": photos[0][0], "error": self._error(response).removeprefix("the photo: ")}]
        if response.status_code == 422:  # none of them can be read: each is to say why
            return [answer for photo in photos for answer in self._ask([photo], options)]
        return list(self._json(response)["guesses"])

    def _send(self, method: str, path: str, **content: Any) -> Any:
        """Ask, and ask again after a moment where the server is busy or just starting."""
        for tried in range(1, _TRIES + 1):
            try:
                response = self._http.request(method, path, **content)
            except self._failed as error:
                said = str(error) or type(error).__name__
                raise ServerError(
                    f"{self.url} does not answer ({said}): is `lostfound serve` running?"
                ) from None
            if response.status_code not in (429, 503) or tried == _TRIES:
                return response
            time.sleep(_wait_s(response.headers.get("retry-after"), tried))
        raise AssertionError

    def _json(self, response: Any) -> dict[str, Any]:
        if response.status_code == 200:
            try:
                value = response.json()
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                return value
            raise ServerError(f"{self.url} answered with no JSON: is it a server of lostfound?")
        said = self._error(response)
        if response.status_code == 400:
            raise UsageError(said)
        raise ServerError(f"{self.url}: {said}")

    @staticmethod
    def _error(response: Any) -> str:
        try:
            return str(json.loads(response.content)["error"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return f"status {response.status_code}"


def _answer(values: Mapping[str, Any], url: str) -> Guess | ImageError:
    if "error" in values:
        return ImageError(f"{values.get('photo', 'photo')}: {values['error']}")
    try:
        return Guess.from_dict(values)
    except (KeyError, TypeError, ValueError) as error:
        raise ServerError(f"{url} answered with no guess ({error!r}): is it of another version?") from None


def _file(photo: ImageSource) -> tuple[str, bytes]:
    """A photo's name and bytes; pictures without a file are sent as PNG, which loses nothing."""
    if isinstance(photo, bytes):
        return "photo", photo
    if isinstance(photo, Image.Image | np.ndarray):
        buffer = io.BytesIO()
        try:
            image = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
            image.save(buffer, "PNG")
        except Exception as error:  # Pillow raises nearly anything
            raise ImageError(f"a picture that can't be sent: {error}") from None
        return "photo.png", buffer.getvalue()
    if not isinstance(photo, str | os.PathLike):
        return "photo", file_bytes(photo)
    path = Path(photo)
    try:
        return path.name.encode(errors="replace").decode(), read_file(path)
    except FileNotFoundError:
        raise ImageError(f"{path.name}: no such file") from None
    except OSError as error:
        raise ImageError(f"{path.name}: can't be read ({error.strerror})") from None


def _wait_s(retry_after: str | None, tried: int) -> float:
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(_LONGEST_WAIT_S, int(retry_after))
    return float(min(_LONGEST_WAIT_S, 0.5 * 2**tried))
