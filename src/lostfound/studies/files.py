"""Reading the YAML files of studies: plain data, checked to the last key."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lostfound.errors import UsageError
from lostfound.settings_file import _Loader


class Section(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def packaged_names(kind: str) -> list[str]:
    """The files of a kind in the package, `studies` or `spaces`, without their `.yaml`."""
    folder = files("lostfound") / "recipes" / kind
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def read_yaml(name: str | Path, kind: str) -> dict[str, Any]:
    """Read a YAML file, or one in the package by its name.

    Args:
        name: A path that ends in .yaml or .yml, or a name of `packaged_names`.
        kind: `studies` or `spaces`.

    Raises:
        UsageError: It is missing, is no YAML, or is no mapping.
    """
    path, known = Path(name), packaged_names(kind)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UsageError(f"{path} does not exist; {kind} in the package: {', '.join(known)}")
        data = path.read_bytes()
    elif str(name) in known:
        data = (files("lostfound") / "recipes" / kind / f"{name}.yaml").read_bytes()
    else:
        raise UsageError(f"no file {str(name)!r}: give a YAML file, or one of {', '.join(known)}")
    try:
        values = yaml.load(data, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{name} must be a mapping")
    return values


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Dotted keys and their values from texts such as "trainer.epochs=3", whose values are YAML.

    Raises:
        UsageError: A text has no key or no value.
    """
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {text!r}: write it as key=value, such as trainer.epochs=3")
        try:
            values[key] = yaml.load(value, _Loader)  # noqa: S506 (a SafeLoader)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"--set {text!r}: the value is not valid YAML: {error}") from None
    return values


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong, a line for each problem, with the known key nearest to an unknown one."""
    return "\n".join(f"  {_line(dict(each), model)}" for each in error.errors())


def _line(error: dict[str, Any], model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _keys(model, location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        return f"unknown key {key!r}; {hint}"
    if error["type"] == "missing":
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{key}: {message} (is {error['input']!r})" if key else message


def _keys(model: type[BaseModel], location: list[str]) -> list[str]:
    """The known keys of the mapping at a place below a model."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if not location:
        return sorted(fields)
    annotation, below = fields[location[0]].annotation, location[1:]
    if get_origin(annotation) is dict:
        annotation, below = get_args(annotation)[1], below[1:]
    inner = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return _keys(annotation, below) if inner else []  # type: ignore[arg-type]
