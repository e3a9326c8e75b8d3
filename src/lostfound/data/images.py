"""Reading, resizing and writing single images: one code path for importing, training and answering."""

from __future__ import annotations

import io
import logging
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from lostfound.data import pixels
from lostfound.data.jpeg import may_hold_metadata
from lostfound.errors import ImageError, UsageError
from lostfound.parallel.room import room

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

# Other formats that Pillow knows are refused, whatever a file's name says: its EPS reader starts a program.
_FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})

# A file without these holds no metadata: EXIF is marked by one of the first, and TIFF is EXIF itself.
_METADATA = (b"Exif", b"EXIF", b"eXIf", b"exif", b"XMP", b"xmp", b"ns.adobe.com/xap", b"rdf+xml")
_JPEG = b"\xff\xd8"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Pillow warns of odd metadata and of many pixels; what is wrong with a photo is said by ImageError.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its words go to standard error
pixels.give_memory_back()

ImageSource = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any]
Interpolation = Literal["bilinear", "bicubic", "lanczos"]
Fit = Literal["crop", "squash"]

_ONE = (str, os.PathLike, bytes, Image.Image, np.ndarray)
_WHAT = "a path, the bytes of a file, a file opened in binary mode, a PIL image or an array (h, w, 3)"
_MAX_INPUT = 4096
_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocessing:
    """How an image of any size becomes a model's input. Saved with the model, used wherever it answers.

    Attributes:
        height: Rows of the input, in pixels.
        width: Columns of the input, in pixels.
        crop_fraction: Share of the largest centred box of the input's shape that is kept, in (0, 1].
        interpolation: The resampling filter, antialiased.
        mean: Per-channel mean on the scale 0..1, subtracted inside the network's graph.
        std: Per-channel standard deviation on the scale 0..1, divided by inside the network's graph.
        fit: crop: what is outside of the box is cut off; squash: all of the image is kept, and its
            proportions are not, as some published models have it.
    """

    height: int
    width: int
    crop_fraction: float = 1.0
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        sides = (self.height, self.width)
        if not all(isinstance(side, int) and 0 < side <= _MAX_INPUT for side in sides):
            raise ValueError(f"an input of {self.height}x{self.width} pixels (each side 1 to {_MAX_INPUT})")
        if not 0 < self.crop_fraction <= 1:
            raise ValueError(f"a crop_fraction of {self.crop_fraction} (more than 0, at most 1)")
        if self.interpolation not in _RESAMPLING:
            raise ValueError(f"an interpolation {self.interpolation!r} (of {', '.join(_RESAMPLING)})")
        if self.fit not in get_args(Fit):
            raise ValueError(f"a fit {self.fit!r} (of {', '.join(get_args(Fit))})")
        numbers = np.array([self.mean, self.std], dtype=np.float64)
        if numbers.shape != (2, 3) or not np.isfinite(numbers).all() or not (numbers[1] > 0).all():
            raise ValueError("mean and std that are not three numbers each, those of std more than 0")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values for `config.json`; `fit` only where it is not the usual."""
        values = asdict(self)
        if self.fit == "crop":
            del values["fit"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """The inverse of `as_dict`."""
        mean, std = (tuple(values[key]) for key in ("mean", "std"))
        return cls(**{**values, "mean": mean, "std": std})

    def __call__(self, source: ImageSource) -> NDArray[np.uint8]:
        """Turn one image into the model's input.

        A JPEG file much larger than the input is decoded at a reduced scale, so its input differs a
        little (about one level of 255) from that of the same picture already decoded.

        Args:
            source: A path, the bytes of a file, a `PIL.Image`, or an array (h, w, 3) or (h, w) of uint8.

        Returns:
            An array (height, width, 3), uint8, RGB.

        Raises:
            ImageError: The image can't be read.
        """
        with decoded(source, at_least=2 * max(self.height, self.width)) as image:
            shape = (self.width, self.height) if self.fit == "crop" else image.size
            box = centred_box(image.size, shape, self.crop_fraction)
            resized = image.resize((self.width, self.height), _RESAMPLING[self.interpolation], box=box)
            return np.array(resized)  # a copy: Pillow's own memory is read-only


def centred_box(
    size: tuple[int, int], shape: tuple[int, int], fraction: float = 1.0
) -> tuple[float, float, float, float]:
    """The largest centred box of some shape within an image, or a share of it.

    Args:
        size: Width and height of the image, in pixels.
        shape: Width and height of the input, whose proportions the box has.
        fraction: Share of its sides that is kept, in (0, 1].

    Returns:
        Left, top, right and bottom, in pixels; never outside of the image, whatever rounding makes of them.
    """
    scale = fraction * min(size[0] / shape[0], size[1] / shape[1])
    sides = []
    for whole, part in zip(size, shape, strict=True):
        start = max(0.0, (whole - part * scale) / 2)
        sides.append((start, min(float(whole), start + part * scale)))
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


def open_image(source: ImageSource, *, at_least: int | None = None) -> Image.Image:
    """Decode an image, upright by its EXIF orientation, in sRGB, without its metadata.

    Args:
        source: A path, the bytes of a file, a file opened in binary mode, a `PIL.Image`, or an array of
            uint8, (h, w, 3) or (h, w).
        at_least: If given, a JPEG may be decoded at a reduced scale as long as its shorter side keeps
            this many pixels (much faster for camera files).

    Raises:
        ImageError: The image is missing, truncated, not an image, or has more pixels than are decoded (see
            `lostfound.data.pixels.max_pixels`).
    """
    with decoded(source, at_least=at_least) as image:
        return image


@contextmanager
def decoded(source: ImageSource, *, at_least: int | None = None) -> Iterator[Image.Image]:
    """The same as `open_image`, for as long as the image is used.

    While others decode so much that memory may become short, it waits for them; so don't nest it.
    """
    if isinstance(source, np.ndarray):
        yield _from_array(source)
        return
    name = "image"
    if not isinstance(source, str | os.PathLike | bytes | Image.Image):
        source = file_bytes(source)
    elif not isinstance(source, bytes | Image.Image):
        path = Path(source)
        name = path.name
        try:
            source = read_file(path)
        except FileNotFoundError:
            raise ImageError(f"{name}: no such file") from None
        except OSError as error:
            raise ImageError(f"{name}: can't be read ({error.strerror})") from None
    with ExitStack() as stack:
        try:
            if isinstance(source, Image.Image):
                rgb = _upright_rgb(source)
            else:
                image = stack.enter_context(_opened(source, at_least))
                rgb = _upright_rgb(image, own=True)
                if rgb is not image:
                    image.close()  # its own pixels are needed no more
        except UsageError:
            raise
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
        except Image.DecompressionBombError as error:
            raise ImageError(f"{name}: more pixels than a photo has, refused as unsafe ({error})") from None
        except UnidentifiedImageError:
            raise ImageError(f"{name}: not an image that can be read") from None
        except Exception as error:  # on damaged bytes Pillow's readers raise nearly anything
            raise ImageError(f"{name}: damaged image ({str(error) or type(error).__name__})") from None
        yield rgb


def as_photos(photos: ImageSource | Iterable[ImageSource]) -> tuple[list[ImageSource], bool]:
    """One photo or several as a list, and whether it is one.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(photos, _ONE) or hasattr(photos, "read"):
        return [photos], True  # type: ignore[list-item]
    if not isinstance(photos, Iterable):
        raise UsageError(f"photos can't be {type(photos).__name__}: give {_WHAT}, or a list of them")
    return list(photos), False


