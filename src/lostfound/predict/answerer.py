"""How a model answers: its settings, and what it believes turned into guesses as they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.countries import country_name
from lostfound.predict.answering import Looks, answer
from lostfound.predict.belief import Belief
from lostfound.predict.distribution import POINT_RULES, PointRule
from lostfound.predict.guess import Guess, guesses
from lostfound.predict.model_folder import ModelFolder
from lostfound.predict.predictions import Predictions
from lostfound.predict.priors import estimated_shares, read_prior, reweighted
from lostfound.predict.restrictions import Restriction, allowed_cells, restricted
from lostfound.predict.trips import smooth_trip

_TO_BE_FOUND = (None, "training", "estimate")
"""Priors that no file or name gives: training's own, and one that is found when the photos are seen."""


@dataclass(frozen=True)
class AnswerSettings:
    """How a model's belief becomes an answer.

    Attributes:
        point: Which point answers.
        prior: What is known of where photos come from: "training" (or None), "uniform", "population", shares
            by country or cell, or a CSV file of them (see `lostfound.predict.priors.read_prior`).
        within: Where photos may be.
        always_answer: Never say "I don't know".
        min_probability: Say "I don't know" where the best candidate's probability is less, 0 to 1; None:
            where the model's calibration says. Pictures that are no photos of places stay unknown.
    """

    point: PointRule = "best"
    prior: str | Path | Mapping[str, float] | None = None
    within: Restriction | None = None
    always_answer: bool = False
    min_probability: float | None = None

    def changed(self, **changes: Any) -> AnswerSettings:
        """The same with other values.

        Raises:
            UsageError: There is no such setting, or it can't have the value.
        """
        names = [each.name for each in fields(self)]
        for name in changes:
            if name not in names:
                raise UsageError(f"no setting {name!r}: choose of {', '.join(names)}")
        settings = replace(self, **changes)
        if settings.point not in POINT_RULES:
            raise UsageError(f"no point rule {settings.point!r}: choose of {', '.join(POINT_RULES)}")
        if (least := settings.min_probability) is not None:
            if not 0 <= least <= 1:
                raise UsageError(f"a probability of {least}: give a share between 0 and 1, such as 0.5")
            if settings.always_answer:
                raise UsageError("to always answer and a least probability contradict: leave one of them out")
        return settings

    def check(self, model: ModelFolder) -> None:
        """See whether a model can answer so.

        Raises:
            UsageError: It can't.
        """
        if self.point != "best" and model.partition is None:
            raise UsageError(
                f"{model.path} answers with one bare coordinate: there is no other point to choose; leave "
                "out the point rule"
            )
        if model.partition is None and (self.prior not in (None, "training") or self.within is not None):
            raise UsageError(
                f"{model.path} answers with one bare coordinate and ranks no places: it can't be "
                "restricted, nor take a prior; use a model of cells"
            )
        if model.partition is None and self.min_probability is not None:
            raise UsageError(
                f"{model.path} answers with one bare coordinate and does not say how probable it is: leave "
                "the least probability out"
            )
        if self.prior not in (None, "training") and model.calibration.prior is None:
            raise UsageError(
                f"{model.path} does not say how its training images were drawn: add that with `lostfound "
                "calibrate MODEL DATASET`, or leave out the prior"
            )


