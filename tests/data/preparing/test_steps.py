"""The steps of a recipe together, on a data set with everything that they look for."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from lostfound.data.dataset import Dataset, write_dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare
from lostfound.data.preparing.recipe import load_prepare_recipe
from lostfound.data.records import set_column
from lostfound.data.splits import SplitSettings
from lostfound.errors import DatasetError, RecipeError, UsageError
from lostfound.files import digest

PLACES = {"paris": (48.85, 2.35), "berlin": (52.52, 13.4), "tokyo": (35.68, 139.69), "rio": (-22.9, -43.2)}


@pytest.fixture(scope="module")
def streets_folder(made_once, picture):
    """Twelve images: two views each of four places, a black one, a copy of a view, and two of one spot."""

    def build(folder):
        source = folder / "game"
        rows = ["id,place,lat,lng"]
        source.mkdir(parents=True)

        def add(name, place, spot, image):
            image.save(source / f"{name}.png")
            rows.append(f"{name},{place},{spot[0]},{spot[1]}")

        for number, (name, spot) in enumerate(PLACES.items()):
            for view in range(2):
                add(f"{name}{view}", name, spot, picture(10 * number + view, 64, 64))
        add("black", "mine", (10.0, 10.0), Image.new("RGB", (64, 64), (3, 3, 3)))
        add("copy", "another", (-30.0, 140.0), picture(0, 64, 64).point(lambda value: min(255, value + 2)))
        add("again0", "paris once more", PLACES["paris"], picture(98, 64, 64))
        add("again1", "paris once more", PLACES["paris"], picture(99, 64, 64))
        source.joinpath("t.csv").write_text("\n".join(rows))
        import_images([source], folder / "data", splits=SplitSettings(val=0, test=0), jobs=1)

    return made_once("prepare-steps", build) / "data"


@pytest.fixture
def streets(streets_folder):
    return Dataset.open(streets_folder)


def run(dataset, to, *settings, recipe=None):
    return prepare(dataset, to, load_prepare_recipe(recipe, settings), jobs=1)


def names(dataset):
    return [original.removesuffix(".png") for original in dataset.records["original"].to_pylist()]


def dropped(folder):
    with (folder / "dropped.csv").open(newline="") as file:
        return {
            row["original"].removesuffix(".png"): (row["step"], row["reason"]) for row in csv.DictReader(file)
        }


def test_without_a_recipe_all_images_stay(streets, tmp_path):
    made = run(streets, tmp_path / "new")

    assert names(made.datasets[0]) == names(streets)
    assert made.report["steps"] == []
    assert (tmp_path / "new" / "dropped.csv").read_text() == "image_id,original,step,reason\n"


def test_dark_images_go(streets, tmp_path):
    made = run(streets, tmp_path / "new", "quality.min_color_variance=300")

    assert dropped(tmp_path / "new") == {"black": ("quality", "color variance 0.0, below 300")}
    assert made.report["steps"] == [
        {"step": "quality", "reason": "color variance below 300", "dropped": 1, "left": 11}
    ]


def test_a_quantile_drops_its_share(streets, tmp_path):
    made = run(streets, tmp_path / "new", "quality.sharpness_quantile=0.25")

    assert len(made.datasets[0]) == 9


def test_both_thresholds_count_an_image_once(streets, tmp_path):
    made = run(streets, tmp_path / "new", "quality={min_color_variance: 300, min_sharpness: 1}")

    assert [step["dropped"] for step in made.report["steps"]] == [1, 0]
    assert len(made.datasets[0]) == 11


@pytest.mark.parametrize(
    ("setting", "gone"),
    [
        ("duplicates.coordinates=true", {"again0": "same coordinates as", "again1": "same coordinates as"}),
        ("duplicates.distance=4", {"copy": "near-duplicate of"}),
    ],
)
def test_duplicates_go(streets, tmp_path, setting, gone):
    run(streets, tmp_path / "new", setting)

    found = dropped(tmp_path / "new")
    assert found.keys() == gone.keys()
    assert all(found[name][1].startswith(reason) for name, reason in gone.items())


def test_copies_under_another_country_are_counted(streets, tmp_path):
    made = run(streets, tmp_path / "new", "duplicates.distance=4")

    assert [step["with_another_country"] for step in made.report["steps"]] == [1]  # Australia, and France


def test_the_first_that_is_good_is_the_first_that_stays(streets, tmp_path):
    """A dark image at a place must not stand for a good one there, which would go as its duplicate."""
    records = streets.records
    black = names(streets).index("black")
    for column, value in (("latitude", 48.85), ("longitude", 2.35)):
        values = records[column].to_pylist()
        values[black] = value
        records = set_column(records, column, values)
    order = [black, *(row for row in range(12) if row != black)]

    made = run(
        Dataset(streets.folder, records.take(order), streets.info),
        tmp_path / "new",
        "quality.min_color_variance=300",
        "duplicates.coordinates=true",
    )

    assert {"paris0", "paris1"} <= set(names(made.datasets[0]))


def test_countries_are_balanced_and_the_balance_is_kept(streets, tmp_path):
    made = run(streets, tmp_path / "new", "rebalance={target: uniform, min_share: 0.1}")

    balance = Dataset.open(tmp_path / "new").info["prepared"]["balance"]
    assert made.report["balance"] == balance
    assert balance["countries"]["FR"] == {"images": 4, "kept": 2, "target": 0.25, "reason": ""}
    assert balance["countries"]["AU"]["kept"] == 0
    assert {step["reason"]: step["dropped"] for step in made.report["steps"]} == {
        "less than 10 % of the images": 2,
        "more than its country may have": 2,
    }
    assert dropped(tmp_path / "new")["copy"] == ("rebalance", "less than 10 % of the images (AU)")


def test_several_sizes_are_data_sets_of_the_same_images(streets, tmp_path):
    made = run(streets, tmp_path / "new", "sizes=[48, 32]", "duplicates.distance=4")

    assert [each.folder.name for each in made.datasets] == ["new-48", "new-32"]
    assert not (tmp_path / "new").exists()
    for each, size in zip(made.datasets, (48, 32), strict=True):
        assert each.info["settings"]["size"] == size
        assert set(each.records["width"].to_pylist()) == {size}
        assert names(each) == names(made.datasets[0])
        assert (each.folder / "dropped.csv").is_file()


def test_a_wrong_place_is_mended_with_all_that_follows_from_it(streets, tmp_path):
    (tmp_path / "t.csv").write_text("id,lat,lng\ntokyo0,52.5201,13.4\ntokyo1,52.5201,13.4\nnobody,1,2\n")

    made = run(
        streets, tmp_path / "new", f"enrich={{corrections: {tmp_path / 't.csv'}, region: nearest-place}}"
    )

    rows = {row["original"]: row for row in made.datasets[0].records.to_pylist()}
    assert rows["tokyo0.png"]["country"] == "DE"
    assert rows["tokyo0.png"]["region"] == rows["berlin0.png"]["region"]
    assert made.report["enriched"] | {"city": 0} == {
        **{"corrected": 2, "moved": 2, "unused": 1, "country": 2, "named": 0},
        **{"region": made.report["enriched"]["region"], "city": 0},
    }


def test_moved_places_are_divided_anew_so_that_neighbours_share_a_split(streets, tmp_path):
    half = Dataset(
        streets.folder, streets.records, {**streets.info, "splits": vars(SplitSettings(0, 0.4, 0.4))}
    )
    apart = run(half, tmp_path / "apart", "split={val: 0.4, test: 0.4, seed: 3}").datasets[0]
    splits = dict(zip(names(apart), apart.records["split"].to_pylist(), strict=True))
    other = next(name for name in ("berlin", "tokyo", "rio") if splits[f"{name}0"] != splits["paris0"])
    (tmp_path / "t.csv").write_text(f"place_id,lat,lng\ngame/{other},48.8501,2.35\n")

    made = run(apart, tmp_path / "new", f"enrich.corrections={tmp_path / 't.csv'}").datasets[0]

    splits = dict(zip(names(made), made.records["split"].to_pylist(), strict=True))
    assert splits["paris0"] == splits[f"{other}0"] == splits["again0"]


def test_the_leaky_division_by_image_is_there_to_be_measured(dataset_folder, tmp_path):
    made = run(
        Dataset.open(dataset_folder), tmp_path / "new", "split={by: image, val: 0, test: 0.5}"
    ).datasets[0]

    sides = {}
    for place, split in zip(
        made.records["place_id"].to_pylist(), made.records["split"].to_pylist(), strict=True
    ):
        sides.setdefault(place, set()).add(split)
    assert any(len(own) == 2 for own in sides.values())


def test_a_bad_image_is_left_out_and_listed(streets_folder, tmp_path):
    copied = shutil.copytree(streets_folder, tmp_path / "bad")
    dataset = Dataset.open(copied)
    row = dataset.records.slice(2, 1).to_pylist()[0]
    with (copied / "images" / row["shard"]).open("r+b") as file:
        file.seek(row["offset"])
        file.write(bytes(row["size"]))
    hashes = dataset.records["sha256"].to_pylist()
    hashes[2] = digest(bytes(row["size"]))
    dataset = write_dataset(copied, set_column(dataset.records, "sha256", hashes), dataset.info)

    for number, settings in enumerate((["sizes=[32]"], ["sizes=[32]", "quality.min_sharpness=0"])):
        made = run(dataset, tmp_path / str(number), *settings)
        assert len(made.datasets[0]) == 11
        assert list(dropped(tmp_path / str(number))) == ["berlin0"]
        assert made.report["steps"][0]["reason"] == "unreadable"


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_preparation_again_does_nothing(streets, tmp_path):
    settings = ("sizes=[32]", "quality.min_color_variance=300")
    made = run(streets, tmp_path / "new", *settings)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "new").rglob("*")}

    again = run(streets, tmp_path / "new", *settings)

    assert again.report == made.report
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "new" / "images").rglob("*")
    }.items() <= before.items()


def test_another_recipe_in_the_same_folder_is_refused(streets, tmp_path):
    run(streets, tmp_path / "new")
    before = contents(tmp_path / "new")

    with pytest.raises(UsageError, match="holds a data set: choose another folder"):
        run(streets, tmp_path / "new", "duplicates.bytes=true")

    assert contents(tmp_path / "new") == before


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (["quality.min_color_variance=1e6"], RecipeError, r"would drop all 12 images.*3800 keeps 7"),
        (["quality.min_sharpness=1e6"], RecipeError, "quality.min_sharpness of 1e.06 would drop all 12"),
        (["rebalance={countries: [FR, KE]}"], RecipeError, "has no image: KE"),
        (["rebalance={target: uniform, min_share: 0.9}"], RecipeError, "would drop all"),
        (["rebalance.target=nowhere.csv"], UsageError, "nowhere.csv, which the recipe names, does not exist"),
        (["enrich.corrections=nowhere.csv"], UsageError, "does not exist"),
        (["enrich.region=nowhere.geojson"], UsageError, "does not exist"),
    ],
)
def test_a_recipe_that_can_t_be_followed_leaves_all_as_it_was(
    streets, streets_folder, tmp_path, settings, error, message
):
    before = contents(streets_folder)

    with pytest.raises(error, match=message):
        run(streets, tmp_path / "new", *settings)

    assert contents(streets_folder) == before
    assert not (tmp_path / "new" / "dataset.json").exists()


def test_after_a_threshold_that_was_too_high_a_lower_one_measures_nothing_again(streets_folder, tmp_path):
    copied = shutil.copytree(streets_folder, tmp_path / "copied")
    dataset = Dataset.open(copied)
    with pytest.raises(RecipeError):
        run(dataset, tmp_path / "new", "quality.min_sharpness=1e6")
    shards = list((copied / "images").iterdir())
    kept = {shard: shard.read_bytes() for shard in shards}
    for shard in shards:
        shard.write_bytes(bytes(len(kept[shard])))  # what is read again fails
    with pytest.raises(DatasetError, match="not what was imported"):
        run(dataset, tmp_path / "other", "quality.min_sharpness=1")
    with pytest.raises(RecipeError, match="would drop all"):
        run(dataset, tmp_path / "new", "quality.min_sharpness=1e5")
    for shard, data in kept.items():
        shard.write_bytes(data)

    assert len(run(dataset, tmp_path / "new", "quality.min_sharpness=1").datasets[0]) == 11
    assert not list((tmp_path / "new").glob(".import-*"))


def test_what_is_prepared_can_be_prepared_again(streets, tmp_path):
    first = run(streets, tmp_path / "first", "quality.min_color_variance=300").datasets[0]

    second = run(first, tmp_path / "second", "duplicates.distance=4")

    assert second.report["images"] == 11
    assert len(second.datasets[0]) == 10


def test_the_lost_and_found_recipe_from_end_to_end(streets, tmp_path):
    made = run(streets, tmp_path / "new", "sizes=[32]", "quality.min_sharpness=5", recipe="lost-and-found")

    dataset = made.datasets[0]
    assert "black" not in names(dataset)
    assert "again0" not in names(dataset)
    assert np.array_equal(sorted(set(dataset.records["country"].to_pylist())), ["AU", "BR", "DE", "FR", "JP"])
    assert all(dataset.records["region"].to_pylist())
