"""Vendor Leaflet into the package, for the map page that works without a network.

    npm pack leaflet@1.9.4
    python scripts/build_assets.py leaflet-1.9.4.tgz

Writes leaflet.js, leaflet.css and LEAFLET-LICENSE into src/lostfound/pages/assets. The tarball must have
the integrity hash that the registry published for this version; the same tarball gives the same files.
"""

import argparse
import base64
import hashlib
import re
import tarfile
from pathlib import Path

INTEGRITY = "sha512-nxS1ynzJOmOlHp+iL3FyWqK89GtNL8U8rvlMOsQdTTssxZwCXh8N2NB3GDQOL+YR3XnWyZAxwQixURb+FA74PA=="
ASSETS = Path(__file__).resolve().parents[1] / "src" / "lostfound" / "pages" / "assets"


def verify(tarball: Path) -> None:
    """Stop unless the file is the release this project vendors."""
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise SystemExit(f"{tarball} is not leaflet 1.9.4: its hash is sha512-{digest}, not {INTEGRITY}.")


def inline_images(css: str, images: dict[str, bytes]) -> str:
    """Replace `url(images/x.png)` by the image itself, so that the style sheet loads no file."""

    def data_uri(match: re.Match[str]) -> str:
        return f"url(data:image/png;base64,{base64.b64encode(images[match[1]]).decode()})"

    return re.sub(r"url\((images/[\w.-]+)\)", data_uri, css)


def main() -> None:
    """Verify the tarball, then write the three files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tarball", type=Path)
    tarball = parser.parse_args().tarball
    verify(tarball)
    with tarfile.open(tarball) as archive:
        files = {
            member.name.removeprefix("package/"): archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }
    images = {name.removeprefix("dist/"): data for name, data in files.items() if name.endswith(".png")}
    # The source map stays behind, and a browser's developer tools would ask for it.
    script = re.sub(r"\n//# sourceMappingURL=.*\s*$", "\n", files["dist/leaflet.js"].decode())
    style = inline_images(files["dist/leaflet.css"].decode(), images)
    ASSETS.mkdir(parents=True, exist_ok=True)
    texts = {"leaflet.js": script, "leaflet.css": style, "LEAFLET-LICENSE": files["LICENSE"].decode()}
    for name, text in texts.items():
        (ASSETS / name).write_bytes(text.replace("\r\n", "\n").encode())
        print(f"{ASSETS / name}: {len(text)} characters")


if __name__ == "__main__":
    main()
