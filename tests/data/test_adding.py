from pathlib import Path

import pytest

from lostfound.data.adding import existing_dataset
from lostfound.data.importers.importing import import_images
from lostfound.errors import UsageError

SETTINGS = {"size": 48, "quality": 92}


def test_where_nothing_is_yet_there_is_nothing_to_add_to(tmp_path: Path):
    assert existing_dataset(tmp_path / "data", SETTINGS) is None
    (tmp_path / "data").mkdir()
    assert existing_dataset(tmp_path / "data", SETTINGS) is None


def test_a_data_set_of_the_same_settings_is_added_to(tmp_path: Path, world: Path):
    import_images([world], tmp_path / "data", size=48, jobs=1)

    existing = existing_dataset(tmp_path / "data", SETTINGS)

    assert existing is not None
    assert existing.info["settings"] == SETTINGS


@pytest.mark.parametrize("other", [{"size": 64, "quality": 92}, {"size": 48, "quality": 80}])
def test_other_settings_are_refused_with_those_it_has(tmp_path: Path, world: Path, other: dict):
    import_images([world], tmp_path / "data", size=48, jobs=1)

    with pytest.raises(UsageError, match=r"was made with .*48.* not .*--size 48.* or another folder"):
        existing_dataset(tmp_path / "data", other)


def test_a_file_is_no_data_set(tmp_path: Path):
    (tmp_path / "data").write_text("")

    with pytest.raises(UsageError, match="is a file: give the folder of a data set"):
        existing_dataset(tmp_path / "data", SETTINGS)
