"""The starter model in the package: small, whole, and good for an answer without anything else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import lostfound
from lostfound.geo.countries import country_codes
from lostfound.predict.model_folder import STARTER, ModelFolder
from lostfound.world import render

LARGEST = 16_000_000


@pytest.fixture(scope="module")
def starter() -> ModelFolder:
    return ModelFolder.open(STARTER)


def test_it_is_small():
    assert sum(file.stat().st_size for file in STARTER.rglob("*") if file.is_file()) <= LARGEST


def test_it_names_countries_and_decodes_them_to_coordinates(starter: ModelFolder):
    partition = starter.partition
    assert partition is not None
    assert partition.kind == "countries"
    assert len(partition) >= 180
    assert set(partition.cell_ids) <= set(country_codes())


def test_it_answers_where_no_model_is_named(photo: Path):
    guess = lostfound.load().locate(photo)
    assert guess.probability is not None
    assert 0 < guess.probability < 1
    assert -90 <= guess.latitude <= 90


def test_its_card_says_what_it_is():
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    for said in ("not an oracle", "Where it fails", "must not be used", "street-countries", "95 % interval"):
        assert said in card


def test_its_card_reports_what_the_record_says():
    record = json.loads((Path(__file__).parents[2] / "benchmarks" / "results" / "starter.json").read_bytes())
    top = record["away"]["image"]["metrics"]["top_1_accuracy"]
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    assert f"{100 * top['value']:.1f} % ({100 * top['low']:.1f} to {100 * top['high']:.1f} %)" in card


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


@pytest.mark.parametrize("size", [(64, 64), (160, 160), (300, 400), (1100, 1500)])
@pytest.mark.parametrize("spread", [4, 300])
def test_noise_is_nothing_to_see(size: tuple[int, int], spread: float):
    noise = np.random.default_rng(0).normal(128, spread, (*size, 3)).clip(0, 255).astype(np.uint8)
    guess = lostfound.load().locate(noise)
    assert guess.abstained
    assert "nothing to see" in str(guess.warning)


@pytest.mark.parametrize("seed", [7, 11])
def test_a_drawn_street_and_a_page_are_no_photos_of_a_place(seed: int):
    page = Image.new("RGB", (420, 594), "white")
    for y in range(30, 560, 16):
        ImageDraw.Draw(page).text((30, y), "no street is seen here, a letter about nothing", "black")
    for picture in (render(48.9, 2.3, 30, size=256, seed=seed), page):
        assert "photos of places" in str(lostfound.load().locate(picture).warning)


def test_a_flower_is_not_placed_and_a_palace_is():
    photos = Path(lostfound.__file__).parent / "cli" / "demo_photos"
    assert "photos of places" in str(lostfound.load().locate(photos / "flower.jpg").warning)
    palace = lostfound.load().locate(photos / "summer-palace.jpg")
    assert not palace.abstained
    assert palace.country == "CN"


def test_what_is_fine_or_grainy_is_something_to_see():
    y, x = np.mgrid[:320, :400]
    leaves = 100 + 40 * np.sin(x / 2.5) * np.cos(y / 2.3)
    sky = np.where(y < 100, 80, 0)
    grain = np.random.default_rng(0).normal(0, 40, (320, 400))
    picture = np.repeat((leaves + sky + grain).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert "nothing to see" not in str(lostfound.load().locate(picture).warning)
