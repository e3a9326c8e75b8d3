from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from lostfound.collect.http import RequestFailed, Response
from lostfound.collect.ledger import Ledger
from lostfound.collect.places import make_plan
from lostfound.collect.quotas import Quotas
from lostfound.collect.streetview import StreetView, Views
from lostfound.collect.tasks import Task
from lostfound.data.dataset import Dataset
from lostfound.errors import CollectError, UsageError


def test_a_collection_is_a_data_set_of_what_was_there(serve, street, tmp_path: Path):
    services = serve()
    summary = street(places=6, headings=3)
    records = Dataset.open(tmp_path / "data").records.to_pylist()
    assert summary.count("hit", "place") == 6
    assert len(records) == summary.totals.images == summary.totals.stored == 18
    for record in records:
        pano = record["place_id"].removeprefix("streetview/")
        row, column = map(int, pano.split("_")[1:])
        assert (record["latitude"], record["longitude"]) == pytest.approx((row / 100, column / 100))
        assert record["source"] == "streetview"
        assert re.fullmatch(r"2019-\d\d", record["captured_at"])
        assert record["license"].startswith("© Google;")
        assert record["original"] == f"{pano}/{record['heading']:.2f}"
        assert (record["width"], record["height"]) == (64, 48)
        assert record["split"] in ("train", "val", "test")
    assert sum(record["country"] == "FR" for record in records) >= 15  # towns near a border aside
    assert max(services.questions().values()) == 1


def test_asks_for_what_the_service_documents(serve, street):
    services = serve()
    street(places=2)
    metadata = services.requests("metadata")[0]["question"]
    assert '"radius": "1000"' in metadata
    assert '"source": "outdoor"' in metadata
    view = services.requests("view")[0]["question"]
    assert '"size": "64x48"' in view
    assert '"fov": "90"' in view
    assert '"return_error_code": "true"' in view
    assert all(line["allowed"] for line in services.requests())


def test_headings_go_round_from_a_start_of_the_panoramas_own():
    views = Views(headings=3)
    first, second = views.directions("one"), views.directions("two")
    assert first == views.directions("one")
    assert first[0] != second[0]
    steps = [(b - a) % 360 for a, b in pairwise(first)]
    assert steps == pytest.approx([120, 120], abs=0.02)
    assert all(0 <= heading < 360 for heading in first)


def test_misses_cost_nothing(serve, street):
    services = serve(coverage=0.5)
    summary = street(places=5)
    assert summary.count("miss", "place") > 0
    assert summary.totals.cost == pytest.approx(0.007 * len(services.requests("view")))
    assert len(services.requests("view")) == 5


@pytest.mark.slow
def test_a_panorama_is_taken_once(serve, street):
    services = serve(coverage=1.0)
    summary = street(places=80, countries=("MC",))  # its towns lie in some 400 cells
    assert summary.count("duplicate", "place") > 0
    assert len(services.questions("view")) == len(services.requests("view")) == summary.totals.images


def test_a_panorama_that_the_data_set_holds_is_not_taken_again_without_its_ledger(
    serve, street, tmp_path: Path
):
    services = serve(coverage=1.0)
    street(places=4)
    (tmp_path / "data" / "collect" / "streetview.sqlite").unlink()
    for rest in (tmp_path / "data" / "collect").glob("streetview.sqlite-*"):
        rest.unlink()
    street(places=2)
    assert max(services.questions("view").values()) == 1


def test_a_country_without_coverage_is_given_up_and_named(serve, street):
    services = serve(bare=[[30, -32, 44, -4]])
    summary = street(places=3, countries=("PT", "FR"), max_misses=15)
    assert list(summary.uncovered) == ["PT"]
    asked = len(services.requests("metadata"))
    assert 15 <= summary.uncovered["PT"] <= asked < 15 + 8 + 4 + 30
    assert summary.count("hit", "place") == 3


def test_more_places_are_added_by_asking_for_more(serve, street, tmp_path: Path):
    services = serve()
    street(places=3)
    summary = street(places=5)
    assert summary.collected == 2
    assert len(Dataset.open(tmp_path / "data")) == 5
    assert max(services.questions().values()) == 1


