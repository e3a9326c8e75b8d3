import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lostfound.data.images import open_image
from lostfound.data.jpeg import encode_jpeg, is_plain_jpeg, may_hold_metadata
from lostfound.errors import ImageError


def encoded(image: Image.Image, form: str = "JPEG", **save: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **save)
    return buffer.getvalue()


def markers(jpeg: bytes) -> list[int]:
    """The second bytes of a JPEG's segments up to the pixels."""
    found, at = [], 2
    while jpeg[at + 1] != 0xDA:
        found.append(jpeg[at + 1])
        at += 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return found


def test_a_stored_jpeg_holds_no_metadata_of_its_source(picture, gps):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = encoded(
        picture(1),
        "JPEG",
        exif=gps({1: "N", 2: (48.0, 51.0, 0.0)}, tag271="Maker", tag270="a caption"),
        icc_profile=profile,
        comment="taken at home",
        xmp=b"<x:xmpmeta/>",
        dpi=(300, 300),
    )
    assert {0xE1, 0xE2, 0xFE} <= set(markers(source))

    for image in (open_image(source), Image.open(io.BytesIO(source))):
        stored = encode_jpeg(image, 90)

        assert not set(markers(stored)) & {*range(0xE1, 0xF0), 0xFE}
        assert not Image.open(io.BytesIO(stored)).getexif()


def test_a_jpeg_with_nothing_but_its_picture_is_plain(picture):
    assert is_plain_jpeg(encoded(picture(1), "JPEG"))
    assert is_plain_jpeg(encoded(picture(1), "JPEG", quality=100, subsampling=0, restart_marker_rows=1))
    assert is_plain_jpeg(encode_jpeg(picture(1), 92))


def test_a_jpeg_with_anything_more_is_not_plain(picture, gps):
    plain = encoded(picture(1), "JPEG")
    thumbnail = b"\xff\xe0\x00\x19JFIF\0\1\1\0\0\1\0\1\1\3" + bytes(9)
    others = {
        "location": encoded(picture(1), "JPEG", exif=gps({1: "N", 2: (48.0, 51.0, 0.0)})),
        "profile": encoded(picture(1), "JPEG", icc_profile=b"profile"),
        "comment": encoded(picture(1), "JPEG", comment="taken at home"),
        "xmp": encoded(picture(1), "JPEG", xmp=b"<x:xmpmeta/>"),
        "thumbnail": plain[:2] + thumbnail + plain[20:],
        "progressive": encoded(picture(1), "JPEG", progressive=True),
        "grey": encoded(picture(1).convert("L"), "JPEG"),
        "ink": encoded(picture(1).convert("CMYK"), "JPEG"),
        "something behind it": plain + b"PK",
        "another behind it": plain + plain,
        "cut short": plain[:-40],
        "no JPEG": encoded(picture(1), "PNG"),
        "nothing": b"",
    }

    assert [name for name, data in others.items() if is_plain_jpeg(data)] == []


@given(st.lists(st.sampled_from([b"\xff", b"\xc0", b"\xdb", b"\xe0", b"\xd9", b"\0", b"\x11"])))
def test_no_bytes_are_too_odd_to_be_told(middle):
    assert is_plain_jpeg(b"\xff\xd8" + b"".join(middle) + b"\xff\xd9") in (True, False)


def test_encoding_leaves_the_image_as_it_was(picture):
    image = picture(1)
    image.info["comment"] = "mine"

    encode_jpeg(image, 90)

    assert image.info == {"comment": "mine"}


def test_a_picture_too_long_for_a_jpeg_is_an_image_error():
    with pytest.raises(ImageError, match="66000x2 pixels are too long"):
        encode_jpeg(Image.new("RGB", (66000, 2)), 90)


@pytest.mark.parametrize(
    ("data", "may"),
    [
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xe1\0\4cd\xff\xda", True),
        (b"\xff\xd8\xff\xff\xff\xe1\0\4cd\xff\xda", True),  # fill bytes before a marker
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xda\0\4\xff\xe1", False),
        (b"\xff\xd8\xff", False),
        (b"\xff\xd8odd", True),
    ],
)
def test_metadata_is_looked_for_before_the_picture(data, may):
    assert may_hold_metadata(data) is may
