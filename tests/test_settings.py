"""Settings in YAML files: what YAML means here; the rest is tested with the recipes that are read so."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from lostfound.errors import RecipeError
from lostfound.settings import (
    Section,
    Setting,
    describe_settings,
    load_settings,
    override_settings,
    parse_settings,
)


class Country(Section):
    code: str = ""
    land: bool = False
    share: float = 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code: NO", Country(code="NO")),  # Norway, which YAML 1.1 takes for false
        ("code: on", Country(code="on")),
        ("land: true", Country(land=True)),
        ("land: False", Country(land=False)),
        ("share: 1e-3", Country(share=0.001)),
        ("share: 2.5E+2", Country(share=250.0)),
    ],
)
def test_yaml_is_read_as_version_1_2(tmp_path: Path, text: str, expected: Country) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert load_settings(Country, path, tmp_path) == expected


def test_a_tag_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("code: !!python/object/apply:os.getcwd []")
    with pytest.raises(RecipeError, match="is not valid YAML"):
        load_settings(Country, path, tmp_path)


def test_without_a_file_the_overrides_are_all() -> None:
    assert override_settings(Country, {}, ["code=NO", "share=0.5"], "of the options").share == 0.5
    with pytest.raises(
        RecipeError, match="recipe of the options:\n  unknown key 'lnad'; did you mean 'land'"
    ):
        override_settings(Country, {}, ["lnad=true"], "of the options")


class Trip(Section):
    code: str = ""
    start: str | None = Field(None, alias="from")


class Atlas(Section):
    title: str
    trips: dict[str, Trip] = Field({})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "title is missing"),
        ({"trips": {"trips": {"cod": 1}}}, "unknown key 'trips.trips.cod'; did you mean 'trips.trips.code'?"),
        ({"trips": {"a": {"frm": "x"}}}, "unknown key 'trips.a.frm'; did you mean 'trips.a.from'?"),
        ({"code": "x"}, "unknown key 'code'; did you mean 'trips.NAME.code'?"),
    ],
)
def test_sections_by_names_of_the_author_s(values: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=r"atlas mine\.yaml:") as error:
        parse_settings(Atlas, values, "mine.yaml", "atlas")
    assert message in str(error.value)


class Inner(Section):
    share: float = Field(0.5, description="how much")


class Outer(Section):
    name: str
    inner: Inner = Inner()


def test_all_settings_are_described_in_their_order() -> None:
    assert list(describe_settings(Outer(name="x", inner=Inner(share=0.25)))) == [
        Setting("name", "x", None, True, ""),
        Setting("inner.share", 0.25, 0.5, False, "how much"),
    ]


class Chosen(Section):
    kind: Literal["one"] = "one"
    name: Literal["sgd", "adam", "adamw"] = "sgd"
    weights: Literal["none", "balanced"] | None = Field(None, description="of classes")
    loggers: tuple[Literal["csv", "wandb"], ...] = ()
    inner: Inner | None = Field(None, description="for some")


def test_what_a_setting_may_be_is_said() -> None:
    assert [each.meaning for each in describe_settings(Chosen())] == [
        "",
        "sgd, adam or adamw",
        "none or balanced; of classes",
        "csv or wandb",
        "for some; Its keys: share",
    ]
