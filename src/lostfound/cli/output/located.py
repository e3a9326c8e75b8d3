"""Where the answers about photos go: the screen, or a file of one of many formats."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lostfound.cli.common import must_be_a_file, say
from lostfound.errors import UsageError
from lostfound.files import STANDARD_OUTPUT
from lostfound.texts import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lostfound.predict.outputs import LocatedPhoto


class Format(StrEnum):
    """The outputs of `lostfound locate` and `lostfound export`."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    geojson = "geojson"
    geoparquet = "geoparquet"
    kml = "kml"
    gpx = "gpx"
    map = "map"


FormatOption = Annotated[
    Format | None,
    typer.Option(
        metavar="FORMAT",
        help="table, json, jsonl, csv, geojson, geoparquet, kml, gpx or map; by default what the output's "
        "name says, or a table.",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write to a file instead of the screen; - is standard output."),
]
RawOption = Annotated[
    bool,
    typer.Option("--raw", help="Leave names in CSV as they are, also those that a spreadsheet computes."),
]

_NOT_FOR_SCREENS = {Format.map: "a map is a page to be opened", Format.geoparquet: "GeoParquet is no text"}


def format_of(form: Format | None, output: Path | None) -> Format:
    """The format asked for, by name or by the output's ending.

    Raises:
        UsageError: The ending says none, or a screen can't show it.
    """
    if output is not None:
        must_be_a_file(output)
    if form is None:
        if output in (None, STANDARD_OUTPUT):
            return Format.table
        from lostfound.predict.formats import FORMS

        endings = {ending: Format(name) for name, each in FORMS.items() for ending in each.endings}
        endings[".html"] = Format.map
        form = endings.get(output.suffix.lower())
        if form is None:
            raise UsageError(
                f"{output} does not say its format: add --format {'|'.join(Format)}, or end the name "
                f"in {', '.join(endings)}"
            )
    if form in _NOT_FOR_SCREENS and output is None:
        ending = "html" if form is Format.map else "parquet"
        raise UsageError(f"{_NOT_FOR_SCREENS[form]}: give its file with --output map.{ending}")
    return form


def write_located(
    results: Sequence[LocatedPhoto],
    form: Format,
    output: Path | None,
    *,
    raw: bool = False,
    same_place: bool = False,
    model: Mapping[str, Any] | None = None,
) -> None:
    """Print answers, or write them to a file; `model` says who answered, in JSON."""
    from lostfound.cli.output.models import located_text, print_located
    from lostfound.files import write_output

    if form is Format.map:
        from lostfound.pages.map import write_photo_map

        assert output is not None
        write_photo_map(results, output, same_place=same_place)
    elif form is Format.table and output is None:
        print_located(results)
    else:
        from lostfound.predict import outputs
        from lostfound.predict.formats import FORMS

        if form is Format.table:
            data = located_text(results).encode(errors="backslashreplace")
        elif form is Format.csv:
            data = outputs.to_csv(results, raw=raw).encode(errors="backslashreplace")
        elif form is Format.json:
            data = outputs.to_json(results, model).encode()
        else:
            data = FORMS[form].write(results)
        if output is None:
            text = data.decode()
            sys.stdout.write(shown(text) if sys.stdout.isatty() else text)
        else:
            write_output(output, data)
    if output not in (None, STANDARD_OUTPUT):
        say(f"Written: {output}")
        unknown = sum(each.guess is not None and each.guess.abstained for each in results)
        if unknown and not same_place:
            from lostfound.cli.output.tables import counted

            say(
                f'"I don\'t know": {unknown} of {counted(len(results), "photo")}; '
                "`lostfound locate --always-answer` names a place all the same."
            )
