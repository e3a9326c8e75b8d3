"""People against models as tables in words, and as a page that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree.ElementTree import Element

from lostfound.evaluation.comparison import Difference, p_text
from lostfound.evaluation.metrics import METRICS
from lostfound.evaluation.report.sections import figure, section
from lostfound.pages.charts import Axis, Line, legend, line_chart, percent_axis
from lostfound.pages.elements import element, html, table
from lostfound.pages.frame import fill_page, write_page
from lostfound.play.comparing import PEOPLE, PeopleComparison
from lostfound.play.groups import BLOCK, FEWEST_PLAYERS, Group
from lostfound.play.results import SCORED
from lostfound.play.settings import Mode

PAGE, NUMBERS = "people.html", "people.json"
_NONE = "–"
_MOST_ROWS = 20


@dataclass(frozen=True)
class Told:
    """One table in words.

    Attributes:
        id: A short name.
        caption: What it shows.
        heads: Over the columns; those of numbers begin with `#`.
        rows: Their cells.
        notes: What must be known to read it.
    """

    id: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def tables(compared: PeopleComparison) -> list[Told]:
    """All tables, in the order in which they are read; those without a row are left out."""
    found = [
        *_protocol(compared),
        _standings(compared),
        _players(compared),
        _agreement(compared),
        _learning(compared),
        _times(compared),
        _countries(compared),
        _clues(compared),
    ]
    return [each for each in found if each.rows]


def render(compared: PeopleComparison) -> str:
    """The page's HTML."""
    answered = compared.answered
    n = int(answered.counts.sum())
    counted = f"From {n} guesses that count, of {len(compared.players)} players."
    sections = []
    for told in tables(compared):
        chart = _learning_chart(compared) if told.id == "learning" else None
        sections.append(
            section(
                told.caption,
                *([chart] if chart is not None else []),
                table(told.heads, told.rows, caption=counted),
                *(element("p", note, class_="quiet") for note in told.notes),
                id_=told.id,
            )
        )
    return fill_page(
        "report",
        title="People against models" if answered.models else "What people answered",
        count=f"{n} guesses of {len(compared.players)} players on {answered.places.dataset.name}",
        note=f"Made by lostfound {version('lostfound')}. Answers are estimates, never measurements.",
        data={},
        main=html(*sections),
    )


def write(compared: PeopleComparison, path: Path) -> Path:
    """Write the page. It appears whole or not at all.

    Raises:
        LostFoundError: The file can't be written there.
    """
    return write_page(path, render(compared))


def _protocol(compared: PeopleComparison) -> list[Told]:
    """The tables of the published study whose protocol was followed, in its form."""
    preset, models = compared.answered.places.settings.preset, list(compared.answered.models)
    scores = {(each.metric, each.who): each.score.value for each in compared.standings}
    if preset == "eight-cities":
        metric = "top_1_accuracy"
        people = [
            (each.name, _number(metric, each.practice), _number(metric, each.scores.get(metric)))
            for each in compared.players
        ]
        methods = [("Human Benchmark", PEOPLE), *((name, name) for name in models)]
        return [
            Told(
                "table-1",
                "Human testing accuracies",
                ("Name", "#Training Accuracy (%)", "#Validation Accuracy (%)"),
                people,
            ),
            Told(
                "table-2",
                "Model validation accuracies",
                ("Method Name", "#Validation Accuracy (%)"),
                [(label, _number(metric, scores.get((metric, who)))) for label, who in methods],
            ),
        ]
    if preset == "lost-and-found":
        metrics = SCORED[Mode.countries]
        rows = [
            (each.name, str(each.rounds), *(_number(metric, each.scores.get(metric)) for metric in metrics))
            for each in compared.players
        ]
        images = str(len({each.image_id for each in compared.answered.guesses if not each.practice}))
        rows += [
            (name, images, *(_number(metric, scores.get((metric, name))) for metric in metrics))
            for name in models
        ]
        heads = ("Who", "#Images", "#Top-1 (%)", "#Top-3 (%)", "#Top-5 (%)")
        return [Told("human-baseline", "Human baseline performance", heads, rows)]
    return []


def _standings(compared: PeopleComparison) -> Told:
    rows = []
    for each in compared.standings:
        metric = METRICS[each.metric]
        interval = f"{metric.number(each.score.low)} to {metric.number(each.score.high)}"
        rows.append(
            (
                *(metric.heading, each.who, metric.number(each.score.value), interval),
                *_difference(each.metric, each.by_place),
                *_difference(each.metric, each.by_player),
            )
        )
    heads = ["metric", "who", "#value", "95 % interval"]
    heads += ["#difference", "by place", "#p", "#difference", "by player", "#p"]
    notes = [
        "Models are scored on the pictures that people were shown, as often as they were shown. Differences "
        "are people's score less the model's on the same pictures, resampled together by place, and by "
        "player (paired bootstrap); p is two-sided and not corrected."
    ]
    answered = compared.answered
    if len(compared.players) < FEWEST_PLAYERS:
        notes.append(
            f"Intervals by player need {FEWEST_PLAYERS} players or more: these {len(compared.players)} say "
            "nothing of other people."
        )
    if answered.known:
        notes.append(f"{answered.known} guesses at places that the player knew are left out.")
    skipped = sum(each.skipped for each in compared.players)
    if skipped:
        how = "are in none of the numbers" if answered.places.settings.mode is Mode.map else "count as wrong"
        notes.append(f"{skipped} rounds were skipped, and {how}.")
    return Told("short", "In short", heads, rows, notes)


