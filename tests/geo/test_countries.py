import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.errors import CountryNameError
from lostfound.geo import countries
from lostfound.geo.cities import LARGE_CITY, city_table, people_by_country
from lostfound.geo.countries import (
    FUZZY_THRESHOLD,
    country_codes,
    country_name,
    find_country,
    parse_country,
    read_countries,
)

DATA = Path(os.environ.get("LOSTFOUND_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))

# What people write, by the code it means.
NAMES = {
    "AE": "AE, ARE, United Arab Emirates, UAE, uae, U.A.E., Dubai, DUBAI, dubai, Abu Dhabi",
    "AG": "Antigua & Barbuda, Antigua and Barbuda, Antigua",
    "AT": "Austria, Österreich, Austira",
    "AU": "Australia, Australie",
    "AX": "Åland Islands, Aland Islands",
    "BA": "Bosnia and Herzegovina, Bosnia & Herzegovina, Bosnia, Bosnia-Herzegovina",
    "BO": "Bolivia; Bolivia, Plurinational State of; Plurinational State of Bolivia",
    "BR": "Brazil, Brasil, BRAZIL",
    "BS": "Bahamas; The Bahamas; Bahamas, The",
    "CD": "DRC, DR Congo, Congo-Kinshasa, Democratic Republic of the Congo, Zaire",
    "CG": "Congo-Brazzaville, Republic of the Congo, Republic of Congo",
    "CH": "Switzerland, Schweiz, Suisse, Svizzera",
    "CI": "Côte d'Ivoire, Côte d’Ivoire, Cote d'Ivoire, cote_d_ivoire, Cote dIvoire, Ivory Coast",
    "CN": "China, 中国, People's Republic of China, Peking, Shanghai",
    "CV": "Cape Verde, Cabo Verde",
    "CW": "Curaçao, Curacao",
    "CZ": "Czechia, Czech Republic, Česko, Cesko",
    "DE": "Germany, Deutschland, Allemagne, DEU, Germny, Munich, München, Cologne, Köln",
    "DK": "Denmark, Danmark, Kingdom of Denmark",
    "EE": "Estonia, Eesti",
    "ES": "Spain, España, Espana, Canary Islands",
    "FI": "Finland, Suomi",
    "FK": "Falkland Islands, Falklands, Falkland Islands (Malvinas)",
    "FR": "France, FRA, Paris",
    "GB": "GB, GBR, UK, uk, U.K., United Kingdom, Great Britain, England, Scotland, Untied Kingdom, London",
    "GE": "Georgia, Republic of Georgia",
    "GF": "French Guiana, Guyane française",
    "GL": "Greenland, Grønland",
    "GM": "Gambia; The Gambia; Gambia, The",
    "GN": "Guinea, Guinée",
    "GQ": "Equatorial Guinea",
    "GR": "Greece, Ελλάδα, Griechenland",
    "GW": "Guinea-Bissau, Guinea Bissau, guinea_bissau",
    "HK": "Hong Kong, Hongkong, HK",
    "HR": "Croatia, Hrvatska",
    "IE": "Ireland, Irland, Republic of Ireland, Republic of Irland, Éire",
    "IM": "Isle of Man, isle_of_man, Isle-of-Man",
    "IN": "India, IN, Mumbai, Bombay",
    "IR": "Iran; Iran, Islamic Republic of",
    "IS": "Iceland, Ísland",
    "JP": "Japan, 日本, Tokyo",
    "KG": "Kyrgyzstan, Kyrgystan",
    "KN": "St. Kitts & Nevis, Saint Kitts and Nevis, St Kitts",
    "KP": "North Korea; DPRK; Korea, North; Korea, Democratic People's Republic of",
    "KR": "South Korea; south_korea; SouthKorea; Korea, South; Republic of Korea; 대한민국",
    "LA": "Laos, Lao People's Democratic Republic",
    "LC": "St. Lucia, St Lucia, Saint Lucia, saint-lucia",
    "LU": "Luxembourg, Luxemburg, Luxembuorg",
    "MA": "Morocco, Maroc, Morroco",
    "MK": "North Macedonia, Macedonia",
    "MM": "Myanmar, Burma",
    "MO": "Macao, Macau",
    "MX": "Mexico, México, MEXICO",
    "NE": "Niger",
    "NG": "Nigeria, Lagos",
    "NL": "Netherlands, The Netherlands, Holland, Nederland",
    "NZ": "New Zealand, NewZealand, new-zealand, New Zeland",
    "PH": "Philippines, Philipines, Phillipines",
    "PR": "Puerto Rico, puerto_rico",
    "PS": "Palestine",
    "RE": "Réunion, Reunion, La Réunion, REUNION",
    "RU": "Russia, Russian Federation, Россия, Moscow",
    "SE": "Sweden, Sverige",
    "SG": "Singapore",
    "SJ": "Svalbard and Jan Mayen, Svalbard",
    "ST": "São Tomé and Príncipe, Sao Tome & Principe, Sao Tome",
    "SX": "Sint Maarten, St. Maarten",
    "SZ": "Eswatini, Swaziland",
    "TL": "Timor-Leste, East Timor",
    "TR": "Turkey, Türkiye, Turkiye, TÜRKİYE",
    "TT": "Trinidad and Tobago, Trinidad",
    "TW": "Taiwan; Taiwan, Province of China",
    "TZ": "Tanzania; Tanzania, United Republic of",
    "US": "US, U.S., USA, usa, U.S.A., United States, United States of America, United State, New York",
    "VA": "Vatican City, Vatican, Holy See",
    "VI": "U.S. Virgin Islands; US Virgin Islands; Virgin Islands, U.S.",
    "VN": "Vietnam, Viet Nam, Saigon",
    "XK": "XK, XKX, Kosovo, Kosova",
}
# Own names, former names, abbreviations as maps write them, and more misspellings.
MORE_NAMES = {
    "AD": "Andorra",
    "AF": "Afganistan, افغانستان",
    "AL": "Shqipëria, Shqiperia, Albanie",
    "AM": "Hayastan, Հայաստան, Armenien",
    "AR": "Argentinia, Argentine",
    "AZ": "Azerbijan, Azərbaycan",
    "BA": "Bosnia and Herz., Bosnia & Herz., Bosnia i Hercegovina, Bosna i Hercegovina",
    "BD": "Bangaldesh, বাংলাদেশ",
    "BE": "België, Belgique, Belgien",
    "BF": "Burkina, Burkina-Faso",
    "BQ": "Caribbean Netherlands, Bonaire",
    "BY": "Byelorussia, Беларусь",
    "CD": "Dem. Rep. Congo, DR of the Congo",
    "CF": "Central African Rep.",
    "CN": "PRC, Mainland China",
    "CY": "Zypern, Kypros",
    "CZ": "Czech Rep.",
    "DO": "Dominican Rep., Dom. Rep., República Dominicana",
    "DZ": "Algérie",
    "EC": "Equador",
    "EG": "Misr, مصر, Egipt",
    "EH": "W. Sahara",
    "ET": "Ethiopa, Abyssinia",
    "FO": "Faeroe Islands, Føroyar",
    "GB": "N. Ireland, Northern Ireland, Wales",
    "GE": "Sakartvelo, საქართველო",
    "GL": "Kalaallit Nunaat",
    "GQ": "Eq. Guinea",
    "GR": "Hellas",
    "GT": "Guatamala",
    "HU": "Magyarország, Hungry",
    "IL": "ישראל, Israël",
    "IN": "Bharat, भारत",
    "IR": "Persia",
    "IT": "Italie, Italien",
    "JM": "Jamacia",
    "JP": "Nippon, Nihon",
    "KH": "Kampuchea, Cambodge",
    "KP": "N. Korea",
    "KR": "ROK, S. Korea, Korea (South), Korea Republic",
    "KZ": "Kazakstan, Қазақстан",
    "LI": "Lichtenstein",
    "LK": "Ceylon, SriLanka",
    "LT": "Lietuva, Lituania",
    "MA": "المغرب",
    "MK": "FYROM, N. Macedonia, Северна Македонија",
    "MY": "Malasia",
    "NL": "Neatherlands",
    "NO": "Noreg, Norge",
    "NZ": "Aotearoa",
    "PF": "Fr. Polynesia",
    "PL": "Polska",
    "PT": "Portgual",
    "RO": "Roumania",
    "RS": "Srbija",
    "SA": "Saudi-Arabia",
    "SB": "Solomon Is.",
    "SS": "S. Sudan",
    "TH": "Siam, ไทย",
    "TW": "Republic of China, Chinese Taipei",
    "UA": "Україна, The Ukraine",
    "VE": "Venezuala",
    "WS": "Western Samoa",
    "ZA": "Südafrika",
}
# As Natural Earth, the World Bank, the CIA's Factbook and the UN write them.
OTHERS_NAMES = {
    "AX": "Aland Is.",
    "BO": "Bolivia (Plurinational State of)",
    "CD": "Congo, Dem. Rep.; Congo (Kinshasa); Congo, Democratic Republic of the; Congo (DRC)",
    "CG": "Congo, Rep.; Congo, Republic of the; Congo (Brazzaville)",
    "CI": "Ivory Coast (Côte d'Ivoire)",
    "CK": "Cook Is.",
    "CX": "Christmas I.",
    "EG": "Egypt, Arab Rep.",
    "FK": "Falkland Is.; Falkland Islands (Islas Malvinas)",
    "FM": "Micronesia, Fed. Sts.; Micronesia (Federated States of); Micronesia, Fed. States of",
    "FO": "Faeroe Is.; Faroe Is.",
    "GS": "S. Geo. and the Is.",
    "HK": "Hong Kong SAR, China; China, Hong Kong SAR",
    "HM": "Heard I. and McDonald Is.",
    "IM": "Man, Isle of",
    "IO": "Br. Indian Ocean Ter.",
    "KP": "Korea, Dem. People's Rep.; Dem. People's Republic of Korea",
    "KR": "Korea, Rep.; Korea, Rep. of",
    "KY": "Cayman Is.; Cayman Is",
    "LA": "Lao PDR; Lao P.D.R.",
    "MH": "Marshall Is.",
    "NF": "Norfolk I.",
    "PS": "West Bank and Gaza; Gaza Strip; West Bank; State of Palestine; Palestine, State of",
    "RU": "Russian Fed.",
    "SO": "Somalia, Fed. Rep.",
    "SY": "Syrian Arab Rep.",
    "TC": "Turks & Caicos Is.",
    "TF": "Fr. S. Antarctic Lands; French Southern and Antarctic Lands",
    "TR": "Turkey (Turkiye)",
    "TW": "Taiwan, China",
    "UM": "U.S. Minor Outlying Is.",
    "VC": "St. Vin. and Gren.",
    "VE": "Venezuela, RB",
    "VG": "British Virgin Is.; Br. Virgin Is.",
    "VI": "U.S. Virgin Is.; Virgin Islands (U.S.)",
    "YE": "Yemen, Rep.",
}
SPELLINGS = [
    (spelling.strip(), code)
    for code, listed in (*NAMES.items(), *MORE_NAMES.items())
    for spelling in listed.split(";" if ";" in listed else ",")
]
SPELLINGS += [(spelling, code) for code, listed in OTHERS_NAMES.items() for spelling in listed.split("; ")]

# What must not become a country, and who it might have been.
AMBIGUOUS = {
    "Congo": {"CD", "CG"},
    "Kongo": {"CD", "CG"},
    "Korea": {"KP", "KR"},
    "Virgin Islands": {"VG", "VI"},
    "Nigera": {"NE", "NG"},
    "Guinea-B": {"GN", "GW"},
    "Guinea-B...": {"GN", "GW"},
    "Slovania": {"SI", "SK"},
    "Austrlia": {"AT", "AU"},
    "Austr": {"AT", "AU"},
    "Domini": {"DM", "DO"},
    "Swedan": {"SD", "SE"},
    "United": {"AE", "GB", "US"},
    "Yugoslavia": {"ME", "RS"},
    "Czechoslovakia": {"CZ", "SK"},
    "Serbia and Montenegro": {"ME", "RS"},
    "USSR": {"AM"},
    "Netherlands Antilles": {"BQ", "CW", "SX"},
    "Birmingham": {"GB", "US"},
    "Hyderabad": {"IN", "PK"},
    "Valencia": {"ES", "VE"},
    "San Jose": {"CR", "US"},
    "Victoria": {"CA", "HK"},
    # Places abroad of that very name.
    "Tasmania": {"AU", "TZ"},
    "Almería": {"DZ", "ES"},
    "Palma": {"ES", "PW"},
    "Tirana": {"AL", "IR"},
    "Styria": {"AT", "SY"},
    "Karelia": {"DZ", "RU"},
    "Salvador": {"BR", "SV"},
    "Granada": {"ES", "GD"},
    "Norfolk": {"NF", "US"},
    "Columbia": {"CO", "US"},
    "Guadalupe": {"GP", "MX"},
    "Franca": {"BR", "FR"},
    "Équateur": {"CD", "EC"},
    "Sofia": {"BG", "MG"},
    "George": {"GE", "ZA"},
    "Georgia (USA)": set(),
    "us": {"US"},
    "fra": {"FR"},
    "in": {"IN"},
    "no": {"NO"},
    "America": {"AS"},
    "Papua": {"PG"},
    "French": {"FR", "GF", "PF", "TF"},
    # Misspelt beyond the threshold, or near two names.
    "Isreal": {"IL"},
    "Lybia": {"LY"},
    "Canda": {"CA", "TD"},
    "Itlay": {"IT"},
    "Suomi Finland": {"FI"},
    "Republic": {"DO"},
    "North": {"KP", "MK", "MP"},
    "South": {"KR", "SS", "ZA"},
}
NONSENSE = (
    *(
        "Atlantis",
        "misc",
        "train",
        "test",
        "val",
        "validation",
        "split",
        "data",
        "images",
        "unknown",
        "other",
    ),
    *("none", "null", "nan", "photos", "street", "island", "Islands", "man", "and", "to", "me", "Europe"),
    *("Africa", "Asia", "World", "Springfield", "Cambridge", "Batman", "Reading", "123", "FR1", "MI", "CT"),
    *("Formosa", "Rhodesia", "Kingdom", "CAR", "RSA", "KSA", "Rep", "is", "Is", "Baltic", "Alps"),
    *("???", "  ", ""),
)


@pytest.mark.parametrize(("spelling", "code"), SPELLINGS)
def test_name_is_understood(spelling, code):
    match = find_country(spelling)
    assert match.code == code, match
    assert match.confidence > 0
    assert match.candidates[0].code == code
    assert parse_country(spelling) == code


def test_the_tables_are_as_long_as_promised():
    wrong = {*AMBIGUOUS, *NONSENSE}
    assert len({spelling for spelling, _ in SPELLINGS} | wrong) >= 300
    assert len(wrong) >= 60
    assert len(SPELLINGS) == len(set(SPELLINGS))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    "name", ["Réunion", "Türkiye", "Österreich", "Côte d'Ivoire", "Ελλάδα", "Åland Islands"]
)
def test_both_forms_of_an_accent_are_one(form, name):
    assert find_country(unicodedata.normalize(form, name)).code is not None
    assert find_country(unicodedata.normalize(form, name)) == find_country(name)


@pytest.mark.parametrize(("text", "candidates"), AMBIGUOUS.items())
def test_ambiguous_name_raises_and_lists_who_it_could_be(text, candidates):
    match = find_country(text)
    assert match.code is None
    assert match.confidence == 0
    assert candidates <= {candidate.code for candidate in match.candidates}
    with pytest.raises(CountryNameError) as error:
        parse_country(text)
    assert f'"{text}"' in str(error.value)
    assert all(f"{code} ({country_name(code)})" in str(error.value) for code in candidates)


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_country(text):
    assert find_country(text).method == "unknown" or find_country(text).method == "ambiguous"
    with pytest.raises(CountryNameError, match="ISO 3166-1 code in capitals"):
        parse_country(text)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("FR", "code"),
        ("U.S.", "code"),
        ("France", "name"),
        ("Frankreich", "name"),
        ("Dubai", "city"),
        ("Luxembuorg", "fuzzy"),
        ("Congo", "ambiguous"),
        ("Atlantis", "unknown"),
    ],
)
def test_method_is_told(text, method):
    assert find_country(text).method == method


