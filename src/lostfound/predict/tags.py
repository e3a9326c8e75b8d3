"""What is written back to photos: an estimated position that every reader can tell from a measured one."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Container
from pathlib import Path
from xml.sax.saxutils import quoteattr  # it only writes

from lostfound.data.importers.own_place import ESTIMATE_MARK
from lostfound.errors import ImageError, MissingExtraError
from lostfound.predict.guess import Guess
from lostfound.texts import shown_name

NAMESPACE = "http://ns.lostfound/estimate/1.0/"
NOTE = "Position estimated from the picture alone by lostfound, not measured."
_START_OF_SCAN = 0xDA
_OURS = ("SourceFile", "System:", "GPS:", "Composite:", "ExifTool:", "File:ExifByteOrder")
_WHERE = ("Offset", "PreviewImageStart", "OtherImageStart", "Warning")
# What EXIF must say beside a position (Exif 2.32, 4.6.4), which ExifTool adds where there was none at all.
_NEEDED = tuple(
    f"IFD0:{name}" for name in ("XResolution", "YResolution", "ResolutionUnit", "YCbCrPositioning")
)


def processing_method(model: dict[str, str]) -> str:
    """What GPSProcessingMethod says: who estimated."""
    name = model["name"].encode("ascii", "replace").decode()
    return f"{ESTIMATE_MARK} {shown_name(name)} {model['sha256'][:12]}"


def error_m(guess: Guess) -> int | None:
    """GPSHPositioningError, metres: the radius of nine times in ten; else that of one in two, if known."""
    radius = guess.radius_90_km if guess.radius_90_km is not None else guess.radius_50_km
    return None if radius is None else max(1, round(1000 * radius))


def xmp_sidecar(guess: Guess, model: dict[str, str]) -> bytes:
    """The XMP packet of a photo's estimate (ISO 16684-1; the position as Exif for XMP has it)."""
    values = {
        "exif:GPSVersionID": "2.3.0.0",
        "exif:GPSLatitude": _angle(guess.latitude, "NS"),
        "exif:GPSLongitude": _angle(guess.longitude, "EW"),
        "exif:GPSMapDatum": "WGS-84",
        "exif:GPSProcessingMethod": processing_method(model),
        "lostfound:Note": NOTE,
        "lostfound:Model": model["name"],
        "lostfound:ModelVersion": model["version"],
        "lostfound:ModelSHA256": model["sha256"],
    }
    if (metres := error_m(guess)) is not None:
        values["exif:GPSHPositioningError"] = f"{metres}/1"
    numbers = {
        "Probability": guess.probability,
        "Radius50Km": guess.radius_50_km,
        "Radius90Km": guess.radius_90_km,
    }
    values |= {f"lostfound:{name}": f"{value:.4g}" for name, value in numbers.items() if value is not None}
    if guess.country is not None:
        values["lostfound:Country"] = guess.country
    lines = "\n".join(f"    {name}={quoteattr(shown_name(value))}" for name, value in values.items())
    text = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="lostfound">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:lostfound="{NAMESPACE}"
{lines}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
    return text.encode(errors="replace")


def _angle(degrees: float, directions: str) -> str:
    """Degrees and minutes, `48,51.500000N`; six decimals of a minute are two millimetres."""
    whole, minutes = divmod(round(abs(degrees) * 60, 6), 60)
    return f"{int(whole)},{minutes:.6f}{directions[degrees < 0]}"


def with_exif(photo: bytes, guess: Guess, model: dict[str, str]) -> bytes:
    """A JPEG file with the estimate in its EXIF and XMP, written by ExifTool; its picture is the same bytes.

    Raises:
        MissingExtraError: ExifTool is not installed.
        ImageError: It is no JPEG, or ExifTool can't write it without touching anything else.
    """
    tool = shutil.which("exiftool")
    if tool is None:
        raise MissingExtraError(
            "--exif needs ExifTool: install it (apt install libimage-exiftool-perl, brew install exiftool), "
            "or leave --exif out for XMP sidecars"
        )
    picture_of(photo)
    words = [
        f"-EXIF:GPSLatitude={abs(guess.latitude):.8f}",
        f"-EXIF:GPSLatitudeRef={'NS'[guess.latitude < 0]}",
        f"-EXIF:GPSLongitude={abs(guess.longitude):.8f}",
        f"-EXIF:GPSLongitudeRef={'EW'[guess.longitude < 0]}",
        f"-EXIF:GPSProcessingMethod={processing_method(model)}",
        *([f"-EXIF:GPSHPositioningError={metres}"] if (metres := error_m(guess)) is not None else []),
    ]
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.jpg", Path(folder) / "after.jpg"
        before.write_bytes(photo)
        # Neither the user's own settings nor a file's name reach ExifTool. It starts once a photo, to write
        # and to read both files. (Kept open for all photos it would outlive a lostfound that is killed.)
        write = ["-q", "-q", *words, "-o", str(after), str(before), "-echo3", "${status}"]
        read = ["-q", "-json", "-a", "-G1", "-n", "-b", str(before), str(after)]
        command = [tool, "-config", "", *write, "-execute", *read]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
        status, _, told = done.stdout.partition("\n")
        if status not in ("0", "${status}") or not after.is_file():  # before 12.10 it says no status
            said = (done.stderr or done.stdout).strip().partition("\n")[0].replace(str(before), "it")
            raise ImageError(f"ExifTool can't write it ({said})")
        written = after.read_bytes()
    if picture_of(written) != picture_of(photo):
        raise ImageError("ExifTool would change more than its metadata")
    if not _same(told, () if b"Exif\0" in photo[: head_length(photo)] else _NEEDED):
        raise ImageError("its metadata is broken, and ExifTool would change more of it than the position")
    return written


def _same(told: str, added: Container[str]) -> bool:
    """Whether ExifTool tells the same of two files, but for what is written, added, and where things lie."""
    try:
        before, after = (
            {
                name: value
                for name, value in values.items()
                if not name.startswith(_OURS) and not name.endswith(_WHERE)
            }
            for values in json.loads(told)
        )
    except (ValueError, AttributeError):  # it told of one, or broke off
        return False
    return bool(
        before == {name: value for name, value in after.items() if name in before or name not in added}
    )


def picture_of(photo: bytes) -> bytes:
    """The bytes of a JPEG from where its picture begins; before that is what says something about it.

    Raises:
        ImageError: It is no JPEG.
    """
    return photo[head_length(photo) :]


def head_length(photo: bytes) -> int:
    """How many bytes of a JPEG come before its picture.

    Raises:
        ImageError: It is no JPEG.
    """
    at = 2
    while photo[:2] == b"\xff\xd8" and photo[at : at + 1] == b"\xff" and at + 4 <= len(photo):
        if photo[at + 1] == _START_OF_SCAN:
            return at
        at += 1 if photo[at + 1] == 0xFF else 2 + int.from_bytes(photo[at + 2 : at + 4], "big")
    raise ImageError("no JPEG: its EXIF is left alone; XMP sidecars are for every kind of photo")
