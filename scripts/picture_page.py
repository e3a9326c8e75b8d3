"""Pictures of the server's page for the docs, by Chromium: on a screen, on one that is dark, and on a phone.

    lostfound demo --train
    lostfound serve --model demo=lostfound-demo-trained/model &
    python scripts/picture_page.py http://127.0.0.1:8000 docs/images

The photos are drawn: they show the generated world, for photos of real places have no business in the docs.
"""

import argparse
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from lostfound.world import write_world

SCREEN: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
PHONE: dict[str, Any] = {
    **{"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"},
    **{"is_mobile": True, "has_touch": True, "device_scale_factor": 1.5},
}
COUNTRIES = ["FR", "JP", "BR", "KE", "NO", "AU"]
LOOK_MS = 2500


def save(png: bytes, path: Path) -> None:
    """Write a picture of few colours, which keeps the repository small."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size} bytes")


def visit(browser: Any, address: str, photos: list[Path], **options: Any) -> Any:
    """The page with photos that are answered."""
    page = browser.new_context(**options).new_page()
    page.goto(address)
    page.set_input_files("#choose", photos)
    page.wait_for_function(
        "() => document.querySelector('.card') && !document.querySelector('[data-status=waiting]')"
    )
    page.wait_for_timeout(LOOK_MS)
    return page


def main() -> None:
    """Visit the page three times and picture it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("to", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_world(
            Path(folder) / "world", places=len(COUNTRIES), views=1, size=640, seed=5, countries=COUNTRIES
        )
        photos = sorted(Path(folder).rglob("*.jpg"))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = visit(browser, arguments.address, photos, **SCREEN)
        save(page.screenshot(), arguments.to / "page.png")
        page = visit(browser, arguments.address, photos, **SCREEN, color_scheme="dark")
        page.locator(".heat-controls .choice").nth(1).click()
        page.wait_for_timeout(LOOK_MS)
        save(page.screenshot(), arguments.to / "page-dark.png")
        page = visit(browser, arguments.address, photos, **PHONE)
        page.locator(".card .open").nth(3).tap()
        page.wait_for_timeout(LOOK_MS)
        save(page.screenshot(), arguments.to / "page-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
