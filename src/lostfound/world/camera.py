"""A level pinhole camera in the road's frame, and the grids of ground and sky its pixels look at."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EYE = 2.2
"""Height of the camera, metres."""

Grid = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """Where the camera looks.

    Attributes:
        size: Pixels along each side of the square picture.
        turn: Radians clockwise from the road's direction to the viewing direction.
        field_of_view: Degrees from the left edge to the right edge.
    """

    size: int
    turn: float
    field_of_view: float

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return self.size / 2 / math.tan(math.radians(self.field_of_view) / 2)

    @property
    def horizon(self) -> int:
        """First row below the horizon."""
        return self.size // 2


@lru_cache(maxsize=8)
def ground_grid(size: int, field_of_view: float) -> tuple[Grid, Grid]:
    """Where the rows and pixels below the horizon meet the plane one unit below the camera.

    Returns:
        Distance forward of each row, shape (rows, 1), and to the right of each pixel, (rows, size).
    """
    camera = Camera(size, 0.0, field_of_view)
    rows = np.arange(camera.horizon, size, dtype=np.float32)[:, None] - camera.horizon + 0.5
    forward = camera.focal / rows
    across = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) / camera.focal
    return forward.astype(np.float32), (forward * across).astype(np.float32)


@lru_cache(maxsize=8)
def sky_rays(size: int, field_of_view: float) -> tuple[Grid, Grid, Grid]:
    """Unit vectors from the camera through the pixels above the horizon.

    Returns:
        Their parts to the right, up and forward, each of shape (rows, size), top row first.
    """
    camera = Camera(size, 0.0, field_of_view)
    up = (camera.horizon - 0.5 - np.arange(camera.horizon, dtype=np.float32))[:, None] / camera.focal
    right = ((np.arange(size, dtype=np.float32) + 0.5 - size / 2) / camera.focal)[None, :]
    length = np.sqrt(right**2 + up**2 + 1)
    return (
        (right / length).astype(np.float32),
        (up / length).astype(np.float32),
        (1 / length).astype(np.float32),
    )