def test_codes_count_in_capitals_only():
    assert find_country("IN").code == "IN"
    assert find_country("in").code is None
    assert find_country("AND").code == "AD"
    assert find_country("and").code is None


def test_confidence_falls_from_code_to_likeness():
    confidences = [find_country(text).confidence for text in ("DE", "Germany", "Deutschland", "Germny")]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[-1] >= FUZZY_THRESHOLD / 100


def test_country_goes_before_a_place_of_its_name():
    """Georgia and Mexico name countries here, never the state or the city."""
    assert find_country("Georgia").method == "name"
    assert find_country("Mexico").method == "name"


@pytest.mark.parametrize(
    ("text", "code", "abroad"),
    [("Georgia", "GE", "US"), ("Jamaica", "JM", "US"), ("London", "GB", "CA"), ("Zaire", "CD", "AO")],
)
def test_a_place_abroad_is_listed_beside_a_country_that_goes_before_it(text, code, abroad):
    listed = [candidate.code for candidate in find_country(text).candidates]
    assert listed[0] == find_country(text).code == code
    assert abroad in listed


@pytest.mark.slow
def test_no_place_is_silently_in_another_country():
    """All regions, and all cities of 100 000 people and more."""
    regions = pq.read_table(Path(countries.__file__).parent / "data" / "regions.parquet").to_pylist()
    cities = [city for city in city_table().to_pylist() if city["population"] >= 100_000]
    assert len(regions) > 3500
    assert len(cities) > 6000
    for place in (*regions, *cities):
        match = find_country(place["name"])
        listed = {candidate.code for candidate in match.candidates}
        assert match.code is None or place["country"] in listed, (place, match)
        if match.code not in (None, place["country"]):
            assert match.method == "city" or match.confidence == 1.0, (place, match)


