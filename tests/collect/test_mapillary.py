from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from lostfound.collect.boxes import Box
from lostfound.collect.mapillary_images import Filters, image_task
from lostfound.data.dataset import Dataset
from lostfound.errors import CollectError, UsageError
from lostfound.geo.sphere import haversine_km

BOX = "48.000,2.000,48.045,2.045"


def records(folder: Path) -> list[dict]:
    return Dataset.open(folder).records.to_pylist()


@pytest.mark.slow
def test_a_record_keeps_licence_creator_address_and_when(serve, graph, tmp_path: Path):
    serve()
    summary = graph(box=BOX)
    held = records(tmp_path / "data")
    assert len(held) == summary.totals.images > 10
    for record in held:
        number = record["place_id"].removeprefix("mapillary/")
        assert re.fullmatch(
            rf"CC BY-SA 4\.0; © mapper\d, Mapillary; https://www\.mapillary\.com/app/\?pKey={number}",
            record["license"],
        )
        assert re.fullmatch(r"20(17|18|19|2\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["captured_at"])
        assert record["original"].endswith(f"/{number}")
        assert record["heading"] >= 90
        assert (record["source"], record["country"]) == ("mapillary", "FR")


@pytest.mark.slow
def test_the_token_goes_to_the_service_and_not_to_where_pictures_lie(serve, graph):
    services = serve()
    graph(box=BOX)
    assert services.requests("picture")
    assert all(line["allowed"] for line in services.requests("search"))
    assert not any("token" in line["question"] for line in services.requests())


@pytest.mark.slow
def test_neighbours_of_a_sequence_are_thinned(serve, graph, tmp_path: Path):
    serve()
    graph(box=BOX, spacing_m=60, per_sequence=3)
    sequences: dict[str, list[tuple[float, float]]] = {}
    for record in records(tmp_path / "data"):
        place = (record["latitude"], record["longitude"])
        sequences.setdefault(record["original"].split("/")[0], []).append(place)
    assert len(sequences) > 5
    assert max(map(len, sequences.values())) == 3
    apart = [haversine_km(a, b) for places in sequences.values() for a, b in combinations(places, 2)]
    assert min(apart) >= 0.06


def test_thinning_counts_what_other_boxes_gave(serve, graph, tmp_path: Path):
    serve(coverage=1.0)
    graph(box="48.000,2.000,48.001,2.002", spacing_m=0, per_sequence=4)
    graph(box="48.000,2.002,48.001,2.006", spacing_m=0, per_sequence=4)
    of_one = [
        record for record in records(tmp_path / "data") if record["original"].startswith("seq4800_200/")
    ]
    assert len(of_one) == 4


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({"panoramas": True}, lambda asked: '"is_pano": "true"' in asked),
        ({"panoramas": False}, lambda asked: '"is_pano": "false"' in asked),
        (
            {"panoramas": None},
            lambda asked: "is_pano" not in json.loads(asked.partition("?")[2]).keys() - {"fields"},
        ),
        ({"since": "2020-01-01"}, lambda asked: '"start_captured_at": "2020-01-01T00:00:00Z"' in asked),
        ({"until": "2020-01-01"}, lambda asked: '"end_captured_at": "2020-01-01T23:59:59Z"' in asked),
    ],
)
@pytest.mark.slow
def test_filters_are_asked_for(serve, graph, filters: dict, fits):
    services = serve()
    graph(box=BOX, **filters)
    assert all(fits(line["question"]) for line in services.requests("search"))


def test_dates_are_kept_to_also_where_the_service_does_not(serve, graph, tmp_path: Path):
    serve()  # it gives images of all dates
    graph(box=BOX, since="2019-01-01", until="2020-12-31")
    days = [record["captured_at"][:10] for record in records(tmp_path / "data")]
    assert days
    assert all("2019-01-01" <= day <= "2020-12-31" for day in days)


