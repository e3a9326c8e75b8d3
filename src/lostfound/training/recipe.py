"""Reading recipes: YAML files that determine a training run, with named variants, checked to the last key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from lostfound.errors import RecipeError
from lostfound.training.settings import Recipe, Task

_TASKS = {kind.model_fields["kind"].annotation.__args__[0]: kind for kind in get_args(get_args(Task)[0])}


class _Loader(yaml.SafeLoader):
    """Plain data only, as in YAML 1.2: 1e-3 is a number, and NO is Norway. PyYAML speaks 1.1."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_recipe(
    name: str | Path, overrides: Sequence[str] | Mapping[str, Any] = (), *, variant: str | None = None
) -> Recipe:
    """Read and validate a recipe.

    Args:
        name: The name of a recipe in the package, such as "countries", or the path of a YAML file.
        overrides: Settings to change after the variant's: texts such as "trainer.epochs=3", whose values are
            read as YAML, or a mapping of dotted keys to values.
        variant: One of the recipe's own named variants, or several, such as "regions+laptop".

    Raises:
        RecipeError: It is missing, is no YAML, has no such variant, or has an unknown key (the nearest known
            one is named) or a wrong value.
    """
    values = _read(name)
    variants = values.pop("variants", None) or {}
    for each in variant.split("+") if variant is not None else ():
        if each not in variants:
            known = ", ".join(variants) or "none"
            raise RecipeError(f"recipe {name} has no variant {each!r}; it has: {known}")
        _merge(values, variants[each], f"variant {each}")
    if isinstance(overrides, Mapping):
        _merge(values, overrides, "the overrides")
    else:
        for override in overrides:
            _override(values, override)
    return parse_recipe(values, str(name) if variant is None else f"{name}, variant {variant}")


def variant_names(name: str | Path) -> list[str]:
    """The named variants of a recipe.

    Raises:
        RecipeError: The recipe is missing or no YAML.
    """
    return list(_read(name).get("variants") or {})


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Validate a recipe's values.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    task = values.get("task")
    if isinstance(task, dict) and "kind" not in task:
        values = {**values, "task": {"kind": "classify", **task}}
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(dict(each))}" for each in error.errors())
        raise RecipeError(f"recipe {where}:\n{problems}") from None


def recipe_names() -> list[str]:
    """The recipes in the package."""
    folder = files("lostfound") / "recipes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _read(name: str | Path) -> dict[str, Any]:
    path = Path(name)
    packaged = files("lostfound") / "recipes" / f"{name}.yaml"
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path} does not exist; recipes in the package: {', '.join(recipe_names())}")
        data = path.read_bytes()
    elif packaged.is_file():
        data = packaged.read_bytes()
    else:
        raise RecipeError(f"no recipe {str(name)!r}: give a YAML file, or one of {', '.join(recipe_names())}")
    try:
        values = yaml.load(data, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{name} is not a recipe: it must be a mapping of settings")
    if not isinstance(values.get("variants") or {}, dict):
        raise RecipeError(f"{name}: variants must be a mapping of names to settings")
    return values


def _merge(values: dict[str, Any], changes: Any, where: str) -> None:
    """Change values by a mapping whose keys are dotted, or sections, or both."""
    if not isinstance(changes, Mapping):
        raise RecipeError(f"{where} must be a mapping of settings")
    changes = dict(changes)
    task = changes.get("task")
    for key in ("kind", "partition"):  # they come first: they decide what else there is
        if f"task.{key}" in changes:
            _set(values, f"task.{key}", changes.pop(f"task.{key}"))
        elif isinstance(task, Mapping) and key in task:
            _set(values, f"task.{key}", task[key])
    for key, value in changes.items():
        section = values.get(key)
        if isinstance(value, Mapping) and isinstance(section, dict) and "." not in key:
            values[key] = {**section, **value}
        else:
            _set(values, key, value)


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override!r}: write it as key=value, such as trainer.epochs=3")
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"--set {override!r}: the value is not valid YAML: {error}") from None
    _set(values, key, value)


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; another kind of task or of partition starts from its own defaults."""
    task = values.get("task") or {}
    if key == "task.kind" and task.get("kind", "classify") != value:
        values["task"] = {}
    if key == "task.partition" and task.get("partition", "countries") != value:
        values["task"] = {name: own for name, own in task.items() if name != "settings"}
    *parents, last = key.split(".")
    for parent in parents:
        values[parent] = dict(values[parent]) if isinstance(values.get(parent), dict) else {}
        values = values[parent]
    values[last] = value


def _explain(error: dict[str, Any]) -> str:
    location = [str(part) for part in error["loc"]]
    kind = location.pop(1) if location[:1] == ["task"] and len(location) > 1 else None
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {_hint(location, kind)}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return message if not key else f"{key}: {message} (is {error['input']!r})"


def _hint(location: list[str], kind: str | None) -> str:
    """The known key nearest to an unknown one: in its own section, or else in any."""
    *parents, last = location
    prefix = "".join(f"{part}." for part in parents)
    tasks = [_TASKS[kind]] if kind in _TASKS else _TASKS.values()
    known = [*_keys(Recipe), *(f"task.{key}" for task in tasks for key in _keys(task))]
    siblings = {each.removeprefix(prefix) for each in known if each.startswith(prefix)}
    siblings = {each for each in siblings if "." not in each}
    near = difflib.get_close_matches(last, sorted(siblings), n=1, cutoff=0.5)
    if near:
        return f"did you mean {prefix + near[0]!r}?"
    elsewhere = {each.rpartition(".")[2]: each for each in known}
    near = difflib.get_close_matches(last, list(elsewhere), n=1, cutoff=0.8)
    if near:
        return f"did you mean {elsewhere[near[0]]!r}?"
    return f"known: {', '.join(sorted(siblings))}"


def _keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys of a section and of those in it, dotted; a task's depend on its kind."""
    for name, field in section.model_fields.items():
        yield prefix + name
        if (section, name) == (Recipe, "task"):
            continue
        for option in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from _keys(option, f"{prefix}{name}.")
