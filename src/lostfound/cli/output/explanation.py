"""What `lostfound explain` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lostfound.cli.common import show
from lostfound.cli.output.tables import make_console, make_table

if TYPE_CHECKING:
    from lostfound.predict.explain import EvidenceMap, Explanation

_DOWN, _ACROSS = ("top", "middle", "bottom"), ("left", "centre", "right")
_NOTHING = ("nothing", "moves nowhere")


def print_explanation(explanation: Explanation) -> None:
    """Print where a picture speaks most for each answer, and the photos that are most alike."""
    guess = explanation.guess
    if guess.warning:
        doubt = "I don't know" if guess.abstained else "Beware"
        show(f"{doubt}: {guess.warning}\n")
    table = make_table("answer", "probability", "measured by", "most of it", "where", numbers=["probability"])
    for each in explanation.maps:
        probability = each.candidate.probability
        table.add_row(
            f"{each.candidate.name} ({each.role})",
            "" if probability is None else f"{100 * probability:.1f} %",
            "class activation" if each.measure == "class activation" else "hiding parts",
            _amount(each),
            "" if _amount(each) in _NOTHING else _where(each),
        )
    console = make_console()
    console.print(table)
    if explanation.notice:
        show(f"\nNo class activation: {explanation.notice}.")
    if explanation.similar:
        show("\nLooks most alike to the model:\n")
        alike = make_table(
            "photo", "country", "from the answer", "similarity", numbers=["from the answer", "similarity"]
        )
        for photo in explanation.similar:
            distance = "" if photo.distance_km is None else f"{photo.distance_km:,.0f} km"
            alike.add_row(photo.original, photo.country or "", distance, f"{photo.similarity:.2f}")
        console.print(alike)


def _amount(evidence: EvidenceMap) -> str:
    value = evidence.strongest[0]
    if evidence.measure == "class activation":
        return f"{value:+.1f} logit"
    if evidence.measure == "probability":
        return f"{-value:+.1f} points" if abs(value) >= 0.05 else _NOTHING[0]
    return f"moves {value:,.0f} km" if value >= 0.5 else _NOTHING[1]


def _where(evidence: EvidenceMap) -> str:
    """Where in the picture a map is strongest, in words."""
    _, down, across = evidence.strongest
    return f"{_DOWN[min(2, int(3 * down))]} {_ACROSS[min(2, int(3 * across))]}"
