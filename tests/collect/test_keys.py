from __future__ import annotations

import pytest

from lostfound.collect.keys import Secret, signed
from lostfound.errors import UsageError

NAME = "LOSTFOUND_TEST_KEY"


def test_a_key_does_not_show_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NAME, " abc/def+1= ")
    key = Secret.read(NAME, "a key")
    assert key.value == "abc/def+1="
    assert "abc" not in repr(key) + str(key)


@pytest.mark.parametrize("text", ["key=abc/def+1=", "key=abc%2Fdef%2B1%3D&x", "denied: abc/def+1=."])
def test_a_key_is_hidden_however_it_is_written(text: str):
    assert "def" not in Secret(NAME, "abc/def+1=").hide(text)


@pytest.mark.parametrize("value", ["", "  "])
def test_a_missing_key_names_its_variable(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(UsageError, match=f"{NAME} is not set: put a key of X"):
        Secret.read(NAME, "a key of X")


@pytest.mark.parametrize("value", ["two words", "ключ", "line\nbreak"])
def test_what_can_be_no_key_is_not_shown(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(UsageError, match=NAME) as raised:
        Secret.read(NAME, "a key")
    assert value not in str(raised.value)


def test_a_signing_secret_that_is_none_is_not_shown():
    with pytest.raises(UsageError, match=NAME) as raised:
        signed("/x", Secret(NAME, "abcde"))
    assert "abcde" not in str(raised.value)
