from __future__ import annotations

from lostfound.collect.places import WORLD, make_plan
from lostfound.collect.quotas import Quotas


def ask(quotas: Quotas, answer) -> int:
    """Ask for places until no more come; gives how many."""
    asked = 0
    while tasks := quotas.next_places():
        for task in tasks:
            asked += 1
            quotas.note(task.area, answer(task), task.payload)
    return asked


def test_places_are_handed_out_until_each_area_has_its_number():
    quotas = Quotas(make_plan("towns", places=20, countries=["FR", "DE"]), max_misses=50)
    ask(quotas, lambda task: "miss" if task.payload["index"] % 3 else "hit")
    assert quotas.hits == {"FR": 20, "DE": 20}
    assert not quotas.uncovered()


def test_duplicates_count_neither_as_hits_nor_as_misses():
    quotas = Quotas(make_plan("towns", places=5, countries=["FR"]), max_misses=3)
    ask(quotas, lambda task: "duplicate" if task.payload["index"] < 30 else "hit")
    assert quotas.hits == {"FR": 5}


def test_a_country_is_given_up_after_its_misses_and_others_go_on():
    quotas = Quotas(make_plan("towns", places=20, countries=["FR", "DE"]), max_misses=40)
    asked = ask(quotas, lambda task: "miss" if task.area == "FR" else "hit")
    assert 40 <= quotas.uncovered()["FR"] < 48
    assert asked == quotas.uncovered()["FR"] + 20


def test_countries_of_the_world_are_given_up_one_by_one():
    quotas = Quotas(make_plan("towns", places=300), max_misses=10)
    ask(quotas, lambda task: "miss" if task.payload["where"] in ("CN", "IN", "US") else "hit")
    assert quotas.hits[WORLD] == 300
    assert set(quotas.uncovered()) == {"CN", "IN", "US"}


def test_a_world_without_coverage_comes_to_an_end():
    quotas = Quotas(make_plan("towns", places=5), max_misses=1)
    assert 0 < ask(quotas, lambda _: "miss") < 2000


def test_what_earlier_runs_asked_is_not_drawn_again():
    plan = make_plan("towns", places=20, countries=["FR"])
    first = Quotas(plan, max_misses=50)
    tasks = first.next_places()
    second = Quotas(plan, max_misses=50)
    second.restore(
        [(task.area, "hit", task.payload) for task in tasks[:-1]] + [("FR", None, tasks[-1].payload)]
    )
    assert not {task.key for task in tasks} & {task.key for task in second.next_places()}
    assert second.found() == len(tasks) - 1