@pytest.mark.parametrize(
    "text", ["Germny", "Germani", "Swizerland", "Portugall", "Lichtenstein", "Kyrgystan"]
)
def test_a_misspelt_name_is_guessed_only_where_that_is_asked_for(text):
    assert find_country(text).method == "fuzzy"
    assert parse_country(text) == find_country(text).code
    with pytest.raises(CountryNameError, match="nearest names"):
        parse_country(text, guess=False)


def test_names_are_read_at_once_and_guesses_are_told():
    read = read_countries(["France", "Germny", "Dubai", "Georgia", "Atlantis", "Tasmania", "France"])
    assert read.codes == {"France": "FR", "Germny": "DE", "Dubai": "AE", "Georgia": "GE"}
    assert read.guessed["Georgia"] == "Georgia (GE), United States (US)"
    assert read.guessed.keys() == {"Germny", "Dubai", "Georgia"}
    assert read.unknown.keys() == {"Atlantis", "Tasmania"}
    assert "Australia (AU)" in read.unknown["Tasmania"]


@pytest.mark.parametrize("code", country_codes())
def test_every_name_leads_back_to_its_code(code):
    assert parse_country(country_name(code)) == code
    assert parse_country(country_name(code).upper().replace(" ", "_")) == code
    assert parse_country(code) == code


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("CZ", "Czechia"),
        ("BO", "Bolivia"),
        ("US", "United States"),
        ("GB", "United Kingdom"),
        ("KR", "South Korea"),
        ("RU", "Russia"),
        ("XK", "Kosovo"),
        ("HK", "Hong Kong"),
        ("LC", "Saint Lucia"),
        ("BA", "Bosnia and Herzegovina"),
        ("CI", "Côte d'Ivoire"),
    ],
)
def test_names_are_short(code, name):
    assert country_name(code) == name


