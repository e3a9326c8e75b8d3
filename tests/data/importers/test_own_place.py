import io
import json

import pytest
from PIL.PngImagePlugin import PngInfo

from lostfound.data.importers.own_place import OwnPlace, own_place

NOWHERE = "no location: no GPS in the file"
PARIS = {1: "N", 2: (48.0, 51.0, 0.0), 3: "E", 4: (2.0, 21.0, 0.0)}
XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/' exif:GPSLatitude='50,6N' "
    b"exif:GPSLongitude='8,42E' exif:GPSImgDirection='905/10' exif:DateTimeOriginal='2019-05-01T10:00:00'/>"
    b"</rdf:RDF></x:xmpmeta>"
)


@pytest.fixture
def file(picture):
    """`file(format, **save)` is a picture's bytes."""

    def encode(kind: str = "JPEG", **save) -> bytes:
        buffer = io.BytesIO()
        picture(1).save(buffer, kind, **save)
        return buffer.getvalue()

    return encode


def place(found: OwnPlace) -> tuple:
    return found.latitude, found.longitude


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_gps_block_is_read_in_every_format(file, gps, kind):
    assert place(own_place(file(kind, exif=gps(PARIS, tag274=1)))) == pytest.approx((48.85, 2.35))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "PNG"])
def test_a_packet_counts_where_there_is_no_gps_block(file, kind):
    save = {"xmp": XMP}
    if kind == "TIFF":
        save = {"tiffinfo": {700: XMP}}
    if kind == "PNG":
        chunks = PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
        save = {"pnginfo": chunks}
    found = own_place(file(kind, **save))

    assert place(found) == (50.1, 8.7)
    assert (found.heading, found.captured_at) == (90.5, "2019-05-01T10:00:00")


@pytest.mark.parametrize(
    "block", [{}, {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}, {2: (48.0, 0.0, 0.0), 4: (2.0, 0.0, 0.0)}]
)
def test_a_packet_counts_where_the_gps_block_is_empty_or_broken(file, gps, block):
    assert place(own_place(file(exif=gps(block), xmp=XMP))) == (50.1, 8.7)


def test_a_sidecar_goes_before_the_file(file, gps, tmp_path):
    (tmp_path / "a.xmp").write_bytes(XMP)
    data = file(exif=gps(PARIS))
    assert place(own_place(data, (str(tmp_path / "a.xmp"),))) == (50.1, 8.7)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"[]",
        b"5",
        b'{"features": 1, "type": "FeatureCollection"}',
        b"[" * 100_000,
        b'{"geoData": {"latitude": 0.0, "longitude": 0.0}}',
    ],
)
def test_a_sidecar_without_a_place_leaves_it_to_the_file(file, gps, tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    sidecars = (str(tmp_path / "a.json"), str(tmp_path / "gone.xmp"))
    assert place(own_place(file(exif=gps(PARIS)), sidecars)) == pytest.approx((48.85, 2.35))
    assert own_place(file(), sidecars).problem == NOWHERE


def test_takeout_says_when(file, tmp_path):
    content = {"geoData": {"latitude": 50.1, "longitude": 8.7}, "photoTakenTime": {"timestamp": "1600000000"}}
    (tmp_path / "a.jpg.json").write_text(json.dumps(content))
    found = own_place(file(), (str(tmp_path / "a.jpg.json"),))
    assert (*place(found), found.captured_at) == (50.1, 8.7, "2020-09-13T12:26:40Z")


def test_why_there_is_none(file, gps):
    assert own_place(file()).problem == NOWHERE
    half = gps({2: (48.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)})
    assert own_place(file(exif=half)).problem.endswith("lacks N or S")
    broken = XMP.replace(b"50,6N", b"50,6")
    assert "XMP's GPS is broken" in own_place(file(xmp=broken)).problem
