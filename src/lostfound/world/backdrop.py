"""What a picture is drawn on: sky with sun and clouds, ridges on the horizon, ground and road."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lostfound.world.camera import EYE, Camera, Grid, ground_grid, sky_rays
from lostfound.world.canvas import Canvas
from lostfound.world.dice import Dice
from lostfound.world.road import DASH_PERIOD, DASH_SHARE, FAR, LEVELS, REACH, STEP
from lostfound.world.scene import Ridge, Scene

TILE = 256


@lru_cache(maxsize=1)
def noise_tile() -> Grid:
    """Smooth noise that repeats, shape (TILE, TILE), values about -1 to 1."""
    total = np.zeros((TILE, TILE))
    for cells in (8, 16, 32, 64, 128):
        dice = Dice("tile", cells)
        knots = np.array([dice.uniform(-1, 1) for _ in range(cells * cells)]).reshape(cells, cells)
        place = np.arange(TILE) * cells / TILE
        low, share = place.astype(int), place % 1
        high = (low + 1) % cells
        rows = knots[low] * (1 - share)[:, None] + knots[high] * share[:, None]
        total += (rows[:, low] * (1 - share) + rows[:, high] * share) * (cells / 8) ** -0.55
    tile: Grid = (total / np.abs(total).max()).astype(np.float32)
    return tile


def _tile_at(x: NDArray[np.floating], y: NDArray[np.floating]) -> Grid:
    """The noise at these coordinates, in cells of the tile."""
    mask = TILE - 1
    index = ((x.astype(np.int32) & mask) << 8) | (y.astype(np.int32) & mask)
    values: Grid = noise_tile().ravel().take(index)
    return values


def _blended_tile_at(x: NDArray[np.floating], y: NDArray[np.floating]) -> Grid:
    """The noise at these coordinates, smooth between the tile's cells."""
    left, low = np.floor(x), np.floor(y)
    right, high = x - left, y - low
    near = _tile_at(left, low) * (1 - right) + _tile_at(left + 1, low) * right
    far = _tile_at(left, low + 1) * (1 - right) + _tile_at(left + 1, low + 1) * right
    blended: Grid = near * (1 - high) + far * high
    return blended


def paint_sky(pixels: NDArray[np.uint8], scene: Scene, camera: Camera) -> None:
    """Paint the rows above the horizon: a gradient, the sun, and clouds on a plane high above."""
    moment = scene.moment
    right, up, ahead = sky_rays(camera.size // 2, camera.field_of_view)
    climb = (up * 1.6).clip(0, 1) ** 0.7
    horizon, zenith = np.asarray(moment.horizon, np.float32), np.asarray(moment.zenith, np.float32)
    sky = horizon + (zenith - horizon) * climb[..., None]
    across, along, height = scene.sun
    cos, sin = math.cos(camera.turn), math.sin(camera.turn)
    if moment.sunny:
        sun_right, sun_ahead = across * cos - along * sin, across * sin + along * cos
        toward = (right * sun_right + up * height + ahead * sun_ahead).clip(0, 1)
        glow = 0.35 * toward**24 + 0.6 * toward**300 + (toward > 0.9985)
        sky += (np.asarray((255, 246, 215), np.float32) - sky) * glow.clip(0, 1)[..., None]
    reach = 44 / (up + 0.1)
    drift = scene.cloud_offset
    clouds = _blended_tile_at(
        (right * cos + ahead * sin) * reach + drift, (ahead * cos - right * sin) * reach + drift
    )
    edge = 0.55 - 1.15 * moment.clouds
    cover = ((clouds - edge) * 3.2).clip(0, 1) * (0.35 + up * 2.2).clip(0, 0.92)
    grey = 252 - 60 * max(0.0, moment.clouds - 0.5) - 26 * (clouds - edge).clip(0, 1)
    sky += (grey[..., None] - sky) * cover[..., None]
    pixels[: camera.horizon] = sky.clip(0, 255).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)


def paint_ground(pixels: NDArray[np.uint8], scene: Scene, camera: Camera) -> None:
    """Paint the rows below the horizon: the road's cross-section laid along its course, textured and hazy."""
    forward, right = ground_grid(camera.size, camera.field_of_view)
    forward, right = forward * EYE, right * EYE
    cos, sin = np.float32(math.cos(camera.turn)), np.float32(math.sin(camera.turn))
    a, s = right * cos + forward * sin, forward * cos - right * sin
    shift = scene.road_shifts.take((s + FAR).astype(np.int32), mode="clip")
    levels, columns = scene.section.shape[1:3]
    column = ((a - shift + REACH) * (1 / STEP)).clip(0, columns - 1).astype(np.int32)
    width = forward / camera.focal
    depth = forward * width / EYE
    blur = (abs(cos) * width + abs(sin) * depth) / STEP
    level = np.log2(blur.clip(1, None)).clip(0, LEVELS - 1).astype(np.int32)
    far = abs(sin) * width + abs(cos) * depth > DASH_PERIOD / 2
    phase = s * np.float32(1 / DASH_PERIOD)
    state = np.where(far, 2, phase - np.floor(phase) < DASH_SHARE)
    colour = scene.section.reshape(-1, 4).take((state * levels + level) * columns + column, axis=0)
    fine = _tile_at(a * 8, s * 8) * (1 - depth * 4).clip(0, 1)
    texture = 1 + colour[..., 3] * (_tile_at(a * 0.8, s * 0.8) + fine)
    keep = np.exp(-forward / np.float32(scene.moment.visibility * 1.3))
    ground = (
        colour[..., :3] * (texture * keep)[..., None]
        + np.asarray(scene.moment.horizon, np.float32) * (1 - keep)[..., None]
    )
    pixels[camera.horizon :] = ground.clip(0, 255).astype(np.uint8)


def paint_ridge(canvas: Canvas, ridge: Ridge, camera: Camera) -> None:
    """Draw a ridge from the horizon up."""
    columns = np.arange(0, camera.size + 3, 2, dtype=np.float32)
    bearing = np.arctan((columns - camera.size / 2) / camera.focal)
    place = (bearing + camera.turn) / (2 * math.pi) % 1 * (len(ridge.heights) - 1)
    height = np.interp(place, np.arange(len(ridge.heights)), ridge.heights)
    scale = camera.focal / np.cos(bearing)
    top = camera.horizon - height * scale
    foot = [(camera.size + 2.0, camera.horizon + 1.0), (0.0, camera.horizon + 1.0)]
    canvas.polygon([*zip(columns.tolist(), top.tolist(), strict=True), *foot], ridge.colour)
    if ridge.snow_line is not None and height.max() > ridge.snow_line:
        jagged = ridge.snow_line * (1 + 0.25 * np.sin(place * 1.7) * np.sin(place * 0.61))
        low = np.maximum(top, camera.horizon - jagged * scale)
        upper, lower = (
            zip(columns.tolist(), top.tolist(), strict=True),
            zip(columns.tolist(), low.tolist(), strict=True),
        )
        canvas.polygon([*upper, *reversed(list(lower))], (244, 247, 252))
