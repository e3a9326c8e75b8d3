"""The names countries go by, and the one form in which two spellings of a name are equal."""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from importlib import resources
from itertools import combinations
from typing import NamedTuple

from lostfound.geo.iso_names import WITHDRAWN_CODES, former_names, iso_names

# "Man" is Czech for the Isle of Man, and an English word.
_MIN_FOREIGN = 4
DOUBTFUL = frozenset({"island", "islands", "nigera"})
"""Never names when written so: German for Iceland but English words; Latvian for Niger but near Nigeria."""

# What English speakers write and neither ISO 3166 nor CLDR lists: everyday, shortened, earlier and own names.
_EVERYDAY = {
    "Britain": "GB", "Burma": "MM", "DPRK": "KP", "DR Congo": "CD", "DRC": "CD", "East Timor": "TL",
    "Eire": "IE", "Emirates": "AE", "England": "GB", "Falklands": "FK", "Great Britain": "GB",
    "Abyssinia": "ET", "Aotearoa": "NZ", "Bharat": "IN", "Bosnia and Herz.": "BA", "Burkina": "BF",
    "Ceylon": "LK", "Chinese Taipei": "TW", "Dem. Rep. Congo": "CD", "Dom. Rep.": "DO", "Eq. Guinea": "GQ",
    "FYROM": "MK", "Fr. Polynesia": "PF", "Hayastan": "AM", "Kampuchea": "KH", "Mainland China": "CN",
    "Misr": "EG", "N. Ireland": "GB", "N. Korea": "KP", "N. Macedonia": "MK", "N. Mariana Is.": "MP",
    "Nihon": "JP", "Nippon": "JP", "Northern Marianas": "MP", "PRC": "CN", "Persia": "IR", "ROK": "KR",
    "Republic of China": "TW", "S. Korea": "KR", "S. Sudan": "SS", "Sakartvelo": "GE",
    "Shqiperia": "AL", "Siam": "TH", "Solomon Is.": "SB", "W. Sahara": "EH", "Western Samoa": "WS",
    "Zaire": "CD",
    # As Natural Earth, the World Bank, the CIA's Factbook, the UN and sports federations write them.
    "Antigua and Barb.": "AG", "Ascension": "SH", "Central African Rep.": "CF", "China PR": "CN",
    "Dem. Rep. of the Congo": "CD", "Faeroe Islands": "FO", "French Southern and Antarctic Lands": "TF",
    "Gaza": "PS", "Gaza Strip": "PS", "IR Iran": "IR",
    "Korea DPR": "KP", "Lao PDR": "LA", "Micronesia, Fed. Sts.": "FM", "Occupied Palestinian Territory": "PS",
    "Occupied Palestinian Territories": "PS", "Palestinian Territories": "PS", "Puerto Rico (US)": "PR",
    "S. Geo. and the Is.": "GS", "South Georgia and the Islands": "GS", "Saint-Barth": "BL",
    "St. Pierre and Miquelon": "PM", "St. Vin. and Gren.": "VC", "Saint Vincent / Grenadines": "VC",
    "Taiwan, China": "TW", "Tristan da Cunha": "SH", "Venezuela, RB": "VE", "West Bank": "PS",
    "Brunei Dar.": "BN", "Great Britain and Northern Ireland": "GB", "Korea, Dem. Rep.": "KP",
    "Libyan Arab Jamahiriya": "LY", "Russian Fed.": "RU", "TFYR of Macedonia": "MK",
    "Vatican City State": "VA", "Wallis and Futuna Islands": "WF",
    "West Bank and Gaza": "PS", "West Bank and Gaza Strip": "PS", "Northern Cyprus": "CY", "N. Cyprus": "CY",
    "Somaliland": "SO",
    "Holland": "NL", "Holy See": "VA", "Ivory Coast": "CI", "Macau": "MO", "Macedonia": "MK",
    "Northern Ireland": "GB", "Republic of Ireland": "IE", "Scotland": "GB", "St Maarten": "SX",
    "Swaziland": "SZ", "Turkey": "TR", "UAE": "AE", "UK": "GB", "USA": "US", "Vatican": "VA", "Wales": "GB",
}  # fmt: skip
# Places with a CLDR name and a code that is not in ISO 3166-1's list, and the country they belong to.
_PARTS = {"AC": "SH", "CQ": "GG", "DG": "IO", "EA": "ES", "IC": "ES", "TA": "SH"}
KOSOVO = "XK"
_KOSOVO_CODES = {"XK": KOSOVO, "XKX": KOSOVO}

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "æ": "ae", "œ": "oe", "&": " and "}
)
_APOSTROPHES = re.compile("['’‘ʻʼ`´]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_ASCII_WORDS = re.compile("[a-z0-9]+")
_SPELLED_OUT = {"st": "saint", "ste": "sainte", "rep": "republic"}
# What maps and tables shorten in names.
_SHORTENED = {
    "British": "Br.", "Democratic": "Dem.", "Federal": "Fed.", "Federated": "Fed.", "French": "Fr.",
    "Island": "I.", "Islands": "Is.", "North": "N.", "Northern": "N.", "Outlying": "Outl.", "South": "S.",
    "Southern": "S.", "Territories": "Terr.", "Territory": "Ter.", "United States": "U.S.", "West": "W.",
    "Western": "W.", "Special Administrative Region": "SAR",
}  # fmt: skip
_LINKS = frozenset({"and", "of"})
_FORM_OF_STATE = frozenset({"republic", "kingdom", "commonwealth", "principality", "sultanate", "duchy"})


@dataclass(frozen=True)
class CldrNames:
    """What Unicode CLDR says, as ``scripts/build_names.py`` packed it (see ``data/NOTICE.md``).

    Attributes:
        aliases: Alpha-2 codes by other code: alpha-3, numeric, withdrawn; several if it was divided.
        english: English name by CLDR code of the territory.
        foreign: Keys of a country's names in other languages, by alpha-2.
    """

    aliases: dict[str, list[str]]
    english: dict[str, str]
    foreign: dict[str, list[str]]


@dataclass(frozen=True)
class NameIndex:
    """Every known name.

    Attributes:
        codes: Alpha-2 by upper-case code: alpha-2, alpha-3, "UK", "XKX".
        english: Alpha-2 codes by key of an English or ISO name; several where the name is shared.
        foreign: Alpha-2 codes by key of a name in another language, or of a former country.
        reordered: Alpha-2 codes by an English name's words as `unordered_key` puts them.
        shortened: Alpha-2 codes by key of an English name as maps shorten it; no name to be misspelt.
    """

    codes: dict[str, str]
    english: dict[str, frozenset[str]]
    foreign: dict[str, frozenset[str]]
    reordered: dict[str, frozenset[str]]
    shortened: dict[str, frozenset[str]]


def name_words(text: str) -> list[str]:
    """Words of a name without case, accents, punctuation and "the"; "St." is written out."""
    text = _APOSTROPHES.sub("", text.casefold()).translate(_LETTERS)
    if text.isascii():  # the same, quickly
        return [_SPELLED_OUT.get(word, word) for word in _ASCII_WORDS.findall(text) if word != "the"]
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text)))
    letters = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return [_SPELLED_OUT.get(word, word) for word in letters.split() if word != "the"]


