"""GeoCLIP: its towers against golden values and its own package, and what its model folder answers."""

from __future__ import annotations

import json
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import SIZE, random_geoclip, tiny_clip, write_release

from lostfound.errors import ModelError, UsageError
from lostfound.models.published.convert import convert
from lostfound.models.published.geoclip import decoder_of, read_weights
from lostfound.models.published.sources import ModelSource
from lostfound.models.published.tensors import read_tensors
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import GRAPH_WEIGHTS
from lostfound.predict.own_gallery import build_listed_gallery
from lostfound.predict.place_tower import PlaceTower, equal_earth
from lostfound.predict.restrictions import Restriction

GOLDEN = {
    (40.7128, -74.0060): (-0.0103947916, 0.0078810100, 0.0130241643, 0.0028434133, 0.2243472918),
    (34.0522, -118.2437): (-0.0045551209, 0.0086305809, 0.0046159214, -0.0071557815, 0.2301135697),
    (48.8584, 2.2945): (-0.0132124398, 0.0085821240, -0.0047076079, 0.0051630433, 0.2078558559),
    (48.8737, 2.2950): (-0.0111819212, 0.0179717740, -0.0092546757, 0.0079657158, 0.2127383716),
    (-33.8568, 151.2153): (-0.0187028320, 0.0066641652, 0.0080704407, -0.0100928292, 0.2547741106),
    (0.0, 0.0): (0.0046559209, 0.0006912802, 0.0073547754, -0.0015121432, 0.3952259427),
}
"""The first four numbers of the embedding of a place, and its length, in double precision."""
PHOTO = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def test_the_projection_is_equal_earth_as_geoclip_has_it() -> None:
    points = np.array([(40.7128, -74.0060), (48.8584, 2.2945), (-33.8568, 151.2153)])
    there = [(-0.362762, 0.290791), (0.010612, 0.341158), (0.771187, -0.245495)]
    assert equal_earth(points) == pytest.approx(np.array(there), abs=1e-6)


@pytest.mark.data
def test_the_real_towers_give_the_golden_values(geoclip_package: Path) -> None:
    weights = geoclip_package / "model" / "weights"
    tower = PlaceTower(read_tensors(weights / "location_encoder_weights.pth"))
    found = tower.embed(np.array(list(GOLDEN)), np.float64)
    lengths = np.linalg.norm(found, axis=1)
    assert np.column_stack([found[:, :4], lengths]) == pytest.approx(
        np.array(list(GOLDEN.values())), abs=1e-9
    )
    places = found / lengths[:, None]
    assert places[2] @ places[3] == pytest.approx(0.8548, abs=1e-4)
    single = tower.embed(np.array(list(GOLDEN)))
    assert single / np.linalg.norm(single, axis=1)[:, None] == pytest.approx(places, abs=2e-4)
    mlp = read_tensors(weights / "image_encoder_mlp_weights.pth")
    picture = (
        np.maximum(mlp["0.weight"] @ np.ones(768) + mlp["0.bias"], 0) @ mlp["2.weight"].T + mlp["2.bias"]
    )
    picture /= np.linalg.norm(picture)
    assert picture[:4] == pytest.approx([0.0435366538, 0.0684819662, -0.0004395670, -0.0318438054], abs=1e-6)
    cosines = [0.0313502713, 0.0197567276, -0.0097220844, 0.0686045123, 0.0159270260, 0.0330315604]
    assert places @ picture == pytest.approx(cosines, abs=1e-6)
    scale = read_tensors(weights / "logit_scale_weights.pth")[""]
    assert np.exp(np.float64(scale)) == pytest.approx(39.687442779541016)


@pytest.mark.filterwarnings("ignore")  # of the package's own
@pytest.mark.data
def test_the_place_tower_is_the_packages_own(geoclip_package: Path, monkeypatch, tmp_path: Path) -> None:
    package = types.ModuleType("geoclip")
    package.__path__ = [str(geoclip_package)]
    monkeypatch.setitem(sys.modules, "geoclip", package)
    from geoclip.model.location_encoder import LocationEncoder

    dice = np.random.default_rng(0)
    points = np.column_stack([dice.uniform(-90, 90, 500), dice.uniform(-180, 180, 500)])
    with torch.no_grad():  # in double precision, but for its constants: in single it is ten times as far off
        theirs = LocationEncoder().double()(torch.from_numpy(points)).numpy()
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    tower = PlaceTower(read_tensors(geoclip_package / "model" / "weights" / "location_encoder_weights.pth"))
    (tmp_path / "tower.npz").write_bytes(tower.to_bytes())
    for kind in (np.float64, np.float32):
        ours = PlaceTower.read(tmp_path / "tower.npz").embed(points, kind)
        ours = ours / np.linalg.norm(ours, axis=1, keepdims=True)
        assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.filterwarnings("ignore")  # of the package's own
