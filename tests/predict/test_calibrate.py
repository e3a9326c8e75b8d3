"""Calibrating a finished model on labelled images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.records import coordinates
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.evaluate import score
from lostfound.geo.sphere import haversine_km
from lostfound.predict.calibrate import calibrate, fitted_temperature
from lostfound.predict.calibration import Calibration
from lostfound.predict.distribution import POINT_RULES
from lostfound.predict.explain import decode_all, probability_of
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder, set_calibration


@pytest.fixture
def model(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "m", ignore=shutil.ignore_patterns("run")))


def test_on_its_own_validation_images_it_is_what_the_training_found(
    model: Path, dataset_folder: Path
) -> None:
    answers = ModelFolder.open(model).decoder
    found = fitted_temperature(Locator.load(model), Dataset.open(dataset_folder).split("val"))
    assert found == pytest.approx(answers.temperature, rel=1e-3)  # type: ignore[union-attr]


def test_it_does_not_depend_on_the_model_s_own_temperature(model: Path, dataset_folder: Path) -> None:
    part = Dataset.open(dataset_folder).split("test")
    found = fitted_temperature(Locator.load(model), part)
    set_calibration(model, Calibration(20.0))
    assert fitted_temperature(Locator.load(model), part) == pytest.approx(found)


def test_without_images_it_is_an_error(model: Path, dataset_folder: Path) -> None:
    dataset = Dataset.open(dataset_folder)
    with pytest.raises(DatasetError, match="no images to calibrate on"):
        fitted_temperature(Locator.load(model), dataset.with_records(dataset.records.slice(0, 0)))


# --- all of it


@pytest.fixture
def calibrated(model: Path, dataset_folder: Path) -> ModelFolder:
    return calibrate(model, Dataset.open(dataset_folder), split="all")


def test_it_writes_what_answers_need(calibrated: ModelFolder) -> None:
    found = calibrated.calibration
    assert set(found.radius_factors) == {"one", "several"}
    assert set(found.radius_factors["one"]) == set(POINT_RULES)
    assert found.spread_km is not None
    assert found.strange_above is not None
    assert found.doubtful_below is not None
    assert found.prior is not None
    assert sum(found.prior) == pytest.approx(1)
    assert found.about["places_with_coordinates"] >= 9
    assert {"support_points", "feature_mean", "head_weight"} <= set(calibrated.statistics)


def test_answers_have_radii_then(calibrated: ModelFolder, world: Path) -> None:
    photo = sorted((world / "images").iterdir())[0]
    guess = Locator(calibrated).using(always_answer=True).locate(photo)
    assert guess.radius_50_km is not None
    assert guess.radius_90_km is not None
    assert 0 < guess.radius_50_km <= guess.radius_90_km
    assert not guess.abstained


def test_the_places_it_was_calibrated_on_are_covered(calibrated: ModelFolder, dataset_folder: Path) -> None:
    part = Dataset.open(dataset_folder)
    scores = score(Locator(calibrated).predict(part), part)
    truth, found = coordinates(part.records), Locator(calibrated).predict(part)
    off = haversine_km(found.points, truth)
    assert (off <= found.radius_90_km).mean() >= 0.9
    assert (off <= found.radius_50_km).mean() >= 0.5
    assert scores.about["images"] == len(part)


def test_what_is_unlike_street_scenes_is_not_placed(calibrated: ModelFolder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    locator = Locator(calibrated)
    guess = locator.locate(noise)
    assert guess.abstained
    assert "does not look like" in str(guess.warning)
    assert guess.as_dict()["latitude"] is None
    answered = locator.using(always_answer=True).locate(noise)
    assert not answered.abstained
    assert answered.warning == guess.warning
    assert answered.as_dict()["latitude"] == answered.latitude


def test_how_sure_it_must_be_is_for_the_user_to_say(calibrated: ModelFolder, world: Path) -> None:
    photos = sorted((world / "images").iterdir())[:12]
    locator = Locator(calibrated)
    best = [guess.probability for guess in locator.locate(photos)]
    least = sorted(each for each in best if each is not None)[len(best) // 2]
    found = locator.using(min_probability=least).locate(photos)
    assert [guess.abstained for guess in found] == [each is None or each < least for each in best]
    assert not any(guess.abstained for guess in locator.using(min_probability=0).locate(photos))
    assert all(guess.abstained for guess in locator.using(min_probability=1).locate(photos))
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    assert locator.using(min_probability=0).locate(noise).abstained  # what it does not know stays unknown


@pytest.mark.parametrize("least", [-0.1, 1.5, float("nan")])
def test_a_probability_that_is_none_is_refused(calibrated: ModelFolder, least: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        Locator(calibrated).using(min_probability=least)


def test_always_and_only_if_sure_is_a_contradiction(calibrated: ModelFolder) -> None:
    with pytest.raises(UsageError, match="contradict"):
        Locator(calibrated).using(always_answer=True, min_probability=0.5)


def test_bare_coordinates_are_as_sure_as_nothing(point_model_folder: Path) -> None:
    with pytest.raises(UsageError, match="how probable"):
        Locator.load(point_model_folder).using(min_probability=0.5)


def test_a_model_of_bare_points_has_radii_too(
    point_model_folder: Path, dataset_folder: Path, tmp_path
) -> None:
    copy = Path(shutil.copytree(point_model_folder, tmp_path / "p", ignore=shutil.ignore_patterns("run")))
    dataset = Dataset.open(dataset_folder)
    locator = Locator(calibrate(copy, dataset, split="all"))
    found = locator.predict(dataset.split("test"), unit="image")
    assert found.radius_90_km is not None
    assert len(set(found.radius_90_km.round(6))) == 1  # it knows no photo from another
    assert (found.radius_90_km > 0).all()
    with pytest.raises(UsageError, match="one bare coordinate"):
        locator.using(point="score")


def test_too_few_places_are_refused_and_counted(model: Path, dataset_folder: Path) -> None:
    dataset = Dataset.open(dataset_folder)
    val = dataset.split("val")
    places = sorted(set(val.records["place_id"].to_pylist()))[:4]
    few = val.records.filter(pc.is_in(val.records["place_id"], pa.array(places)))
    with pytest.raises(DatasetError, match=r"has 4 places with coordinates .* needs at least 9"):
        calibrate(model, dataset.with_records(few))
    left_out = calibrate(model, dataset.with_records(few), radii_needed=False).calibration
    assert left_out.radius_factors == {}
    assert left_out.temperature > 0


# --- with photos of other origins


@pytest.fixture
def elsewhere(tmp_path: Path) -> Dataset:
    """Pictures of stripes, said to be of countries that the model doesn't know."""
    folder = tmp_path / "stripes"
    generator = np.random.default_rng(3)
    for number in range(40):
        country = ("Chad", "Laos", "Fiji", "Oman")[number % 4]
        stripes = generator.integers(0, 256, (1, 80, 3), dtype=np.uint8).repeat(80, axis=0)
        (folder / country).mkdir(parents=True, exist_ok=True)
        Image.fromarray(stripes).save(folder / country / f"{number}.png")
    import_images([folder], tmp_path / "elsewhere")
    return Dataset.open(tmp_path / "elsewhere")