def file_bytes(source: object) -> bytes:
    """What is left in an open file.

    Raises:
        ImageError: It is none, gives text, or has more bytes than an image has.
    """
    if not hasattr(source, "read"):
        raise ImageError(f"a photo can't be {type(source).__name__}: give {_WHAT}")
    most = 8 * pixels.max_pixels()
    try:
        data = source.read(most + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"the open file can't be read ({error})") from None
    if not isinstance(data, bytes):
        raise ImageError("the open file gives text: open it in binary mode, as open(path, 'rb')")
    if len(data) > most:
        raise ImageError(f"the open file has more than the {most:,} bytes that an image has")
    return data


def unreadable(error: Exception) -> str:
    """Why an image is left out, in words: what is wrong with it, or an error that nobody expected."""
    if isinstance(error, ImageError):
        return f"unreadable ({error})"
    if isinstance(error, OSError) and error.strerror:
        return f"unreadable ({error.strerror})"
    return f"unreadable (unexpected {type(error).__name__}: {error}; please report it)"


def read_file(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: It is no regular file, or larger than any image that is decoded.
        OSError: It is missing, or can't be read.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        what = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe or a device"
        raise ImageError(f"{path.name}: can't be read (it is {what}, not a regular file)")
    if about.st_size > 8 * pixels.max_pixels():
        raise ImageError(f"{path.name}: {about.st_size:,} bytes are more than an image has")
    return path.read_bytes()


@contextmanager
def _opened(data: bytes, at_least: int | None = None) -> Iterator[Image.Image]:
    """An image whose pixels are not yet decoded, and room in memory to do so."""
    with _open(data) as image:
        full = image.size
        if at_least is not None and image.format == "JPEG":
            scale = at_least / min(full)
            image.draft("RGB", (int(full[0] * scale) or 1, int(full[1] * scale) or 1))
        with room().taken(pixels.BYTES * pixels.decoded_pixels(image, full)):
            yield image


def _open(data: bytes) -> Image.Image:
    formats = _FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        from pillow_heif import register_heif_opener  # here, since few photos need it

        register_heif_opener()
        formats = (*_FORMATS, "HEIF")
    if data.startswith(_TIFF):
        pixels.quiet_libtiff()
    if Image.MAX_IMAGE_PIXELS is not None:  # who wants larger images than Pillow warns of has said so
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, pixels.max_pixels())
    return Image.open(io.BytesIO(data), formats=formats)


