"""Keys to services: read from the environment alone, and kept out of everything that is written."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from lostfound.errors import UsageError


@dataclass(frozen=True)
class Secret:
    """A key that shows nothing of itself when printed.

    Attributes:
        variable: The environment variable it came from.
        value: The key.
    """

    variable: str
    value: str = field(repr=False)

    @classmethod
    def read(cls, variable: str, what: str) -> Secret:
        """Read a key from the environment.

        Args:
            variable: The environment variable.
            what: What it is, for the error: "a key of ...".

        Raises:
            UsageError: It is not set, or can't be one.
        """
        found = cls.find(variable)
        if found is None:
            raise UsageError(f"{variable} is not set: put {what} into this environment variable")
        return found

    @classmethod
    def find(cls, variable: str) -> Secret | None:
        """The key in an environment variable, or None where it is not set.

        Raises:
            UsageError: What it holds can't be a key.
        """
        value = os.environ.get(variable, "").strip()
        if not value:
            return None
        if not value.isascii() or not value.isprintable() or " " in value:
            raise UsageError(f"{variable} holds spaces or letters that no key has: set it to the key alone")
        return cls(variable, value)

    def hide(self, text: str) -> str:
        """The text without the key, as written or as quoted in an address."""
        for form in {self.value, quote(self.value, safe=""), quote_plus(self.value)}:
            text = text.replace(form, f"[{self.variable}]")
        return text


def signed(path: str, secret: Secret) -> str:
    """The signature of a request, as Google's Maps services ask for.

    HMAC-SHA1 of path and query under the decoded secret, in Base64 for addresses:
    https://developers.google.com/maps/documentation/streetview/digital-signature

    Args:
        path: The address after the host, with its query.
        secret: The signing secret, in Base64 for addresses.

    Raises:
        UsageError: The secret is not Base64.
    """
    try:
        decoded = base64.urlsafe_b64decode(secret.value)
    except binascii.Error:
        raise UsageError(
            f"{secret.variable} is not a signing secret (Base64): copy it anew from the console"
        ) from None
    digest = hmac.new(decoded, path.encode(), hashlib.sha1).digest()
    return base64.urlsafe_b64encode(digest).decode()
