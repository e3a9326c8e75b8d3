"""How many places of each country."""

import pytest

from lostfound.errors import UsageError
from lostfound.geo.quotas import EUGUESS_CLASSES, SizeClass, size_class_targets

EUGUESS_COUNTRIES = [
    "AL", "AT", "BA", "BE", "BG", "CH", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR",
    "HU", "IT", "LT", "LU", "LV", "ME", "MK", "NL", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "TR",
]  # fmt: skip


class TestSizeClasses:
    def test_euguess_comes_out_as_published(self):
        """14 258 places of 32 countries, and the six countries of its table."""
        targets = size_class_targets([*EUGUESS_COUNTRIES, "IE"])
        assert sum(targets[code] for code in EUGUESS_COUNTRIES) == 14_258
        assert [targets[code] for code in ("ES", "DE", "IE", "HR", "SI", "LU")] == [
            860, 860, 369, 369, 123, 123
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("classes", "says"),
        [
            ([], "growing limits"),
            ([SizeClass("a", 10, 1), SizeClass("b", 5, 2)], "growing limits"),
            ([SizeClass("a", 10, 1)], "raise its limit"),
        ],
    )
    def test_wrong_classes_say_why(self, classes, says):
        with pytest.raises(UsageError, match=says):
            size_class_targets(["FR"], classes)

    def test_classes_are_from_small_to_large(self):
        assert [each.places for each in EUGUESS_CLASSES] == [123, 369, 860]
