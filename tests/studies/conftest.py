"""What the tests of studies share: settings that make a training take a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from exporter import quicken

TINY = {
    "model.backbone": "lostfound:cnn5",  # its export takes three quarters of the time of a timm model's
    "model.options": {"width": 8},
    "task.min_images": 2,
    "input.size": [32, 32],
    "trainer.epochs": 1,
    "trainer.batch_size": 16,
    "trainer.workers": 0,
    "trainer.device": "cpu",
    "trainer.loggers": ["csv"],
}


@pytest.fixture(scope="session", autouse=True)
def exporter(shared: Path) -> None:
    """Of many models, each is exported."""
    quicken(shared / "graphs")


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, Any]:
    """Settings of the demo's recipe that make a training take a second."""
    return dict(TINY)


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[..., Path]:
    """Write a study of the demo's recipe, cut down, with some keys changed; gives its path."""

    def write(**changes: Any) -> Path:
        values = {
            "name": "tiny",
            "recipe": "demo",
            "seeds": [0],
            "set": TINY,
            "baseline": "plain",
            "variants": {"plain": {}, "faster": {"set": {"optimizer.learning_rate": 0.01}}},
            **changes,
        }
        file = tmp_path / "study.yaml"
        file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        return file

    return write
