"""One request to a service, and the response or failure that comes of it. Retrying is the runner's work."""

from __future__ import annotations

import asyncio
import email.utils
import io
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from lostfound.data.images import open_image
from lostfound.errors import ImageError, MissingExtraError, UsageError

MAX_BYTES = 64 * 1024 * 1024
_FLAT_SHARE = 0.75  # photos of fog stay below 0.5 even after JPEG compression


class RequestFailed(Exception):  # noqa: N818  # it is no error yet: the runner decides
    """A request without a response that can be used.

    Attributes:
        outcome: What the ledger says: retried (the service failed, it may be asked again), throttled (it
            asks to slow down), unreachable (nothing was sent), refused (it will not answer this or any).
        detail: What happened, without keys.
        wait_s: How long the service asks to wait, in seconds, if it said so.
    """

    def __init__(self, outcome: str, detail: str, wait_s: float | None = None) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.wait_s = wait_s


@dataclass(frozen=True)
class Request:
    """A request to send.

    Attributes:
        url: Its address, without what is in `params`.
        params: The query.
        headers: Further headers.
        cost: What it costs, in millionths of a dollar.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cost: int = 0


@dataclass(frozen=True)
class Response:
    """A whole response: any status but 429 and 5xx, which are `RequestFailed`."""

    status: int
    content_type: str
    content: bytes

    def json(self) -> dict[str, Any]:
        """The content as a JSON object.

        Raises:
            RequestFailed: It is something else, such as an error page or cut short.
        """
        try:
            value = json.loads(self.content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise RequestFailed(
                "retried", f"an answer that is no JSON (status {self.status}, {self.content_type})"
            )
        return value

    def image(self) -> bytes:
        """The content as the bytes of an image file that can be decoded whole.

        Raises:
            RequestFailed: It is something else: an error page, cut short, or one flat colour with a message.
        """
        if not self.content_type.startswith("image/"):
            raise RequestFailed("retried", f"{self.content_type or 'nothing known'} came instead of an image")
        try:
            image = open_image(self.content)
        except ImageError as error:
            raise RequestFailed("retried", f"an image that can't be read ({error})") from None
        if is_error_picture(np.asarray(image)):
            raise RequestFailed("wrong", "a flat picture came, such as services send instead of an error")
        return self.content


def is_error_picture(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Is an image the flat picture that services send where they have no image?

    Args:
        pixels: (height, width, 3).

    Returns:
        True if three quarters of the pixels or more have all but the same colour.
    """
    middle = np.median(pixels.reshape(-1, 3), axis=0)
    near = (np.abs(pixels.astype(np.int16) - middle.astype(np.int16)) <= 2).all(axis=2)
    return bool(near.mean() >= _FLAT_SHARE)


class HttpClient:
    """Sends requests; an `async with` block closes its connections."""

    def __init__(self, *, timeout_s: float, connections: int) -> None:
        """Make a client.

        Args:
            timeout_s: A request that has not been answered whole by then is given up.
            connections: How many requests are under way at once.

        Raises:
            MissingExtraError: What sends requests is not installed.
        """
        self._library = httpx2 = import_httpx()
        for name in ("httpx2", "httpcore2"):  # they log addresses, and those hold keys
            logging.getLogger(name).setLevel(logging.WARNING)
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(
            timeout=timeout_s,
            limits=httpx2.Limits(max_connections=connections),
            headers={"user-agent": "lostfound"},
            follow_redirects=False,  # a redirect would carry the key elsewhere
            verify=_certificates(),
        )

    async def __aenter__(self) -> HttpClient:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def send(self, request: Request) -> Response:
        """Send one request and read its whole response.

        Raises:
            RequestFailed: No whole response, or one that says to ask again or not at all.
        """
        httpx2 = self._library
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._send(request)
        except TimeoutError:
            raise RequestFailed("retried", f"no whole answer within {self._timeout_s:g} s") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise RequestFailed("unreachable", f"no connection ({_name(error)})") from None
        except httpx2.HTTPError as error:  # the message may hold the address, and that the key
            raise RequestFailed("retried", f"the answer broke off ({_name(error)})") from None
        except httpx2.InvalidURL:
            raise RequestFailed("refused", "the service gave an address that is none") from None

    async def _send(self, request: Request) -> Response:
        params, headers = dict(request.params) or None, dict(request.headers)
        async with self._client.stream("GET", request.url, params=params, headers=headers) as response:
            if response.status_code == 429:
                raise RequestFailed(
                    "throttled", "the service asks to slow down (429)", _retry_after(response)
                )
            if response.status_code >= 500:
                raise RequestFailed(
                    "retried", f"the service failed ({response.status_code})", _retry_after(response)
                )
            body = io.BytesIO()
            async for piece in response.aiter_bytes():
                body.write(piece)
                if body.tell() > MAX_BYTES:
                    raise RequestFailed("retried", f"an answer of more than {MAX_BYTES} bytes")
            content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Response(response.status_code, content_type, body.getvalue())


@cache
def _certificates() -> Any:
    """Whom to trust, for all clients: it takes 50 ms to read."""
    return import_httpx().create_ssl_context()


def import_httpx() -> Any:
    """What sends requests.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import httpx2
    except ImportError:
        raise MissingExtraError(
            "collecting asks web services, and that needs the extra 'collect' (not installed: httpx2): "
            "pip install 'lostfound[collect]'"
        ) from None
    return httpx2


def base_url(variable: str, default: str) -> str:
    """Where a service is: its own address, or the one that an environment variable gives for tests.

    Raises:
        UsageError: The variable holds no address.
    """
    url = os.environ.get(variable) or default
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
        raise UsageError(f"{variable} is {url!r}, not an address such as {default}")
    return url.rstrip("/")


def _retry_after(response: Any) -> float | None:
    """How long the service asks to wait, in seconds: it gives a number or a date."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _name(error: Exception) -> str:
    return type(error).__name__
