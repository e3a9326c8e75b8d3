"""When a picture was taken: what is believed of it."""

from __future__ import annotations

import re

_FIRST_PHOTO, _LAST_YEAR = 1826, 2100
_YEAR = re.compile(r"\s*(\d{4})\b")
_EPOCH = "1970-01-01T00:00:00"


def known_moment(text: str | None) -> str | None:
    """When a picture was taken, if it can be: the rule for all ways into a data set.

    Args:
        text: ISO 8601, or as a service wrote it.

    Returns:
        The same; None for what stands for no time: years before the first photograph, such as 1, and years
        far to come, and the first second of computers' clocks.
    """
    year = _YEAR.match(text or "")
    if text is None or text.startswith(_EPOCH) or (year and not _FIRST_PHOTO <= int(year[1]) <= _LAST_YEAR):
        return None
    return text
