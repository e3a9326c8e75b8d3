"""What is known of the world's roads, by ISO 3166-1 alpha-2 code (and `XK` for Kosovo).

Good enough for pictures, and no reference: driving sides are as they are; line colours, plates and posts are
the commonest ones as far as we know. Families group countries whose streets look alike; what a family leaves
open, `style.style_of` draws from the country's code.
"""

from lostfound.world.dice import Colour


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEFT_DRIVING = _codes(
    "AG AI AU BB BD BM BN BS BT BW CC CK CX CY DM FJ FK GB GD GG GS GY HK HM ID IE IM IN JE JM JP KE KI KN "
    "KY LC LK LS MO MS MT MU MV MW MY MZ NA NF NP NR NU NZ PG PK PN SB SC SG SH SR SZ TC TH TK TL TO TT TV "
    "TZ UG VC VG VI WS ZA ZM ZW"
)
"""Countries and territories that drive on the left."""

YELLOW_CENTRE = _codes(
    "US CA PR GU MP AS UM MX GT BZ HN SV NI CR PA CO VE EC PE BO BR AR PY DO CU HT NO CN KR KP TW TH VN LA KH"
)
"""Countries whose line between opposite directions is yellow."""

YELLOW_EDGE = _codes("ZA BW NA LS SZ ZW ZM KE UG IE IL PS IR OM")
"""Countries whose line at the outer edge of the road is yellow."""

DOUBLE_CENTRE = _codes("US CA PR BR MX CO AR PE EC VN CN KR TW TH MY HK IN TR")
"""Countries where a double centre line is common."""

DASHED_EDGE = _codes("FR SE NO IE DK MC RE GP MQ GF")
"""Countries whose edge line is broken."""

NO_EDGE = _codes("MN BD NP UG TZ ET CD ML NE TD GB IM KH BO LK")
"""Countries where most roads have no edge line."""

BOLLARDS: dict[str, tuple[Colour, Colour]] = {
    "FR": ((245, 245, 245), (200, 40, 40)),
    "ES": ((240, 240, 240), (230, 190, 40)),
    "PT": ((240, 240, 240), (40, 40, 50)),
    "IT": ((245, 245, 245), (30, 30, 30)),
    "DE": ((245, 245, 245), (40, 40, 40)),
    "AT": ((240, 240, 240), (20, 20, 20)),
    "CH": ((240, 240, 240), (60, 60, 60)),
    "PL": ((240, 240, 240), (210, 40, 40)),
    "CZ": ((240, 240, 240), (230, 130, 30)),
    "DK": ((240, 240, 240), (220, 200, 60)),
    "NO": ((215, 60, 50), (245, 245, 245)),
    "SE": ((240, 240, 240), (40, 60, 120)),
    "FI": ((240, 240, 240), (90, 90, 90)),
    "IS": ((240, 215, 40), (250, 250, 250)),
    "AU": ((245, 245, 245), (210, 50, 40)),
    "NZ": ((245, 245, 245), (210, 60, 50)),
    "JP": ((240, 240, 240), (230, 120, 40)),
    "KR": ((235, 120, 40), (245, 245, 245)),
    "TH": ((245, 245, 245), (30, 30, 30)),
    "ID": ((235, 200, 60), (30, 30, 30)),
    "ZA": ((240, 240, 240), (240, 200, 50)),
    "TR": ((240, 240, 240), (200, 40, 40)),
    "RU": ((245, 245, 245), (30, 30, 30)),
    "UA": ((245, 245, 245), (30, 30, 30)),
    "LV": ((245, 245, 245), (30, 30, 30)),
}
"""Roadside posts: colour of the post and of its band."""

PLATES: dict[str, Colour] = {
    "GB": (240, 205, 60),
    "NL": (240, 200, 50),
    "LU": (240, 200, 50),
    "IL": (245, 205, 50),
    "CO": (245, 205, 50),
    "CN": (50, 80, 190),
    "HK": (245, 205, 50),
    "MO": (20, 20, 20),
    "MY": (20, 20, 20),
    "ID": (20, 20, 20),
    "BT": (190, 40, 40),
    "LK": (240, 200, 50),
    "KE": (240, 200, 50),
}
"""Colours of rear number plates that are not white."""

FAMILY_CODES = {
    "nordic": "NO SE FI DK IS FO GL AX SJ EE LV LT",
    "british": "GB IE IM JE GG FK",
    "western": "FR BE NL LU DE AT CH LI MC",
    "mediterranean": "ES PT IT GR MT CY HR AL AD SM VA GI TR ME SI MK BA XK",
    "eastern": "PL CZ SK HU RO BG MD UA BY RU RS GE AM",
    "north_american": "US CA PM UM PR",
    "latin": "MX GT BZ HN SV NI CR PA CO VE EC PE BO BR PY UY AR CL GY SR GF",
    "caribbean": "CU DO HT JM BM BS BB TT AG AI AW BL BQ CW DM GD GP KN KY LC MF MQ MS SX TC VC VG VI",
    "arab": "MA DZ TN LY EG EH SD SA AE QA KW BH OM YE JO LB SY IQ IR IL PS DJ MR",
    "african": "AO BF BI BJ BW CD CF CG CI CM CV ER ET GA GH GM GN GQ GW KE KM LR LS MG ML MU MW MZ NA NE NG "
    "RE RW SC SH SL SN SO SS ST SZ TD TG TZ UG YT ZA ZM ZW",
    "steppe": "MN KZ KG UZ TM TJ AF AZ",
    "south_asian": "IN PK BD LK NP BT MV",
    "southeast_asian": "TH VN LA KH MM MY ID PH BN TL SG",
    "east_asian": "JP KR KP CN TW HK MO",
    "oceanian": "AU NZ NF CC CX",
    "pacific": "FJ PG SB VU NC PF WS TO TV KI MH FM PW CK NU TK WF AS GU MP PN NR IO",
    "polar": "AQ TF BV GS HM",
}
FAMILY_OF = {code: family for family, codes in FAMILY_CODES.items() for code in codes.split()}
"""Family of each code; all of ISO 3166-1, and Kosovo."""
