"""What a server refuses, and how it says so."""

from __future__ import annotations

from starlette.responses import Response

from lostfound.texts import json_text


class Problem(Exception):  # noqa: N818  # it is an answer, not a failure
    """A request that gets no answer but a reason.

    Attributes:
        status: Of HTTP.
        message: What is wrong, and what to do.
        retry_after_s: When it may be asked again, if that helps.
    """

    def __init__(self, status: int, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after_s = status, message, retry_after_s

    def response(self) -> Response:
        """It as an answer."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status in (408, 413, 415, 429):
            headers["Connection"] = "close"  # the rest of the body is not read
        body = json_text({"error": self.message}, indent=None)
        return Response(body, self.status, headers, media_type="application/json")


def busy(what: str, seconds: float) -> Problem:
    """Too much at once."""
    wait = max(1, min(60, round(seconds)))
    return Problem(429, f"{what}: ask again in {wait} s", retry_after_s=wait)
