import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from lostfound.data.images import Preprocessing, centred_box, cut_strip, open_image, read_exif, shrink
from lostfound.data.jpeg import encode_jpeg
from lostfound.errors import ImageError

ORIENTATION = 0x0112
# How an upright picture has to lie in the file so that the orientation of that number turns it upright.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image: Image.Image, form: str, **save: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **save)
    return buffer.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("at_least", [None, 20])
def test_every_orientation_is_opened_upright(picture, orientation, at_least):
    upright = picture(1, 96, 64)
    stored = upright if STORED[orientation] is None else upright.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    image = open_image(encoded(stored, "JPEG", quality=95, exif=exif), at_least=at_least)

    assert difference(image.resize(upright.size), upright) < 4
    assert (image.width > image.height) == (upright.width > upright.height)


@pytest.mark.data
@pytest.mark.parametrize("shape", ["landscape", "portrait"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_camera_files_of_every_orientation_show_the_same_picture(real_data: Path, shape, orientation):
    folder = real_data / "exif-samples" / "exif-samples" / "orientation"
    upright = open_image(folder / f"{shape}_1.jpg")

    turned = open_image(folder / f"{shape}_{orientation}.jpg")

    assert turned.size == upright.size
    small, other = (
        image.resize((60, 60)) for image in (turned, upright)
    )  # they differ in a number drawn on them
    mirrored = [small.transpose(Image.Transpose(0)), small.transpose(Image.Transpose(1))]
    assert 2 * difference(small, other) < min(difference(wrong, other) for wrong in mirrored)


def test_a_pil_image_is_turned_upright_and_left_as_it_was(picture):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    source = Image.open(io.BytesIO(encoded(picture(1, 96, 64), "JPEG", exif=exif)))

    assert open_image(source).size == (64, 96)
    assert source.size == (96, 64)
    assert source.getexif()[ORIENTATION] == 6


@pytest.fixture(scope="module")
def swapped_profile():
    """sRGB's profile with red and green exchanged, under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"?"), (b"gXYZ", b"rXYZ"), (b"?", b"gXYZ")):
        profile = profile.replace(old, new, 1)
    return profile.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))


@pytest.mark.parametrize(
    ("form", "mode", "at_least"),
    [
        ("JPEG", "RGB", None),
        ("JPEG", "RGB", 16),
        ("PNG", "RGB", None),
        ("PNG", "RGBA", None),
        ("TIFF", "RGB", None),
        ("TIFF", "RGBA", None),
    ],
)
def test_colours_become_srgb(swapped_profile, form, mode, at_least):
    red = Image.new(mode, (64, 64), (230, 20, 20))

    image = open_image(encoded(red, form, icc_profile=swapped_profile), at_least=at_least)

    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, dtype=int) - (20, 230, 20)).max() < 6
    assert "icc_profile" not in image.info


@pytest.mark.parametrize(
    "profile", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_can_t_be_used_changes_nothing(profile):
    image = open_image(encoded(Image.new("RGB", (64, 64), (230, 20, 20)), "PNG", icc_profile=profile))

    assert image.getpixel((5, 5)) == (230, 20, 20)


@pytest.mark.data
def test_real_photos_of_another_gamma_become_srgb(real_data):
    """Apple's Generic RGB has a gamma of 1.8: taken for sRGB, its photos would be too dark."""
    found = []
    for path in sorted((real_data / "exif-samples").rglob("*.jpg")):
        with Image.open(path) as image:
            if b"Generic RGB" in image.info.get("icc_profile", b""):
                found.append(np.mean(open_image(path)) - np.mean(image.convert("RGB")))
    assert len(found) > 5
    assert min(found) > 5  # levels of 255


def test_a_png_s_text_is_not_copied(picture):
    text = PngInfo()
    text.add_text("Comment", "taken at home")

    image = open_image(encoded(picture(1), "PNG", pnginfo=text))

    assert image.info == {}
    assert b"taken at home" not in encode_jpeg(image, 90)


JPEG = encoded(Image.effect_noise((120, 90), 80).convert("RGB"), "JPEG")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (JPEG[: len(JPEG) // 2], "damaged image"),
        (JPEG[:30], "can be read|damaged image"),
        (encoded(Image.effect_noise((120, 90), 80), "PNG")[:2000], "damaged image"),
        (b"", "not an image"),
        (b"no image at all", "not an image"),
        (EPS, "not an image"),
        (png_header(40_000, 40_000), "refused as unsafe"),
        (png_header(40, 40), "damaged image"),
    ],
)
def test_what_is_no_readable_image_is_an_image_error(tmp_path, data, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)

    with pytest.raises(ImageError, match=message) as from_path:
        open_image(path)
    with pytest.raises(ImageError, match=message):
        open_image(data)

    assert str(from_path.value).startswith("photo.jpg: ")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_bytes_damaged_anywhere_give_an_image_or_an_image_error(picture, form):
    data = encoded(picture(1), form)
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        for at in random.integers(0, random.choice([40, len(data)]), 4):
            damaged[at] = random.integers(256)
        try:
            assert open_image(bytes(damaged)).mode == "RGB"
        except ImageError:
            continue


def test_a_missing_file_and_a_folder_are_image_errors(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        open_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="can't be read"):
        open_image(str(tmp_path))


def palette_with_transparency() -> bytes:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    return encoded(image, "PNG", transparency=bytes([0, 128]))


def sixteen_bit() -> Image.Image:
    return Image.fromarray(np.full((8, 8), 200 * 256 + 7, dtype=np.uint16))


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (encoded(sixteen_bit(), "PNG"), (200, 200, 200)),
        (encoded(sixteen_bit(), "TIFF"), (200, 200, 200)),
        (encoded(Image.new("L", (8, 8), 90), "PNG"), (90, 90, 90)),
        (encoded(Image.new("1", (8, 8), 1), "PNG"), (255, 255, 255)),
        (encoded(Image.new("LA", (8, 8), (90, 128)), "PNG"), (90, 90, 90)),
        (encoded(Image.new("RGBA", (8, 8), (200, 100, 50, 128)), "PNG"), (200, 100, 50)),
        (encoded(Image.new("CMYK", (8, 8), (55, 155, 205, 0)), "JPEG", quality=100), (200, 100, 50)),
        (encoded(Image.new("RGB", (8, 8), (200, 100, 50)).quantize(4), "GIF"), (200, 100, 50)),
        (palette_with_transparency(), (200, 100, 50)),
    ],
    ids=["16 bit PNG", "16 bit TIFF", "grey", "1 bit", "grey, alpha", "RGBA", "CMYK", "GIF", "palette"],
)
def test_every_kind_of_pixel_becomes_rgb(data, color):
    image = open_image(data)

    assert image.mode == "RGB"
    assert np.abs(np.array(image.getpixel((4, 4))) - color).max() <= 2


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        np.zeros((8, 8, 3)),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.shape} {pixels.dtype}",
)
def test_an_array_that_is_no_picture_is_an_image_error(pixels):
    with pytest.raises(ImageError, match=r"is not an image: give \(height, width, 3\)"):
        open_image(pixels)


