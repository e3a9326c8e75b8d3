import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.data.preparing.rebalance import TOO_MANY, UNKNOWN, country_quota, keep_up_to, rebalance
from lostfound.data.records import SCHEMA
from lostfound.errors import RecipeError
from lostfound.geo.sampling import SizeClass

COUNTRIES = ["BR", "DE", "FR", "JP", "KE", "LU"]


def images(views=1, **counts):
    """So many places of each country, each with some views."""
    rows = [
        {
            "image_id": f"{code}{place}-{view}",
            "place_id": f"{code}{place}",
            "country": code if code != "none" else None,
        }
        for code, places in counts.items()
        for place in range(places)
        for view in range(views)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def kept(balance):
    return {code: each.kept for code, each in balance.countries.items() if each.kept}


class TestQuota:
    @pytest.mark.parametrize(
        ("slack", "numbers", "total"),
        [
            (1.0, {"FR": 20, "JP": 20, "KE": 20}, 60),  # as many as the smallest country
            (0.5, {"FR": 40, "JP": 40, "KE": 20}, 120),  # which may have half of its target
            (0.2, {"FR": 100, "JP": 50, "KE": 20}, 300),
        ],
    )
    def test_the_largest_total_within_the_slack(self, slack, numbers, total):
        quota = country_quota(
            {"FR": 100, "JP": 50, "KE": 20}, dict.fromkeys(["FR", "JP", "KE"], 1.0), slack=slack
        )

        assert (quota.numbers, quota.total, quota.limited_by) == (numbers, total, "KE")

    def test_rare_countries_are_left_out_by_their_share_of_the_images(self):
        counts = {"FR": 900, "JP": 92, "KE": 8}

        quota = country_quota(counts, dict.fromkeys(counts, 1.0), min_share=0.0081)

        assert quota.numbers == {"FR": 92, "JP": 92}
        assert quota.dropped == {"KE": "less than 0.81 % of the images"}
        assert quota.shares == {"FR": 0.5, "JP": 0.5}

    def test_a_share_of_exactly_the_least_is_enough(self):
        assert country_quota({"FR": 99, "KE": 1}, {"FR": 99.0, "KE": 1.0}, min_share=0.01).dropped == {}

    def test_countries_that_the_target_lacks_are_left_out(self):
        quota = country_quota({"FR": 10, "JP": 10, "KE": 5}, {"FR": 2.0, "JP": 1.0, "KE": 0.0, "BR": 9.0})

        assert quota.numbers == {"FR": 10, "JP": 5}
        assert quota.dropped == {"KE": "not in the target"}

    def test_a_target_like_the_data_keeps_all_of_it(self):
        counts = {"FR": 37, "JP": 11, "KE": 3}

        assert country_quota(counts, {code: count / 51 for code, count in counts.items()}).numbers == counts

    @given(
        st.dictionaries(st.sampled_from(COUNTRIES), st.integers(1, 5000), min_size=1),
        st.dictionaries(st.sampled_from(COUNTRIES), st.floats(0.01, 10), min_size=1),
        st.floats(0.05, 1),
    )
    def test_every_country_is_within_its_slack_and_no_larger_total_is(self, counts, target, slack):
        try:
            quota = country_quota(counts, target, slack=slack)
        except RecipeError:
            return
        for code, number in quota.numbers.items():
            share = quota.total * quota.shares[code]
            assert number <= min(counts[code], share + 0.5)
            assert number >= slack * share * (1 - 1e-9) - 0.5
        larger = (quota.total + 1) * slack
        assert any(counts[code] < larger * share * (1 + 1e-9) for code, share in quota.shares.items())

    @pytest.mark.parametrize(
        ("counts", "target", "min_share", "message"),
        [
            ({"FR": 5}, {"JP": 1.0}, 0.0, "drop all 1 countries"),
            ({"FR": 5, "JP": 5}, {"FR": 1.0, "JP": 1.0}, 0.6, "has 60 % of the images"),
        ],
    )
    def test_nothing_left_is_an_error(self, counts, target, min_share, message):
        with pytest.raises(RecipeError, match=message):
            country_quota(counts, target, min_share=min_share)


class TestKeepUpTo:
    def test_a_limit_for_each_country(self):
        rows = keep_up_to(images(FR=10, JP=3, KE=4), {"FR": 4, "JP": 5})

        assert [int(rows[a:b].sum()) for a, b in ((0, 10), (10, 13), (13, 17))] == [4, 3, 0]

    def test_the_order_of_the_rows_does_not_matter(self):
        records = images(views=2, FR=30, JP=30)
        mixed = np.random.default_rng(0).permutation(records.num_rows)

        rows = keep_up_to(records, {"FR": 11, "JP": 7})

        assert (keep_up_to(records.take(mixed), {"FR": 11, "JP": 7}) == rows[mixed]).all()

    def test_a_larger_limit_keeps_what_a_smaller_one_did(self):
        records = images(FR=50)

        few, many = (keep_up_to(records, {"FR": limit}) for limit in (10, 30))

        assert many[few].all()

    def test_views_are_chosen_together(self):
        records = images(views=4, FR=20)

        rows = keep_up_to(records, {"FR": 22}).reshape(20, 4).sum(axis=1)

        assert sorted(rows.tolist(), reverse=True)[:6] == [4, 4, 4, 4, 4, 2]

    def test_places_are_counted_with_all_their_views(self):
        rows = keep_up_to(images(views=3, FR=20, JP=2), {"FR": 7, "JP": 7}, places=True)

        assert set(rows.reshape(22, 3).sum(axis=1).tolist()) == {0, 3}
        assert (int(rows[:60].sum()), int(rows[60:].sum())) == (21, 6)

    def test_another_seed_chooses_others(self):
        records = images(FR=100)

        assert (keep_up_to(records, {"FR": 50}) != keep_up_to(records, {"FR": 50}, seed=1)).any()

    def test_an_empty_table(self):
        assert keep_up_to(images(), {"FR": 1}).tolist() == []


class TestRebalance:
    def test_what_it_costs_is_said(self):
        records = images(FR=100, JP=40, KE=1, none=2)

        balance = rebalance(records, target={"FR": 1.0, "JP": 1.0, "KE": 1.0}, min_share=0.05, slack=0.8)

        assert kept(balance) == {"FR": 50, "JP": 40}
        assert balance.countries["KE"].reason == "less than 5 % of the images"
        assert (balance.total, balance.limited_by) == (100, "JP")
        reasons = balance.reasons.tolist()
        assert reasons.count(None) == 90
        assert (reasons.count(TOO_MANY), reasons.count(UNKNOWN)) == (50, 2)
        assert reasons.count("less than 5 % of the images") == 1

    def test_a_cap_for_each_country(self):
        assert kept(rebalance(images(FR=30, JP=4), max_images=10)) == {"FR": 10, "JP": 4}

    def test_a_target_of_what_a_cap_leaves(self):
        balance = rebalance(images(FR=100, JP=50), target={"FR": 3.0, "JP": 1.0}, max_images=30)

        assert kept(balance) == {"FR": 30, "JP": 10}

    def test_places_by_the_size_of_the_land(self):
        classes = [SizeClass("small", 10_000, 2), SizeClass("large", np.inf, 5)]

        balance = rebalance(images(views=3, LU=9, FR=9, DE=4), size_classes=classes)

        assert kept(balance) == {"LU": 6, "FR": 15, "DE": 12}

    def test_only_some_countries(self):
        balance = rebalance(images(FR=5, JP=5), countries=["JP"])

        assert kept(balance) == {"JP": 5}
        assert balance.countries["FR"].reason == "not in rebalance.countries"

    @pytest.mark.parametrize("asked", [{"target": {"FR": 1.0, "BR": 1.0}}, {"countries": ["FR", "BR"]}])
    def test_countries_that_the_data_lacks(self, asked):
        with pytest.raises(RecipeError, match="names 1 countries of which the data has no image: BR"):
            rebalance(images(FR=5), **asked)

        assert kept(rebalance(images(FR=5), **asked, absent="leave-out")) == {"FR": 5}

    def test_no_country_to_keep(self):
        with pytest.raises(RecipeError, match="would drop all images"):
            rebalance(images(FR=5), countries=["JP"], absent="leave-out")


def test_many_images_are_chosen_at_once():
    code = np.array(COUNTRIES)[np.random.default_rng(0).integers(0, 6, 200_000)]
    number = np.arange(len(code)).astype(str)
    records = pa.table({"image_id": number, "place_id": number, "country": code})

    assert keep_up_to(records, dict.fromkeys(COUNTRIES, 10_000)).sum() == 60_000
