"""Vendor what the pages' scripts build on into the package, for pages that work without a network.

    npm pack leaflet@1.9.4 supercluster@9.1.0 kdbush@4.1.0
    python scripts/build_assets.py FOLDER-WITH-THE-TARBALLS

Writes leaflet.js, leaflet.css, LEAFLET-LICENSE, supercluster.js (which holds kdbush) and SUPERCLUSTER-LICENSE
into src/lostfound/pages/assets. The tarballs must have the integrity hashes that the registry published for
these versions; the same tarballs give the same files.
"""

import argparse
import base64
import hashlib
import re
import tarfile
from pathlib import Path

# ruff: noqa: E501  # hashes
INTEGRITY = {
    "leaflet-1.9.4": "nxS1ynzJOmOlHp+iL3FyWqK89GtNL8U8rvlMOsQdTTssxZwCXh8N2NB3GDQOL+YR3XnWyZAxwQixURb+FA74PA==",
    "supercluster-9.1.0": "WMhsJPm8Tf9f5mKxJ1D0mB5tbCMOFi8wTrm/LGnsJHGg8xkeNT/TWDZuFauOGRISnclbYgnxD7g3xJAfQO3FLg==",
    "kdbush-4.1.0": "e9vurzrXJQrFX6ckpHP3bvj5l+9CnYzkxDNnNQ1h2QTqdWsUAJgXiKdGNcOa1EY85dU8KbQ+z/FdQdB7P+9yfQ==",
}
ASSETS = Path(__file__).resolve().parents[1] / "src" / "lostfound" / "pages" / "assets"


def read_verified(tarball: Path) -> dict[str, bytes]:
    """The files of a release this project vendors; stops if it is another."""
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != INTEGRITY[tarball.stem]:
        raise SystemExit(f"{tarball} is not {tarball.stem}: its hash is sha512-{digest}.")
    with tarfile.open(tarball) as archive:
        return {
            member.name.removeprefix("package/"): archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }


def inline_images(css: str, images: dict[str, bytes]) -> str:
    """Replace `url(images/x.png)` by the image itself, so that the style sheet loads no file."""

    def data_uri(match: re.Match[str]) -> str:
        return f"url(data:image/png;base64,{base64.b64encode(images[match[1]]).decode()})"

    return re.sub(r"url\((images/[\w.-]+)\)", data_uri, css)


def texts(folder: Path) -> dict[str, str]:
    """The files that are written, by name."""
    leaflet, supercluster, kdbush = (read_verified(folder / f"{name}.tgz") for name in INTEGRITY)
    images = {name.removeprefix("dist/"): data for name, data in leaflet.items() if name.endswith(".png")}
    # The source map stays behind, and a browser's developer tools would ask for it.
    script = re.sub(r"\n//# sourceMappingURL=.*\s*$", "\n", leaflet["dist/leaflet.js"].decode())
    return {
        "leaflet.js": script,
        "leaflet.css": inline_images(leaflet["dist/leaflet.css"].decode(), images),
        "LEAFLET-LICENSE": leaflet["LICENSE"].decode(),
        "supercluster.js": supercluster["dist/supercluster.min.js"].decode() + "\n",
        "SUPERCLUSTER-LICENSE": supercluster["LICENSE"].decode()
        + "\nIt holds kdbush:\n\n"
        + kdbush["LICENSE"].decode(),
    }


def main() -> None:
    """Verify the tarballs, then write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    ASSETS.mkdir(parents=True, exist_ok=True)
    for name, text in texts(parser.parse_args().folder).items():
        (ASSETS / name).write_bytes(text.replace("\r\n", "\n").encode())
        print(f"{ASSETS / name}: {len(text)} characters")


if __name__ == "__main__":
    main()
