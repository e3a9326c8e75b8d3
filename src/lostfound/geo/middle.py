"""Middles of many points on the sphere: the median, and the smallest circle around them.

The mean is in `lostfound.geo.sphere`. Points are (latitude, longitude) in decimal degrees.
"""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostfound.geo.sphere import from_unit_vectors, haversine_km, unit_vectors, weighted_points

# 6 mm, in radians.
_CLOSE = 1e-9
# Usually a few dozen are enough.
_STEPS = 1000
# How many of the points are tried as a start; all of few points, one of which may be the median itself.
_STARTS = 200
# Rounding of chords: relative, and absolute (a tenth of a micrometre).
_ROUNDING = 1e-9
_LEAST = 1e-14
_HALF_THE_GLOBE = np.sqrt(2) * (1 - _ROUNDING)


def spherical_median(points: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Median of points: the place with the least (weighted) sum of great-circle distances to them.

    Unlike the mean, a few outliers hardly move it. Found by Weiszfeld's steps in the tangent plane (Fletcher,
    Venkatasubramanian and Joshi 2009, "The geometric median on Riemannian manifolds"). Points that lie within
    a quarter of the globe have one median; spread wider, they may have several, of which one is returned.

    Args:
        points: Shape (n, 2), degrees, n >= 1.
        weights: Shape (n,), not negative, not all zero; equal weights by default.

    Returns:
        The median, shape (2,).

    Raises:
        ValueError: No points, wrong shapes, values that are not finite or not allowed.
    """
    array, share = weighted_points(points, weights)
    vectors = unit_vectors(array)
    place = _start(vectors, share)
    for _ in range(_STEPS):
        step = _weiszfeld_step(place, vectors, share)
        length = float(np.linalg.norm(step))
        if length == 0:
            break
        before, place = place, _downhill(place, step / length, length, vectors, share)
        if np.linalg.norm(place - before) < _CLOSE:
            break
    return from_unit_vectors(place)


def bounding_circle(points: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """The smallest circle on the sphere that holds all points.

    Args:
        points: Shape (n, 2), degrees, n >= 1, within less than half the globe.

    Returns:
        Its centre, shape (2,), and its radius in kilometres.

    Raises:
        ValueError: No points, values that are not finite, or points that no half of the globe holds.
    """
    array, _ = weighted_points(points, None)
    vectors = unit_vectors(array)
    # Two or three of the points are on the circle's edge. Each turn takes in the farthest point, so that the
    # circle grows until it holds all (an LP-type problem: Welzl 1991).
    edge, centre, radius = vectors[:1], vectors[0], 0.0
    while True:
        apart = _chords(vectors, centre)
        farthest = int(np.argmax(apart))
        if apart[farthest] <= radius * (1 + _ROUNDING) + _LEAST:
            break
        cap = _smallest_cap(np.vstack([edge, vectors[farthest]]))
        if cap is None:
            raise ValueError(
                "the points are spread over half the globe or more: no smaller circle holds them"
            )
        if cap[2] <= radius:
            break
        edge, centre, radius = cap
    middle = from_unit_vectors(centre)
    return middle, float(haversine_km(array, middle).max())


def _start(vectors: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best of the mean and the points nearest to it."""
    mean = share @ vectors
    tried = list(vectors[np.argsort(-(vectors @ mean), kind="stable")[:_STARTS]])
    length = np.linalg.norm(mean)
    if length > _CLOSE:
        tried.append(mean / length)
    costs = [float(share @ _angles(vectors, place)) for place in tried]
    best: NDArray[np.float64] = tried[int(np.argmin(costs))]
    return best


def _weiszfeld_step(
    place: NDArray[np.float64], vectors: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The step towards the median in the plane that touches the sphere at ``place``."""
    angle = _angles(vectors, place)
    level = vectors - (vectors @ place)[:, None] * place
    length = np.linalg.norm(level, axis=1)
    here = angle < _CLOSE
    away = ~here & (length > _CLOSE)  # not the antipode, from which every way leads nearer
    pull = (share[away] / length[away]) @ level[away]
    strength = float(np.linalg.norm(pull))
    own = float(share[here].sum())
    # A point holds its place against the pull of the others up to its own weight (Vardi and Zhang 2000).
    if strength <= own:
        return np.zeros(3)
    step: NDArray[np.float64] = pull * (1 - own / strength) / (share[away] / angle[away]).sum()
    return step


def _downhill(
    start: NDArray[np.float64],
    direction: NDArray[np.float64],
    length: float,
    vectors: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Go that far, and twice as far while that is better: near a point of much weight the steps are tiny."""
    place, cost = start, np.inf
    while length < np.pi / 2:
        farther = np.cos(length) * start + np.sin(length) * direction
        farther /= np.linalg.norm(farther)  # or rounding adds up
        its_cost = float(share @ _angles(vectors, farther))
        if its_cost >= cost:
            break
        place, cost, length = farther, its_cost, 2 * length
    return place


def _smallest_cap(
    vectors: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
    """The smallest cap that holds up to four unit vectors, the last of them on its edge.

    Returns:
        The vectors that decide it, its centre, and its radius as a chord; None if there is no cap smaller
        than half the globe.
    """
    best = None
    others = range(len(vectors) - 1)
    for chosen in [*combinations(others, 1), *combinations(others, 2)]:
        edge = vectors[[*chosen, -1]]
        if len(edge) == 2:
            normal = edge.sum(axis=0)
        else:
            normal = np.cross(edge[1] - edge[0], edge[2] - edge[0])
            normal *= np.copysign(1.0, normal @ edge[0])
        length = np.linalg.norm(normal)
        if length == 0:
            continue
        centre = normal / length
        radius = float(_chords(edge, centre).max())
        holds = bool((_chords(vectors, centre) <= radius * (1 + _ROUNDING) + _LEAST).all())
        if holds and radius < _HALF_THE_GLOBE and (best is None or radius < best[2]):
            best = (edge, centre, radius)
    return best


def _chords(vectors: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(((vectors - place) ** 2).sum(axis=1))
    return lengths


def _angles(vectors: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between unit vectors (n, 3) and one more, radians."""
    half = _chords(vectors, place) / 2
    angles: NDArray[np.float64] = 2 * np.arcsin(np.minimum(half, 1.0))
    return angles
