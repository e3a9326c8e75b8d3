"""What the tests of converted models share: small models, and the real package."""

from __future__ import annotations

import importlib.util
import os
import zipfile
from pathlib import Path

import pytest
from published_weights import tiny_clip, write_release


@pytest.fixture(scope="session")
def clip_folder(made_once) -> Path:
    """That CLIP in transformers' layout, with the width of the small GeoCLIP."""
    return made_once("tiny-clip", lambda folder: tiny_clip(10).save_pretrained(folder))


@pytest.fixture(scope="session")
def geoclip_model(made_once, clip_folder: Path, tmp_path_factory) -> Path:
    """The small GeoCLIP as a model folder."""
    from lostfound.models.published.convert import convert

    release = write_release(tmp_path_factory.mktemp("release"))
    return made_once(
        "geoclip", lambda folder: convert("geoclip", folder, weights=str(release), backbone=str(clip_folder))
    )


@pytest.fixture(scope="session")
def geoclip_package(real_data: Path, tmp_path_factory) -> Path:
    """The folder of the package `geoclip`, with its real weights."""
    named = os.environ.get("LOSTFOUND_GEOCLIP")
    spec = importlib.util.find_spec("geoclip")
    places = [Path(named)] if named else []
    places += [Path(spec.origin).parent] if spec and spec.origin else []
    places += [real_data / "weights" / "geoclip"]
    for place in places:
        if place.suffix == ".whl" and place.is_file():
            folder = tmp_path_factory.mktemp("wheel")
            with zipfile.ZipFile(place) as wheel:
                wheel.extractall(folder)
            return folder / "geoclip"
        for folder in (place, place / "geoclip"):
            if (folder / "model" / "weights").is_dir():
                return folder
    pytest.skip("the package geoclip is not here: set LOSTFOUND_GEOCLIP to its folder or wheel")
