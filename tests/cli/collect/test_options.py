from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from lostfound.cli.collect.options import RunOptions, expand_options
from lostfound.errors import UsageError


@dataclass(frozen=True)
class Colours:
    """Some options that go together."""

    red: Annotated[int, typer.Option(help="Of red.", min=0)] = 1
    name: Annotated[list[str] | None, typer.Option("--name", help="Names.")] = None


def test_a_group_of_options_stands_in_its_place():
    said: list[object] = []
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @expand_options
    def paint(
        *,
        to: Annotated[str, typer.Option(help="First.")],
        colours: Colours,
        last: Annotated[bool, typer.Option("--last", help="Last.")] = False,
    ) -> None:
        """Paint."""
        said.extend((to, colours, last))

    runner = CliRunner()
    shown = runner.invoke(app, ["--help"]).stdout
    assert shown.index("--to") < shown.index("--red") < shown.index("--name") < shown.index("--last")
    assert runner.invoke(app, ["--to", "x", "--red", "3", "--name", "a", "--name", "b"]).exit_code == 0
    assert said == ["x", Colours(3, ["a", "b"]), False]
    assert runner.invoke(app, ["--to", "x", "--red", "-1"]).exit_code == 2
    assert runner.invoke(app, ["--red", "1"]).exit_code == 2


@pytest.mark.parametrize("wrong", [{"rate": float("nan")}, {"patience": float("inf")}])
def test_limits_are_finite(wrong: dict[str, float]):
    with pytest.raises(UsageError, match="is no number for --max-cost, --rate, --patience or --timeout"):
        RunOptions(**wrong).limits(None, None)
