"""Photos as they arrive: counted while they do, held in memory, written nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from lostfound.serve.problems import Problem, busy
from lostfound.serve.settings import ServerLimits

FIELDS = ("photos", "photo", "image", "images", "file", "files")
"""What a form may call its photos."""
RAW_TYPES = ("", "application/octet-stream")
_LONGEST_NAME = 255
_DISCARD_S = 5.0
_TYPES = (
    "send image/jpeg (or png, webp, heic, tiff, gif, bmp, avif), or multipart/form-data with fields `photos`"
)


@dataclass(frozen=True)
class Upload:
    """A photo that was sent.

    Attributes:
        name: What the sender calls it; a text of a stranger.
        data: Its bytes.
    """

    name: str
    data: bytes


class Memory:
    """Bytes of all bodies that are held at once, which are bounded."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.held = 0

    @contextmanager
    def lent(self) -> Iterator[Loan]:
        """Some of it, for as long as a request takes."""
        loan = Loan(self)
        try:
            yield loan
        finally:
            self.held -= loan.size


class Loan:
    """What one request holds."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.size = 0

    def take(self, size: int) -> None:
        """So many bytes more.

        Raises:
            Problem: The request is larger than it may be, or all together are.
        """
        limits = self.memory.limits
        if self.size + size > limits.max_bytes:
            raise too_large(limits)
        if self.memory.held + size > limits.memory:
            raise busy("the server holds as many photos as it has memory for", 1)
        self.size += size
        self.memory.held += size


def too_large(limits: ServerLimits) -> Problem:
    """The problem of a body that has more bytes than may come."""
    return Problem(
        413,
        f"the request is larger than {limits.max_bytes:,} bytes: send fewer photos at once, or smaller ones",
    )


async def body_of(request: Request, loan: Loan) -> AsyncIterator[bytes]:
    """The pieces of a body as they arrive, within time and bounds.

    Raises:
        Problem: It is too large, too slow, or compressed.
        ClientDisconnect: The sender has gone.
    """
    limits = loan.memory.limits
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limits.max_bytes:
        raise too_large(limits)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "a compressed body: send the photo as it is (photos are compressed already)")
    end = asyncio.get_running_loop().time() + limits.body_s
    stream = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout_at(end):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(408, f"the body did not arrive within {limits.body_s:g} s") from None
        if piece:
            loan.take(len(piece))
            yield piece


async def whole_body(request: Request, loan: Loan) -> bytes:
    """A body in one piece; see `body_of`."""
    return b"".join([piece async for piece in body_of(request, loan)])


async def uploads(request: Request, loan: Loan) -> list[Upload]:
    """The photos that a request brings: a raw body is one, a form may bring several.

    Raises:
        Problem: It is no photo by its type, a broken form, too large, or holds none.
        ClientDisconnect: The sender has gone.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data":
        found = await _form(request, loan, options.get(b"boundary", b""))
    elif kind.decode("latin-1") in RAW_TYPES or kind.startswith(b"image/"):
        found = [Upload("photo", await whole_body(request, loan))]
    else:
        raise Problem(415, f"a body of the type {kind.decode('latin-1')[:80]!r}: {_TYPES}")
    if not found:
        raise Problem(422, "the form holds no photo: send each as a file in a field `photos`")
    return found


async def _form(request: Request, loan: Loan, boundary: bytes) -> list[Upload]:
    if not boundary:
        raise Problem(400, "multipart/form-data without its boundary: let your HTTP library write the header")
    form = _Form(loan.memory.limits)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in body_of(request, loan):
            parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, f"a broken form: {error}") from None
    if not form.ended:
        raise Problem(400, "a broken form: it ends before its last boundary")
    return form.found


class _Form:
    """Gathers what the parser of a form tells."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.found: list[Upload] = []
        self.ended = False
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._pieces: list[bytes] = []

    def callbacks(self) -> Any:
        """As `MultipartParser` takes them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._check,
            "on_part_data": lambda data, start, end: self._pieces.append(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._end_form,
        }

    def _begin(self) -> None:
        self._headers, self._pieces = {}, []

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _check(self) -> None:
        if len(self.found) == self.limits.max_photos:
            raise Problem(413, f"more than {self.limits.max_photos} photos: send them in several requests")
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        field = _text(options.get(b"name", b""))
        if field not in FIELDS:
            raise Problem(
                400,
                f"a form field {field[:80]!r}: send photos as `photos`, and options in the address (?top=3)",
            )
        kind = self._headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")
        if kind not in RAW_TYPES and not kind.startswith("image/"):
            raise Problem(415, f"a file of the type {kind[:80]!r}: {_TYPES}")
        name = _text(options.get(b"filename", b""))
        self._name = name[:_LONGEST_NAME] or f"photo-{len(self.found) + 1}"

    def _end(self) -> None:
        self.found.append(Upload(self._name, b"".join(self._pieces)))
        self._pieces = []

    def _end_form(self) -> None:
        self.ended = True


def _text(raw: bytes) -> str:
    """A name in a form: UTF-8, as browsers write it, or what old programs write."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def discard(request: Request, seconds: float = _DISCARD_S) -> None:
    """Let the rest of a refused body arrive for a while, unkept.

    Who is cut off while sending often never sees the answer.
    """
    if "expect" in request.headers:  # it waits to be told to send, and is not
        return
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(seconds):
            async for _ in request.stream():
                pass
