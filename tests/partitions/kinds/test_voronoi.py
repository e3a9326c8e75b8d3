"""Voronoi cells around centres of Poisson disc sampling."""

import json

import numpy as np
import pytest
import shapely
from scipy.spatial import Delaunay
from scipy.spatial.distance import pdist

from lostfound.errors import DatasetError, UsageError
from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import EARTH_RADIUS_KM, haversine_km, pairwise_km, unit_vectors
from lostfound.partitions import OUTSIDE, build_partition
from lostfound.partitions.kinds.voronoi import cell_corners

# A part of London, (latitude, longitude).
LONDON = ((51.48, -0.20), (51.54, -0.19), (51.55, -0.02), (51.50, 0.01), (51.47, -0.08))


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(5)
    return np.column_stack([rng.uniform(51.46, 51.56, 4000), rng.uniform(-0.22, 0.03, 4000)])


@pytest.fixture(scope="module")
def london(places):
    return build_partition("voronoi", places, boundary=LONDON, spacing_km=0.8, min_images=0)


def centres(partition):
    return np.array(partition.rule["centres"])


def test_no_two_centres_are_closer_than_the_spacing(london):
    between = pairwise_km(centres(london), centres(london))
    assert between[~np.eye(len(between), dtype=bool)].min() >= 0.8


def test_no_centre_is_closer_to_the_border_than_the_spacing(london):
    area = shapely.from_wkb(london.rule["boundary"])
    border = shapely.get_coordinates(shapely.segmentize(area.exterior, 1e-4))[:, ::-1]
    assert pairwise_km(centres(london), border).min() >= 0.8 * 0.999


def test_nearly_nowhere_does_another_centre_fit(london):
    rng = np.random.default_rng(0)
    area = shapely.from_wkb(london.rule["boundary"])
    tries = np.column_stack([rng.uniform(51.47, 51.55, 4000), rng.uniform(-0.2, 0.01, 4000)])
    tries = tries[shapely.contains_xy(area, tries[:, 1], tries[:, 0])]
    border = shapely.get_coordinates(shapely.segmentize(area.exterior, 1e-3))[:, ::-1]
    fits = (pairwise_km(tries, centres(london)).min(axis=1) > 0.8) & (
        pairwise_km(tries, border).min(axis=1) > 0.8
    )
    assert fits.mean() < 0.01


def test_a_place_belongs_to_the_nearest_centre_in_the_boundary(london, places):
    area = shapely.from_wkb(london.rule["boundary"])
    inside = shapely.intersects_xy(area, places[:, 1], places[:, 0])
    nearest = pairwise_km(places, centres(london)).argmin(axis=1)
    assert london.assign(places).tolist() == np.where(inside, nearest, OUTSIDE).tolist()


def test_the_cells_fill_the_boundary_without_overlap(london):
    area = shapely.from_wkb(london.rule["boundary"])
    assert area_km2(london.polygons).sum() == pytest.approx(area_km2([area])[0], rel=1e-9)
    assert shapely.union_all(london.polygons).symmetric_difference(area).area < 1e-9 * area.area


def test_polygons_and_assignment_agree_to_a_metre(london, places):
    cells = london.assign(places)
    held = cells != OUTSIDE
    shapes = london.polygons[cells[held]]
    off = shapely.distance(shapes, shapely.points(places[held][:, ::-1]))
    assert off.max() < 1e-5


def test_neighbours_are_the_delaunay_edges_inside(london):
    triangles = Delaunay(centres(london)[:, ::-1] * [np.cos(np.radians(51.5)), 1]).simplices
    edges = {tuple(sorted(pair)) for a, b, c in triangles.tolist() for pair in ((a, b), (b, c), (a, c))}
    found = {
        (one, int(other)) for one in range(len(london)) for other in london.neighbours(one) if one < other
    }
    # Cells that would touch beyond the boundary don't.
    assert found <= edges
    assert len(edges - found) < 0.2 * len(edges)


def test_the_number_of_cells_asked_for(places):
    built = build_partition("voronoi", places, boundary=LONDON, cells=100)
    assert 95 <= len(built) <= 105
    assert built.rule["spacing_km"] > 0


def test_another_seed_draws_other_centres(places):
    one, other = (
        build_partition("voronoi", places, boundary=LONDON, spacing_km=1, seed=seed) for seed in (0, 1)
    )
    assert one.rule["centres"] != other.rule["centres"]
    assert (
        build_partition("voronoi", places, boundary=LONDON, spacing_km=1, seed=1).to_parquet()
        == other.to_parquet()
    )


def test_the_london_system_s_own_way(places):
    settings = {"spacing_km": 0.556, "border": 0.5, "reach": 1.4, "misses": 100}
    built = build_partition("voronoi", places, boundary=LONDON, min_images=0, **settings)
    between = pairwise_km(centres(built), centres(built))
    np.fill_diagonal(between, np.inf)
    area = shapely.from_wkb(built.rule["boundary"])
    border = shapely.get_coordinates(shapely.segmentize(area.exterior, 1e-4))[:, ::-1]
    to_border = 2 * pairwise_km(centres(built), border).min(axis=1)
    # Every centre was near what was there before it.
    closest = np.minimum(between.min(axis=1), to_border) / 0.556
    assert closest.min() >= 0.999
    assert closest.max() <= 1.4 * 1.001


