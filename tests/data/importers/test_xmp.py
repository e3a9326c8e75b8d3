import pytest

from lostfound.data.importers.xmp import location, read_xmp

HEAD = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
TAIL = "</rdf:RDF></x:xmpmeta>"
EXIF = "xmlns:exif='http://ns.adobe.com/exif/1.0/'"


def packet(body: str) -> bytes:
    return f"<?xpacket begin='\ufeff' id='W5M0'?>{HEAD}{body}{TAIL}\n  <?xpacket end='w'?>\0".encode()


@pytest.mark.parametrize(
    ("latitude", "longitude", "place"),
    [
        ("48,51.48N", "2,17.64E", (48.858, 2.294)),
        ("33,51,30S", "151,12,0W", (-33.858333, -151.2)),
        ("48.858N", "2.294E", (48.858, 2.294)),
        ("-33.5", "+151.2", (-33.5, 151.2)),
    ],
)
def test_the_forms_of_a_coordinate(latitude, longitude, place):
    body = f"<rdf:Description {EXIF} exif:GPSLatitude='{latitude}' exif:GPSLongitude='{longitude}'/>"
    assert location(read_xmp(packet(body))) == pytest.approx(place, abs=1e-6)


def test_elements_are_as_good_as_attributes_and_prefixes_are_free():
    fields = "<e:GPSLatitude> 48,30N </e:GPSLatitude><e:GPSLongitude>2,30E</e:GPSLongitude>"
    body = f"<rdf:Description xmlns:e='http://ns.adobe.com/exif/1.0/'>{fields}</rdf:Description>"
    assert location(read_xmp(packet(body))) == (48.5, 2.5)


def test_what_is_shown_is_not_where_the_camera_was():
    shown = (
        "<p:LocationShown><rdf:Bag><rdf:li exif:GPSLatitude='48,30N' exif:GPSLongitude='2,30E'/></rdf:Bag>"
    )
    space = "xmlns:p='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'"
    body = f"<rdf:Description {space} {EXIF}>{shown}</p:LocationShown></rdf:Description>"
    assert read_xmp(packet(body)) == {}


@pytest.mark.parametrize("value", ["48,51.48", "48.858", "north", "48,61N", "48,51E"])
def test_what_is_no_latitude_is_an_error(value):
    with pytest.raises(ValueError, match=r"N or S|angle"):
        location({"GPSLatitude": value, "GPSLongitude": "2,17.64E"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<x",
        b"\xff\xfe<",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + packet(""),
        b"<?xml version='1.0' encoding='none'?><a/>",
    ],
)
def test_a_broken_packet_has_no_fields(data):
    assert read_xmp(data) == {}
