"""The table of a bench can be pasted into an issue."""

from __future__ import annotations

import pytest

from lostfound.cli.output.bench import print_bench
from lostfound.predict.bench import BATCHES, Bench


def test_the_table_has_a_row_for_everything(capsys: pytest.CaptureFixture[str]) -> None:
    about = {
        **{"model": "mine", "model_bytes": 2_000_000, "input": [224, 320], "provider": "CPU"},
        **{"processor": "one", "cores": 2, "load": 0.5, "photos": "3 files", "versions": {"numpy": "2"}},
        **{"precision": "fp32", "devices": ["cpu"]},
    }
    print_bench(Bench(about, 0.5, 60.0, 12.0, {"decode": 1.5}, dict.fromkeys(BATCHES, 80.0), 70.0, 0.875))
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {3}
    assert len(rows) == 2 + 3 + 1 + len(BATCHES) + 2
    assert "320x224 pixels" in printed
    assert "0.50 s" in printed
    assert "88%" in printed
