import pytest

from lostfound.data.moments import known_moment


@pytest.mark.parametrize("text", ["2019-05", "2008-10-22T16:28:39", "1826-06-01", "last summer", None])
def test_a_moment_that_can_be_is_kept(text):
    assert known_moment(text) == text


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "0000-00-00", "1601-01-01", "1970-01-01T00:00:00Z", "9999-12-31"]
)
def test_what_stands_for_no_moment_is_none(text):
    assert known_moment(text) is None
