"""A study: variants of a recipe, trained over several seeds and compared, as a YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from lostfound.errors import UsageError
from lostfound.evaluation.metrics import SAMPLED
from lostfound.settings import Section, parse_settings, read_recipe
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe

STUDIES = files("lostfound") / "recipes" / "studies"


def _name_of_a_folder(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError("it names a folder: letters, digits, dots, hyphens and underscores")
    return name


def _known_metric(name: str) -> str:
    if name not in SAMPLED:
        raise ValueError(f"no such metric; known: {', '.join(SAMPLED)}")
    return name


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands there twice")
    return seeds


Name = Annotated[str, AfterValidator(_name_of_a_folder)]
HoldOut = Literal["source"]
"""The records' column whose values are held out."""
Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1), AfterValidator(_different)
]


class EvaluateOn(Section):
    """What a model is judged on."""

    data: str | None = Field(None, description="another data set than it was trained on")
    split: Literal["train", "val", "test", "all"] = "test"
    unit: Literal["image", "place"] | None = Field(
        None, description="image: an answer each; place: one of all its views; null: as it was trained"
    )


class Entry(Section):
    """A variant in a study, trained once for each seed."""

    variant: str | None = Field(None, description="of the recipe")
    set: dict[str, Any] = Field({}, description="settings changed after the variant's, by dotted keys")
    weights: str | None = Field(None, description="FILE, hub, or null for none; left out: --weights")
    start_from: str | None = Field(
        None, alias="from", description="the entry whose model, of the same seed, is the start"
    )
    same_model_as: str | None = Field(
        None, description="nothing is trained: the entry whose models are judged in another way"
    )
    data: str | None = Field(None, description="another data set than the study's")
    evaluate_on: EvaluateOn = EvaluateOn()

    @model_validator(mode="after")
    def _one_origin(self) -> Entry:
        if self.start_from and "weights" in self.model_fields_set:
            raise ValueError("it starts from another entry's model or from weights, not both")
        if self.same_model_as and self.model_fields_set & {"variant", "set", "weights", "start_from", "data"}:
            raise ValueError("same_model_as goes with evaluate_on alone, since nothing is trained")
        return self

    @property
    def needs(self) -> str | None:
        """The entry that must be trained before."""
        return self.start_from or self.same_model_as


class Claim(Section):
    """What a source says of an entry, and what a measurement of it would have to show."""

    says: str
    expects: Literal["better", "worse"] = Field(description="than the baseline")
    metric: Annotated[str, AfterValidator(_known_metric)] | None = Field(
        None, description="by which; null: the study's first"
    )


class StudyFile(Section):
    """What a study file holds."""

    name: Name
    about: str = Field("", description="the question, in a sentence or two")
    recipe: str
    variant: str | None = Field(None, description="of the recipe, which those of the entries come on top of")
    set: dict[str, Any] = Field({}, description="settings changed in all entries, after their variants'")
    seeds: Seeds = Field([0, 1, 2])
    data: str | None = Field(None, description="a data set's folder; left out: --data")
    variants: dict[Name, Entry] = Field(min_length=1)
    baseline: str
    metrics: list[Annotated[str, AfterValidator(_known_metric)]] = Field(
        ["country_accuracy", "median_distance_km"], min_length=1
    )
    claims: dict[str, str | Claim] = Field(
        {}, description="what a source says of an entry, beside what was measured"
    )
    hold_out: HoldOut | None = Field(
        None, description="source: train without each collection in turn, and judge on those left out"
    )
    folds: int | None = Field(
        None, ge=2, description="that collections are dealt to; null: up to ten alone, more to five"
    )

    @model_validator(mode="after")
    def _of_its_entries(self) -> StudyFile:
        named = [("baseline", self.baseline)]
        named += [(f"claims.{name}", name) for name in self.claims]
        for name, entry in self.variants.items():
            named += [(f"variants.{name}", other) for other in [entry.needs] if other]
        for name, claim in self.claims.items():
            if isinstance(claim, Claim) and claim.metric not in (None, *self.metrics):
                raise ValueError(f"claims.{name}: {claim.metric} is none of the study's metrics")
        for where, name in named:
            if name not in self.variants:
                raise ValueError(f"{where}: {name!r} is none of the variants ({', '.join(self.variants)})")
        for name, entry in self.variants.items():
            if entry.same_model_as and self.variants[entry.same_model_as].same_model_as:
                raise ValueError(f"variants.{name}: {entry.same_model_as!r} has no models of its own")
            if self.hold_out and entry.evaluate_on.model_fields_set & {"data", "split"}:
                raise ValueError(
                    f"variants.{name}: with hold_out it is judged on what is held out: give evaluate_on "
                    "neither data nor split"
                )
        list(in_order(self.variants))
        return self