@pytest.mark.parametrize("count", [4, 5, 30, 400])
def test_cells_of_the_whole_earth_cover_it_once(count):
    rng = np.random.default_rng(count)
    points = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)])
    built = build_partition("voronoi", points, spacing_km=8000 / np.sqrt(count) * 1.6, min_images=0)
    assert len(built) >= 4
    assert built.rule["boundary"] is None
    assert shapely.is_valid(built.polygons).all()
    assert area_km2(built.polygons).sum() == pytest.approx(4 * np.pi * EARTH_RADIUS_KM**2, rel=1e-4)
    assert (built.assign(points) == pairwise_km(points, centres(built)).argmin(axis=1)).all()


def test_corners_are_equally_far_from_their_centres():
    rng = np.random.default_rng(2)
    points = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 200))), rng.uniform(-180, 180, 200)])
    vectors = unit_vectors(points)
    for own, corners in zip(vectors, cell_corners(points, None), strict=True):
        nearest = np.arccos(np.clip(corners @ vectors.T, -1, 1)).min(axis=1)
        assert nearest == pytest.approx(np.arccos(np.clip(corners @ own, -1, 1)), abs=1e-7)


def test_a_single_cell_is_the_boundary():
    places = np.array([[51.50, -0.10], [51.51, -0.11]])
    built = build_partition("voronoi", places, boundary=LONDON, spacing_km=18.0, border=0.1, min_images=0)
    assert len(built) == 1
    assert built.polygon(0).equals(shapely.from_wkb(built.rule["boundary"]))


def test_across_the_date_line():
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(-19, -16, 500), rng.uniform(177, 183, 500)])
    places[:, 1] = (places[:, 1] + 180) % 360 - 180
    built = build_partition("voronoi", places, spacing_km=60, min_images=0)
    assert shapely.is_valid(built.polygons).all()
    assert area_km2(built.polygons).sum() == pytest.approx(
        np.radians(np.ptp(places[:, 1] % 360))
        * np.ptp(np.sin(np.radians(places[:, 0])))
        * EARTH_RADIUS_KM**2,
        rel=1e-9,
    )
    # Some cell lies on both sides, and its places with it.
    both = [shape for shape in built.polygons if shape.geom_type == "MultiPolygon"]
    assert both
    assert (built.assign(places) != OUTSIDE).all()


def test_a_boundary_across_the_date_line():
    corners = ((-19.0, 177.0), (-16.0, 177.0), (-16.0, -178.0), (-19.0, -178.0))
    places = np.array([[-17.0, 179.0], [-17.5, -179.0], [-17.5, 170.0]])
    built = build_partition("voronoi", places, boundary=corners, spacing_km=80, min_images=0)
    assert area_km2(built.polygons).sum() == pytest.approx(
        area_km2([shapely.box(177, -19, 182, -16)])[0], rel=1e-9
    )
    assert (built.assign(places) == OUTSIDE).tolist() == [False, False, True]


def test_a_boundary_from_a_file(tmp_path, places):
    ring = [[longitude, latitude] for latitude, longitude in (*LONDON, LONDON[0])]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    path = tmp_path / "zone.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    by_file = build_partition("voronoi", places, boundary=str(path), spacing_km=0.8)
    by_corners = build_partition("voronoi", places, boundary=LONDON, spacing_km=0.8)
    assert by_file.cell_ids == by_corners.cell_ids
    assert np.allclose(by_file.centroids, by_corners.centroids)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"spacing_km": 30.0}, UsageError, "fits no cell"),
        ({"spacing_km": 0.001}, UsageError, "make it larger"),
        ({"cells": 4001}, UsageError, r"training images can.t fill 4001 cells"),
        ({"spacing_km": 1.0, "cells": 3}, UsageError, "give either spacing_km or cells"),
        ({}, UsageError, "give either spacing_km or cells"),
        ({"spacing_km": 1.0, "boundary": LONDON[:2]}, UsageError, "three or more corners"),
        ({"spacing_km": 1.0, "boundary": ((0, 0), (0, 1), (1, 0))}, UsageError, "no training image lies in"),
        ({"spacing_km": 1.0, "boundary": "missing.geojson"}, DatasetError, "missing.geojson"),
    ],
)
def test_what_cannot_be(places, settings, error, says):
    with pytest.raises(error, match=says):
        build_partition("voronoi", places, **{"boundary": LONDON} | settings)


def test_too_few_cells_for_the_earth():
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-60, 60, 500), rng.uniform(-180, 180, 500)])
    with pytest.raises(UsageError, match="too few to divide the whole Earth"):
        build_partition("voronoi", points, spacing_km=15000)


def test_a_city_s_cells_are_as_exact_as_the_world_s():
    rng = np.random.default_rng(1)
    places = np.array([52.2, 0.12]) + rng.uniform(-1e-3, 1e-3, (400, 2))
    built = build_partition("voronoi", places, spacing_km=0.01, min_images=0)
    cells = built.assign(places)
    off = shapely.distance(built.polygons[cells], shapely.points(places[:, ::-1]))
    # A tenth of a millimetre.
    assert off.max() < 1e-9
    assert pdist(centres(built)).min() > 0
    assert haversine_km(*centres(built)[:2]) >= 0.01