@pytest.mark.parametrize(
    ("always", "message"),
    [
        ("REQUEST_DENIED", "LOSTFOUND_STREETVIEW_KEY holds a key"),
        ("OVER_DAILY_LIMIT", "the day's quota is spent"),
        ("OVER_QUERY_LIMIT", "OVER_QUERY_LIMIT"),
        ("429", "slow down"),
        ("429-long", "no answer for 3600 s"),
        ("500", "the service failed"),
        ("UNKNOWN_ERROR", "UNKNOWN_ERROR"),
    ],
)
def test_what_the_service_refuses_is_a_message_without_the_key(serve, street, always: str, message: str):
    services = serve(always=always)
    with pytest.raises(CollectError, match=re.escape(message)) as raised:
        street(places=40, patience_s=0.3, attempts=3)
    assert services.environment()["LOSTFOUND_STREETVIEW_KEY"] not in str(raised.value)
    assert len(services.requests()) < 100


def test_a_wrong_key_is_told_of_without_being_shown(serve, street, monkeypatch: pytest.MonkeyPatch):
    serve()
    monkeypatch.setenv("LOSTFOUND_STREETVIEW_KEY", "AIzaWrongKey")
    with pytest.raises(CollectError, match=r"REQUEST_DENIED.*\[LOSTFOUND_STREETVIEW_KEY\]") as raised:
        street()
    assert "AIzaWrongKey" not in str(raised.value)


def test_no_key_names_the_variable_and_makes_nothing(street, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("LOSTFOUND_STREETVIEW_KEY", raising=False)
    with pytest.raises(UsageError, match="LOSTFOUND_STREETVIEW_KEY is not set"):
        street()


def test_a_quota_that_is_raised_lets_the_same_collection_go_on(serve, street):
    services = serve(always="OVER_DAILY_LIMIT")
    with pytest.raises(CollectError):
        street(places=3)
    services.change()
    assert street(places=3).count("hit", "place") == 3


FAULTS = {"500": 0.1, "429": 0.05, "truncate": 0.1, "cut-silently": 0.1, "html": 0.05, "broken": 0.05}


@pytest.mark.slow
def test_faults_that_pass_lose_nothing_and_store_nothing_twice(serve, street, tmp_path: Path):
    serve()
    calm = street(tmp_path / "calm", places=40, headings=2)
    services = serve(faults=FAULTS)
    summary = street(places=40, headings=2, attempts=20)
    assert {line["fault"] for line in services.requests()} >= FAULTS.keys()
    assert summary.totals.tasks == calm.totals.tasks

    def held(name: str) -> list[tuple]:
        records = Dataset.open(tmp_path / name).records
        return sorted((r["image_id"], r["original"], r["sha256"], r["split"]) for r in records.to_pylist())

    assert held("data") == held("calm")


def test_a_slow_answer_is_given_up_and_asked_again(serve, street):
    services = serve(faults={"slow": 0.2})
    summary = street(places=8, timeout_s=0.5)
    assert "slow" in {line["fault"] for line in services.requests()}
    assert summary.count("hit", "place") == 8
    assert summary.totals.images == 8


@pytest.mark.parametrize(("fault", "outcome"), [("grey", "error"), ("gone", "miss")])
def test_a_picture_that_is_none_is_not_stored(serve, street, tmp_path: Path, fault: str, outcome: str):
    services = serve(faults={fault: 0.3})
    summary = street(places=12)
    met = sum(line["fault"] == fault for line in services.requests("view"))
    assert met > 0
    assert summary.count(outcome, "view") == met
    assert len(Dataset.open(tmp_path / "data")) == 12 - met


def test_grey_pictures_one_after_the_other_stop_the_collection(serve, street):
    services = serve(always="grey")
    with pytest.raises(CollectError, match="10 requests in a row failed, the last one for: a flat picture"):
        street(places=100)
    assert len(services.requests("view")) < 20  # each is paid for


def test_what_failed_is_tried_again_by_the_next_run(serve, street, tmp_path: Path):
    services = serve(faults={"grey": 0.3})
    before = street(places=12)
    services.change()
    after = street(places=12)
    assert before.count("error", "view") == after.collected > 0
    assert len(Dataset.open(tmp_path / "data")) == 12


class TestBudget:
    def test_of_money_is_never_passed_over_all_runs(self, serve, street):
        services = serve(faults={"500": 0.2})
        for _ in range(3):
            summary = street(places=30, max_cost=0.05)
        assert summary.budget_spent
        assert summary.totals.cost <= 0.05
        assert len(services.requests("view")) == 7  # 0.049 dollars

    def test_of_requests_is_never_passed_over_all_runs(self, serve, street):
        services = serve()
        for _ in range(3):
            summary = street(places=30, max_requests=25)
        assert summary.budget_spent
        assert len(services.requests()) == summary.totals.requests == 25

    def test_that_is_raised_goes_on(self, serve, street):
        services = serve()
        street(places=8, max_requests=9)
        summary = street(places=8, max_requests=1000)
        assert not summary.budget_spent
        assert summary.count("hit", "place") == summary.totals.images == 8
        assert max(services.questions().values()) == 1

    def test_does_not_count_what_never_left_this_machine(self, serve, street):
        services = serve()
        services.stop()
        with pytest.raises(CollectError, match="no connection"):
            street(max_requests=1, patience_s=0.2, parallel=1)
        with pytest.raises(CollectError, match="no connection"):
            street(max_requests=1, patience_s=0.2, parallel=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"headings": 0}, "0 headings"),
        ({"width": 641}, "641x640 pixels"),
        ({"fov": 121}, "121 degrees"),
        ({"pitch": -91}, "-91 degrees"),
        ({"search_m": 0}, "0 m"),
    ],
)
def test_what_the_service_does_not_give_is_refused_at_once(wrong: dict, message: str):
    with pytest.raises(UsageError, match=message):
        Views(**wrong)


