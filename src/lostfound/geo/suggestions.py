"""Countries that a text may be the beginning of, as one types it: by all names that are known."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from lostfound.geo.countries import country_codes, country_name, read_name
from lostfound.geo.names import name_index, name_key, name_words


class Suggestion(NamedTuple):
    """A country that may be meant.

    Attributes:
        code: ISO 3166-1 alpha-2.
        name: Its short English name.
        sure: Whether the text is one of its names or codes, or the beginning of one; else it is merely alike.
    """

    code: str
    name: str
    sure: bool


def suggest_countries(text: str, most: int = 8) -> list[Suggestion]:
    """The countries that a text may mean, the likeliest first.

    A code or a whole name comes first, then those whose short English name begins so, then a word of it, then
    those of which another name does, in whatever language. If there is none: the countries that
    `lostfound.geo.countries.read_name` finds alike, or that a large city is in.

    Args:
        text: What was typed, in any case, with or without accents.
        most: So many at most.

    Examples:
        >>> [each.name for each in suggest_countries("allem")]
        ['Germany']
        >>> [each.name for each in suggest_countries("switserland")]
        ['Switzerland']
    """
    key, index = name_key(text), name_index()
    if not key:
        return []
    exact = index.english.get(key) or index.foreign.get(key) or index.shortened.get(key) or frozenset()
    code = index.codes.get(text.strip().upper())
    ranks: dict[str, tuple[int, str]] = {}

    def found(code: str, rank: int) -> None:
        if code not in ranks or ranks[code][0] > rank:
            ranks[code] = (rank, country_name(code))

    for each in (*exact, *((code,) if code else ())):
        found(each, 0)
    for each, words in _short_names().items():
        if "".join(words).startswith(key):
            found(each, 1)
        elif any("".join(words[start:]).startswith(key) for start in range(1, len(words))):
            found(each, 2)
    for rank, names in ((3, index.english), (4, index.foreign)):
        for name, codes in names.items():
            if name.startswith(key):
                for each in codes:
                    found(each, rank)
    if ranks:
        listed = sorted(ranks, key=lambda each: ranks[each])
        return [Suggestion(each, ranks[each][1], sure=True) for each in listed[:most]]
    alike = read_name(text[:100]).candidates
    return [Suggestion(each.code, each.name, sure=False) for each in alike[:most]]


@cache
def _short_names() -> dict[str, list[str]]:
    return {code: name_words(country_name(code)) for code in country_codes()}
