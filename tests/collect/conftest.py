"""The services on loopback as a process, and collections that ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

_spec = spec_from_file_location("street_services", Path(__file__).parent / "services.py")
assert _spec is not None
assert _spec.loader is not None
_services = module_from_spec(_spec)
_spec.loader.exec_module(_services)
Services = _services.Services


@pytest.fixture
def serve(
    begin: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Services]]:
    """Start the services, with settings; the collectors of this process ask them."""
    started: list[Services] = []

    def start(**settings: object) -> Services:
        services = Services(tmp_path / f"services-{len(started)}", begin=begin, **settings)
        started.append(services)
        for name, value in services.environment().items():
            monkeypatch.setenv(name, value)
        return services

    yield start
    for services in started:
        services.stop()


@pytest.fixture
def street(tmp_path: Path):
    """Collect from Street View in this process, as the command does; gives the summary."""
    from lostfound.collect.collection import open_collection
    from lostfound.collect.places import make_plan
    from lostfound.collect.quotas import Quotas
    from lostfound.collect.run import run_collection
    from lostfound.collect.runner import RunLimits
    from lostfound.collect.streetview import SOURCE, StreetView, Views, settings_of

    def run(
        to: Path | None = None,
        *,
        places: int = 6,
        countries: tuple[str, ...] = ("FR",),
        headings: int = 1,
        max_misses: int = 30,
        pack_at: int = 4096,
        seed: int = 0,
        **limits,
    ):
        to = to or tmp_path / "data"
        plan = make_plan("towns", places=places, countries=countries, seed=seed)
        views = Views(headings, 64, 48, seed=seed)
        quotas = Quotas(plan, max_misses)
        fast = {"rate": 1000, "patience_s": 2, "timeout_s": 5, "first_wait_s": 0.01} | limits
        with open_collection(to, SOURCE, {**plan.settings, **settings_of(views)}, size=48) as collection:
            collector = StreetView(collection.ledger, quotas, views, held=collection.held_places())
            return run_collection(
                collection,
                collector,
                RunLimits(**fast),
                jobs=1,
                pack_at=pack_at,
            )

    return run


@pytest.fixture
def graph(tmp_path: Path):
    """Collect from Mapillary in this process, as the command does; gives the summary."""
    from lostfound.collect.boxes import Box
    from lostfound.collect.collection import open_collection
    from lostfound.collect.mapillary import SOURCE, Mapillary, settings_of
    from lostfound.collect.mapillary_images import Filters
    from lostfound.collect.places import make_plan
    from lostfound.collect.quotas import Quotas
    from lostfound.collect.run import run_collection
    from lostfound.collect.runner import RunLimits

    def run(
        to: Path | None = None,
        *,
        box: str | None = None,
        places: int = 6,
        max_misses: int = 30,
        limits: dict | None = None,
        **filters,
    ):
        to = to or tmp_path / "data"
        tiles = [] if box is None else Box.read(box).tiles()
        quotas = None
        if box is None:
            quotas = Quotas(make_plan("towns", places=places, countries=["FR"]), max_misses)
            filters = {"per_box": 1} | filters
        wanted = Filters(**filters)
        fast = {"rate": 1000, "patience_s": 2, "timeout_s": 5, "first_wait_s": 0.01} | (limits or {})
        with open_collection(to, SOURCE, settings_of(wanted), size=48) as collection:
            collector = Mapillary(
                collection.ledger, wanted, quotas=quotas, boxes=tiles, held=collection.held_places()
            )
            return run_collection(collection, collector, RunLimits(**fast), jobs=1)

    return run