def test_a_signature_is_that_of_googles_own_example(monkeypatch: pytest.MonkeyPatch):
    from lostfound.collect.keys import Secret, signed

    # From https://developers.google.com/maps/documentation/streetview/digital-signature
    secret = Secret("LOSTFOUND_STREETVIEW_SECRET", "vNIXE0xscrmjlyV-12Nj_BvUPaw=")
    path = "/maps/api/geocode/json?address=New+York&client=clientID"
    assert signed(path, secret) == "chaRF2hTJKOScPr-RQCEhZbSzIE="


def test_signed_requests_are_answered_and_carry_a_signature(serve, street, monkeypatch: pytest.MonkeyPatch):
    services = serve()
    monkeypatch.setenv("LOSTFOUND_STREETVIEW_SECRET", "vNIXE0xscrmjlyV-12Nj_BvUPaw=")
    assert street(places=2).totals.images == 2
    assert all(line["signed"] for line in services.requests())


@pytest.mark.parametrize(
    "said",
    [
        {"pano_id": "p"},
        {"location": {"lat": 1, "lng": 2}},
        {"pano_id": "p", "location": None},
        {"pano_id": "p", "location": {"lat": "x", "lng": 2}},
        {"pano_id": "p", "location": {"lat": 91, "lng": 2}},
        {"pano_id": "p", "location": {"lat": 0, "lng": 0}},
    ],
)
def test_metadata_without_a_panorama_is_asked_for_again(said: dict, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_STREETVIEW_KEY", "key")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    collector = StreetView(ledger, Quotas(make_plan("towns", places=1), 1), Views())
    content = json.dumps({"status": "OK", **said}).encode()
    with pytest.raises(RequestFailed, match="metadata") as raised:
        collector.outcome_of(Task("place", "place:1", {}), Response(200, "application/json", content))
    assert raised.value.outcome == "retried"
    ledger.close()


@pytest.mark.parametrize(("latitude", "outcome"), [(48.005, "hit"), (48.2, "miss"), (-48.0, "miss")])
def test_a_panorama_far_from_what_was_asked_is_a_miss(latitude, outcome, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_STREETVIEW_KEY", "key")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    collector = StreetView(ledger, Quotas(make_plan("towns", places=1), 1), Views(search_m=1000))
    said = {"status": "OK", "pano_id": "p", "location": {"lat": latitude, "lng": 2.0}}
    place = Task("place", "place:1", {"latitude": 48.0, "longitude": 2.0})
    answer = Response(200, "application/json", json.dumps(said).encode())
    assert collector.outcome_of(place, answer).outcome == outcome
    ledger.close()
