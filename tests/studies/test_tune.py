"""What would fail every trial stops a search; what one trial's settings do does not (see test_search)."""

from __future__ import annotations

import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import ModelError, UsageError
from lostfound.studies import queue
from lostfound.studies.search import Search
from lostfound.studies.space import Parameter, Space
from lostfound.studies.tune import tune

optuna = pytest.importorskip("optuna")


@pytest.fixture
def search(tiny_settings, dataset_folder, tmp_path) -> Search:
    (tmp_path / "broken.safetensors").write_text("no weights")
    return Search(
        recipe="demo",
        variant=None,
        changes=tiny_settings,
        space=Space((Parameter("optimizer.learning_rate", (0.01, 0.001)),)),
        data=Dataset.open(dataset_folder),
        weights=str(tmp_path / "broken.safetensors"),
        to=tmp_path / "search",
        metric="top_1_accuracy",
        trials=None,
        sampler="grid",
        prune=True,
    )


def test_weights_that_can_not_be_read_stop_the_search_at_its_first_trial(search):
    with pytest.raises(ModelError, match="can't be read"):
        tune(search)
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{search.to / 'tune.db'}")
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]
    queue.fill(study, search.slots())
    assert queue.waiting(study) == 2  # the same call runs both


def test_a_mistake_leaves_no_folder_behind(search):
    with pytest.raises(UsageError, match="learning_rat"):
        tune(Search(**{**vars(search), "space": Space((Parameter("optimizer.learning_rat", (0.01,)),))}))
    assert not search.to.exists()
