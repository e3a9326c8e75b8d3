"""A visit to the server's page in a real browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
DROP = """([files]) => {
  const transfer = new DataTransfer();
  for (const {name, type, data} of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type, lastModified: 0}));
  }
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.querySelector("#drop").dispatchEvent(
      new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
  }
}"""
PASTE = """([files]) => {
  const transfer = new DataTransfer();
  for (const {name, type, data} of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  const how = {clipboardData: transfer, bubbles: true, cancelable: true};
  document.dispatchEvent(new ClipboardEvent("paste", how));
}"""


class Visit:
    """A visit to the page, which says what was asked of whom and what went wrong."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else 0)
        page.goto(url)
        page.wait_for_selector("path.country", state="attached")

    def give(self, how: str, files: Sequence[tuple[str, str, bytes]]) -> None:
        """Drop or paste files: names, types, bytes."""
        self.page.evaluate(
            how,
            [
                [
                    {"name": name, "type": type_, "data": base64.b64encode(data).decode()}
                    for name, type_, data in files
                ]
            ],
        )

    def drop(self, paths: Sequence[Path]) -> None:
        self.give(DROP, [(path.name, "image/jpeg", path.read_bytes()) for path in paths])

    def done(self, count: int) -> list[Any]:
        """The cards, as soon as so many photos are answered for."""
        ended = ".card:is([data-status=done], [data-status=failed])"
        self.page.wait_for_function(f"(n) => document.querySelectorAll('{ended}').length === n", arg=count)
        return self.page.locator(".card").all()

    def download(self, kind: str) -> str:
        with self.page.expect_download() as started:
            self.page.get_by_role("button", name=f"Download {kind}").click()
        return Path(started.value.path()).read_text(encoding="utf-8-sig")

    def located(self) -> list[dict[str, Any]]:
        """What was answered, by the page's own file."""
        return [each["properties"] for each in json.loads(self.download("GeoJSON"))["features"]]
