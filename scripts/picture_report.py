"""Pictures of a report for the docs, by Chromium: its head on a screen, and the map of cells on a phone.

    lostfound demo --train
    python scripts/picture_report.py lostfound-demo-trained/report/report.html docs/images

Only of the generated world: photos of real places have no business in the docs.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

SCREEN, PHONE = (1100, 1330), (390, 844)


def save(png: bytes, path: Path) -> None:
    """Write a picture of few colours, which keeps the repository small."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size} bytes")


def main() -> None:
    """Open the page twice and picture it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path)
    parser.add_argument("to", type=Path)
    arguments = parser.parse_args()
    address = arguments.report.resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=dict(zip(("width", "height"), SCREEN, strict=True)))
        page.goto(address)
        page.wait_for_timeout(500)
        save(page.screenshot(), arguments.to / "report.png")
        context = browser.new_context(
            viewport=dict(zip(("width", "height"), PHONE, strict=True)), is_mobile=True, has_touch=True
        )
        page = context.new_page()
        page.goto(address)
        page.locator("#neighbourhoods").evaluate("section => section.scrollIntoView()")
        page.wait_for_timeout(500)
        save(page.screenshot(), arguments.to / "report-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
