"""Pixels of every kind, as 8 bits; and how many are too many."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lostfound.data.images import decoded, open_image, read_file
from lostfound.data.pixels import MAX_PIXELS, VARIABLE, max_pixels, to_rgb
from lostfound.errors import ImageError, UsageError

RAMP = np.linspace(0, 1, 256).reshape(16, 16)


SIGNED, UNSIGNED = (struct.pack("<HHIH", 339, 3, 1, kind) for kind in (2, 1))  # TIFF's SampleFormat


def levels(values, *, unsigned=False):
    """The levels of grey that numbers become, through a TIFF file."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    data = buffer.getvalue()
    if unsigned:
        assert SIGNED in data
        data = data.replace(SIGNED, UNSIGNED)
    return np.asarray(open_image(data))[..., 0]


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", [np.int32, np.uint16])
def test_whole_numbers_are_taken_on_the_scale_of_a_sensor(bits, kind):
    values = np.rint(RAMP * (2**bits - 1)).astype(kind)
    assert levels(values).tolist() == (values.astype(int) >> (bits - 8)).tolist()


@pytest.mark.parametrize(
    "values",
    [
        RAMP,
        RAMP * 255,
        RAMP * 65535,
        RAMP * 1e-3,
        RAMP * 2 - 1,
        RAMP * 1e38,
        (RAMP * 2 - 1) * 3e38,
        np.rint(RAMP * 2e9),
        np.rint(RAMP * 2e9 - 1e9),
    ],
    ids=[
        "share",
        "levels",
        "16 bits",
        "dark",
        "signed",
        "huge",
        "all there are",
        "32 bits",
        "signed 32 bits",
    ],
)
def test_a_ramp_stays_a_ramp_from_black_to_white(values):
    kind = np.int32 if values.max() > 1e9 and values.max() < 3e9 else np.float32
    found = levels(values.astype(kind))
    assert np.abs(found.astype(int) - np.rint(RAMP * 255).astype(int)).max() <= 2


def test_unsigned_numbers_of_32_bits_are_not_taken_for_signed_ones():
    values = np.rint(RAMP * (2**32 - 1)).astype(np.uint32).view(np.int32)
    found = to_rgb(Image.fromarray(values), signed=False)
    assert np.abs(np.asarray(found)[..., 0].astype(int) - np.rint(RAMP * 255)).max() <= 2
    assert np.abs(levels(values, unsigned=True).astype(int) - np.rint(RAMP * 255)).max() <= 2


def test_a_few_hot_pixels_leave_the_rest_to_be_seen():
    values = np.tile(RAMP, (8, 8)).astype(np.float32) * 300
    values[0, 0] = 1e9
    assert np.ptp(levels(values)[1:]) >= 250


def test_what_is_no_number_is_as_dark_as_the_darkest_and_alone_refused():
    values = RAMP.astype(np.float32)
    values[3, 3], values[4, 4] = np.nan, np.inf
    found = levels(values)
    assert found[3, 3] == 0
    assert np.ptp(found) >= 250
    with pytest.raises(ImageError, match="no numbers"):
        levels(np.full((4, 4), np.nan, dtype=np.float32))


MODES = "1 L LA La P PA RGB RGBA RGBa RGBX CMYK YCbCr LAB HSV I F I;16 I;16B I;16L"


@pytest.mark.parametrize("mode", MODES.split())
def test_every_kind_of_pixels_is_a_picture(mode):
    draw = np.random.default_rng(3)
    image = Image.fromarray(draw.integers(0, 256, (20, 30, 3), dtype=np.uint8)).convert(mode)
    found = open_image(image)
    assert (found.mode, found.size) == ("RGB", (30, 20))
    assert np.ptp(np.asarray(found)) > 100


def test_lab_is_turned_into_its_colours():
    red = Image.new("LAB", (4, 4), (136, 208, 195))  # sRGB (255, 0, 0): L 54 %, a 80, b 67
    assert np.abs(np.asarray(open_image(red)).astype(int)[0, 0] - (255, 0, 0)).max() <= 12


def test_what_is_all_transparent_is_black():
    hidden = np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    hidden[..., 3] = 0
    assert np.ptp(np.asarray(open_image(Image.fromarray(hidden)))) == 0
    hidden[0, 0, 3] = 1
    assert np.ptp(np.asarray(open_image(Image.fromarray(hidden)))) > 100


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_image_without_pixels_is_refused(size):
    with pytest.raises(ImageError, match="holds nothing"):
        open_image(Image.new("RGB", size))


# --- how many


def png(width, height):
    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_limit_is_stated_and_can_be_changed(monkeypatch):
    assert max_pixels() == MAX_PIXELS
    open_image(png(100, 100))
    monkeypatch.setenv(VARIABLE, "9999")
    with pytest.raises(ImageError, match=r"100x100 pixels are more than the 9,999 .* LOSTFOUND_MAX_PIXELS"):
        open_image(png(100, 100))
    monkeypatch.setenv(VARIABLE, "1e4")
    open_image(png(100, 100))
    for wrong in ("many", "0", "-5", "nan", "inf"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(UsageError, match=VARIABLE):
            max_pixels()


@pytest.mark.parametrize(("progressive", "refused"), [(False, False), (True, True)])
def test_a_jpeg_counts_at_the_scale_at_which_it_is_decoded(progressive, refused, monkeypatch):
    buffer = io.BytesIO()
    Image.new("RGB", (800, 800)).save(buffer, "JPEG", progressive=progressive)
    monkeypatch.setenv(VARIABLE, "20000")
    if refused:  # its coefficients are held at the full scale
        with pytest.raises(ImageError, match="800x800"):
            open_image(buffer.getvalue(), at_least=100)
    else:
        assert open_image(buffer.getvalue(), at_least=100).size == (100, 100)


def test_a_file_larger_than_any_image_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1000")
    (tmp_path / "a.png").write_bytes(bytes(8001))
    with pytest.raises(ImageError, match="8,001 bytes"):
        read_file(tmp_path / "a.png")


@pytest.mark.slow
def test_room_is_given_back_also_after_an_error():
    whole = png(4000, 2000)
    for _ in range(20):  # they would take the room one and a half times
        with decoded(whole) as image:
            assert image.size == (4000, 2000)
        with pytest.raises(ImageError):
            open_image(whole[:-40])


TIFF = """
import io, sys
from PIL import Image
from lostfound.data.images import open_image
from lostfound.errors import ImageError
buffer = io.BytesIO()
Image.effect_noise((64, 64), 50).save(buffer, "TIFF", compression="tiff_lzw")
data = bytearray(buffer.getvalue())
data[100:3000] = bytes(2900)
try:
    open_image(bytes(data))
except ImageError as error:
    print("refused")
"""


def test_libtiff_prints_nothing():
    done = subprocess.run([sys.executable, "-c", TIFF], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"refused\n", b"")
