import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.splits import SplitSettings
from lostfound.data.stats import dataset_stats
from lostfound.data.stats_plot import _zoom, draw_stats

ALL_TRAIN = SplitSettings(val=0, test=0)


def drawn(dataset):
    return Image.open(io.BytesIO(draw_stats(dataset)))


def assert_is_a_picture(image):
    assert image.format == "PNG"
    assert image.width >= 1200
    assert image.height >= 600
    assert np.asarray(image.convert("L")).std() > 10


@pytest.fixture
def mixed(tmp_path, write_picture):
    """Two views of one place in France, three images of Japan without coordinates, one of nowhere."""
    source = tmp_path / "mixed"
    rows = [
        "1,a,48.85,2.35,",
        "2,a,48.85,2.35,",
        "3,b,,,Japan",
        "4,c,,,Japan",
        "5,d,,,Japan",
        "6,e,-48.87,-123.39,",
    ]
    for number in range(1, 7):
        write_picture(source / f"{number}.jpg", number, 40 + 8 * number, 40 + number)
    source.joinpath("t.csv").write_text("\n".join(["id,place,lat,lng,country", *rows]))
    return import_images([source], tmp_path / "data", jobs=1, splits=ALL_TRAIN).dataset


def test_images_places_and_labels_are_counted(mixed):
    stats = dataset_stats(mixed)

    assert (stats.images, stats.places, stats.located) == (6, 5, 3)
    assert list(stats.countries.items()) == [("JP", 3), ("FR", 2), ("unknown", 1)]
    assert stats.splits == {"train": 6}
    assert stats.places_by_split == {"train": 5}
    assert stats.sources == {"mixed": 6}
    assert stats.views == {1: 4, 2: 1}


def test_the_counts_of_the_splits_add_up(dataset_folder):
    stats = dataset_stats(Dataset.open(dataset_folder))

    assert (stats.images, stats.places, stats.views) == (96, 48, {2: 48})
    assert sum(stats.splits.values()) == 96
    assert {name: 2 * count for name, count in stats.places_by_split.items()} == stats.splits
    assert set(stats.countries) == {"FR", "JP", "BR", "KE"}


def test_a_data_set_is_drawn(dataset_folder):
    assert_is_a_picture(drawn(Dataset.open(dataset_folder)))


def test_images_without_places_and_of_many_sizes_are_drawn(mixed):
    assert_is_a_picture(drawn(mixed))


@pytest.mark.parametrize("name", ["photos", "写真", "$\\frac$", "a" * 200])
@pytest.mark.slow
def test_one_image_is_drawn_whatever_the_data_set_is_called(tmp_path, write_picture, name):
    write_picture(tmp_path / "source" / "Japan" / "1.jpg")
    dataset = import_images([tmp_path / "source"], tmp_path / name, jobs=1).dataset

    assert_is_a_picture(drawn(dataset))


def test_one_size_is_one_bar_with_whole_ticks(dataset_folder):
    from matplotlib.figure import Figure

    from lostfound.data.stats_plot import _draw_sizes

    axes = Figure().add_subplot()
    _draw_sizes(axes, Dataset.open(dataset_folder))

    assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in axes.patches] == [(63.5, 1, 96)]
    assert [tick for tick in axes.get_xticks() if 63.5 <= tick <= 64.5] == [64]


def test_sizes_far_apart_fall_into_about_twenty_whole_bars(mixed):
    from matplotlib.figure import Figure

    from lostfound.data.stats_plot import _draw_sizes

    records = mixed.records
    wide = records.set_column(
        records.column_names.index("height"), "height", [[41, 200, 555, 800, 999, 1041]]
    )
    wide = wide.set_column(records.column_names.index("width"), "width", [[2000] * 6])
    axes = Figure().add_subplot()
    _draw_sizes(axes, mixed.with_records(wide))

    assert 15 <= len(axes.patches) <= 22
    assert sum(bar.get_height() for bar in axes.patches) == 6
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_places_in_antarctica_are_on_the_map(tmp_path, write_picture):
    from matplotlib.figure import Figure

    from lostfound.data.stats_plot import _draw_map

    write_picture(tmp_path / "photos" / "-77.85,166.67.jpg")
    dataset = import_images([tmp_path / "photos"], tmp_path / "data", jobs=1).dataset
    axes = Figure().add_subplot()
    _draw_map(axes, dataset)

    assert axes.get_ylim()[0] < -77.85


@pytest.mark.parametrize(
    ("points", "widest"),
    [([(45.0, 15.0)], 4), ([(45.0, 14.0), (46.0, 18.0)], 8), ([(40.0, -120.0), (40.0, 140.0)], 360)],
)
def test_the_map_shows_where_there_are_places(points, widest):
    axes = Figure().subplots()
    _zoom(axes, np.array(points))
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()

    assert all(south < latitude < north and west < longitude < east for latitude, longitude in points)
    assert widest / 2 < east - west <= widest


def test_a_data_set_without_coordinates_has_no_empty_map(tmp_path, write_picture, dataset_folder):
    for number in range(3):
        write_picture(tmp_path / "source" / "Japan" / f"{number}.jpg", number)
    dataset = import_images([tmp_path / "source"], tmp_path / "data", jobs=1).dataset

    assert drawn(dataset).height < 0.6 * drawn(Dataset.open(dataset_folder)).height
