from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lostfound.collect.browser.profile import load_profile
from lostfound.errors import UsageError

PROFILE = Path(__file__).parent / "game" / "profile.yaml"


@pytest.fixture
def changed(tmp_path: Path):
    """The small game's profile with one key set to something else, dotted; or removed if that is None."""

    def change(key: str, value: object) -> Path:
        values = yaml.safe_load(PROFILE.read_text())
        values["site"] = "http://127.0.0.1:1"
        *parents, last = key.split(".")
        section = values
        for parent in parents:
            section = section[int(parent)] if parent.isdigit() else section[parent]
        if value is None:
            del section[last]
        else:
            section[int(last) if isinstance(section, list) else last] = value
        path = tmp_path / "profile.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return change


def test_the_small_games_profile_is_one(changed):
    profile = load_profile(changed("license", "none"))
    assert profile.source == "browser-small-game"
    assert profile.patterns() == set()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("pictures", {}, "unknown key 'pictures'; did you mean 'picture'?"),
        ("picture.hidden", [], "unknown key 'picture.hidden'; did you mean 'picture.hide'?"),
        ("game.id.regx", "(x)", "did you mean 'game.id.regex'?"),
        ("login.steps.0.clck", "#a", "did you mean 'login.steps.0.click'?"),
        ("permission", None, "permission is missing"),
        ("site", "http://127.0.0.1:1/path", "site"),
        ("name", "../up", "name"),
        ("game.id.regex", "(", "not a regular expression"),
        ("game.id.regex", "game", "one pair of parentheses"),
        ("game.id", {"text": "#a", "url": True}, "read from one of"),
        ("game.id", {"response": "*/api"}, "response goes with path"),
        ("game.id", {"variable": "alert('x')"}, "variable"),
        ("result.latitude", {"attribute": "x"}, "attribute goes with of"),
        ("guess", [], "guess"),
        ("guess.0", {"click": "#a", "press": "Enter"}, "one of goto, click"),
        ("guess.0", {"press": "Enter", "optional": True}, "only click and fill"),
        ("guess.0.at", [2, 0], "guess.0.at.0"),
        ("picture.hide", ["a} body{display:none"], "a CSS selector has none of"),
        ("start.url", "{site}/{nobody}", "{nobody}"),
    ],
)
def test_what_is_wrong_is_named(changed, key: str, value: object, said: str):
    with pytest.raises(UsageError) as caught:
        load_profile(changed(key, value))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "must be a mapping"),
        ("a: [", "not valid YAML"),
        ("!!python/object:os.x {}", "not valid YAML"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_profile(path)


def test_no_is_a_word_and_not_false(changed):
    path = changed("license", "later")
    path.write_text(path.read_text().replace("license: later", "license: NO"))
    assert load_profile(path).license == "NO"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nowhere\.yaml: No such file"):
        load_profile(tmp_path / "nowhere.yaml")


def test_secrets_come_from_the_environment_and_show_nothing(changed, monkeypatch: pytest.MonkeyPatch):
    profile = load_profile(changed("license", "none"))
    monkeypatch.delenv("SMALL_GAME_PASSWORD", raising=False)
    monkeypatch.setenv("SMALL_GAME_USER", "anna")
    with pytest.raises(UsageError, match="SMALL_GAME_PASSWORD is not set"):
        profile.read_secrets()
    monkeypatch.setenv("SMALL_GAME_PASSWORD", "very secret")
    secrets = profile.read_secrets()
    assert "very secret" not in repr(secrets)
    assert secrets["password"].hide("typed very secret") == "typed [SMALL_GAME_PASSWORD]"
