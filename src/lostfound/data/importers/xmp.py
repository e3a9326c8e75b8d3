"""XMP packets, in a file or beside it: the place that they state (XMP specification, part 2, exif schema)."""

from __future__ import annotations

import re

from lostfound.data.tables import parse_degrees

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_FIELDS = ("GPSLatitude", "GPSLongitude", "GPSImgDirection", "GPSProcessingMethod", "DateTimeOriginal")
_SIGNED = re.compile(r"[-+]\d+(\.\d+)?")


def read_xmp(packet: bytes) -> dict[str, str]:
    """The fields of the exif schema that say where and when, as they are written; empty where there are none.

    Only those of the photo itself count: a place that is shown in it is written a level further down.
    """
    from xml.etree import ElementTree  # here, since few photos need it

    text = packet.strip(b"\0 \r\n\t")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # no packet has one; it may be an attack
        return {}
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  # without a DTD there is nothing to expand
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    found: dict[str, str] = {}
    descriptions = (each for rdf in root.iter(f"{_RDF}RDF") for each in rdf.findall(f"{_RDF}Description"))
    for description in descriptions:
        for name in _FIELDS:
            value = description.get(_EXIF + name) or description.findtext(_EXIF + name)
            if value and value.strip():
                found.setdefault(name, value.strip())
    return found


def location(fields: dict[str, str]) -> tuple[float | None, float | None]:
    """The (latitude, longitude) of a packet's fields, None where it is not stated.

    Raises:
        ValueError: It is stated, but is no angle or lacks its direction.
    """
    return _degrees(fields.get("GPSLatitude"), "NS"), _degrees(fields.get("GPSLongitude"), "EW")


def _degrees(value: str | None, directions: str) -> float | None:
    """`48,51.5N` and `48,51,30N`; also a decimal number that has a sign or a letter."""
    if value is None:
        return None
    if value[-1:].upper() not in directions and not _SIGNED.fullmatch(value):
        raise ValueError(f"{value!r} lacks {' or '.join(directions)}")
    return parse_degrees(value.replace(",", " "), directions)
