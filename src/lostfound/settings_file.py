"""Settings in YAML files: read as plain data, validated, and explained where they are wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lostfound.errors import RecipeError

_BOOL = "tag:yaml.org,2002:bool"


class Section(BaseModel):
    """Settings that belong together; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Settings = TypeVar("Settings", bound=Section)


class _Loader(yaml.SafeLoader):
    """Plain data only, read as YAML 1.2 does; PyYAML speaks 1.1, where 1e-3 is a text and NO is false."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_settings(
    kind: type[Settings], name: str | Path, packaged: Traversable, overrides: Sequence[str] = ()
) -> Settings:
    """Read and validate a recipe.

    Args:
        kind: What the file must hold.
        name: The name of a recipe in the package, or the path of a YAML file.
        packaged: The folder of the recipes in the package.
        overrides: Settings to change, such as "trainer.epochs=3"; values are read as YAML.

    Raises:
        RecipeError: It is missing, is no YAML, or has an unknown key (the nearest known one is named)
            or a wrong value.
    """
    path = Path(name)
    known = ", ".join(packaged_names(packaged))
    own = packaged / f"{name}.yaml"
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path} does not exist; recipes in the package: {known}")
        data = path.read_bytes()
    elif own.is_file():
        data = own.read_bytes()
    else:
        raise RecipeError(f"no recipe {str(name)!r}: give a YAML file, or one of {known}")
    try:
        values = yaml.load(data, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{name} is not a recipe: it must be a mapping of settings")
    return override_settings(kind, values, overrides, str(name))


def override_settings(
    kind: type[Settings], values: dict[str, Any], overrides: Sequence[str], where: str
) -> Settings:
    """Change some of a recipe's values, and validate them.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    for override in overrides:
        _override(values, override)
    return parse_settings(kind, values, where)


def parse_settings(kind: type[Settings], values: dict[str, Any], where: str) -> Settings:
    """Validate a recipe's values.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(dict(each), kind)}" for each in error.errors())
        raise RecipeError(f"recipe {where}:\n{problems}") from None


def packaged_names(folder: Traversable) -> list[str]:
    """The names of the recipes in a folder of the package."""
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override!r}: write it as key=value, such as trainer.epochs=3")
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"--set {override!r}: the value is not valid YAML: {error}") from None
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(values.get(parent), dict):
            values[parent] = {}
        values = values[parent]
    values[last] = value


def _explain(error: dict[str, Any], kind: type[Section]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {_hint(location, kind)}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return message if not key else f"{key}: {message} (is {error['input']!r})"


def _hint(location: list[str], kind: type[Section]) -> str:
    """The known key nearest to an unknown one: in its own section, or else in any."""
    *parents, last = location
    prefix = "".join(f"{part}." for part in parents)
    known = list(_keys(kind))
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
    """All keys of a section and of those in it, dotted."""
    for name, field in section.model_fields.items():
        yield prefix + name
        for option in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from _keys(option, f"{prefix}{name}.")