def test_a_grey_array_becomes_rgb():
    image = open_image(np.full((4, 6), 7, np.uint8))

    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (6, 4), (7, 7, 7))


def test_heic_is_read(tmp_path, picture):
    import pillow_heif as heif

    path = tmp_path / "photo.heic"
    heif.from_pillow(picture(1, 96, 64)).save(path, quality=95)

    assert difference(open_image(path), picture(1, 96, 64)) < 4


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (80, 48)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_preprocessing_is_the_same_from_path_bytes_image_and_array(tmp_path, picture, size, form):
    preprocessing = Preprocessing(*size, crop_fraction=0.9)
    data = encoded(picture(1, 300, 200), form)
    path = tmp_path / "photo"
    path.write_bytes(data)
    image = Image.open(io.BytesIO(data))

    inputs = [
        preprocessing(each) for each in (path, str(path), data, image, np.asarray(image.convert("RGB")))
    ]

    assert inputs[0].shape == (*size, 3)
    assert inputs[0].dtype == np.uint8
    for other in inputs[1:]:
        np.testing.assert_array_equal(other, inputs[0])


def test_preprocessing_a_large_jpeg_differs_little_from_its_decoded_picture(picture):
    data = encoded(picture(1, 2000, 1500), "JPEG")
    preprocessing = Preprocessing(64, 64)

    from_file = preprocessing(data).astype(int)
    from_image = preprocessing(Image.open(io.BytesIO(data))).astype(int)

    assert np.abs(from_file - from_image).mean() < 1.5