@pytest.mark.slow
def test_camera_types_are_kept_to(serve, graph, tmp_path: Path):
    serve()
    both = graph(tmp_path / "both", box=BOX, panoramas=None).totals.images
    one = graph(tmp_path / "one", box=BOX, panoramas=None, camera_types=("spherical",)).totals.images
    assert 0 < one < both


@pytest.mark.slow
def test_a_full_box_is_searched_in_parts(serve, graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import lostfound.collect.mapillary as module

    serve()
    whole = graph(
        tmp_path / "whole", box="48.00,2.00,48.02,2.02", spacing_m=0, per_sequence=None, panoramas=None
    )
    services = serve(limit=20)
    monkeypatch.setattr(module, "LIMIT", 20)  # of the service, which has 2000
    parts = graph(
        tmp_path / "parts", box="48.00,2.00,48.02,2.02", spacing_m=0, per_sequence=None, panoramas=None
    )
    assert len(services.requests("search")) > 4
    assert parts.totals.images == whole.totals.images
    assert max(services.questions("search").values()) == 1


def test_a_box_larger_than_a_search_is_tiled(serve, graph):
    services = serve(coverage=0.02)
    graph(box="48.0,2.0,48.17,2.17")
    assert len(services.requests("search")) == 4
    for line in services.requests("search"):
        west, south, east, north = map(
            float, json.loads(line["question"].partition("?")[2])["bbox"].split(",")
        )
        assert (east - west) * (north - south) < 0.01


def test_one_image_is_taken_around_a_drawn_place(serve, graph):
    serve()
    summary = graph(places=8)
    assert summary.count("hit", "place") == summary.totals.images == 8


def test_a_country_without_images_is_given_up_and_named(serve, graph):
    serve(coverage=0.0)
    summary = graph(places=8, max_misses=10)
    assert list(summary.uncovered) == ["FR"]
    assert summary.images == 0


@pytest.mark.slow
def test_expired_addresses_are_asked_for_anew(serve, graph):
    services = serve(expired=0.5)
    summary = graph(box=BOX)
    assert len(services.requests("entity")) > 3
    assert summary.totals.tasks["image", "hit"] == summary.totals.images > 10
    assert summary.totals.tasks["image", "miss"] == 0


@pytest.mark.slow
def test_an_image_that_is_gone_is_counted(serve, graph):
    services = serve(faults={"gone": 0.3})
    summary = graph(box=BOX)
    gone = summary.totals.tasks["image", "miss"]
    assert 0 < gone < len(services.requests("picture"))
    assert summary.images == summary.totals.images > 0


@pytest.mark.parametrize(
    ("always", "message"),
    [
        ("code4", "slow down (code 4"),
        ("code2", "the service failed"),
        ("429", "slow down"),
        ("500", "failed"),
    ],
)
def test_what_the_service_refuses_is_a_message(serve, graph, always: str, message: str):
    serve(always=always)
    with pytest.raises(CollectError, match=re.escape(message)):
        graph(limits={"patience_s": 0.2, "attempts": 3}, places=40)


def test_a_wrong_token_is_told_of_without_being_shown(serve, graph, monkeypatch: pytest.MonkeyPatch):
    serve()
    monkeypatch.setenv("LOSTFOUND_MAPILLARY_TOKEN", "MLY|wrong|token")
    with pytest.raises(CollectError, match="LOSTFOUND_MAPILLARY_TOKEN holds a valid one") as raised:
        graph()
    assert "wrong|token" not in str(raised.value)


def test_no_token_names_the_variable(graph, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LOSTFOUND_MAPILLARY_TOKEN", raising=False)
    with pytest.raises(UsageError, match="LOSTFOUND_MAPILLARY_TOKEN is not set"):
        graph()


@pytest.mark.slow
def test_faults_that_pass_lose_nothing_and_store_nothing_twice(serve, graph, tmp_path: Path):
    serve()
    graph(tmp_path / "calm", box=BOX)
    faults = {"500": 0.1, "429": 0.05, "truncate": 0.1, "cut-silently": 0.1, "html": 0.1, "broken": 0.05}
    services = serve(faults=faults)
    graph(box=BOX, limits={"attempts": 20})
    assert {line["fault"] for line in services.requests()} > {"500", "truncate"}

    def held(name: str) -> list[tuple]:
        return sorted((record["image_id"], record["original"]) for record in records(tmp_path / name))

    assert held("data") == held("calm")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"since": "May 2020"}, "no day"),
        ({"since": "2020-02-01", "until": "2020-01-01"}, "there is no day"),
        ({"reach_km": 50}, "up to 5"),
    ],
)
def test_filters_that_make_no_sense_are_refused(wrong: dict, message: str):
    with pytest.raises(UsageError, match=message):
        Filters(**wrong)


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"id": "1"},
        {"id": "1", "geometry": None},
        {"id": "1", "geometry": {"type": "Point", "coordinates": [200, 10]}},
        {"id": "1", "geometry": {"type": "Point", "coordinates": []}},
        {"geometry": {"type": "Point", "coordinates": [20, 10]}},
    ],
)
def test_an_image_without_id_or_place_is_left_out(image: dict):
    assert not Filters().fit(image)


