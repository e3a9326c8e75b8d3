"""Calibrating a finished model on photos it never saw: probabilities, radii, when to say "I don't know"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import ImageSource
from lostfound.data.records import coordinates, strings
from lostfound.data.sharing.lists import limit
from lostfound.errors import DatasetError, ModelError, UsageError
from lostfound.geo.sphere import haversine_km
from lostfound.hub import own_folder
from lostfound.partitions import OUTSIDE
from lostfound.predict.answering import own_radius_km
from lostfound.predict.belief import Belief
from lostfound.predict.calibration import (
    SHARES,
    Calibration,
    conformal_factor,
    fit_strangeness,
    fit_temperature,
    fit_view_exponent,
    log_loss,
    places_needed,
    threshold_for,
)
from lostfound.predict.distribution import POINT_RULES, PointRule
from lostfound.predict.engine import SeenDataset
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder, set_calibration
from lostfound.predict.outliers import Outliers
from lostfound.predict.statistics import features_of, features_of_placeless, statistics_of
from lostfound.predict.support import Support
from lostfound.predict.views import pooled
from lostfound.progress import note

ACCURACY = 0.5
"""How often what a model answers is to be right, by default."""
FALSE_ALARMS = 0.02
"""The share of validation photos that may be held to be too far from those of training."""
FALSE_ALARMS_IF_SHOWN = 0.005
"""... by a model that was shown pictures of no place, and so tells most of these without the distance."""
MOST_NUMBERS = 1 << 27
"""So many probabilities at most are held at once: a gigabyte."""
_TOLD = ("elsewhere", "images_elsewhere", "accuracy_asked", "accuracy_of_answers", "answered")
_DRAWN_IMAGES = 10.0
_NEVER = 1e-7  # a smaller share of a cell can be no divisor
_BARE_SPREAD_KM = 1000.0  # of an answer without a distribution; its factor does the rest


@dataclass(frozen=True)
class Photos:
    """Labelled photos, and what the network says of them.

    Attributes:
        seen: What it says of n photos.
        points: Where they are, (n, 2), degrees; NaN where unknown.
        cells: Their cells, (n,); `OUTSIDE` where they lie in none, and of a model without cells.
        places: The places they show, (n,).
        features: The network's of each, (n, channels); None if it gives none.
    """

    seen: SeenDataset
    points: NDArray[np.float64]
    cells: NDArray[np.int64]
    places: NDArray[np.object_]
    features: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, locator: Locator, part: Dataset) -> Photos:
        """Look at a part of a data set.

        Raises:
            DatasetError: There are no images, or one can't be read.
        """
        points, partition = coordinates(part.records), locator.model.partition
        cells = np.full(len(part), OUTSIDE, dtype=np.int64)
        if partition is not None:
            cells = partition.assign(points, strings(part.records, "country"))
        each = list(locator.see_each(part, features=True, doing="Calibrating"))
        features = features_of(each) if locator.gives_features else None
        return cls(SeenDataset.of(each), points, cells, strings(part.records, "place_id"), features)

    def measured_by(self, outliers: Outliers | None) -> Photos:
        """The same, with how strange they are."""
        known = outliers is not None and self.features is not None
        strangeness = outliers.strangeness(self.features) if known else None  # type: ignore[union-attr, arg-type]
        return replace(self, seen=replace(self.seen, strangeness=strangeness))

    @property
    def located(self) -> NDArray[np.bool_]:
        """Whose coordinates are known, (n,)."""
        return np.asarray(np.isfinite(self.points).all(axis=1))


def calibrate(
    model: str | Path,
    dataset: Dataset,
    *,
    split: str = "val",
    accuracy: float = ACCURACY,
    radii_needed: bool = True,
    elsewhere: Dataset | None = None,
    like: str | Path | None = None,
    placeless: Sequence[ImageSource] | None = None,
) -> ModelFolder:
    """Fit what makes a finished model's answers mean what they say, and write it into its folder.

    The temperature (Guo et al. 2017), how several views are pooled, the factors of the radii (split conformal
    prediction, one score a place: Vovk et al. 2005), the probability below which it says "I don't know", and
    what its training photos look like.

    Args:
        model: The model folder.
        dataset: Photos whose places it never learnt from in the split; its training split, if it has one,
            says where in the cells photos are and what they look like.
        split: The one to fit on; or "all".
        accuracy: How often what it answers is to be right, 0 to 1.
        radii_needed: Whether too few places for the radii are an error, or leave them out.
        elsewhere: Photos of other origins, which it never learnt from either: how much less sure it is to be
            of photos that are strange to it, and when it doesn't know, is then fitted on both, each counting
            as much; the rest on the data set alone.
        like: Instead of photos from elsewhere, a model that was trained as this one but without them, and
            calibrated with them: temperature, strangeness and doubts are then as its (and for the accuracy
            that was asked of it). So a model may learn from all origins there are and yet know what it is
            worth on others.
        placeless: Pictures of no place (rooms, food, faces, documents), thirty or more: it learns to tell
            such from photos of places, and says "I don't know" to them. Those that can't be read are named
            and left out. None: it still knows those that it was shown before.

    Raises:
        UsageError: The accuracy is no share, the model gives no probabilities or features for photos from
            elsewhere or for pictures of no place, these are too few, or the model that it is to be like was
            not calibrated.
        ModelError: It is no complete model folder.
        DatasetError: The split is empty or has too few places, or an image can't be read.
    """
    if not 0 < accuracy < 1:
        raise UsageError(f"an accuracy of {accuracy}: give a share between 0 and 1, such as 0.5")
    if like is not None and elsewhere is not None:
        raise UsageError("photos from elsewhere and a model to be like: give one of them")
    twin = None if like is None else _calibrated(ModelFolder.open(own_folder(like)))
    locator = Locator.load(own_folder(model))
    part = dataset if split == "all" else dataset.split(split)
    if not len(part):
        raise DatasetError(
            f"{dataset.folder} has no images to calibrate on in the split {split!r}: use a data set with a "
            "validation split, or --split all for photos that the model never saw"
        )
    partition = locator.model.partition
    if partition is not None and len(part) > (most := max(MOST_NUMBERS // len(partition), 100)):
        note(f"Calibrating on {most} of {len(part)} images: more would take too much memory")
        part = limit(part, most)
    photos = Photos.of(locator, part)
    located = len(set(photos.places[photos.located]))
    needed = max(places_needed(share) for share in SHARES)
    if radii_needed and located < needed:
        raise DatasetError(
            f"{dataset.folder} has {located} places with coordinates in the split {split!r}: a radius that "
            f"holds {max(SHARES):.0%} of new places needs at least {needed}, and a steady one a hundred"
        )
    training = dataset.split("train") if split != "all" else part
    looks = None if placeless is None else features_of_placeless(locator, placeless)
    support, outliers, statistics = statistics_of(locator, training if len(training) else part, looks)
    photos = photos.measured_by(outliers)
    started, foreign = None, None
    if elsewhere is not None or twin is not None:
        if not locator.model.decoder.logit_count or outliers is None:
            raise UsageError(
                f"{locator.model.path} gives no logits of cells, or no features to tell strange photos by: "
                f"leave {'the model to be like' if elsewhere is None else 'the photos from elsewhere'} out"
            )
        if twin is not None:
            started = Calibration(twin.temperature, strangeness_power=twin.strangeness_power)
        elif elsewhere is not None:
            foreign = Photos.of(locator, elsewhere).measured_by(outliers)
            started = _strangeness(locator.model, photos, foreign)
            foreign = _weighed(foreign, started, locator.model)
        assert started is not None
        photos = _weighed(photos, started, locator.model)
    found = _probabilities(locator.model, photos, started)
    found = _radii(locator.model, photos, found, support) if located >= needed else found
    found = _doubts(locator.model, photos, foreign, found, accuracy, twin)
    if outliers is not None and photos.features is not None:
        # By distance alone: rooms among them, which it was shown, are not to raise the bar
        alarms = FALSE_ALARMS if outliers.placeless is None else FALSE_ALARMS_IF_SHOWN
        far = float(np.quantile(outliers.distance(photos.features), 1 - alarms))
        found = replace(found, strange_above=far)
    shown = None if looks is None else len(looks)
    if looks is None and outliers is not None and outliers.placeless is not None:
        shown = locator.model.calibration.about.get("pictures_of_no_place")
    about = {
        "dataset": dataset.name,
        "split": split,
        "images": len(part),
        "places": len(set(photos.places)),
        "places_with_coordinates": located,
        **({} if elsewhere is None else {"elsewhere": elsewhere.name, "images_elsewhere": len(elsewhere)}),
        **({} if shown is None else {"pictures_of_no_place": shown}),
        **found.about,
    }
    return set_calibration(locator.model.path, replace(found, about=about), statistics)


def _calibrated(twin: ModelFolder) -> Calibration:
    """What a model's answers mean.

    Raises:
        UsageError: It was not calibrated with photos from elsewhere.
    """
    found = twin.calibration
    if "elsewhere" not in found.about:
        raise UsageError(f"{twin.path} was not calibrated with photos from elsewhere: do that first")
    return found


def fitted_temperature(locator: Locator, part: Dataset) -> float:
    """The temperature with which a model's probabilities fit some labelled images best.

    Args:
        locator: A model with cells.
        part: Images that it was not trained on; those outside its cells are left out.

    Raises:
        ModelError: The model has no cells.
        DatasetError: There are no images, or one can't be read.
    """
    partition = locator.model.partition
    if partition is None:
        raise ModelError(f"{locator.model.path} gives no probabilities: there is nothing to calibrate")
    if not len(part):
        raise DatasetError(
            f"{part.folder} has no images to calibrate on: use a data set with a validation split"
        )
    photos = Photos.of(locator, part)
    return fit_temperature(locator.model.decoder.logits(photos.seen.outputs), photos.cells)


def _strangeness(model: ModelFolder, *origins: Photos) -> Calibration:
    """How much less sure to be of stranger photos, and the temperature that goes with it."""
    samples = []
    for photos in origins:
        assert photos.seen.strangeness is not None
        logits = model.decoder.logits(photos.seen.outputs)
        samples.append((logits, photos.seen.strangeness, np.argmax(logits, axis=1) == photos.cells))
    temperature, power = fit_strangeness(samples)
    return Calibration(temperature, strangeness_power=power)


def _weighed(photos: Photos, found: Calibration, model: ModelFolder) -> Photos:
    """Photos whose logits are smaller the stranger they are."""
    outputs = found.weighed(photos.seen.outputs, photos.seen.strangeness, model.decoder.logit_count)
    return replace(photos, seen=replace(photos.seen, outputs=outputs.astype(np.float32)))


def _probabilities(model: ModelFolder, photos: Photos, started: Calibration | None) -> Calibration:
    """The temperature, how views are pooled, and the prior that training had.

    Args:
        model: The model.
        photos: Whose logits are weighed already.
        started: The temperature and how strangeness weighs, if photos from elsewhere told them.
    """
    partition = model.partition
    if partition is None:
        return Calibration()
    logits = model.decoder.logits(photos.seen.outputs)
    found = started or Calibration(fit_temperature(logits, photos.cells))
    decoder = replace(model.decoder, temperature=found.temperature)  # type: ignore[type-var]
    found = replace(found, prior=_prior(model, decoder.believe(photos.seen.outputs)))
    means, first, views = pooled(decoder, found, photos.seen.outputs, photos.places)
    several = (views > 1) & (photos.cells[first] != OUTSIDE)
    if not several.any():
        return found
    cells = photos.cells[first][several]
    heat = np.log(np.maximum(means.probabilities[several], 1e-300))
    exponent = fit_view_exponent(heat, cells, views[several])
    ways = {
        "logits": replace(found, view_exponent=exponent),
        "product": replace(found, view_exponent=1.0),
        "probabilities": replace(found, pooling="probabilities"),
        "mean": found,
    }
    losses = {
        name: log_loss(
            pooled(decoder, way, photos.seen.outputs, photos.places)[0].probabilities[several], cells
        )
        for name, way in ways.items()
    }
    best = min(("logits", "probabilities"), key=lambda name: losses[name])
    return replace(
        ways[best], about={"pooling_losses": losses, "places_of_several_views": int(several.sum())}
    )


def _prior(model: ModelFolder, belief: Belief) -> tuple[float, ...] | None:
    """The cells' shares that calibrated probabilities presume; None if a cell is as good as never believed.

    Their mean over images that are as training's were (Alexandari et al. 2020), and some images more as
    training drew them, for the cells that none is of. It serves better than what training drew alone, which
    the temperature has bent.
    """
    assert model.partition is not None
    power = model.config.get("recipe", {}).get("data", {}).get("sampling_power")
    counts = model.partition.counts.astype(np.float64)
    if not counts.any():  # of a published model nobody knows them
        return None
    drawn = np.where(counts > 0, counts ** (1.0 if power is None else float(power)), 0.0)
    shares = belief.probabilities.sum(axis=0) + _DRAWN_IMAGES * drawn / drawn.sum()
    shares /= shares.sum()
    return tuple(shares.tolist()) if (shares > _NEVER).all() else None


def _radii(model: ModelFolder, photos: Photos, found: Calibration, support: Support | None) -> Calibration:
    """The factors of the radii."""
    spread = _spread_km(photos, support) if model.partition is not None else _BARE_SPREAD_KM
    decoder = model.decoder
    if model.partition is not None:
        decoder = replace(decoder, temperature=found.temperature)  # type: ignore[type-var]
    where = photos.located
    rows = np.array([f"{row:012}" for row in range(len(where))], dtype=object)
    factors = {}
    for name, groups in (("one", rows), ("several", photos.places)):
        belief, first, views = pooled(decoder, found, photos.seen.outputs, groups)
        kept = where[first] & ((views > 1) | (name == "one"))
        places = photos.places[first][kept]
        if len(set(places)) >= max(places_needed(share) for share in SHARES):
            factors[name] = _factors(belief, kept, photos.points[first], places, support, spread)
    return replace(found, spread_km=spread, radius_factors=factors)


def _factors(
    belief: Belief,
    kept: NDArray[np.bool_],
    truth: NDArray[np.float64],
    places: NDArray[np.object_],
    support: Support | None,
    spread_km: float,
) -> dict[PointRule, tuple[float, float]]:
    cloud = belief.distribution(support).take(kept)
    found = {}
    for rule in POINT_RULES if belief.ranks_cells else POINT_RULES[:1]:
        points = belief.best_points()[kept] if rule == "best" else cloud.best_points(rule)
        off = haversine_km(points, truth[kept])
        half, most = (
            conformal_factor(off / own_radius_km(cloud, points, share, spread_km), places, share)
            for share in SHARES
        )
        found[rule] = half, most
    return found


def _spread_km(photos: Photos, support: Support | None) -> float:
    """How far photos are off the nearest of the points that stand for their cell, in the middle."""
    known = photos.located & (photos.cells != OUTSIDE)
    if support is None or not known.any():
        return _BARE_SPREAD_KM
    nearest = [
        haversine_km(support.points[support.cells == cell], point).min()
        for cell, point in zip(photos.cells[known], photos.points[known], strict=True)
    ]
    return float(max(np.median(nearest), 0.01))


def _doubts(
    model: ModelFolder,
    photos: Photos,
    foreign: Photos | None,
    found: Calibration,
    accuracy: float,
    twin: Calibration | None,
) -> Calibration:
    """How probable the first answer must be; as of a twin, if there is one."""
    about = dict(found.about)
    if twin is not None:
        about.update({name: twin.about[name] for name in _TOLD if name in twin.about})
        found = replace(found, doubtful_below=twin.doubtful_below)
    elif model.partition is not None:
        decoder = replace(model.decoder, temperature=found.temperature)  # type: ignore[type-var]
        origins = [photos] if foreign is None else [photos, foreign]
        best = [decoder.believe(each.seen.outputs).probabilities for each in origins]
        right = [np.argmax(of, axis=1) == each.cells for of, each in zip(best, origins, strict=True)]
        threshold, reached, answered = threshold_for(
            np.concatenate([of.max(axis=1) for of in best]),
            np.concatenate(right),
            accuracy,
            weights=np.concatenate([np.full(len(each), 1 / len(each)) for each in right]),
        )
        about.update(accuracy_asked=accuracy, accuracy_of_answers=reached, answered=answered)
        found = replace(found, doubtful_below=threshold)
    return replace(found, about=about)
