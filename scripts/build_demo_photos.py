"""Makes the photos of `lostfound demo` from ones that may be shipped: smaller, with nothing but a place.

    pip download --no-deps scikit-learn && unzip scikit_learn-*.whl 'sklearn/datasets/images/*'
    python scripts/build_demo_photos.py sklearn/datasets/images

They are scikit-learn's two sample images; src/lostfound/cli/demo_photos/NOTICE.md says whose they are.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from PIL import ExifTags, Image

from lostfound.data.images import open_image, shrink

TO = Path(__file__).parent.parent / "src" / "lostfound" / "cli" / "demo_photos"
SIDE, QUALITY = 320, 85
PHOTOS = {
    "china.jpg": (
        "summer-palace.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        (39.9985, 116.2697),
    ),
    "flower.jpg": (
        "flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        None,
    ),
}
"""Of each source its name here, its hash, and where it was taken (degrees)."""


def main(folder: Path) -> None:
    """Write the photos, from the folder of scikit-learn's."""
    TO.mkdir(exist_ok=True)
    for source, (name, sha256, place) in PHOTOS.items():
        data = (folder / source).read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise SystemExit(f"{source} is another file than it was: {found}")
        image = shrink(open_image(data), SIDE)
        image.save(TO / name, "JPEG", quality=QUALITY, optimize=True, exif=_exif(place))
        print(f"{name}: {image.width}x{image.height}, {(TO / name).stat().st_size:,} bytes")


def _exif(place: tuple[float, float] | None) -> Image.Exif:
    """A block that says where a photo was taken, and nothing else."""
    exif = Image.Exif()
    if place is not None:
        latitude, longitude = place
        exif[ExifTags.IFD.GPSInfo] = {
            ExifTags.GPS.GPSLatitudeRef: "N" if latitude >= 0 else "S",
            ExifTags.GPS.GPSLatitude: _sexagesimal(abs(latitude)),
            ExifTags.GPS.GPSLongitudeRef: "E" if longitude >= 0 else "W",
            ExifTags.GPS.GPSLongitude: _sexagesimal(abs(longitude)),
        }
    return exif


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    minutes = degrees % 1 * 60
    return float(int(degrees)), float(int(minutes)), round(minutes % 1 * 60, 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