@pytest.mark.parametrize(
    ("said", "record"),
    [
        ({"creator": None}, {"creator": "unknown"}),
        ({"creator": "ann"}, {"creator": "unknown"}),
        ({"creator": {"id": 5}}, {"creator": "5"}),
        ({"compass_angle": "north"}, {"heading": None}),
        ({"compass_angle": -90}, {"heading": 270}),
        ({"compass_angle": 10, "computed_compass_angle": 20.5}, {"heading": 20.5}),
        ({"captured_at": "yesterday"}, {"captured_at": None}),
        ({"captured_at": -62_135_596_800_000}, {"captured_at": None}),  # year 1
        ({"captured_at": 0}, {"captured_at": None}),
        ({"captured_at": 1_500_000_000_000}, {"captured_at": "2017-07-14T02:40:00Z"}),
        ({"thumb_2048_url": 5}, {"url": None}),
        ({"computed_geometry": {"coordinates": [1, 2]}}, {"latitude": 2, "longitude": 1}),
    ],
)
def test_odd_values_of_an_image_are_unknown(said: dict, record: dict):
    image = {"id": "1", "geometry": {"coordinates": [16, 45]}} | said
    assert image_task(image).payload.items() >= record.items()


@pytest.mark.parametrize(
    ("geometries", "place"),
    [
        ({"geometry": [16.1, 45.8]}, (45.8, 16.1)),
        ({"computed_geometry": [0, 0], "geometry": [16.1, 45.8]}, (45.8, 16.1)),  # not reconstructed
        ({"computed_geometry": [16.2, 45.7], "geometry": [0, 0]}, (45.7, 16.2)),
        ({"computed_geometry": [-73.9, 40.7], "geometry": [16.1, 45.8]}, (45.8, 16.1)),
        ({"computed_geometry": [16.1, 95], "geometry": [16.1, 45.8]}, (45.8, 16.1)),
        ({"geometry": [16.2000004, 45.7]}, (45.7, 16.2000004)),  # the edge, as a service rounds it
    ],
)
def test_the_place_is_the_first_that_can_be_and_lies_in_the_box(geometries: dict, place: tuple):
    image = {"id": "1"} | {name: {"coordinates": each} for name, each in geometries.items()}
    box = Box(45.7, 16.0, 45.9, 16.2)
    assert Filters().fit(image, box)
    payload = image_task(image, box).payload
    assert (payload["latitude"], payload["longitude"]) == place


@pytest.mark.parametrize("geometry", [[0, 0], [-73.9, 40.7], [16.21, 45.8], [16.1, 45.69], ["nan", 45.8]])
def test_what_has_no_place_in_the_box_is_left_out(geometry: list):
    assert not Filters().fit({"id": "1", "geometry": {"coordinates": geometry}}, Box(45.7, 16.0, 45.9, 16.2))