def name_key(text: str) -> str:
    """The form in which spellings of one name are equal: "São Tomé" and "sao_tome" give "saotome"."""
    return "".join(name_words(text))


def unordered_key(text: str) -> str:
    """Key of a name whatever the order of its words: "Congo, Rep." is "Republic of the Congo"."""
    words = [word for word in name_words(text) if word not in _LINKS]
    return " ".join(sorted(words))


def core_key(text: str) -> str:
    """Key of a name without its form of state: "Republic of Irland" gives "irland".

    Long shared words would make different countries look alike.
    """
    words = name_words(text)
    for place in range(len(words) - 2, 0, -1):
        if words[place] == "of" and words[place - 1] in _FORM_OF_STATE:
            return "".join(words[place + 1 :])
    return "".join(words)


@cache
def listed_codes() -> frozenset[str]:
    """ISO 3166-1 alpha-2, and Kosovo."""
    return frozenset(cldr_names().foreign)


@cache
def cldr_names() -> CldrNames:
    """Names from Unicode CLDR; read once in a process."""
    file = resources.files("lostfound.geo") / "data" / "country_names.json"
    return CldrNames(**json.loads(file.read_text(encoding="utf-8")))


class Namesakes(NamedTuple):
    """The countries of places that bear a name which alone is taken for another country's.

    Attributes:
        regions: Of regions (admin-1).
        cities: Of cities of 100 000 people and more.
        towns: Of cities of 15 000 people and more.
        villages: Of smaller places.
    """

    regions: frozenset[str]
    cities: frozenset[str]
    towns: frozenset[str]
    villages: frozenset[str]


