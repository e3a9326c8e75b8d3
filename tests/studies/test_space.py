from __future__ import annotations

import pytest

from lostfound.errors import UsageError
from lostfound.settings import packaged_names
from lostfound.studies.space import SPACES, Parameter, Space, load_space

optuna = pytest.importorskip("optuna")


def load(tmp_path, text: str) -> Space:
    file = tmp_path / "space.yaml"
    file.write_text(text, encoding="utf-8")
    return load_space(file)


def test_lists_and_ranges(tmp_path):
    space = load(
        tmp_path,
        "space:\n  a.b: [1e-3, 0.1]\n  c: {log: [1e-5, 1e-1]}\n  d: {int: [1, 4]}\n  e: {uniform: [0, 1]}\n",
    )
    assert space.parameters == (
        Parameter("a.b", (0.001, 0.1)),
        Parameter("c", (1e-5, 0.1), "log"),
        Parameter("d", (1, 4), "int"),
        Parameter("e", (0, 1), "uniform"),
    )
    assert not space.is_grid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("space: {}", "must be a mapping 'space'"),
        ("spaces: {a: [1]}", "must be a mapping 'space'"),
        ("space: {a: [1]}\ntrials: 3", "nothing else"),
        ("- 1", "must be a mapping"),
        ("space: {a: []}", "a: give a list of values"),
        ("space: {a: 3}", "a: give a list of values"),
        ("space: {a: [1, 1]}", "stands there twice"),
        ("space: {a: {lgo: [1, 2]}}", "{log: [LOW, HIGH]}"),
        ("space: {a: {log: [0, 2]}}", "a: give a list"),
        ("space: {a: {log: [2, 1]}}", "a: give a list"),
        ("space: {a: {int: [1.5, 2]}}", "a: give a list"),
        ("space: {a: {uniform: [1, 2, 3]}}", "a: give a list"),
        ("space: {a: {uniform: [true, false]}}", "a: give a list"),
        ("space: [", "not valid YAML"),
    ],
)
def test_says_what_is_wrong(tmp_path, text, message):
    with pytest.raises(UsageError) as error:
        load(tmp_path, text)
    assert message in str(error.value)


def test_a_grid_is_every_combination():
    space = Space((Parameter("a", (1, 2)), Parameter("b", ("x", "y", "z"))))
    grid = space.grid()
    assert len(grid) == 6
    assert {tuple(each.values()) for each in grid} == {(a, b) for a in (1, 2) for b in "xyz"}


def test_a_range_has_no_grid():
    with pytest.raises(UsageError, match="list of values for a"):
        Space((Parameter("a", (1, 2), "int"),)).grid()


def test_what_a_database_can_not_hold_comes_back():
    space = Space((Parameter("input.size", ([32, 32], [64, 64])), Parameter("x", (None, True, "a"))))
    assert [space.settings(each) for each in space.grid()][:2] == [
        {"input.size": [32, 32], "x": None},
        {"input.size": [32, 32], "x": True},
    ]
    assert all(
        isinstance(value, str | bool | int | float | None) for each in space.grid() for value in each.values()
    )


def test_suggestions_lie_in_the_space():
    space = Space(
        (
            Parameter("a", ([1], [2])),
            Parameter("b", (1e-4, 1e-1), "log"),
            Parameter("c", (2, 5), "int"),
            Parameter("d", (0, 1), "uniform"),
        )
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        found = space.suggest(trial)
        assert found["a"] in ([1], [2])
        assert 1e-4 <= found["b"] <= 1e-1
        assert found["c"] in range(2, 6)
        assert 0 <= found["d"] <= 1
        assert space.settings(trial.params) == found


def test_corners_hold_every_value():
    space = Space((Parameter("a", (1, 2, 3)), Parameter("b", (0.1, 0.5), "uniform")))
    corners = space.corners()
    assert {each["a"] for each in corners} == {1, 2, 3}
    assert {each["b"] for each in corners} == {0.1, 0.5}


def test_the_packaged_spaces_are_of_real_settings():
    from lostfound.training.recipe import load_recipe

    assert "lost-and-found" in packaged_names(SPACES)
    for name in packaged_names(SPACES):
        for settings in load_space(name).corners():
            load_recipe("lost-and-found", settings)


def test_the_grid_of_lost_and_found():
    grid = load_space("lost-and-found").grid()
    assert len(grid) == 15
    assert {each["optimizer.learning_rate"] for each in grid} == {1e-1, 1e-2, 1e-3, 1e-4, 1e-5}
    assert {each["optimizer.weight_decay"] for each in grid} == {1e-1, 1e-2, 1e-3}
