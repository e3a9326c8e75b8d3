"""The picture of a partition shows what it should."""

import io

import numpy as np
import pytest
import shapely
from PIL import Image

from lostfound.geo.boundaries import Boundaries
from lostfound.partitions import Partition, build_partition
from lostfound.partitions.plot import draw_partition


def cells(polygons, counts, middles=None):
    n = len(polygons)
    shapes = np.empty(n, dtype=object)
    shapes[:] = polygons
    at = [shape.centroid.coords[0][::-1] for shape in polygons] if middles is None else middles
    names = tuple(f"c{i}" for i in range(n))
    return Partition(
        "polygons", names, names, np.array(at, dtype=float), np.array(counts), (None,) * n, polygons=shapes
    )


def picture(partition, **options):
    return Image.open(io.BytesIO(draw_partition(partition, title="Cells", **options))).convert("RGB")


def colours(image):
    """The most frequent colours, most first."""
    return [colour for _, colour in sorted(image.getcolors(1 << 22), reverse=True)]


# In the middle of the South Pacific: no land in view.
LEFT, RIGHT = shapely.box(-130, -40, -125, -35), shapely.box(-125, -40, -120, -35)


class TestPicture:
    def test_size_is_as_asked(self):
        image = picture(cells([LEFT, RIGHT], [1, 9]), width=6.0, dpi=50)
        assert image.width == 300

    def test_fuller_cells_are_darker(self):
        def brightness(image):
            """Of the left and the right half of the map."""
            grey = np.asarray(image.convert("L"), dtype=float)[:, : int(0.8 * image.width)]
            return grey[:, : grey.shape[1] // 2].mean(), grey[:, grey.shape[1] // 2 :].mean()

        left, right = brightness(picture(cells([LEFT, RIGHT], [2, 900])))
        assert left > right + 30
        left, right = brightness(picture(cells([LEFT, RIGHT], [900, 2])))
        assert right > left + 30

    def test_a_cell_without_image_has_no_colour_and_is_counted(self):
        """Three cells alike, or one of them empty: less of the colour."""
        third = shapely.box(-120, -40, -115, -35)
        full, lacking = (picture(cells([LEFT, RIGHT, third], counts)) for counts in ([5, 5, 5], [5, 5, 0]))
        colour = next(each for each in colours(full) if max(each) - min(each) > 60)
        amounts = [
            sum(n for n, each in image.getcolors(1 << 22) if each == colour) for image in (full, lacking)
        ]
        assert amounts[1] == pytest.approx(amounts[0] * 2 / 3, rel=0.1)

    @pytest.mark.parametrize(
        "partition",
        [
            cells([None, None], [3, 0], middles=[(45.0, 16.0), (46.0, 15.0)]),
            cells([None], [3], middles=[(45.0, 16.0)]),
            cells([LEFT], [0]),
            cells([LEFT, None], [4, 4], middles=[(-37.0, -127.0), (-38.0, -122.0)]),
            cells([shapely.box(0.114, 52.2015, 0.1141, 52.2016)], [10**6]),
            cells([shapely.box(-180, 60, 180, 90), shapely.box(-180, -90, 180, -60)], [1, 2]),
            cells([Boundaries.packed().geometry("FJ"), Boundaries.packed().geometry("RU")], [8, 9]),
        ],
        ids=["dots", "one dot", "empty", "mixed", "tiny", "poles", "date line"],
    )
    def test_odd_partitions_are_drawn(self, partition):
        assert len(colours(picture(partition, width=5.0, dpi=60))) > 5

    @pytest.mark.slow
    def test_what_is_built_can_be_drawn(self):
        points = np.random.default_rng(0).uniform([-60, -180], [70, 180], (300, 2))
        for kind, settings in (("countries", {}), ("s2", {"max_images": 30}), ("voronoi", {"cells": 20})):
            assert picture(build_partition(kind, points, None, **settings), dpi=50).width == 450
