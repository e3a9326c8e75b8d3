"""How ISO 3166 and the United Nations write the names of countries, where Unicode CLDR writes them otherwise.

What CLDR has is in ``data/country_names.json``. The rest is here: formal names, names with the form of state
behind a comma, and countries that are no more. The tests compare it with pycountry's tables.
"""

from collections.abc import Iterator, Mapping

# "Republic of Albania": a form of state before CLDR's English name.
_FORMS_OF_STATE = {
    "Arab Republic": "EG",
    "Bolivarian Republic": "VE",
    "Commonwealth": "BS DM MP",
    "Democratic Republic": "ST TL",
    "Democratic Socialist Republic": "LK",
    "Eastern Republic": "UY",
    "Federal Democratic Republic": "ET NP",
    "Federal Republic": "DE NG SO",
    "Federated States": "FM",
    "Federative Republic": "BR",
    "Grand Duchy": "LU",
    "Hashemite Kingdom": "JO",
    "Independent State": "PG WS",
    "Islamic Republic": "AF IR MR PK",
    "Kingdom": "BE BH BT DK ES KH LS MA NL NO SA SE SZ TH TO",
    "People's Democratic Republic": "DZ",
    "People's Republic": "BD CN",
    "Plurinational State": "BO",
    "Principality": "AD LI MC",
    "Republic": (
        "AL AM AO AT AZ BA BG BI BJ BW BY CI CL CM CO CR CU CY DJ EC EE FI FJ GH GM GN GQ GT GW GY HN HR HT "
        "ID IN IQ IS KE KI KZ LR LT LV MD MG MH MK ML MT MU MV MW MZ NA NE NI NR PA PE PH PL PW PY RS SC SD "
        "SG SI SL SM SN SR SS SV TD TJ TN TR TT UG UZ VU YE ZA ZM ZW"
    ),
    "State": "ER IL KW QA",
    "Sultanate": "OM",
    "Union": "KM",
    "United Republic": "TZ",
}
_OTHER_NAMES = {
    "AR": ["Argentine Republic"],
    "BN": ["Brunei Darussalam"],
    "BO": ["Bolivia, Plurinational State of"],
    "BQ": ["Bonaire, Sint Eustatius and Saba"],
    "CD": ["Congo, The Democratic Republic of the"],
    "CG": ["Congo", "Republic of the Congo"],
    "CH": ["Swiss Confederation"],
    "CV": ["Cabo Verde", "Republic of Cabo Verde"],
    "CZ": ["Czech Republic"],
    "FK": ["Falkland Islands (Malvinas)"],
    "FM": ["Micronesia, Federated States of"],
    "FR": ["French Republic"],
    "GA": ["Gabonese Republic"],
    "GB": ["United Kingdom of Great Britain and Northern Ireland"],
    "GR": ["Hellenic Republic"],
    "HK": ["Hong Kong", "Hong Kong Special Administrative Region of China"],
    "HM": ["Heard Island and McDonald Islands"],
    "IR": ["Iran, Islamic Republic of"],
    "IT": ["Italian Republic"],
    "KG": ["Kyrgyz Republic"],
    "KP": ["Korea, Democratic People's Republic of"],
    "KR": ["Korea, Republic of"],
    "LA": ["Lao People's Democratic Republic"],
    "LB": ["Lebanese Republic"],
    "MD": ["Moldova, Republic of"],
    "MF": ["Saint Martin (French part)"],
    "MM": ["Republic of Myanmar"],
    "MO": ["Macao", "Macao Special Administrative Region of China"],
    "MX": ["United Mexican States"],
    "PN": ["Pitcairn"],
    "PS": ["Palestine, State of"],
    "PT": ["Portuguese Republic"],
    "RU": ["Russian Federation"],
    "RW": ["Rwandese Republic"],
    "SH": ["Saint Helena, Ascension and Tristan da Cunha"],
    "SK": ["Slovak Republic"],
    "SX": ["Sint Maarten (Dutch part)"],
    "SY": ["Syrian Arab Republic"],
    "TG": ["Togolese Republic"],
    "TW": ["Taiwan, Province of China"],
    "TZ": ["Tanzania, United Republic of"],
    "UM": ["United States Minor Outlying Islands"],
    "US": ["United States of America"],
    "VA": ["Holy See (Vatican City State)"],
    "VE": ["Venezuela, Bolivarian Republic of"],
    "VG": ["Virgin Islands, British"],
    "VI": ["Virgin Islands, U.S.", "Virgin Islands of the United States"],
    "VN": ["Viet Nam", "Socialist Republic of Viet Nam"],
}
WITHDRAWN_CODES = frozenset(
    "BU BUR CT DD DDR DY FX FXX HV JT MI NH NQ PU PZ RH TMP TP VD WK YD YMD ZAR ZR".split()  # noqa: SIM905
)
"""Codes that were one country's once: "CT" and "MI" are states of the US to most people."""

# Countries that are no more (ISO 3166-3), and all that came after each.
_FORMER = {
    "Burma, Socialist Republic of the Union of": "MM",
    "Byelorussian SSR Soviet Socialist Republic": "BY",
    "Canton and Enderbury Islands": "KI",
    "Czechoslovakia, Czechoslovak Socialist Republic": "CZ SK",
    "Dahomey": "BJ",
    "Dronning Maud Land": "AQ",
    "East Timor": "TL",
    "France, Metropolitan": "FR",
    "French Afars and Issas": "DJ",
    "French Southern and Antarctic Territories": "AQ TF",
    "German Democratic Republic": "DE",
    "Johnston Island": "UM",
    "Midway Islands": "UM",
    "Netherlands Antilles": "CW SX BQ",
    "Neutral Zone": "SA IQ",
    "New Hebrides": "VU",
    "Pacific Islands (trust territory)": "FM MH MP PW",
    "Panama Canal Zone": "PA",
    "Serbia and Montenegro": "RS ME",
    "Southern Rhodesia": "ZW",
    "USSR, Union of Soviet Socialist Republics": "RU AM AZ BY EE GE KZ KG LV LT MD TJ TM UA UZ",
    "US Miscellaneous Pacific Islands": "UM",
    "Upper Volta, Republic of": "BF",
    "Viet-Nam, Democratic Republic of": "VN",
    "Wake Island": "UM",
    "Yemen, Democratic, People's Democratic Republic of": "YE",
    "Yugoslavia, (Socialist) Federal Republic of": "RS ME",
    "Zaire, Republic of": "CD",
}


def iso_names(english: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names, each with its country's alpha-2 code; some are also another's ("Korea, Republic of").

    Args:
        english: CLDR's English names by alpha-2 code.
    """
    for form, codes in _FORMS_OF_STATE.items():
        yield from ((f"{form} of {english[code]}", code) for code in codes.split())
    for code, names in _OTHER_NAMES.items():
        yield from ((name, code) for name in names)


def former_names() -> Iterator[tuple[str, str]]:
    """Names of countries that are no more, each with the alpha-2 code of one that came after it."""
    for name, codes in _FORMER.items():
        yield from ((name, code) for code in codes.split())
