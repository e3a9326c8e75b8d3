"""Trips: photos near in time were taken near each other, and pull each other's answers together.

A hidden Markov model: from one photo to the next the country stays with the probability exp(-dt / stay), and
otherwise is drawn anew from the prior. The forward-backward algorithm (Rabiner 1989) gives each photo's
country by all of them. How long one stays is fitted, not invented: each length is weighed by the likelihood
that it gives the photos at hand, and a folder that is no trip is answered photo by photo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.belief import Belief
from lostfound.predict.levels import Levels

STAYING = np.concatenate([np.linspace(0.0, 0.96, 33), [0.99, 0.999, 0.9999]])
"""Probabilities, over the median time between photos, that the country stays: 0 is no trip at all."""
NO_TRIP = 0.9
"""How probable it is beforehand that photos are no trip; the lengths of stays share the rest alike. Photos at
random would otherwise pull each other by chance, and those of a trip are soon told (docs/priors.md)."""
_SHORTEST = 0.01  # of the median time: photos of one moment, too, may be of no trip
_LEAST = 1e-12


@dataclass(frozen=True)
class Trip:
    """What was found of a trip.

    Attributes:
        belief: About its n photos, about each by all.
        staying: The probability that the country stays over the median time from one photo to the next: the
            mean of `STAYING` by how likely they make the photos.
    """

    belief: Belief
    staying: float


def smooth_trip(
    belief: Belief,
    times: NDArray[np.float64],
    levels: Levels,
    prior: NDArray[np.float64],
    silent: NDArray[np.bool_],
) -> Trip:
    """What the photos of a trip say of each other.

    Args:
        belief: Over cells, of n photos by themselves.
        times: When each was taken, (n,), in any unit and order.
        levels: Which countries the cells lie in.
        prior: The cells' shares that the belief presumes, (cells,).
        silent: Which photos say nothing of the others, (n,): those that hold nothing to see, or are strange
            to the model.
    """
    from scipy.sparse import csr_array  # here, for single photos need neither
    from scipy.special import logsumexp

    order = np.argsort(times, kind="stable")
    countries = csr_array(_with_the_rest(levels.members["countries"].shares()))
    single = belief.probabilities @ countries
    shares = prior @ countries
    likelihood = np.where(silent[:, None], 1.0, single / np.maximum(shares, _LEAST))[order]
    steps = np.diff(times[order])
    typical = np.median(steps[steps > 0]) if (steps > 0).any() else 1.0
    steps = np.maximum(steps / typical, _SHORTEST)
    found = [forward_backward(likelihood, np.minimum(each**steps, STAYING[-1]), shares) for each in STAYING]
    likelihoods = np.array([each[1] for each in found])
    before = np.where(STAYING == 0, NO_TRIP, (1 - NO_TRIP) / (len(STAYING) - 1))
    weights = np.exp(likelihoods - logsumexp(likelihoods, b=before)) * before
    together = np.empty_like(single)
    together[order] = np.tensordot(weights, np.stack([each[0] for each in found]), axes=1)
    probabilities = belief.probabilities * (countries @ (together / np.maximum(single, _LEAST)).T).T
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Trip(replace(belief, probabilities=probabilities), float(weights @ STAYING))


def forward_backward(
    likelihood: NDArray[np.float64], staying: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The states of a chain that either stays or is drawn anew, by all that is seen of it.

    Args:
        likelihood: Of what is seen at each of n times by state, up to a factor, (n, m).
        staying: The probability that the state stays on the way to the next, (n - 1,).
        shares: Of the states, to draw anew from, (m,).

    Returns:
        The states' probabilities, (n, m), and the log-likelihood of all that is seen.
    """
    n = len(likelihood)
    forward, backward = np.empty_like(likelihood), np.ones_like(likelihood)
    scale = np.empty(n)
    before = shares
    for row in range(n):
        if row:
            before = staying[row - 1] * forward[row - 1] + (1 - staying[row - 1]) * shares
        forward[row] = before * likelihood[row]
        scale[row] = forward[row].sum()
        forward[row] /= scale[row]
    for row in range(n - 2, -1, -1):
        ahead = likelihood[row + 1] * backward[row + 1] / scale[row + 1]
        backward[row] = staying[row] * ahead + (1 - staying[row]) * (shares @ ahead)
    return forward * backward, float(np.log(scale).sum())


def _with_the_rest(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each cell lies in each country, and last in none; rows sum to 1."""
    return np.hstack([shares, np.maximum(1.0 - shares.sum(axis=1, keepdims=True), 0.0)])