def _difference(metric: str, found: Difference | None) -> tuple[str, str, str]:
    if found is None:
        return (_NONE, _NONE, _NONE)
    value, low, high = (
        METRICS[metric].number(each, signed=True) for each in (found.value, found.low, found.high)
    )
    return value, f"{low} to {high}", p_text(found.p)


def _players(compared: PeopleComparison) -> Told:
    metrics = SCORED[compared.answered.places.settings.mode]
    heads = ["player", "#rounds", *(f"#{METRICS[metric].heading}" for metric in metrics)]
    heads += [f"#practice, {METRICS[metrics[0]].heading}", "#skipped", "#time (s)"]
    rows = [
        (
            *(each.name, str(each.rounds)),
            *(_number(metric, each.scores.get(metric)) for metric in metrics),
            *(_number(metrics[0], each.practice), str(each.skipped)),
            _NONE if each.seconds is None else f"{each.seconds:.1f}",
        )
        for each in compared.players
    ]
    return Told("players", "The players", heads, rows, [_cut_off(compared, "Times are the middle one.")])


def _agreement(compared: PeopleComparison) -> Told:
    found = compared.agreement
    heads = ("of", "#value")
    if found is None:
        return Told("agreement", "How alike players answer", heads, [])
    rows = [
        ("pictures that two or more answered", str(found.pictures)),
        ("pairs of answers", str(found.pairs)),
    ]
    if found.same is not None:
        rows.append(("pairs with the same first answer", f"{100 * found.same:.1f} %"))
        rows.append(("beyond chance (Fleiss' kappa)", _NONE if found.kappa is None else f"{found.kappa:.2f}"))
    if found.km is not None:
        rows.append(("distance of the two, the middle one", f"{found.km:.0f} km"))
    return Told("agreement", "How alike players answer", heads, rows)


def _learning(compared: PeopleComparison) -> Told:
    notes = [f"Rounds are taken together by {BLOCK}; intervals are by player."]
    metric, change = METRICS[compared.answered.primary], compared.change
    if change is not None:
        value, interval, p = _difference(metric.name, change)
        notes.append(f"The second half of the rounds that count less the first: {value} ({interval}), p {p}.")
    return _groups(compared, "learning", "Learning", "rounds", compared.learning, notes)


def _times(compared: PeopleComparison) -> Told:
    notes = [_cut_off(compared, "From when a round was first shown to the answer, by the server's clock.")]
    return _groups(compared, "time", "Time against score", "time", compared.times, notes)


def _countries(compared: PeopleComparison) -> Told:
    groups = list(compared.countries)
    notes = (
        ["Where people are furthest ahead of the best of the models stands first."]
        if (compared.answered.models)
        else []
    )
    if len(groups) > 2 * _MOST_ROWS:
        notes.append(f"The {_MOST_ROWS} at both ends of {len(groups)}; all of them are in {NUMBERS} (--to).")
        groups = [*groups[:_MOST_ROWS], *groups[-_MOST_ROWS:]]
    return _groups(compared, "countries", "What people know and models don't", "it is", groups, notes)


def _clues(compared: PeopleComparison) -> Told:
    notes = ["A guess may have several clues. What players say helped them need not be what did."]
    return _groups(compared, "clues", "Clues against success", "clue", compared.clues, notes)


def _groups(
    compared: PeopleComparison,
    id_: str,
    caption: str,
    what: str,
    groups: Sequence[Group],
    notes: Sequence[str],
) -> Told:
    metric = METRICS[compared.answered.primary]
    heads = [what, "#guesses", f"#people, {metric.heading}", "95 % interval"]
    heads += [f"#{name}" for name in compared.answered.models]
    rows = [
        (
            *(each.name, str(each.n), _number(metric.name, each.people)),
            _NONE
            if each.low is None or each.high is None
            else f"{metric.number(each.low)} to {metric.number(each.high)}",
            *(_number(metric.name, value) for value in each.models),
        )
        for each in groups
    ]
    return Told(id_, caption, heads, rows, notes)


def _learning_chart(compared: PeopleComparison) -> Element | None:
    groups = [each for each in compared.learning if each.people is not None]
    if len(groups) < 2:
        return None
    metric = METRICS[compared.answered.primary]
    at = range(1, len(groups) + 1)
    x = Axis(
        f"{BLOCK} rounds each, practice first", 0.5, len(groups) + 0.5, [(each, str(each)) for each in at]
    )
    y = (
        percent_axis(metric.heading)
        if metric.unit == "share"
        else Axis(metric.heading, 0, 5000, [(1000 * each, str(1000 * each)) for each in range(6)])
    )
    people = [(float(each), group.people or 0.0) for each, group in zip(at, groups, strict=True)]
    band = [
        (float(each), group.low, group.high)
        for each, group in zip(at, groups, strict=True)
        if group.low is not None and group.high is not None
    ]
    lines = [Line(PEOPLE, people, band if len(band) == len(groups) else (), dots=True)]
    for number, name in enumerate(compared.answered.models):
        points = [
            (float(each), value)
            for each, group in zip(at, groups, strict=True)
            if (value := group.models[number]) is not None
        ]
        lines.append(Line(name, points, dots=True))
    return figure(
        line_chart(x, y, lines, says="The score of people and models by round"),
        caption="People may learn; models do not, and show how hard the pictures were.",
        rest=[legend([line.name for line in lines])],
    )


def _cut_off(compared: PeopleComparison, text: str) -> str:
    return (
        f"{text} Times beyond {compared.cut_off_s:g} s are left out ({compared.beyond} of "
        f"{int(compared.answered.counts.sum())})."
    )


def _number(metric: str, value: float | None) -> str:
    return _NONE if value is None else METRICS[metric].number(value)
