"""The files that located photos are written as: one list of formats, told by the ending of a name."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring  # it only writes here

from lostfound.predict import outputs
from lostfound.predict.guess import Guess
from lostfound.predict.outputs import NOTE, LocatedPhoto, written_name, written_radius
from lostfound.texts import json_text, shown

KML, GPX = "http://www.opengis.net/kml/2.2", "http://www.topografix.com/GPX/1/1"


_NUMBERS = ("latitude", "longitude", "radius_50_km", "radius_90_km", "probability")


@dataclass(frozen=True)
class Form:
    """A format of files.

    Attributes:
        endings: Of names, in lower case.
        write: Makes the bytes of a file of photos.
    """

    endings: tuple[str, ...]
    write: Callable[[Sequence[LocatedPhoto]], bytes]


def to_jsonl(results: Iterable[LocatedPhoto]) -> str:
    """JSON lines: one object a photo, also of those that could not be read."""
    return "".join(json_text(outputs.row(each), indent=None) + "\n" for each in results)


def to_kml(results: Sequence[LocatedPhoto]) -> bytes:
    """KML 2.2 (OGC 07-147r2) of the photos that have a place, for Google Earth and the like."""
    root = Element("kml", xmlns=KML)
    document = SubElement(root, "Document")
    SubElement(document, "name").text = "Located photos"
    SubElement(document, "description").text = f"These are {NOTE}."
    for each in _placed(results):
        placemark = SubElement(document, "Placemark")
        SubElement(placemark, "name").text = _text(each.photo)
        SubElement(placemark, "description").text = _described(each)
        values = SubElement(placemark, "ExtendedData")
        for name, value in _values(each).items():
            data = SubElement(values, "Data", name=name)
            SubElement(data, "value").text = _text(str(value))
        point = SubElement(placemark, "Point")
        SubElement(point, "coordinates").text = f"{_guess(each).longitude:.6f},{_guess(each).latitude:.6f}"
    return _xml(root)


def to_gpx(results: Sequence[LocatedPhoto]) -> bytes:
    """GPX 1.1 of the photos that have a place: a waypoint each."""
    root = Element("gpx", xmlns=GPX, version="1.1", creator="lostfound")
    about = SubElement(root, "metadata")
    SubElement(about, "name").text = "Located photos"
    SubElement(about, "desc").text = f"These are {NOTE}."
    for each in _placed(results):
        guess = _guess(each)
        point = SubElement(root, "wpt", lat=f"{guess.latitude:.6f}", lon=f"{guess.longitude:.6f}")
        SubElement(point, "name").text = _text(each.photo)
        SubElement(point, "desc").text = _described(each)
        SubElement(point, "type").text = "estimate"
    return _xml(root)


def to_geoparquet(results: Sequence[LocatedPhoto]) -> bytes:
    """GeoParquet 1.1 (points as WKB, OGC:CRS84) of all photos; null where one has no place."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    rows = [{"photo": written_name(each.photo), "error": each.error, **_flat(each)} for each in results]
    points = [
        None if each.guess is None or each.guess.abstained else (each.guess.longitude, each.guess.latitude)
        for each in results
    ]
    types = {
        **dict.fromkeys(("photo", "country", "warning", "candidates", "error"), pa.string()),
        **dict.fromkeys(_NUMBERS, pa.float64()),
        "abstained": pa.bool_(),
    }
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in types.items()}
    columns["geometry"] = pa.array(
        [None if each is None else shapely.to_wkb(shapely.Point(each)) for each in points], pa.binary()
    )
    geometry = {"encoding": "WKB", "geometry_types": ["Point"], "edges": "planar"}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
    table = pa.table(columns).replace_schema_metadata({"geo": json.dumps(geo), "estimate": NOTE})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _flat(each: LocatedPhoto) -> dict[str, object]:
    if each.guess is None:
        return {}
    values = each.guess.as_dict()
    return {**values, "candidates": json.dumps(values["candidates"], ensure_ascii=False)}


def _placed(results: Iterable[LocatedPhoto]) -> Iterable[LocatedPhoto]:
    return (each for each in results if each.guess is not None and not each.guess.abstained)


def _guess(each: LocatedPhoto) -> Guess:
    assert each.guess is not None
    return each.guess


def _described(each: LocatedPhoto) -> str:
    guess = _guess(each)
    parts = [guess.best.name if guess.probability is None else f"{guess.best.name} {guess.probability:.0%}"]
    parts += [f"{share} % within {written_radius(radius)}" for share, radius in guess.radii_km.items()]
    return _text("; ".join([*parts, "an estimate from pixels alone, not a measurement"]))


def _values(each: LocatedPhoto) -> dict[str, object]:
    values = _guess(each).as_dict()
    names = ("radius_50_km", "radius_90_km", "country", "probability", "warning")
    return {**{name: values[name] for name in names if values.get(name) is not None}, "estimate": NOTE}


def _text(text: str) -> str:
    """A text that XML can hold: it has no way to write control characters."""
    return shown(written_name(text)).replace("\x0b", "").translate({0xFFFE: None, 0xFFFF: None})


def _xml(root: Element) -> bytes:
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _encoded(write: Callable[[Sequence[LocatedPhoto]], str]) -> Callable[[Sequence[LocatedPhoto]], bytes]:
    return lambda results: write(results).encode(errors="backslashreplace")


FORMS: dict[str, Form] = {
    "json": Form((".json",), _encoded(outputs.to_json)),
    "jsonl": Form((".jsonl", ".ndjson"), _encoded(to_jsonl)),
    "csv": Form((".csv",), _encoded(outputs.to_csv)),
    "geojson": Form((".geojson",), _encoded(outputs.to_geojson)),
    "geoparquet": Form((".parquet", ".geoparquet"), to_geoparquet),
    "kml": Form((".kml",), to_kml),
    "gpx": Form((".gpx",), to_gpx),
}
"""The formats by name; the map, a page, is `lostfound.pages.map`'s."""
