"""The settings that a search tries: lists of values, and ranges."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lostfound.errors import RecipeError, UsageError
from lostfound.settings import read_recipe

if TYPE_CHECKING:
    from optuna import Trial

SPACES = files("lostfound") / "recipes" / "spaces"
SIGNIFICANT = 4
RANGES = {
    "uniform": "numbers between two, evenly",
    "log": "numbers between two, evenly by their logarithm",
    "int": "whole numbers from one to another",
}


@dataclass(frozen=True)
class Parameter:
    """One setting that is searched.

    Attributes:
        key: Its dotted name.
        values: Those of a list; or the two ends of a range.
        spread: None for a list, or one of `RANGES`.
    """

    key: str
    values: tuple[Any, ...]
    spread: str | None = None

    def suggest(self, trial: Trial) -> Any:
        """A value for a trial."""
        if self.spread is None:
            return self.value(trial.suggest_categorical(self.key, [label(value) for value in self.values]))
        low, high = self.values
        if self.spread == "int":
            return trial.suggest_int(self.key, low, high)
        return trial.suggest_float(self.key, low, high, log=self.spread == "log")

    def value(self, stored: Any) -> Any:
        """The setting's value, of what a trial's database holds of it."""
        if self.spread is not None:
            return stored
        return next(value for value in self.values if label(value) == stored)


@dataclass(frozen=True)
class Space:
    """All settings that are searched together."""

    parameters: tuple[Parameter, ...]

    @property
    def is_grid(self) -> bool:
        """Are all of them lists?"""
        return all(parameter.spread is None for parameter in self.parameters)

    def grid(self) -> list[dict[str, Any]]:
        """Every combination of the lists' values, as a trial's database holds them.

        Raises:
            UsageError: One of them is a range.
        """
        for parameter in self.parameters:
            if parameter.spread is not None:
                raise UsageError(
                    f"a grid takes a list of values for {parameter.key}, which has a range: give a list, or "
                    "search with --sampler tpe"
                )
        keys = [parameter.key for parameter in self.parameters]
        lists = [[label(value) for value in parameter.values] for parameter in self.parameters]
        return [dict(zip(keys, values, strict=True)) for values in itertools.product(*lists)]

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Settings for a trial, by dotted keys."""
        return {parameter.key: parameter.suggest(trial) for parameter in self.parameters}

    def settings(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial, of what its database holds."""
        return {each.key: each.value(stored[each.key]) for each in self.parameters if each.key in stored}

    def corners(self) -> list[dict[str, Any]]:
        """Settings that, checked, check each value of a list and each end of a range."""
        first = {parameter.key: parameter.values[0] for parameter in self.parameters}
        return [{**first, each.key: value} for each in self.parameters for value in each.values]

    def as_dict(self) -> dict[str, Any]:
        """As it is written in a file."""
        return {
            each.key: list(each.values) if each.spread is None else {each.spread: list(each.values)}
            for each in self.parameters
        }


def label(value: Any) -> bool | float | str | None:
    """A value as the database takes it; lists and mappings as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value)


def said(value: Any) -> str:
    """A setting's value as tables and messages have it."""
    if isinstance(value, float):
        return f"{value:.{SIGNIFICANT}g}"
    return value if isinstance(value, str) else json.dumps(value)


def load_space(name: str | Path) -> Space:
    """Read a search space.

    Args:
        name: A YAML file, or the name of one in the package: a mapping `space` from dotted keys to a list of
            values, or to a range such as `{log: [1e-5, 1e-1]}`.

    Raises:
        RecipeError: It is missing, is no YAML, or says something else.
    """
    values = read_recipe(name, SPACES, "space")
    space = values.get("space")
    if set(values) != {"space"} or not isinstance(space, dict) or not space:
        raise RecipeError(f"{name} must be a mapping 'space' from settings to their values, and nothing else")
    return Space(tuple(_parameter(str(key), value, f"{name}, {key}") for key, value in space.items()))


def _parameter(key: str, given: Any, where: str) -> Parameter:
    if isinstance(given, list) and given:
        if len({json.dumps(value) for value in given}) < len(given):
            raise RecipeError(f"{where}: a value stands there twice")
        return Parameter(key, tuple(given))
    if isinstance(given, dict) and len(given) == 1:
        [(spread, ends)] = given.items()
        if spread in RANGES and _are_ends(ends, spread):
            return Parameter(key, tuple(ends), spread)
    forms = ", ".join(f"{{{name}: [LOW, HIGH]}} ({says})" for name, says in RANGES.items())
    raise RecipeError(f"{where}: give a list of values, or one of {forms}")


def _are_ends(ends: Any, spread: str) -> bool:
    if not isinstance(ends, Sequence) or len(ends) != 2:
        return False
    kind = int if spread == "int" else (int, float)
    if any(isinstance(end, bool) or not isinstance(end, kind) for end in ends) or not ends[0] < ends[1]:
        return False
    return spread != "log" or bool(ends[0] > 0)