def test_preprocessing_keeps_the_middle_and_the_proportions():
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255  # the middle square
    half = np.zeros((100, 100, 3), np.uint8)
    half[25:75, 25:75] = 255

    assert (Preprocessing(50, 50, interpolation="bilinear")(pixels) == 255).mean() > 0.95
    assert (Preprocessing(50, 50, crop_fraction=0.5)(half) == 255).mean() > 0.9


def test_preprocessing_survives_being_saved():
    settings = Preprocessing(64, 48, 0.875, "bilinear", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))

    assert Preprocessing.from_dict(settings.as_dict()) == settings


def test_a_picture_of_one_pixel_can_be_prepared():
    assert Preprocessing(32, 32)(np.full((1, 1, 3), 9, np.uint8)).tolist() == np.full((32, 32, 3), 9).tolist()


@pytest.mark.parametrize(
    ("size", "shorter", "expected"),
    [
        ((400, 200), 100, (200, 100)),
        ((200, 401), 100, (100, 200)),
        ((90, 50), 100, (90, 50)),
        ((900, 2), 1, (450, 1)),
    ],
)
def test_shrinking_keeps_proportions_and_never_enlarges(size, shorter, expected):
    assert shrink(Image.new("RGB", size), shorter).size == expected


def test_a_strip_is_cut_from_left_to_right():
    strip = Image.new("RGB", (40, 10))
    for view in range(4):
        strip.paste((view, 0, 0), (10 * view, 0, 10 * view + 10, 10))

    views = cut_strip(strip)

    assert [view.size for view in views] == [(10, 10)] * 4
    assert [view.getpixel((9, 9))[0] for view in views] == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [(45, 10), (10, 20)])
def test_what_is_not_a_row_of_squares_is_no_strip(size):
    with pytest.raises(ImageError, match="not a row of square views"):
        cut_strip(Image.new("RGB", size))


def test_exif_fields_are_read_by_name(picture, gps):
    data = encoded(picture(1), "JPEG", exif=gps({1: "S", 2: (33.0, 51.0, 30.0), 17: 270.5}))

    fields = read_exif(data)

    assert fields["GPSLatitudeRef"] == "S"
    assert [float(part) for part in fields["GPSLatitude"]] == [33, 51, 30]
    assert float(fields["GPSImgDirection"]) == 270.5


@pytest.mark.parametrize("data", [b"", b"nothing", JPEG, JPEG[:25], png_header(40_000, 40_000)])
def test_a_file_without_readable_exif_has_no_fields(data):
    assert read_exif(data) == {}


# --- the box that becomes a model's input


def is_inside(size: tuple[int, int], shape: tuple[int, int], fraction: float) -> bool:
    left, top, right, bottom = centred_box(size, shape, fraction)
    return 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]


@pytest.mark.parametrize("shape", [(64, 64), (224, 224), (130, 80)])
@pytest.mark.slow
def test_no_size_of_a_photo_leaves_the_box_outside_of_it(shape: tuple[int, int]) -> None:
    """Rounding put it 1e-14 pixels outside for one photo in forty, such as of 2400x1800 pixels."""
    for width in range(1, 801):
        assert all(is_inside((width, height), shape, 1.0) for height in range(1, 801)), width


@given(
    size=st.tuples(st.integers(1, 30_000), st.integers(1, 30_000)),
    shape=st.tuples(st.integers(1, 1024), st.integers(1, 1024)),
    fraction=st.floats(0.05, 1.0),
)
def test_the_box_has_the_inputs_shape_and_is_centred(
    size: tuple[int, int], shape: tuple[int, int], fraction: float
) -> None:
    assert is_inside(size, shape, fraction)
    left, top, right, bottom = centred_box(size, shape, fraction)
    assert (right - left) / (bottom - top) == pytest.approx(shape[0] / shape[1], rel=1e-9)
    assert (left + right, top + bottom) == pytest.approx(size)
    assert max((right - left) / size[0], (bottom - top) / size[1]) == pytest.approx(fraction)


@pytest.mark.parametrize("size", [(2400, 1800), (1200, 900), (600, 450), (1, 1), (1, 800)])
def test_photos_that_could_not_be_cropped(size: tuple[int, int]) -> None:
    for side in (64, 160, 224):
        assert Preprocessing(side, side)(Image.new("RGB", size)).shape == (side, side, 3)