def test_codes_are_iso_and_kosovo():
    assert len(country_codes()) == 250
    assert "XK" in country_codes()
    assert list(country_codes()) == sorted(country_codes())


@pytest.mark.parametrize("code", ["ZZ", "UK", "fr", "", "USA"])
def test_wrong_code_has_no_name(code):
    with pytest.raises(CountryNameError, match="no country code"):
        country_name(code)


@given(st.text(max_size=30))
@pytest.mark.slow
def test_any_text_gets_an_answer(text):
    match = find_country(text)
    assert (match.code is None) == (match.method in {"ambiguous", "unknown"})
    assert 0 <= match.confidence <= 1
    assert all(0 <= candidate.score <= 1 for candidate in match.candidates)


def test_city_needs_to_dwarf_its_namesakes():
    assert people_by_country("dubai").keys() == {"AE"}
    assert max(people_by_country("BIRMINGHAM").values()) > LARGE_CITY
    assert people_by_country("Springfield") == {}


def test_cities_are_complete():
    table = city_table()
    assert table.num_rows > 30_000
    assert set(table["country"].to_pylist()) <= set(country_codes())
    assert table["latitude"].null_count == table["population"].null_count == 0


def test_importing_loads_nothing_heavy():
    heavy = "{'babel', 'pycountry', 'rapidfuzz', 'shapely', 'scipy', 'pyarrow', 'numpy'}"
    script = f"import sys, lostfound.geo, lostfound.geo.countries; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_names_and_cities_are_looked_up_without_what_they_were_packed_with():
    code = "from lostfound.geo.countries import country_name, find_country"
    asked = "print(find_country('Italien').code, find_country('Dubai').code, country_name('FI'))"
    script = f"{code}; {asked}; import sys; print({{'babel', 'numpy', 'pyarrow'}} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-X", "utf8", "-c", script], capture_output=True, check=True)
    assert found.stdout.decode().splitlines() == ["IT AE Finland", "set()"]


@pytest.mark.data
def test_folders_of_real_photos_resolve():
    folders = DATA / "street-countries"
    if not folders.is_dir():
        pytest.skip(f"no real photos at {folders}: set LOSTFOUND_TEST_DATA to the folder that holds them")
    found = {path.name: parse_country(path.name) for path in folders.iterdir() if path.is_dir()}
    assert len(found) == 80
    assert len(set(found.values())) == 80
    exact = {
        name: code for name, code in found.items() if country_name(code) != unicodedata.normalize("NFC", name)
    }
    assert exact == {"Dubai": "AE", "UK": "GB", "USA": "US", "Turkey": "TR"}
