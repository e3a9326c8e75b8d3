"""From what a model believes to what it answers: which point, within what radius, and whether at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.belief import Belief
from lostfound.predict.calibration import SHARES, Calibration
from lostfound.predict.decoders import ranked
from lostfound.predict.distribution import HALF_WAY_ROUND_KM, Distribution, PointRule
from lostfound.predict.levels import Levels
from lostfound.predict.predictions import Predictions
from lostfound.predict.support import Support

BLANK = "there is nothing to see in it: it is all of one colour, or noise"
STRANGE = "it does not look like the photos of places that the model learnt from"
DOUBTFUL = "nothing in it speaks clearly for one place: the best of {n} candidates has {best:.1f} %"


@dataclass(frozen=True)
class Looks:
    """What is known of how n samples look, whatever the network answers.

    Attributes:
        views: How many photos of each there are, (n,).
        blank: Which hold nothing to see, (n,).
        strangeness: How unlike each is to the photos that the model learnt from, (n,); None if unknown.
    """

    views: NDArray[np.int64]
    blank: NDArray[np.bool_]
    strangeness: NDArray[np.float64] | None = None


def answer(
    belief: Belief,
    looks: Looks,
    calibration: Calibration,
    support: Support | None,
    point: PointRule,
    *,
    levels: Levels | None = None,
    top: int = 5,
) -> Predictions:
    """The predictions that a belief comes to, with radii and reasons not to answer where they are known.

    Args:
        belief: Of n samples.
        looks: Of the same samples.
        calibration: The model's.
        support: Where in its cells photos are.
        point: Which point answers.
        levels: What countries the cells lie in, of a model whose cells are not countries themselves.
        top: At most so many cells of each.
    """
    found = ranked(belief, top)
    cloud = belief.distribution(support)
    if point != "best" and belief.ranks_cells:
        found = replace(found, points=cloud.best_points(point))
    half, most = (radius_km(cloud, found.points, share, point, looks.views, calibration) for share in SHARES)
    return replace(
        found,
        countries=None if levels is None else levels.best_countries(belief),
        radius_50_km=half,
        radius_90_km=most if half is None or most is None else np.maximum(half, most),
        confidence=None if found.probabilities is None else found.probabilities[:, 0],
        abstained=_abstained(found, belief, looks, calibration),
    )


def own_radius_km(
    cloud: Distribution, points: NDArray[np.float64], share: float, spread_km: float
) -> NDArray[np.float64]:
    """The distance within which a distribution itself has this share of the truth, (n,), in km.

    Args:
        cloud: Of n samples.
        points: The answers, (n, 2), degrees.
        share: 0 to 1.
        spread_km: How far photos are off the cloud's points.
    """
    return np.hypot(cloud.radius_km(points, share), spread_km)


def radius_km(
    cloud: Distribution,
    points: NDArray[np.float64],
    share: float,
    rule: PointRule,
    views: NDArray[np.int64],
    calibration: Calibration,
) -> NDArray[np.float64] | None:
    """The calibrated radii, (n,); None from a model that was never calibrated on places."""
    factors = calibration.radius_factors
    if calibration.spread_km is None or rule not in factors.get("one", {}):
        return None
    which = SHARES.index(share)
    one = factors["one"][rule][which]
    several = factors.get("several", {}).get(rule, factors["one"][rule])[which]
    own = own_radius_km(cloud, points, share, calibration.spread_km)
    return np.minimum(own * np.where(views > 1, several, one), HALF_WAY_ROUND_KM)


def _abstained(
    found: Predictions, belief: Belief, looks: Looks, calibration: Calibration
) -> NDArray[np.object_]:
    """Why the model would rather not answer, (n,); None where it would."""
    reasons = np.full(len(found), None, dtype=object)
    if calibration.doubtful_below is not None and found.probabilities is not None:
        best = found.probabilities[:, 0]
        for row in np.flatnonzero(best < calibration.doubtful_below):
            reasons[row] = DOUBTFUL.format(n=belief.probabilities.shape[1], best=100 * best[row])
    if calibration.strange_above is not None and looks.strangeness is not None:
        reasons[looks.strangeness > calibration.strange_above] = STRANGE
    reasons[looks.blank] = BLANK
    return reasons
