"""A generated world on disk: images, a table and a notice, written by all cores, resumed where it stopped."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from lostfound.claims import changed_keys
from lostfound.errors import DatasetError, UsageError
from lostfound.files import write_atomic, write_json
from lostfound.parallel.processes import Processes
from lostfound.world.places import Place, sample_places
from lostfound.world.render import render
from lostfound.world.scene import road_bearing

QUALITY = 90
COLUMNS = ("place", "path", "heading", "latitude", "longitude", "country")
FEW = 400
"""Up to this many images, starting processes takes longer than drawing."""

NOTICE = """# A generated world

These images are SYNTHETIC. `lostfound` drew them; no camera saw these places, and nothing in them may be
taken as a photo or as evidence of what a place looks like. The coordinates exist, the streets are made up.

`table.csv` says which image shows which place, in which direction. `world.json` holds the settings: the same
settings draw the same world again.
"""


def write_world(
    folder: str | Path,
    *,
    places: int,
    views: int = 4,
    size: int = 128,
    seed: int = 0,
    countries: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a generated world: `images/<place>_<heading>.jpg`, `table.csv`, `world.json` and `README.md`.

    The first view of each place looks along its road. Stopped at any moment, the same call goes on where it
    was; a call for more places keeps those that are there. The table is written last.

    Args:
        folder: Where to; made if missing.
        places: How many places.
        views: Headings of each place, evenly spaced, 1 to 36.
        size: Width and height of the images in pixels.
        seed: Another seed is another world.
        countries: ISO 3166-1 alpha-2 codes, taken in turn; `DEFAULT_COUNTRIES` by default.
        progress: Called with the number of images done since the last call.

    Returns:
        The folder.

    Raises:
        UsageError: A value is out of its range.
        CountryNameError: A code that has no boundary.
        DatasetError: The folder holds a world of other settings.
    """
    if not 1 <= views <= 36:
        raise UsageError(f"views is {views}, but must be between 1 and 36")
    folder = Path(folder)
    chosen = sample_places(places, seed=seed, countries=countries)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    settings: dict[str, object] = {
        "synthetic": True,
        "seed": seed,
        "views": views,
        "size": size,
        "countries": countries and list(countries),
    }
    _keep_settings(folder / "world.json", settings)
    write_atomic(folder / "README.md", NOTICE.encode())
    draw = partial(_draw_place, folder=folder, views=views, size=size, seed=seed)
    with Processes(1 if len(chosen) * views <= FEW else None) as processes:
        for done in processes.spread(draw, chosen):
            if progress is not None:
                progress(done)
    write_atomic(folder / "table.csv", _table(chosen, views, seed).encode())
    return folder


def view_headings(place: Place, views: int, seed: int) -> list[int]:
    """Headings of a place's views, whole degrees; the first looks along the road."""
    start = road_bearing(place.latitude, place.longitude, seed)
    return [round(start + 360 * view / views) % 360 for view in range(views)]


def _path(place: Place, heading: int) -> str:
    return f"images/{place.place_id}_{heading:03d}.jpg"


def _draw_place(place: Place, *, folder: Path, views: int, size: int, seed: int) -> int:
    """Write the views of a place that are not there yet."""
    for heading in view_headings(place, views, seed):
        target = folder / _path(place, heading)
        if not target.exists():
            pixels = render(
                place.latitude, place.longitude, heading, country=place.country, size=size, seed=seed
            )
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
            write_atomic(target, buffer.getvalue())
    return views


def _table(places: list[Place], views: int, seed: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place in places:
        for heading in view_headings(place, views, seed):
            row = (
                place.place_id,
                _path(place, heading),
                heading,
                place.latitude,
                place.longitude,
                place.country,
            )
            writer.writerow(row)
    return text.getvalue()


def _keep_settings(path: Path, settings: dict[str, object]) -> None:
    """Write the settings, or make sure that those of an earlier run are the same."""
    if path.exists():
        changed = changed_keys(_read_settings(path), settings)
        if changed:
            raise DatasetError(
                f"{path.parent} holds a world of other settings ({path.name}: {', '.join(changed)}): choose "
                "another folder"
            )
    write_json(path, settings)


def _read_settings(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        raise DatasetError(f"{path} is damaged: choose another folder for the world") from None