def sureness(locator: Locator, part: Dataset) -> float:
    predictions = locator.predict(part)
    assert predictions.probabilities is not None
    return float(predictions.probabilities[:, 0].mean())


@pytest.mark.slow
def test_it_becomes_less_sure_of_what_is_strange_and_stays_sure_of_what_it_knows(
    model: Path, dataset_folder: Path, elsewhere: Dataset
) -> None:
    dataset = Dataset.open(dataset_folder)
    part = dataset.split("test")
    plain = Locator(calibrate(model, dataset, split="all"))
    before = sureness(plain, elsewhere), sureness(plain, part)
    honest = Locator(calibrate(model, dataset, split="all", elsewhere=elsewhere))
    after = sureness(honest, elsewhere), sureness(honest, part)
    found = honest.model.calibration
    assert found.strangeness_power > 0
    assert found.about["images_elsewhere"] == 40
    assert plain.model.partition is not None
    least = 1 / len(plain.model.partition)
    assert after[0] - least < 0.7 * (before[0] - least)
    assert after[1] > after[0]
    same = (Locator(ModelFolder.open(model)).predict(part).cells == honest.predict(part).cells)[:, 0]  # type: ignore[index]
    assert same.all()  # which cell is best is not touched


@pytest.mark.slow
def test_a_model_is_as_sure_as_its_twin_that_was_calibrated_with_them(
    model: Path, dataset_folder: Path, elsewhere: Dataset, tmp_path: Path
) -> None:
    dataset, twin = Dataset.open(dataset_folder), Path(shutil.copytree(model, tmp_path / "twin"))
    with pytest.raises(UsageError, match="twin was not calibrated with photos from elsewhere: do that first"):
        calibrate(model, dataset, split="all", like=twin)
    theirs = calibrate(twin, dataset, split="all", elsewhere=elsewhere).calibration
    with pytest.raises(UsageError, match="give one of them"):
        calibrate(model, dataset, split="all", elsewhere=elsewhere, like=twin)
    assert ModelFolder.open(model).calibration != theirs
    assert calibrate(model, dataset, split="all", like=twin).calibration == theirs  # it is the same network


