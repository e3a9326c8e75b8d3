"""The page of an explanation: a photo under its heat maps, a map of the answers, similar photos; offline."""

from __future__ import annotations

import base64
import io
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.images import open_image, shrink
from lostfound.data.jpeg import encode_jpeg
from lostfound.files import write_atomic, write_json
from lostfound.geo.countries import country_codes, country_name
from lostfound.pages.base_map import ground
from lostfound.pages.frame import fill_page, write_page
from lostfound.pages.heat_map import ENDS, colours, draw_heat_map, overlay, scale_of
from lostfound.predict.explain import EvidenceMap, Explanation, Measure, Role
from lostfound.predict.outputs import NOTE, written_name
from lostfound.predict.similar import SimilarPhoto

PAGE, NUMBERS = "explanation.html", "explanation.json"
OVERLAY_SIDE = 168
"""Of an overlay in the page; the browser makes it as large as the photo."""
THUMBNAIL_SIDE = 160


def write_explanation(folder: Path, explanation: Explanation, *, name: str, note: str = "") -> list[Path]:
    """Write an explanation as pictures, a page that opens offline, and numbers.

    Args:
        folder: Where to; made if need be. Files of an earlier explanation are replaced or removed.
        explanation: What to write.
        name: Of the photo.
        note: A sentence for the page's footer, such as which model answered.

    Returns:
        The files, each written whole or not at all: a PNG for each map, `explanation.html` and
        `explanation.json`.

    Raises:
        LostFoundError: The page can't be written there.
    """
    written = []
    for evidence in explanation.maps:
        path = folder / _file_name(evidence.role, evidence.measure)
        scale = scale_of(evidence.measure, explanation.maps)
        write_atomic(path, draw_heat_map(explanation.picture, evidence, scale=scale, title=heading(evidence)))
        written.append(path)
    for role, measure in product(get_args(Role), get_args(Measure)):
        if (old := folder / _file_name(role, measure)) not in written:
            old.unlink(missing_ok=True)
    page = render_explanation(explanation, title=f"Why? {written_name(name)}", note=note)
    write_json(folder / NUMBERS, {"photo": written_name(name), "note": NOTE, **explanation.as_dict()})
    return [*written, folder / NUMBERS, write_page(folder / PAGE, page)]


def _file_name(role: Role, measure: Measure) -> str:
    return f"{role}-{measure}.png".replace(" ", "-")


def heading(evidence: EvidenceMap) -> str:
    """What a map shows, in a line: "Answer: Japan 41 %, what hiding a part costs it"."""
    role = evidence.role[:1].upper() + evidence.role[1:]
    name, probability = evidence.candidate.name, evidence.candidate.probability
    sure = "" if probability is None else f" {_percent(probability)}"
    how = {"class activation": "class activation", "probability": "what hiding a part costs it"}
    return f"{role}: {name}{sure}, {how.get(evidence.measure, 'how far hiding a part moves it')}"


def _percent(probability: float) -> str:
    return "< 1 %" if 0 < probability < 0.005 else f"{100 * probability:.0f} %"


def render_explanation(explanation: Explanation, *, title: str, note: str = "") -> str:
    """The page's HTML; see `write_explanation`."""
    return fill_page(
        "explanation",
        title=title,
        count="",
        note=note,
        data={"ground": ground(), "explanation": _data(explanation)},
    )


def _data(explanation: Explanation) -> dict[str, Any]:
    """What explanation.js reads."""
    guess = explanation.guess
    height, width = explanation.picture.shape[:2]
    picture = encode_jpeg(Image.fromarray(explanation.picture), quality=85)
    return {
        "picture": base64.b64encode(picture).decode(),
        "size": [width, height],
        "guess": [guess.latitude, guess.longitude],
        "candidates": [
            {"name": each.name, "probability": each.probability, "code": each.country}
            for each in guess.candidates
        ],
        "warning": guess.warning,
        "abstained": guess.abstained,
        "notice": explanation.notice,
        "maps": [_map(each, explanation) for each in explanation.maps],
        "similar": [_similar(each) for each in explanation.similar],
    }


def _map(evidence: EvidenceMap, explanation: Explanation) -> dict[str, Any]:
    height, width = explanation.picture.shape[:2]
    scale = scale_of(evidence.measure, explanation.maps)
    share = OVERLAY_SIDE / max(height, width)
    size = max(1, round(height * share)), max(1, round(width * share))
    low = 0.0 if evidence.measure == "distance" else -scale
    candidate = evidence.candidate
    return {
        "role": evidence.role,
        "name": candidate.name,
        "probability": candidate.probability,
        "at": [candidate.latitude, candidate.longitude],
        "measure": evidence.measure,
        "unit": evidence.unit,
        "low": low,
        "high": scale,
        "ends": ENDS[evidence.measure],
        "values": np.round(evidence.values.astype(np.float64), 3).tolist(),
        "overlay": _png(overlay(evidence.values, scale, size)),
        "ramp": _png(colours(np.linspace(low, scale, 128)[None], scale)),
    }


def _similar(photo: SimilarPhoto) -> dict[str, Any]:
    country = photo.country
    return {
        "name": written_name(photo.original),
        "country": country_name(country) if country in country_codes() else country,
        "at": None if photo.latitude is None else [photo.latitude, photo.longitude],
        "similarity": photo.similarity,
        "distance": photo.distance_km,
        "thumbnail": base64.b64encode(
            encode_jpeg(shrink(open_image(photo.image), THUMBNAIL_SIDE), quality=80)
        ).decode(),
    }


def _png(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
