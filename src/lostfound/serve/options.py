"""What a request may ask for: the options of `lostfound locate`, in its address."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lostfound.predict.distribution import PointRule
from lostfound.predict.locator import Locator
from lostfound.predict.restrictions import parse_restriction

MOST_CANDIDATES = 1000
_LONGEST = 4000
_NUMBER = r"\s*[-+]?\d+(\.\d*)?\s*"


class Answering(BaseModel):
    """How photos are answered; equal ones are answered together."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    point: Annotated[PointRule, Field(description="Which point of what the model believes answers.")] = "best"
    prior: Annotated[
        Literal["training", "uniform", "population"] | None,
        Field(description="How frequent photos of each place are: as in training by default."),
    ] = None
    countries: Annotated[
        str | None,
        Field(
            description="Only these countries, ISO codes or names with commas.",
            max_length=_LONGEST,
            examples=["FR,ES"],
        ),
    ] = None
    excluded: Annotated[
        str | None,
        Field(alias="not", description="None of these countries.", max_length=_LONGEST, examples=["US"]),
    ] = None
    box: Annotated[
        str | None,
        Field(
            description="Only within south,west,north,east, degrees; west > east crosses the date line.",
            pattern=rf"^{_NUMBER}(,{_NUMBER}){{3}}$",
            examples=["41,-5,51,10"],
        ),
    ] = None
    near: Annotated[
        str | None,
        Field(
            description="Only within so many kilometres of a place: latitude,longitude,kilometres.",
            pattern=rf"^{_NUMBER}(,{_NUMBER}){{2}}$",
            examples=["48.86,2.35,300"],
        ),
    ] = None
    always_answer: Annotated[bool, Field(description='Never say "I don\'t know".')] = False
    min_probability: Annotated[
        float | None,
        Field(
            description="Say \"I don't know\" where the best candidate is less probable; where the model's "
            "calibration says by default.",
            ge=0,
            le=1,
            examples=[0.5],
        ),
    ] = None

    def locator(self, model: Locator) -> Locator:
        """The model, answering so.

        Raises:
            UsageError: The model can't, or nothing is left.
            CountryNameError: A country is unknown.
        """
        return model.using(
            point=self.point,
            prior=self.prior,
            within=parse_restriction(self.countries, self.excluded, self.box, self.near),
            always_answer=self.always_answer,
            min_probability=self.min_probability,
        )


AS_USUAL = Answering()
"""Where nothing is said."""


class LocateOptions(Answering):
    """The options of `POST /v1/locate`."""

    model: Annotated[
        str | None, Field(description="Which model answers: a name of /v1/models; the first by default.")
    ] = None
    top: Annotated[int, Field(description="How many candidates to give.", ge=1, le=MOST_CANDIDATES)] = 5
    same_place: Annotated[
        bool, Field(description="All photos show one place: one answer for them together.")
    ] = False
    explain: Annotated[
        bool, Field(description="Also give heat maps: which parts of the photo speak for the answer. Slow.")
    ] = False

    @property
    def answering(self) -> Answering:
        """How photos are answered, without the rest."""
        if not self.model_fields_set & Answering.model_fields.keys():
            return AS_USUAL
        return Answering(**{name: getattr(self, name) for name in Answering.model_fields})
