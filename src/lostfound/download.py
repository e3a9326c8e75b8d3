"""Files from the network: fetched once, by a stated checksum, and kept in the user's cache."""

import hashlib
import os
import re
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lostfound.errors import DatasetError, UsageError
from lostfound.files import cache_folder
from lostfound.progress import progress

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_KEPT = 50
"""Letters of a file's name in that of its partial file, which must not be longer than names may be."""
_SHA256 = re.compile("[0-9a-f]{64}")
_SCHEMES = ("https://", "http://")
# A server that is starting or busy may refuse a connection, and take the next.
_PAUSES_S = (0.2, 1.0)


def resolve_weights(weights: str | None) -> str | None:
    """Weights as a user names them: an address becomes the path of the file that `fetch` gives."""
    return str(fetch(weights)) if weights is not None and weights.startswith(_SCHEMES) else weights


def fetch(address: str) -> Path:
    """The local file for an address.

    It is downloaded once into `cache_folder`, whole or not at all; what a broken download left is taken up
    again by the next call.

    Args:
        address: One that begins with ``https://`` (or ``http://``) and ends with ``#sha256=`` and the file's
            checksum, 64 hexadecimal digits.

    Returns:
        The path of a file whose checksum is right.

    Raises:
        UsageError: The address has no checksum, or one of another form.
        DatasetError: The file can't be downloaded, or has another checksum.
    """
    plain, _, fragment = address.partition("#")
    name, _, sha256 = fragment.partition("=")
    expected = sha256.lower()
    if name != "sha256" or not _SHA256.fullmatch(expected):
        raise UsageError(
            f"{address} does not say what the file must be: write {plain}#sha256=HEX, where HEX is the "
            "file's SHA-256, 64 hexadecimal digits (sha256sum FILE prints it)"
        )
    folder = cache_folder() / "files" / expected[:16]
    path = folder / (Path(unquote(urlsplit(plain).path)).name or "file")
    # It was checked before it got this name.
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _download(plain, expected, path)
    return path


def _download(address: str, expected: str, path: Path) -> None:
    name = f".{path.name[:_KEPT]}"
    kept = path.with_name(f"{name}.partial")
    # A name of its own, which no other process writes to.
    part = path.with_name(f"{name}.{os.getpid()}-{os.urandom(4).hex()}.partial")
    try:
        kept.rename(part)
    except FileNotFoundError:
        part.touch()
    try:
        _append(address, part)
    except (OSError, HTTPException) as error:
        part.replace(kept)
        reason = getattr(error, "reason", None) or error
        raise DatasetError(
            f"{address} can't be downloaded: {reason}. Try again, or get the file yourself and give its path."
        ) from None
    except BaseException:
        part.replace(kept)
        raise
    try:
        _check(part, expected, address)
    except DatasetError:
        part.unlink()
        raise
    part.replace(path)


def _append(address: str, part: Path) -> None:
    """Download what is missing at the end of a file."""
    done = part.stat().st_size
    request = urllib.request.Request(address)  # noqa: S310 - the scheme was checked
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = _open(request)
    except urllib.error.HTTPError as error:
        # Nothing is missing; the checksum will say whether it is right.
        if done and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return
        raise
    with response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        length = int(response.headers.get("Content-Length") or 0)
        done = done if resumed else 0
        name = Path(urlsplit(address).path).name
        with (
            part.open("ab" if resumed else "wb") as file,
            progress(name, done + length, done=done) as advance,
        ):
            written = 0
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                written += len(chunk)
                advance(len(chunk))
        if written < length:
            raise ConnectionError(f"the connection broke after {done + written} of {done + length} bytes")


def _open(request: urllib.request.Request) -> HTTPResponse:
    """Ask, and ask again after a moment where the connection is refused."""
    for pause_s in _PAUSES_S:
        try:
            return _ask(request)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
        time.sleep(pause_s)
    return _ask(request)


def _ask(request: urllib.request.Request) -> HTTPResponse:
    # An opener of its own: `urlopen` keeps, for all callers, the proxies of whoever first called it.
    response: HTTPResponse = urllib.request.build_opener().open(request, timeout=_TIMEOUT_S)
    return response


def _check(path: Path, expected: str, name: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise DatasetError(
            f"{name} is not the expected file: its sha256 is {found}, not {expected}. "
            "Get the right version, or correct the checksum if the file is meant."
        )
