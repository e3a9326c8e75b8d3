"""StreetCLIP: what its model folder answers, against transformers' own class with the same random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from published_weights import SIZE, write_streetclip

from lostfound.errors import ModelError, UsageError
from lostfound.geo.countries import country_name
from lostfound.models.published.convert import convert
from lostfound.models.published.streetclip import largest_cities
from lostfound.predict.locator import Locator
from lostfound.predict.restrictions import Restriction

PHOTO = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def clip_and_words(made_once) -> Path:
    return made_once("tiny-streetclip", write_streetclip)


@pytest.fixture(scope="session")
def streetclip_model(made_once, clip_and_words: Path) -> Path:
    return made_once("streetclip", lambda to: convert("streetclip", to, weights=str(clip_and_words)))


def asked(folder: Path, texts: list[str]) -> np.ndarray:
    """The probabilities of texts for the photo, as the card of StreetCLIP computes them."""
    from transformers import CLIPModel, CLIPTokenizer

    model = CLIPModel.from_pretrained(folder).eval()
    tokens = CLIPTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    pixels = torch.from_numpy(PHOTO).float() / 255
    pixels = (pixels - torch.tensor([0.48145466, 0.4578275, 0.40821073])) / (
        torch.tensor([0.26862954, 0.26130258, 0.27577711])
    )
    with torch.no_grad():
        said = model(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            pixel_values=pixels.permute(2, 0, 1)[None],
        )
    return said.logits_per_image.softmax(dim=1)[0].numpy()


@pytest.mark.slow
def test_countries_and_their_cities_are_as_probable_as_the_card_says(
    streetclip_model: Path, clip_and_words: Path
) -> None:
    cities = largest_cities()
    codes = sorted({city.country for city in cities})
    countries = asked(clip_and_words, [f"A Street View photo in {country_name(code)}." for code in codes])
    locator = Locator.load(streetclip_model, threads=1)
    outputs = locator.run(PHOTO[None])
    found = locator.model.decoder.believe(outputs).probabilities[0]
    own = np.array([city.country for city in cities])
    assert [found[own == code].sum() for code in codes] == pytest.approx(countries, abs=1e-5)
    best = codes[int(np.argmax(countries))]
    within = asked(
        clip_and_words, [f"A Street View photo from {city.name}." for city in cities if city.country == best]
    )
    assert found[own == best] / found[own == best].sum() == pytest.approx(within, abs=1e-4)
    assert sum(own == "FR") == 30


@pytest.mark.slow
def test_exactly_as_upstream_the_best_city_of_the_best_country_answers(
    clip_and_words: Path, streetclip_model: Path, tmp_path: Path
) -> None:
    made = convert("streetclip", tmp_path / "m", weights=str(clip_and_words), exact_upstream=True)
    locator, other = Locator(made, threads=1), Locator.load(streetclip_model, threads=1)
    exact = locator.model.decoder.believe(locator.run(PHOTO[None])).probabilities[0]
    joint = other.model.decoder.believe(other.run(PHOTO[None])).probabilities[0]
    own = np.array(made.partition.countries)
    codes = sorted(set(made.partition.countries))
    totals = [joint[own == code].sum() for code in codes]
    assert [exact[own == code].sum() for code in codes] == pytest.approx(totals)
    best = np.flatnonzero(own == codes[int(np.argmax(totals))])
    assert np.argmax(exact) == best[np.argmax(joint[best])]
    assert np.count_nonzero(exact > 1e-9) == len(codes)


def test_it_is_a_model_as_any(streetclip_model: Path, tmp_path: Path) -> None:
    locator = Locator.load(streetclip_model, threads=1)
    assert locator.model.terms == "Licence: streetclip is under CC-BY-NC-4.0: not for commercial use"
    assert locator.model.config["published"]["prompts"]["city"] == "A Street View photo from {}."
    guess = locator.using(within=Restriction(countries=frozenset({"FR"}))).locate(PHOTO)
    assert guess.country == "FR"
    assert len(guess.candidates) == 5
    Image.effect_noise((200, 90), 60).convert("L").save(tmp_path / "grey.png")
    assert locator.locate(tmp_path / "grey.png").country is not None


@pytest.mark.slow
def test_a_pickled_file_is_read_as_tensors(streetclip_model: Path, tmp_path: Path) -> None:
    folder = write_streetclip(tmp_path / "pickled", pickled=True)
    made = convert("streetclip", tmp_path / "m", weights=str(folder), precision="fp16")
    both = [Locator.load(path, threads=1).run(PHOTO[None])[0] for path in (streetclip_model, made.path)]
    assert both[0] == pytest.approx(both[1], abs=5e-3)
    assert made.decoder.files["gallery.npy"].dtype == np.float16


def test_what_is_not_it(clip_and_words: Path, streetclip_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave --backbone out"):
        convert("streetclip", tmp_path / "m", weights=str(clip_and_words), backbone="x")
    (tmp_path / "half").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "half" / name).write_bytes((clip_and_words / name).read_bytes())
    with pytest.raises(ModelError, match=r"has no tokenizer \(looked for tokenizer\.json, vocab\.json\)"):
        convert("streetclip", tmp_path / "m", weights=str(tmp_path / "half"))
    config = streetclip_model / "config.json"
    other = tmp_path / "other"
    other.mkdir()
    for each in streetclip_model.iterdir():
        (other / each.name).write_bytes(each.read_bytes())
    np.save(other / "countries.npy", np.zeros((3, 10), dtype=np.float32))
    values = json.loads(config.read_text())
    from lostfound.files import file_digest

    values["files"]["countries.npy"] = file_digest(other / "countries.npy")
    (other / "config.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="they are of other prompts"):
        Locator.load(other)