def _upright_rgb(image: Image.Image, *, own: bool = False) -> Image.Image:
    """An image as it is looked at: a copy, or itself where it is our `own` and need not be changed."""
    if image.format == "TIFF":
        pixels.quiet_libtiff()
    image.load()
    if 0 in image.size:
        raise ImageError(f"an image of {image.width}x{image.height} pixels holds nothing")
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        upright = ImageOps.exif_transpose(image) if turned else None
    except Exception:  # a broken EXIF block says nothing about the orientation
        upright = None
    if upright is None:
        upright = image if own else image.copy()
    if upright.mode == "P":
        upright = upright.convert("RGBA")  # straight to RGB, Pillow warns where entries are transparent
    transform = _to_srgb(image.info.get("icc_profile"), upright.mode)
    if transform is not None:
        upright = transform.apply(upright)
    rgb = pixels.to_rgb(upright, signed=pixels.signed(image))
    rgb.info = {}
    return rgb


@lru_cache(maxsize=64)
def _to_srgb(profile: object, mode: str) -> ImageCmsTransform | None:
    """From the colours of a photo's own profile (Display P3, Adobe RGB) to sRGB, which everything else is in.

    None where there is no profile, it is sRGB's, or it can't be used.
    """
    if not isinstance(profile, bytes) or mode not in ("RGB", "RGBA", "CMYK", "L"):
        return None
    from PIL import ImageCms  # here, since few photos need it

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(own).casefold():
            return None
        return ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _from_array(pixels: NDArray[Any]) -> Image.Image:
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not shaped or pixels.size == 0:
        raise ImageError(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is not an image: "
            "give (height, width, 3) or (height, width) of uint8"
        )
    return Image.fromarray(pixels).convert("RGB")


def shrink(image: Image.Image, shorter_side: int) -> Image.Image:
    """Resize so that the shorter side has at most `shorter_side` pixels; never enlarges."""
    scale = shorter_side / min(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def cut_strip(image: Image.Image) -> list[Image.Image]:
    """Cut a strip of square views side by side into its views, left to right.

    Raises:
        ImageError: The width is not a whole number of heights.
    """
    views, rest = divmod(image.width, image.height)
    if rest or views < 1:
        raise ImageError(
            f"a strip of {image.width}x{image.height} pixels is not a row of square views "
            "(its width must be a whole multiple of its height)"
        )
    side = image.height
    return [image.crop((side * i, 0, side * (i + 1), side)) for i in range(views)]


def read_exif(data: bytes) -> dict[str, Any]:
    """The EXIF fields that say where and when, from a file's bytes; empty where there are none.

    Returns:
        The GPS block's fields under their standard names (`GPSLatitude`, `GPSLatitudeRef`, ...) and
        `DateTimeOriginal`, and the XMP packet as `XMLPacket`, bytes. Broken blocks give what could be read.
    """
    fields: dict[str, Any] = {}
    if data.startswith(_JPEG):
        told = may_hold_metadata(data)
    else:
        told = data.startswith(_TIFF) or any(mark in data for mark in _METADATA)
    if not told:
        return fields  # most small images: this is told much sooner than a reader of the format tells it
    try:
        with _opened(data, at_least=1) as image:
            exif = image.getexif()
            gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
            fields.update({ExifTags.GPSTAGS.get(tag, str(tag)): value for tag, value in gps.items()})
            taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
            if taken:
                fields["DateTimeOriginal"] = str(taken)
            packet = image.info.get("xmp") or exif.get(ExifTags.Base.XMLPacket)
            if packet:
                fields["XMLPacket"] = packet.encode() if isinstance(packet, str) else bytes(packet)
    except Exception:  # on damaged blocks Pillow raises nearly anything
        return fields
    return fields