class Answerer:
    """Turns what a model believes of photos into answers.

    Attributes:
        model: The model folder.
        settings: How it answers.

    Raises:
        UsageError: The model can't answer so, or nothing is left of its cells.
    """

    def __init__(self, model: ModelFolder, settings: AnswerSettings) -> None:
        settings.check(model)
        self.model, self.settings = model, settings
        self._prior, self._allowed, self._calibration = None, None, model.calibration
        if settings.min_probability is not None:
            self._calibration = replace(model.calibration, doubtful_below=settings.min_probability)
        if (partition := model.partition) is not None:
            if settings.prior not in _TO_BE_FOUND and settings.prior is not None:
                self._prior = read_prior(settings.prior, partition, np.array(model.calibration.prior))
            if settings.within is not None:
                self._allowed = allowed_cells(partition, model.support, settings.within)

    def using(self, **changes: Any) -> Answerer:
        """The same with other settings.

        Raises:
            UsageError: There is no such setting, or the model can't do it.
        """
        return Answerer(self.model, self.settings.changed(**changes))

    def for_album(self, belief: Belief, blank: NDArray[np.bool_]) -> Answerer:
        """The same with these photos' own prior, if one is to be estimated.

        Args:
            belief: About the photos, before any prior.
            blank: Which hold nothing to see, (n,).

        Raises:
            UsageError: There are fewer than two photos to tell from.
        """
        if self.settings.prior != "estimate":
            return self
        return self.using(prior=self.estimate_prior(belief, blank))

    def estimate_prior(self, belief: Belief, blank: NDArray[np.bool_]) -> dict[str, float]:
        """The countries' shares among photos (see `estimated_shares`); blank ones are left aside.

        Raises:
            UsageError: The model can't take a prior, or there are fewer than two photos to tell from.
        """
        self.settings.changed(prior="uniform").check(self.model)
        belief = replace(
            belief,
            ids=belief.ids[~blank],
            probabilities=belief.probabilities[~blank],
            points=None,
            drawn=None,
        )
        if len(belief) < 2:
            raise UsageError(
                f"countries' shares are estimated from a whole album, and {len(belief)} of its photos can be "
                "told from: give two or more together, or another prior"
            )
        assert belief.partition is not None
        trained = np.array(self.model.calibration.prior)
        return estimated_shares(belief, trained, np.array(belief.partition.countries, dtype=object))

    def predictions(self, belief: Belief, looks: Looks, top: int) -> Predictions:
        """The predictions that a belief comes to, with the settings' prior and restriction."""
        return self._answer(self._informed(belief)[0], looks, top)

    def guesses(self, belief: Belief, looks: Looks, top: int) -> list[Guess]:
        """The guesses that a belief comes to, in its order."""
        return self._guesses(*self._informed(belief), looks, top)

    def guesses_of_trip(
        self, belief: Belief, looks: Looks, times: NDArray[np.float64], top: int
    ) -> tuple[list[Guess], float]:
        """The guesses about photos of one trip, which pull each other's answers together.

        Args:
            belief: About n photos of a model with cells.
            looks: Of the same photos; those that say nothing of a place pull no others.
            times: When each was taken, (n,), in any unit.
            top: How many candidates to give.

        Returns:
            The guesses, and the probability that the country stays from one photo to the next.
        """
        belief, left_out = self._informed(belief)
        silent, limit = looks.blank, self.model.calibration.strange_above
        if limit is not None and looks.strangeness is not None:
            silent = silent | (looks.strangeness > limit)
        trip = smooth_trip(belief, times, self.model.levels, self._presumed(), silent)
        return self._guesses(trip.belief, left_out, looks, top), trip.staying

    @property
    def countries_without_cells(self) -> tuple[str, ...]:
        """The names of countries that the restriction asks for, and that the model can't answer with."""
        within = self.settings.within
        if within is None or within.countries is None or self.model.partition is None:
            return ()
        known = set(self.model.levels.ids["countries"].tolist())
        return tuple(country_name(code) for code in sorted(within.countries - known))

    def _informed(self, belief: Belief) -> tuple[Belief, NDArray[np.float64] | None]:
        """The belief with the settings' prior and restriction, and what the restriction left out, (n,)."""
        if self._prior is not None:
            belief = reweighted(belief, self._prior, np.array(self.model.calibration.prior))
        if self._allowed is None:
            return belief, None
        return restricted(belief, self._allowed)

    def _presumed(self) -> NDArray[np.float64]:
        """The cells' shares that what is believed presumes, (cells,); all alike if they are unknown."""
        assert self.model.partition is not None
        shares = np.array(self.model.calibration.prior or np.ones(len(self.model.partition)))
        shares = shares if self._prior is None else self._prior
        left = shares if self._allowed is None else shares * self._allowed.shares
        return np.asarray(left / left.sum())

    def _guesses(
        self, belief: Belief, left_out: NDArray[np.float64] | None, looks: Looks, top: int
    ) -> list[Guess]:
        found = guesses(self._answer(belief, looks, top), always_answer=self.settings.always_answer)
        if not belief.ranks_cells:
            return found
        levels = self.model.levels.ranked(belief, top)
        found = [replace(guess, areas=areas) for guess, areas in zip(found, levels, strict=True)]
        if left_out is None:
            return found
        return [guess.within(out) for guess, out in zip(found, left_out.tolist(), strict=True)]

    def _answer(self, belief: Belief, looks: Looks, top: int) -> Predictions:
        of_countries = belief.partition is None or belief.partition.kind == "countries"
        return answer(
            belief,
            looks,
            self._calibration,
            self.model.support if self._allowed is None else self._allowed.support,
            self.settings.point,
            levels=None if of_countries else self.model.levels,
            top=top,
        )
