"""What the tests of models share."""

from __future__ import annotations

import pytest
from exporter import read_functions_once


@pytest.fixture(scope="session", autouse=True)
def exporter() -> None:
    """Of many models, each is exported."""
    read_functions_once()
