"""Priors by Bayes' rule, and shares of countries found by expectation-maximisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lostfound.errors import LostFoundError, UsageError
from lostfound.partitions import build_partition
from lostfound.predict.belief import Belief
from lostfound.predict.priors import estimated_shares, read_prior, reweighted

TRAINED = np.array([0.2, 0.8])


@pytest.fixture(scope="module")
def cells():
    return build_partition("countries", [(48.86, 2.35), (52.52, 13.4)])  # DE, FR


def belief(cells, *rows: tuple[float, float]) -> Belief:
    return Belief(np.arange(len(rows)).astype(str).astype(object), cells, np.array(rows))


def test_bayes_undoes_how_training_drew(cells) -> None:
    found = reweighted(belief(cells, (0.2, 0.8)), read_prior("uniform", cells, TRAINED), TRAINED)
    assert found.probabilities[0] == pytest.approx([0.5, 0.5])  # it had said no more than the prior
    same = reweighted(belief(cells, (0.6, 0.4)), TRAINED, TRAINED)
    assert same.probabilities[0] == pytest.approx([0.6, 0.4])


def test_population_is_by_people(cells) -> None:
    shares = read_prior("population", cells, TRAINED)
    assert shares.sum() == pytest.approx(1)
    assert 0.45 < shares[0] < 0.7  # Germany has more people


def test_a_file_names_countries(cells, tmp_path: Path) -> None:
    file = tmp_path / "prior.csv"
    file.write_text("country,share\nGermany,3\nFR,1\n")
    assert read_prior(str(file), cells, TRAINED) == pytest.approx([0.75, 0.25])


def test_a_country_s_share_is_divided_as_training_drew() -> None:
    cells = build_partition("square", [(48.86, 2.35), (45.76, 4.84), (52.52, 13.4)], cell_km=100)
    trained = np.array([0.1, 0.3, 0.6])
    shares = read_prior({"FR": 1.0, "DE": 1.0}, cells, trained)
    own = [code == "FR" for code in cells.countries]
    assert shares[own].sum() == pytest.approx(0.5)
    assert shares[own] / trained[own] == pytest.approx(np.full(2, (shares[own] / trained[own])[0]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("country,share\nFR,much\n", "line 2: the share 'much' is no number"),
        ("country,share\nFR,1\nFR,2\n", "line 3: 'FR' stands there twice"),
        ("country,share\nFR,-1\n", "give 0 or more"),
        ("country,share\nFR,nan\n", "give 0 or more"),
        ("country,share\nJP,1\n", "leaves none of the 2 cells"),
        ("country,share\nFrnace,1\n", "names no known country"),
        ("land,share\nFR,1\n", "lacks the columns country"),
        ("", "lacks the columns country"),
    ],
)
def test_a_file_that_is_no_prior_is_refused(cells, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prior.csv"
    file.write_text(text)
    with pytest.raises(LostFoundError, match=said):
        read_prior(file, cells, TRAINED)


def test_an_unknown_name_lists_those_there_are(cells) -> None:
    with pytest.raises(UsageError, match="choose of training, uniform, population, estimate"):
        read_prior("flat", cells, TRAINED)


def test_the_shares_of_an_album_are_found_again(cells) -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(4000) < 0.9  # Germany
    evidence = np.exp(generator.normal(np.where(truth, 1, -1), np.sqrt(2)))  # its likelihood ratio, exactly
    posterior = TRAINED[0] * evidence / (TRAINED[0] * evidence + TRAINED[1])
    rows = np.column_stack([posterior, 1 - posterior])
    shares = estimated_shares(
        Belief(np.arange(4000).astype(str).astype(object), cells, rows), TRAINED, np.array(cells.countries)
    )
    assert list(shares) == ["DE", "FR"]
    assert shares["DE"] == pytest.approx(0.9, abs=0.03)


def test_one_photo_alone_changes_little(cells) -> None:
    shares = estimated_shares(belief(cells, (0.5, 0.5)), TRAINED, np.array(cells.countries))
    assert shares["DE"] == pytest.approx(0.2, abs=0.06)
