"""`lostfound tune` through the real command line, from the search to a model trained with what it found.

How it is stopped, killed, and run side by side is tested with `lostfound compare`.
"""

from __future__ import annotations

import csv
import shlex
import sqlite3
from contextlib import closing

import pytest
import yaml

pytest.importorskip("optuna")

SET = [
    word
    for setting in (
        "model.backbone=lostfound:cnn5",
        "model.options={width: 8}",
        "task.min_images=2",
        "input.size=[32, 32]",
        "trainer.epochs=1",
        "trainer.batch_size=16",
        "trainer.workers=0",
        "trainer.device=cpu",
        "trainer.loggers=[csv]",
    )
    for word in ("--set", setting)
]


@pytest.mark.slow
def test_the_printed_command_trains_with_the_best_settings(lostfound, dataset_folder, tmp_path):
    (tmp_path / "space.yaml").write_text(
        "space:\n  optimizer.learning_rate: {log: [1e-3, 1e-2]}\n  schedule.name: [cosine, constant]\n"
    )
    out = tmp_path / "50% {of} what?"  # a database's URL gives these a meaning
    done = lostfound("tune", "demo", "--space", "space.yaml", "--trials", 2, "--data", dataset_folder,
                     "--to", out, *SET, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (out / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "done"]
    assert all(1e-3 <= float(row["optimizer.learning_rate"]) <= 1e-2 for row in rows)
    assert {"trials.md", "tune.png"} <= {path.name for path in out.iterdir()}
    with closing(sqlite3.connect(out / "tune.db")) as database:
        assert database.execute("SELECT study_name FROM studies").fetchall() == [("demo",)]

    [line] = [line for line in done.stdout.splitlines() if line.strip().startswith("lostfound train")]
    program, *words = shlex.split(line)
    assert program == "lostfound"
    trained = lostfound(*(str(tmp_path / "model") if word == "MODEL" else word for word in words))
    assert trained.returncode == 0, trained.stderr
    recipe = yaml.safe_load((tmp_path / "model" / "run" / "recipe.yaml").read_text())
    best = yaml.safe_load((out / "best.yaml").read_text())
    assert recipe["optimizer"]["learning_rate"] == best["optimizer.learning_rate"]
    assert recipe["schedule"]["name"] == best["schedule.name"]
    assert recipe["trainer"]["epochs"] == 1


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            "optimizer.learning_rat: [0.1]",
            "unknown key 'optimizer.learning_rat'; did you mean 'optimizer.learning_rate'?",
        ),
        ("optimizer.learning_rate: [0.1, -1]", "optimizer.learning_rate: "),
        ("optimizer.learning_rate: {between: [0, 1]}", "give a list of values, or one of {uniform"),
    ],
)
@pytest.mark.slow
def test_a_wrong_space(lostfound, dataset_folder, tmp_path, space, message):
    (tmp_path / "space.yaml").write_text(f"space: {{{space}}}\n")
    done = lostfound(
        "tune", "demo", "--space", "space.yaml", "--data", dataset_folder, "--to", "out", cwd=tmp_path
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
