"""Write docs/openapi.json, the description of the server's API that is committed and compared by a test."""

from __future__ import annotations

import json
from pathlib import Path

from lostfound.serve.app import build_app
from lostfound.serve.settings import ServeSettings

TARGET = Path(__file__).parent.parent / "docs" / "openapi.json"


def openapi_text() -> str:
    """The description, as it is committed."""
    return json.dumps(build_app(ServeSettings()).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(openapi_text(), encoding="utf-8")