@pytest.mark.data
def test_it_answers_as_the_package_does(geoclip_package: Path, tmp_path: Path, monkeypatch) -> None:
    """The same top 20 with the same probabilities, with the same CLIP of random weights behind both."""
    own = tmp_path / "own"
    shutil.copytree(geoclip_package / "model" / "weights", own)
    lines = (geoclip_package / "model" / "gps_gallery" / "coordinates_100K.csv").read_text().splitlines()
    (own / "coordinates_100K.csv").write_text("\n".join([*lines[:300], *lines[1:40]]) + "\n")
    clip = tiny_clip(768)
    clip.save_pretrained(tmp_path / "clip")
    found = {}
    for exact in (True, False):
        model = convert(
            *("geoclip", tmp_path / f"model-{exact}"),
            weights=str(own),
            backbone=str(tmp_path / "clip"),
            exact_upstream=exact,
        )
        locator = Locator(model, threads=1)
        found[exact] = locator.decode(locator.run(PHOTO[None]), top=20)

    package = types.ModuleType("geoclip")  # without its training, which needs more
    package.__path__ = [str(geoclip_package)]
    monkeypatch.setitem(sys.modules, "geoclip", package)
    from geoclip.model.image_encoder import ImageEncoder
    from geoclip.model.location_encoder import LocationEncoder

    towers, picture = LocationEncoder(), ImageEncoder.__new__(ImageEncoder)
    torch.nn.Module.__init__(picture)
    picture.CLIP = clip
    picture.mlp = torch.nn.Sequential(torch.nn.Linear(768, 768), torch.nn.ReLU(), torch.nn.Linear(768, 512))
    picture.mlp.load_state_dict(torch.load(own / "image_encoder_mlp_weights.pth", weights_only=True))
    gallery = torch.tensor(
        [[float(each) for each in line.split(",")] for line in [*lines[1:300], *lines[1:40]]]
    )
    pixels = (torch.from_numpy(PHOTO).float() / 255 - torch.tensor([0.48145466, 0.4578275, 0.40821073])) / (
        torch.tensor([0.26862954, 0.26130258, 0.27577711])
    )
    with torch.no_grad():
        image = torch.nn.functional.normalize(picture(pixels.permute(2, 0, 1)[None]), dim=1)
        places = torch.nn.functional.normalize(towers(gallery), dim=1)
        theirs = (39.687442779541016 * image @ places.T).softmax(dim=1)[0].numpy()
    order = np.argsort(-theirs, kind="stable")[:20]
    exact = found[True]
    assert exact.probabilities is not None
    assert exact.probabilities[0] == pytest.approx(theirs[order], abs=2e-4)
    assert sorted(exact.cells[0]) == sorted(exact.partition.cell_ids[row] for row in order)
    points = [tuple(row) for row in gallery.numpy().round(5).tolist()]
    together: dict[tuple[float, ...], float] = {}
    for point, probability in zip(points, theirs, strict=True):
        together[point] = together.get(point, 0.0) + float(probability)
    assert found[False].probabilities[0] == pytest.approx(
        sorted(together.values(), reverse=True)[:20], abs=2e-4
    )


@pytest.mark.slow
def test_equal_places_are_merged_or_stay_apart(geoclip_model: Path, tmp_path: Path) -> None:
    merged = Locator.load(geoclip_model, threads=1)
    weights = read_weights(ModelSource(write_release(tmp_path), "release"))
    apart = decoder_of(weights, exact_upstream=True, half=False)
    assert (len(merged.model.partition), len(apart.partition)) == (5, 7)
    outputs = merged.run(PHOTO[None])
    one = merged.model.decoder.believe(outputs).probabilities[0]
    many = apart.believe(outputs).probabilities[0]
    assert one[0] == pytest.approx(many[0] + many[2] + many[6])
    assert many.sum() == pytest.approx(1)


def test_its_answers_are_like_any_models(geoclip_model: Path) -> None:
    locator = Locator.load(geoclip_model, threads=1)
    guess = locator.locate(PHOTO)
    assert sum(each.probability for each in guess.candidates) == pytest.approx(1)
    assert {each.area_id for each in guess.areas["countries"]} == {"FR", "DE", "JP", "NA", "US"}
    assert (
        guess.best.country
        == locator.model.partition.countries[locator.model.partition.numbers[guess.best.cell_id]]
    )
    only = locator.using(within=Restriction(countries=frozenset({"JP", "NA"}))).locate(PHOTO)
    assert {each.country for each in only.candidates} == {"JP", "NA"}
    assert only.left_out is not None
    assert locator.using(point="score").locate(PHOTO).latitude in locator.model.partition.centroids[:, 0]
    answers = locator.explain(PHOTO, method="occlusion").maps
    assert {each.measure for each in answers} == {"probability", "distance"}


