"""Settings in YAML files: read as plain data, validated, and explained where they are wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from lostfound.errors import RecipeError, nearest_name

_BOOL = "tag:yaml.org,2002:bool"
_MOST_CHOICES = 12
"""Where a setting may be one of more words, its meaning does not list them."""


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


def read_yaml(text: str | bytes, where: str) -> Any:
    """Read YAML as plain data.

    Raises:
        RecipeError: It is no YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{where} is not valid YAML: {error}") from None


def read_recipe(name: str | Path, packaged: Traversable, what: str = "recipe") -> dict[str, Any]:
    """Read a recipe's values, or those of another such file, without validating them.

    Args:
        name: The name of a recipe in the package, or the path of a YAML file.
        packaged: The folder of the recipes in the package.
        what: What messages call it.

    Raises:
        RecipeError: It is missing, or is no YAML.
    """
    path = Path(name)
    known = ", ".join(packaged_names(packaged))
    own = packaged / f"{name}.yaml"
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path} does not exist; in the package: {known}")
        data = path.read_bytes()
    elif own.is_file():
        data = own.read_bytes()
    else:
        raise RecipeError(f"no {what} {str(name)!r}: give a YAML file, or one of {known}")
    values = read_yaml(data, str(name))
    if not isinstance(values, dict):
        raise RecipeError(f"{name} is not a {what}: it must be a mapping of settings")
    return values


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
    return override_settings(kind, read_recipe(name, packaged), overrides, str(name))


def override_settings(
    kind: type[Settings], values: dict[str, Any], overrides: Sequence[str], where: str
) -> Settings:
    """Change some of a recipe's values, and validate them.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    for override in overrides:
        set_key(values, *parse_override(override))
    return parse_settings(kind, values, where)


def parse_settings(
    kind: type[Settings], values: dict[str, Any], where: str, what: str = "recipe"
) -> Settings:
    """Validate a recipe's values, or those of another such file.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {each}" for each in explain(error, kind))
        raise RecipeError(f"{what} {where}:\n{problems}") from None


@dataclass(frozen=True)
class Setting:
    """One of a recipe's settings.

    Attributes:
        key: Dotted, as `--set` takes it.
        value: What the recipe says.
        default: What holds where a recipe says nothing.
        required: Whether each recipe must say something.
        meaning: What it may be, if one of a few words, and what it does; empty where its name says it.
    """

    key: str
    value: Any
    default: Any
    required: bool
    meaning: str


def describe_settings(section: BaseModel, above: str = "") -> Iterator[Setting]:
    """All settings of a section and of those in it, in their order.

    Args:
        section: The settings as they were read.
        above: Keys that lead to it, with a dot at the end.
    """
    for name, about in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from describe_settings(value, f"{above}{name}.")
        else:
            default = None if about.is_required() else about.get_default(call_default_factory=True)
            yield Setting(f"{above}{name}", value, default, about.is_required(), _meaning(about))


def _meaning(about: FieldInfo) -> str:
    """What a setting does, after what it may be: one of a few words, or a section that is left out."""
    choices = _choices(about.annotation)
    words = [each for each in choices if isinstance(each, str)]
    said = [f"{', '.join(words[:-1])} or {words[-1]}"] if 1 < len(words) <= _MOST_CHOICES else []
    said += [about.description] if about.description else []
    for section in choices:
        if not isinstance(section, str):
            keys = ", ".join(section.model_fields)
            said.append(f"{_summary(section)}Its keys: {keys}")
    return "; ".join(said)


def _summary(section: type[BaseModel]) -> str:
    """The first line of a section's docstring, with a space after it; empty without one."""
    lines = (section.__doc__ or "").splitlines()
    return f"{lines[0]} " if lines else ""


def _choices(annotation: Any) -> list[str | type[BaseModel]]:
    """The words and the sections that an annotation allows."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if get_origin(annotation) is Literal:
        return [each for each in get_args(annotation) if isinstance(each, str)]
    return [each for inside in get_args(annotation) for each in _choices(inside)]


def packaged_names(folder: Traversable) -> list[str]:
    """The names of the recipes in a folder of the package."""
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def parse_override(override: str) -> tuple[str, Any]:
    """The dotted key and the value of "key=value".

    Raises:
        RecipeError: It is not written so, or the value is no YAML.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override!r}: write it as key=value, such as trainer.epochs=3")
    return key, read_yaml(text, f"--set {override!r}: the value")


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key. Sections on the way are copied, since YAML files may share them."""
    *parents, last = key.split(".")
    for parent in parents:
        values[parent] = dict(values[parent]) if isinstance(values.get(parent), dict) else {}
        values = values[parent]
    values[last] = value


def explain(error: ValidationError, kind: type[BaseModel], word: str = "key") -> list[str]:
    """What is wrong with settings, a line for each problem; for an unknown key the nearest known one.

    Args:
        error: What validating them raised.
        kind: What they should have been.
        word: What messages call a key.
    """
    return [_explain(dict(each), kind, word) for each in error.errors()]


def _explain(error: dict[str, Any], kind: type[BaseModel], word: str) -> str:
    location, section = _place(error["loc"], kind)
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown {word} {key!r}; {_hint(location, section, kind)}"
    if error["type"] == "missing":
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return message if not key else f"{key}: {message} (is {error['input']!r})"


def _place(location: tuple[Any, ...], kind: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """The keys on the way to an error, and the section that holds the last of them."""
    keys: list[str] = []
    section: type[BaseModel] = kind
    options: list[type[BaseModel]] = []
    by_name = False
    for part in map(str, location):
        if part == "[key]":  # what is wrong is the name before it
            continue
        named = [each for each in options if part == _tag(each)] if len(options) > 1 else []
        if named:  # which of several kinds of a section it is: no key
            section = named[0]
            options = []
            continue
        keys.append(part)
        if by_name:  # a name that the file's author chose, of one section of many
            by_name = False
            continue
        if options:
            section = options[0]
        field = _fields(section).get(part)
        options = [] if field is None else list(_sections(field.annotation))
        by_name = field is not None and _is_mapping(field)
    return keys, section


def _tag(section: type[BaseModel]) -> str | None:
    """What the key `kind` says of a section that is one of several kinds."""
    field = section.model_fields.get("kind")
    return None if field is None else str(get_args(field.annotation)[0])


def _fields(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section, by the names they have in a file."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _is_mapping(field: FieldInfo) -> bool:
    """Does a field hold sections by names?"""
    return get_origin(field.annotation) is dict


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for option in get_args(annotation):
        yield from _sections(option)


def _hint(location: list[str], section: type[BaseModel], kind: type[BaseModel]) -> str:
    """The known key nearest to an unknown one: in its own section, or else in any."""
    *parents, last = location
    prefix = "".join(f"{part}." for part in parents)
    near = nearest_name(last, sorted(_fields(section)), least=0.5)
    if near:
        return f"did you mean {prefix + near!r}?"
    elsewhere = {each.rpartition(".")[2]: each for each in _keys(kind)}
    near = nearest_name(last, elsewhere, least=0.8)
    if near:
        return f"did you mean {elsewhere[near]!r}?"
    return f"known: {', '.join(sorted(_fields(section)))}"


def _keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys of a section and of those in it, dotted."""
    for name, field in _fields(section).items():
        yield prefix + name
        below = f"{prefix}{name}.NAME." if _is_mapping(field) else f"{prefix}{name}."
        for option in _sections(field.annotation):
            yield from _keys(option, below)