def namesakes(key: str) -> Namesakes:
    """The places of a name, by its key, that `lostfound.geo.countries.read_name` takes for a country's."""
    known = _namesakes()
    return Namesakes(*(frozenset(known.get(kind, {}).get(key, "").split()) for kind in Namesakes._fields))


@cache
def _namesakes() -> dict[str, dict[str, str]]:
    file = resources.files("lostfound.geo") / "data" / "namesakes.json"
    found: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return found


@cache
def name_index() -> NameIndex:
    """Read every name; once in a process."""
    listed, cldr = listed_codes(), cldr_names()
    english: defaultdict[str, set[str]] = defaultdict(set)
    foreign: defaultdict[str, set[str]] = defaultdict(set)
    reordered: defaultdict[str, set[str]] = defaultdict(set)
    shortened: defaultdict[str, set[str]] = defaultdict(set)

    english_names = [*_iso_names(cldr), *_cldr_english_names(cldr, listed), *_EVERYDAY.items()]
    for name, code in english_names:
        english[name_key(name)].add(code)
        reordered[unordered_key(name)].add(code)
        for spelling in _shortened(name):
            shortened[name_key(spelling)].add(code)
            reordered[unordered_key(spelling)].add(code)
    foreign_keys = [(key, code) for code, keys in cldr.foreign.items() if code in listed for key in keys]
    for key, code in foreign_keys + _former_keys():
        # An English reading goes first: it is the language most folders are named in.
        if key not in english and not (key.isascii() and len(key) < _MIN_FOREIGN):
            foreign[key].add(code)
    return NameIndex(
        codes=_codes(cldr.aliases, listed),
        english={key: frozenset(codes) for key, codes in english.items()},
        foreign={key: frozenset(codes) for key, codes in foreign.items()},
        reordered={key: frozenset(codes) for key, codes in reordered.items()},
        shortened={key: frozenset(codes) for key, codes in shortened.items() if key not in english},
    )


def _codes(aliases: dict[str, list[str]], listed: frozenset[str]) -> dict[str, str]:
    codes = {
        alias: targets[0]
        for alias, targets in aliases.items()
        if alias.isalpha() and alias not in WITHDRAWN_CODES and len(targets) == 1 and targets[0] in listed
    }
    return codes | {code: code for code in listed} | _KOSOVO_CODES


def _iso_names(cldr: CldrNames) -> list[tuple[str, str]]:
    return [(spelling, code) for name, code in iso_names(cldr.english) for spelling in _spellings(name)]


def _cldr_english_names(cldr: CldrNames, listed: frozenset[str]) -> list[tuple[str, str]]:
    names = []
    for territory, name in cldr.english.items():
        code = _PARTS.get(territory, territory)
        if code in listed:
            # Each half of a pair of islands stands for both: "Trinidad" for "Trinidad & Tobago".
            spellings = [*_spellings(name), *(name.split(" & ") if " & " in name else ())]
            names += [(spelling, code) for spelling in spellings]
    return names


def _former_keys() -> list[tuple[str, str]]:
    return [(name_key(spelling), code) for name, code in former_names() for spelling in _spellings(name)]


def _shortened(name: str) -> Iterator[str]:
    """A name with some of its long words shortened: "Cayman Is." for "Cayman Islands"."""
    whole = f" {name} "
    found = [(f" {word} ", f" {short} ") for word, short in _SHORTENED.items() if f" {word} " in whole]
    for number in range(1, len(found) + 1):
        for chosen in combinations(found, number):
            spelling = reduce(lambda text, pair: text.replace(*pair), chosen, whole).strip()
            if " " in spelling:  # "U.S." alone would make a country of the word "us"
                yield spelling


def _spellings(name: str) -> list[str]:
    """A listed name and what it stands for: "Korea, Republic of" also "Republic of Korea" and plain "Korea".

    Plain "Korea" is the other Korea's too, and so becomes ambiguous.
    """
    if not name:
        return []
    spellings = [name]
    plain = re.sub(r"\s*\(.*?\)", "", name)
    if plain != name:
        spellings.append(plain)
    for separator in (", ", " - "):
        if separator in plain:
            first, rest = plain.split(separator, 1)
            spellings += [first, f"{rest} {first}"]
    return spellings
