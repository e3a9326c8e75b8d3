"""Countries by code and by name: ISO 3166-1 alpha-2, and ``XK`` for Kosovo.

Names are read as people write them on folders: in any case, with or without accents, in many languages,
misspelt, or by a large city. Where a name could be several countries, or a place in another one, none is
chosen.
"""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from lostfound.errors import CountryNameError
from lostfound.geo.names import (
    DOUBTFUL,
    NameIndex,
    cldr_names,
    core_key,
    listed_codes,
    name_index,
    name_key,
    namesakes,
    unordered_key,
)

CITY_DOMINANCE = 10.0
"""A city stands for its country if no namesake abroad has more than a tenth of its people."""

FUZZY_THRESHOLD = 85.0
"""Least likeness (0 to 100, RapidFuzz ``ratio``) at which a misspelt name is still that name."""

FUZZY_MARGIN = 7.0
"""Least lead over the next country's likeness: "Nigera" is between Niger and Nigeria, and so neither."""

_BRACKETS = re.compile(r"\s*([^()]+?)\s*\(([^()]+)\)\s*")
SURE_LIKENESS = 95.0
"""Likeness from which a misspelt name is that name though a village bears it: "Lichtenstein"."""

# A shorter word is one letter away from too many names.
_FUZZY_LETTERS = 5
# The beginning of a name ("Guinea-B") is a hint, never an answer: just below the threshold.
_PREFIX_SCORE = FUZZY_THRESHOLD - 1
_PREFIX_LETTERS = 4
_HINT_SCORE = 70.0
_CANDIDATES = 8
_LISTED = 5
# Folders are asked for more than once: to recognise a layout, then to import it.
_REMEMBERED = 4096
_FOREIGN_CONFIDENCE = 0.95

# Where CLDR's English name is not the one people use.
_SHORT_NAMES = {
    "CD": "DR Congo",
    "CG": "Republic of the Congo",
    "HK": "Hong Kong",
    "MM": "Myanmar",
    "MO": "Macao",
    "PS": "Palestine",
}


class CountryCandidate(NamedTuple):
    """A country that a text could mean.

    Attributes:
        code: ISO 3166-1 alpha-2.
        name: Its short English name.
        score: Likeness, 0 to 1; 1 is an exact name.
    """

    code: str
    name: str
    score: float


@dataclass(frozen=True)
class CountryMatch:
    """What a text says about a country.

    Attributes:
        code: ISO 3166-1 alpha-2; None if the text is unknown or ambiguous.
        confidence: 0 to 1: 1 for codes and English names, 0.95 for other languages, for a city its share of
            the people of all its namesakes, for a misspelt name the likeness; 0 without a code.
        method: "code", "name", "city", "fuzzy", "ambiguous" or "unknown".
        candidates: The likeliest countries, best first; more than one with a code where a place abroad has
            that name too.
    """

    code: str | None
    confidence: float
    method: str
    candidates: tuple[CountryCandidate, ...]


def country_codes() -> tuple[str, ...]:
    """All codes, sorted: ISO 3166-1 alpha-2, and XK."""
    return tuple(sorted(listed_codes()))


def country_name(code: str) -> str:
    """Short English name, as people write it: "Czechia", "Bolivia", "United States" (Unicode CLDR).

    Raises:
        CountryNameError: Not a code of `country_codes`.
    """
    if code not in listed_codes():
        raise CountryNameError(
            f'"{code}" is no country code. Codes are ISO 3166-1 alpha-2, such as FR, or XK.'
        )
    if code in _SHORT_NAMES:
        return _SHORT_NAMES[code]
    return cldr_names().english[code].replace(" & ", " and ").replace("St. ", "Saint ").replace("’", "'")