@pytest.mark.slow
def test_an_explanation_speaks_of_the_same_probability(
    model: Path, dataset_folder: Path, elsewhere: Dataset
) -> None:
    locator = Locator(calibrate(model, Dataset.open(dataset_folder), split="all", elsewhere=elsewhere))
    locator = locator.using(always_answer=True)
    image = locator.model.preprocessing(elsewhere.read(0))
    guess = locator.locate(elsewhere.read(0))
    (whole,) = probability_of(decode_all(locator, locator.run(image[None]), image), guess.best)
    assert whole == pytest.approx(guess.probability, abs=1e-5)


@pytest.mark.slow
def test_a_model_of_bare_points_has_nothing_to_be_less_sure_of(
    point_model_folder: Path, dataset_folder: Path, elsewhere: Dataset, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(point_model_folder, tmp_path / "p", ignore=shutil.ignore_patterns("run")))
    with pytest.raises(UsageError, match="leave the photos from elsewhere out"):
        calibrate(copy, Dataset.open(dataset_folder), split="all", elsewhere=elsewhere)


# --- with pictures of no place


def plaids(n: int, seed: int) -> list[Image.Image]:
    """Pictures of cloth, which is nowhere."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        across, down = generator.integers(0, 128, (2, 80, 3), dtype=np.uint8).repeat(4, axis=1)[:, :80]
        made.append(Image.fromarray(across[:, None] + down[None, :]))
    return made


@pytest.mark.slow
def test_it_does_not_know_pictures_of_no_place_once_it_was_shown_some(
    model: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    dataset = Dataset.open(dataset_folder)
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no picture")
    found = calibrate(model, dataset, split="all", placeless=[*plaids(60, 0), damaged])
    assert found.calibration.about["pictures_of_no_place"] == 60
    locator, limit = Locator(found), found.calibration.strange_above
    assert limit is not None
    strange = [each.strangeness > limit for each in locator.look(plaids(30, 1))]  # type: ignore[union-attr, operator]
    assert np.mean(strange) > 0.9
    assert locator.locate(plaids(1, 2)[0]).abstained
    again = Locator(
        calibrate(model, dataset, split="test", radii_needed=False)
    )  # which keeps what it was shown
    assert again.model.calibration.about["pictures_of_no_place"] == 60
    assert np.mean([again.locate(each).abstained for each in plaids(30, 1)]) > 0.9
    seen = list(locator.see_each(dataset, features=True, doing="Looking"))
    assert np.mean([each.strangeness > limit for each in seen if each.strangeness is not None]) <= 0.05


@pytest.mark.slow
def test_too_few_of_them_and_models_without_features_are_refused(
    model: Path, point_model_folder: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    dataset, before = Dataset.open(dataset_folder), (model / "calibration.json").read_bytes()
    with pytest.raises(UsageError, match=r"of no place 29 can be read: 30 or more"):
        calibrate(model, dataset, split="all", placeless=plaids(29, 0))
    few = dataset.with_records(dataset.records.slice(0, 20))
    with pytest.raises(UsageError, match=r"has 20 photos to tell pictures of no place from"):
        calibrate(model, few, split="all", radii_needed=False, placeless=plaids(30, 0))
    assert (model / "calibration.json").read_bytes() == before


@pytest.mark.parametrize("accuracy", [0.0, 1.0, -3, float("nan")])
def test_an_accuracy_is_a_share(model: Path, dataset_folder: Path, accuracy: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibrate(model, Dataset.open(dataset_folder), accuracy=accuracy)


def test_no_such_setting_and_no_such_rule(model: Path) -> None:
    with pytest.raises(UsageError, match="no setting 'pont': choose of point"):
        Locator.load(model).using(pont="best")
    with pytest.raises(UsageError, match="no point rule 'middle': choose of best, mean-distance"):
        Locator.load(model).using(point="middle")