def test_the_folder_says_what_it_is_made_of(geoclip_model: Path) -> None:
    config = json.loads((geoclip_model / "config.json").read_text())
    about = config["published"]
    assert (about["license"], about["commercial_use"], about["gallery"]["rows"]) == ("MIT", True, 7)
    hashes = [sha for source in about["sources"] for sha in source["files_sha256"].values()]
    assert len(hashes) == 4
    assert all(len(sha) == 64 for sha in hashes)
    assert isinstance(Locator.load(geoclip_model).model.decoder.embeddings, np.memmap)
    assert "Not for finding people" in (geoclip_model / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_fewer_bits_answer_nearly_the_same(
    clip_folder: Path, geoclip_model: Path, tmp_path: Path, precision: str
) -> None:
    release = write_release(tmp_path / "release")
    made = convert(
        "geoclip", tmp_path / "m", weights=str(release), backbone=str(clip_folder), precision=precision
    )
    small, whole = Locator(made, threads=1), Locator.load(geoclip_model, threads=1)
    cosine = np.sum(small.run(PHOTO[None]) * whole.run(PHOTO[None]))
    assert cosine > {"fp16": 0.9999, "int8": 0.97}[precision]
    assert made.decoder.embeddings.dtype == np.float16


@pytest.mark.slow
def test_weights_of_a_large_one_lie_beside_its_graph(
    clip_folder: Path, geoclip_model: Path, tmp_path: Path, monkeypatch
) -> None:
    """It answers the same, has galleries of one's own, and a damaged file is named."""
    monkeypatch.setattr("lostfound.models.shrinking.LARGE", 1)
    release = write_release(tmp_path / "release")
    model = convert("geoclip", tmp_path / "m", weights=str(release), backbone=str(clip_folder))
    assert set(model.config["files"]) == {*Locator.load(geoclip_model).model.config["files"], GRAPH_WEIGHTS}
    assert model.graph_bytes > 4 * model.graph.stat().st_size
    assert Locator(model).locate(PHOTO) == Locator.load(geoclip_model).locate(PHOTO)
    (tmp_path / "places.csv").write_text("name,lat,lon\nParis,48.9,2.4\nRome,41.9,12.5\n")
    own = build_listed_gallery(model.path, tmp_path / "places.csv", tmp_path / "own")
    assert {each.name for each in Locator(own).locate(PHOTO).candidates} == {"Paris", "Rome"}
    data = (tmp_path / "m" / GRAPH_WEIGHTS).read_bytes()
    (tmp_path / "m" / GRAPH_WEIGHTS).write_bytes(data[:-1])
    with pytest.raises(ModelError, match=r"model\.onnx\.data is not this model's own"):
        Locator.load(tmp_path / "m")


def test_what_is_not_geoclip_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    def attempt(tensors, backbone=clip_folder) -> None:
        release = write_release(tmp_path / "release", tensors)
        convert("geoclip", tmp_path / "m", weights=str(release), backbone=str(backbone))

    whole = random_geoclip()
    for missing in ("logit_scale", "location_encoder.LocEnc1.head.0.bias", "image_encoder.mlp.2.weight"):
        with pytest.raises(
            ModelError, match=r"holds no weights of GeoCLIP|no weights of GeoCLIP's place tower"
        ):
            attempt({name: value for name, value in whole.items() if name != missing})
    with pytest.raises(ModelError, match="projection has 10 numbers where GeoCLIP takes 11"):
        attempt(random_geoclip(given=11))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        attempt(whole, tmp_path / "empty")
    half = tmp_path / "half"
    shutil.copytree(clip_folder, half)
    data = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="can't be read as a CLIPModel: it may be half downloaded"):
        attempt(whole, half)
    assert not (tmp_path / "m").exists()


def test_weights_of_another_backbone_are_refused(clip_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(clip_folder, other)
    config = json.loads((other / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="of its tensors are missing or of another size"):
        convert("geoclip", tmp_path / "m", weights=str(write_release(tmp_path / "r")), backbone=str(other))


def test_a_gallery_of_another_embedding_is_refused(geoclip_model: Path, tmp_path: Path) -> None:
    from lostfound.files import file_digest

    shutil.copytree(geoclip_model, tmp_path / "m")
    np.save(tmp_path / "m" / "gallery.npy", np.ones((5, 9), dtype=np.float32))
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config["files"]["gallery.npy"] = file_digest(tmp_path / "m" / "gallery.npy")
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="12 outputs where the model's answers need 9"):
        Locator.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            {"weights": None},
            "geoclip needs --weights: the folder where VicenteVivanco/geoclip-geolocation lies",
        ),
        ({"weights": "nowhere"}, "nowhere does not exist"),
        ({"weights": "hf://geoclip"}, "is no model's name on the hub"),
    ],
)
def test_what_is_missing_is_named(
    clip_folder: Path, tmp_path: Path, words: dict[str, str | None], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        convert("geoclip", tmp_path / "m", backbone=str(clip_folder), **words)
    with pytest.raises(UsageError, match=r"no published model 'geoklip': .* did you mean geoclip"):
        convert("geoklip", tmp_path / "m")


def test_a_hub_that_is_offline_says_what_to_do(clip_folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"can't be had from the hub .* bring the folder here"):
        convert("geoclip", tmp_path / "m", weights="hf://owner/never-there", backbone=str(clip_folder))