@lru_cache(_REMEMBERED)
def find_country(text: str) -> CountryMatch:
    """Find the country that a text names, unless it may well be a place in another one.

    The text is read by `read_name`. What that takes for a misspelt name is undecided where a place abroad has
    that very name ("Tasmania" is no Tanzania); for a name in another language, where a region or a city of
    100 000 people has ("Granada" is no Grenada); for a city, where a region has. An English name is decided
    all the same ("Georgia" is the country, never the state), and a city that dwarfs its namesakes; the
    countries of the places are then listed among the candidates.

    Args:
        text: A name, such as the name of a folder.
    """
    match = read_name(text)
    if match.code is None or match.method == "code":
        return match
    regions, cities, towns, villages = (codes - {match.code} for codes in namesakes(name_key(text)))
    doubt: Set[str] = frozenset()
    if match.method == "city":
        doubt = regions
    elif match.method == "fuzzy":
        doubt = regions | cities | towns | (villages if match.confidence < SURE_LIKENESS / 100 else set())
    elif match.confidence < 1:
        doubt = regions | cities
    if doubt:
        return _undecided(dict.fromkeys((match.code, *doubt), 100 * match.confidence), "ambiguous")
    others = sorted(regions | cities)
    listed = (CountryCandidate(code, country_name(code), match.confidence) for code in others)
    return replace(match, candidates=(*match.candidates, *listed)[:_CANDIDATES])


def read_name(text: str) -> CountryMatch:
    """What a text says about a country, whatever places abroad have that name.

    Tried in this order: ISO codes, in upper case only ("IN" is India, "in" is a word); English names of
    ISO 3166 and CLDR; names in other languages, and of former countries; cities of 500 000 people and more
    (`CITY_DOMINANCE`); misspelt names (`FUZZY_THRESHOLD`, `FUZZY_MARGIN`).
    """
    index = name_index()
    code = index.codes.get(text.strip().replace(".", ""))
    if code is not None:
        return _decided(code, 1.0, "code")
    key = name_key(text)
    if not key:
        return _undecided({})
    return _by_name(text, key, index) or _by_both_names(text) or _by_city(text) or _by_likeness(text, index)


def parse_country(text: str, *, guess: bool = True) -> str:
    """The code of the country that a text names, by the rules of `find_country`.

    Args:
        text: A name or a code.
        guess: Take a misspelt name for the country that it is like.

    Raises:
        CountryNameError: The name is unknown, or could be several countries; the message lists the nearest.
    """
    match = find_country(text)
    if match.code is not None and (guess or match.method != "fuzzy"):
        return match.code
    listed = ", ".join(f"{candidate.code} ({candidate.name})" for candidate in match.candidates)
    remedy = "Write the full name or the ISO 3166-1 code in capitals."
    if match.method == "ambiguous":
        raise CountryNameError(f'"{text}" could be several countries: {listed}. {remedy}')
    hint = f" The nearest names are {listed}." if listed else ""
    raise CountryNameError(f'"{text}" names no known country.{hint} {remedy}')


class ReadCountries(NamedTuple):
    """What names say about countries.

    Attributes:
        codes: ISO codes by name.
        guessed: What the names could mean that are misspelt, a city's, or a place's abroad too, by name: a
            photo's place goes before such a name.
        unknown: Why the others can't be told to be one country, by name.
    """

    codes: dict[str, str]
    guessed: dict[str, str]
    unknown: dict[str, str]


def read_countries(names: Iterable[str]) -> ReadCountries:
    """Read names of countries as people write them."""
    read = ReadCountries({}, {}, {})
    for name in sorted(set(names)):
        match = find_country(name)
        listed = ", ".join(f"{label} ({code})" for code, label, _ in match.candidates[:_LISTED])
        if match.code is None:
            read.unknown[name] = f"could be {listed}" if listed else "like no country known"
            continue
        read.codes[name] = match.code
        if match.method in ("fuzzy", "city") or len(match.candidates) > 1:
            read.guessed[name] = listed
    return read