class Study:
    """A study that was read: its file, and the recipe of each of its entries.

    Attributes:
        file: What it says.
        folder: Paths in it are relative to this folder.
        variant: A variant of the recipe for all entries, instead of the file's.
        changes: Settings changed in all entries, after their own.
    """

    def __init__(self, file: StudyFile, folder: Path, variant: str | None, changes: dict[str, Any]) -> None:
        self.file = file
        self.folder = folder
        self.variant = variant or file.variant
        self.changes = changes
        is_file = Path(file.recipe).suffix in (".yaml", ".yml")
        self._recipe: str | Path = folder / file.recipe if is_file else file.recipe

    def recipe(self, entry: str, seed: int) -> Recipe:
        """The recipe of an entry with a seed.

        Raises:
            RecipeError: A setting of it is wrong.
        """
        settings = self.file.variants[entry]
        variants = [name for name in (self.variant, settings.variant) if name is not None]
        changes = {**self.file.set, **settings.set, **self.changes, "seed": seed}
        return load_recipe(self._recipe, changes, variant="+".join(variants) or None)


def load_study(
    name: str | Path,
    *,
    variant: str | None = None,
    changes: dict[str, Any] | None = None,
    hold_out: HoldOut | None = None,
    folds: int | None = None,
) -> Study:
    """Read and check a study.

    Args:
        name: The path of a YAML file, or the name of a study in the package.
        variant: A variant of the recipe for all entries, instead of the file's; theirs come on top.
        changes: Settings to change in all entries, after their own, by dotted keys.
        hold_out: What to hold out, instead of the file's choice.
        folds: Into how many folds, instead of the file's choice.

    Raises:
        RecipeError: It, or the recipe of one of its entries, is missing, is no YAML, or has an unknown key
            (the nearest known one is named) or a wrong value.
        UsageError: It sets the seed otherwise than by its seeds, or has folds of nothing.
    """
    given = {"hold_out": hold_out, "folds": folds}
    values = read_recipe(name, STUDIES, "study") | {key: value for key, value in given.items() if value}
    file = parse_settings(StudyFile, values, str(name), "study")
    if file.folds is not None and file.hold_out is None:
        raise UsageError(f"study {name}: folds are of what is held out: --folds goes with --hold-out source")
    folder = Path(name).parent if Path(name).suffix else Path()
    study = Study(file, folder, variant, changes or {})
    for entry, settings in file.variants.items():
        if "seed" in {**file.set, **settings.set, **study.changes}:
            raise UsageError(f"study {name}: the seeds are those of the study: set its seeds, not seed")
        if settings.same_model_as is None:
            try:
                study.recipe(entry, file.seeds[0])
            except UsageError as error:
                raise type(error)(f"study {name}, variants.{entry}: {error}") from None
    return study


def in_order(entries: dict[str, Entry]) -> Iterator[str]:
    """The entries in their order, each after the one it needs.

    Raises:
        ValueError: They need each other in a circle.
    """
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> Iterator[str]:
        if name in above:
            raise ValueError(f"{' needs '.join((*above[above.index(name) :], name))}: a circle")
        needed = entries[name].needs
        if needed is not None:
            yield from visit(needed, (*above, name))
        if name not in done:
            done.append(name)
            yield name

    for name in entries:
        yield from visit(name, ())
