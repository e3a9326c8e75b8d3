"""What is known of a country besides its shape: codes, names and continent."""

from dataclasses import dataclass
from functools import cache

from lostfound.errors import CountryNameError
from lostfound.geo.countries import country_codes, country_name
from lostfound.geo.names import KOSOVO, cldr_names

CONTINENTS = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
"""Names of the continents by GeoNames' codes."""

# As GeoNames has it (CC BY 4.0), which counts a country that spans two continents to one: Turkey to Asia,
# Russia and Cyprus to Europe.
_COUNTRIES_OF = {
    "AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML "
    "MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    "AN": "AQ BV GS HM TF",
    "AS": "AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN "
    "MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE",
    "EU": "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT "
    "LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    "NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA "
    "PM PR SV SX TC TT US VC VG VI",
    "OC": "AS AU CK CX FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS",
    "SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}
_CONTINENT_OF = {code: continent for continent, codes in _COUNTRIES_OF.items() for code in codes.split()}


@dataclass(frozen=True)
class Country:
    """A country, or a territory with a code of its own.

    Attributes:
        code: ISO 3166-1 alpha-2; XK for Kosovo.
        alpha3: ISO 3166-1 alpha-3; XKX for Kosovo.
        numeric: ISO 3166-1 numeric, three digits; None for Kosovo, which has none.
        name: Its short English name.
        official_name: Its formal English name, or the short one.
        local_names: Its names in its own official languages, without repetitions (Unicode CLDR).
        continent: Code of its continent, a key of `CONTINENTS`.
    """

    code: str
    alpha3: str
    numeric: str | None
    name: str
    official_name: str
    local_names: tuple[str, ...]
    continent: str

    @property
    def continent_name(self) -> str:
        """English name of its continent."""
        return CONTINENTS[self.continent]


@cache
def country(code: str) -> Country:
    """What is known of a country.

    Args:
        code: ISO 3166-1 alpha-2, or XK; `lostfound.geo.countries.parse_country` reads names and other codes.

    Raises:
        CountryNameError: Not a code of `lostfound.geo.countries.country_codes`.
    """
    import pycountry

    name, local, continent = country_name(code), tuple(cldr_names().local.get(code, ())), _CONTINENT_OF[code]
    listed = pycountry.countries.get(alpha_2=code)
    if listed is None:
        # The only code that ISO 3166-1 does not list.
        return Country(KOSOVO, "XKX", None, name, "Republic of Kosovo", local, continent)
    formal = getattr(listed, "official_name", name)
    return Country(code, listed.alpha_3, listed.numeric, name, formal, local, continent)


def countries() -> tuple[Country, ...]:
    """All countries, sorted by code."""
    return tuple(country(code) for code in country_codes())


def countries_of(continent: str) -> tuple[str, ...]:
    """Codes of a continent's countries, sorted.

    Raises:
        CountryNameError: Not a key of `CONTINENTS`.
    """
    if continent not in CONTINENTS:
        listed = ", ".join(f"{code} ({name})" for code, name in CONTINENTS.items())
        raise CountryNameError(f'"{continent}" is no continent: choose one of {listed}')
    return tuple(_COUNTRIES_OF[continent].split())