def _by_name(text: str, key: str, index: NameIndex) -> CountryMatch | None:
    """An exact name, also with its words in another order, or without its form of state."""
    core = core_key(text)
    foreign = None if _is_doubtful(text) else index.foreign.get(key)
    lookups = (
        (index.english.get(key) or index.shortened.get(key), 1.0),
        (index.reordered.get(unordered_key(text)), 1.0),
        (foreign, _FOREIGN_CONFIDENCE),
        (index.english.get(core), 1.0),
        (index.foreign.get(core) if core != key else None, _FOREIGN_CONFIDENCE),
    )
    for codes, confidence in lookups:
        if codes:
            if len(codes) == 1:
                return _decided(next(iter(codes)), confidence, "name")
            return _undecided(dict.fromkeys(codes, 100.0), "ambiguous")
    return None


def _by_both_names(text: str) -> CountryMatch | None:
    """A name with another of the same country in brackets: "Turkey (Turkiye)", "Congo (DRC)"."""
    brackets = _BRACKETS.fullmatch(text)
    if brackets is None:
        return None
    matches = [read_name(part) for part in brackets.groups()]
    named = [match for match in matches if match.method in ("name", "code")]
    if not named or any(named[0].code not in [each.code for each in match.candidates] for match in matches):
        return None
    return named[0]


def _by_city(text: str) -> CountryMatch | None:
    """A large city, if it dwarfs its namesakes abroad."""
    from lostfound.geo.cities import people_by_country

    people = people_by_country(text)
    if not people:
        return None
    total = sum(people.values())
    first, *others = sorted(people, key=lambda code: -people[code])
    if others and people[first] < CITY_DOMINANCE * people[others[0]]:
        return _undecided({code: 100 * people[code] / total for code in people}, "ambiguous")
    return _decided(first, people[first] / total, "city")


def _by_likeness(text: str, index: NameIndex) -> CountryMatch:
    """A misspelt name, or the countries that come nearest."""
    from rapidfuzz import fuzz, process

    key = core_key(text)
    scores: dict[str, float] = {}
    for names in (index.english, index.foreign):
        alike = process.extract(key, list(names), scorer=fuzz.ratio, score_cutoff=_HINT_SCORE, limit=None)
        for name, score, _ in alike:
            _raise(scores, names[name], score)
    begun: set[str] = set()
    if len(key) >= _PREFIX_LETTERS:
        begun = set().union(*(codes for name, codes in index.english.items() if name.startswith(key)))
    _raise(scores, begun, _PREFIX_SCORE)
    code = index.codes.get(text.strip().upper())
    if code is not None:
        _raise(scores, {code}, _PREFIX_SCORE)

    ranked = sorted(scores.values(), reverse=True)
    if not ranked or ranked[0] < FUZZY_THRESHOLD or len(key) < _FUZZY_LETTERS or _is_doubtful(text):
        return _undecided(scores)
    best = max(scores, key=lambda code: scores[code])
    close = len(ranked) > 1 and ranked[0] - ranked[1] < FUZZY_MARGIN
    if close or (begun and best not in begun):
        return _undecided(scores, "ambiguous")
    return _decided(best, ranked[0] / 100, "fuzzy")


def _is_doubtful(text: str) -> bool:
    return text.strip().casefold() in DOUBTFUL


def _raise(scores: dict[str, float], codes: Set[str], score: float) -> None:
    for code in codes:
        scores[code] = max(score, scores.get(code, 0.0))


def _decided(code: str, confidence: float, method: str) -> CountryMatch:
    return CountryMatch(code, confidence, method, (CountryCandidate(code, country_name(code), confidence),))


def _undecided(scores: dict[str, float], method: str = "unknown") -> CountryMatch:
    ranked = sorted(scores, key=lambda code: (-scores[code], code))[:_CANDIDATES]
    found = tuple(CountryCandidate(code, country_name(code), scores[code] / 100) for code in ranked)
    return CountryMatch(None, 0.0, method, found)
