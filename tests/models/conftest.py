"""What the tests of models share."""

from __future__ import annotations

from pathlib import Path

import pytest
from exporter import quicken


@pytest.fixture(scope="session", autouse=True)
def exporter(shared: Path) -> None:
    """Of many models, each is exported."""
    quicken(shared / "graphs")
