import pytest

from lostfound.data.importers import folders
from lostfound.data.importers.layouts import list_source
from lostfound.errors import CountryNameError


def test_each_image_has_the_country_of_its_folder(tmp_path, write_picture):
    for number, name in enumerate(
        ["UK/1.jpg", "Côte d'Ivoire/2.jpg", "czech republic/deep/er/3.jpg", "US/4.png"]
    ):
        write_picture(tmp_path / name, number)

    listing = folders.read(tmp_path)

    assert {image.original: image.country for image in listing.images} == {
        "UK/1.jpg": "GB",
        "Côte d'Ivoire/2.jpg": "CI",
        "czech republic/deep/er/3.jpg": "CZ",
        "US/4.png": "US",
    }
    assert all(image.place is None and image.latitude is None for image in listing.images)


def test_photos_of_an_ambiguous_name_need_a_place_of_their_own(tmp_path, write_picture):
    write_picture(tmp_path / "France" / "1.jpg")
    write_picture(tmp_path / "Congo" / "1.jpg")

    listing = folders.read(tmp_path)

    reason = "country can't be told: 'Congo' (could be DR Congo (CD), Republic of the Congo (CG))"
    found = [(image.original, image.country, image.missing) for image in listing.images]
    assert found == [("Congo/1.jpg", None, reason), ("France/1.jpg", "FR", None)]
    assert [*listing.countries.unknown] == ["Congo"]


def test_strictly_names_that_can_t_be_told_are_an_error_that_lists_the_candidates(tmp_path, write_picture):
    write_picture(tmp_path / "France" / "1.jpg")
    write_picture(tmp_path / "Congo" / "1.jpg")

    message = r"'Congo': could be DR Congo \(CD\), Republic of the Congo \(CG\)"
    with pytest.raises(CountryNameError, match=message):
        list_source(tmp_path, "folders", strict=True)


def test_albums_of_places_are_no_country_folders(tmp_path, write_picture):
    for name in (
        "Tasmania",
        "Almería",
        "Palma",
        "Tirana",
        "Styria",
        "Karelia",
        "Salvador",
        "Granada",
        "Norfolk",
    ):
        write_picture(tmp_path / name / "1.jpg")

    assert not folders.recognise(tmp_path, [])
    assert {image.country for image in folders.read(tmp_path).images} == {None}


def test_a_misspelt_name_is_a_guess(tmp_path, write_picture):
    write_picture(tmp_path / "Germny" / "1.jpg")
    write_picture(tmp_path / "Germany" / "1.jpg")

    found = {image.original: (image.country, image.guessed) for image in folders.read(tmp_path).images}
    assert found == {"Germany/1.jpg": ("DE", False), "Germny/1.jpg": ("DE", True)}


def test_files_beside_the_folders_are_skipped_by_name(tmp_path, write_picture):
    write_picture(tmp_path / "France" / "1.jpg")
    write_picture(tmp_path / "loose.jpg")
    (tmp_path / "README.md").write_text("")
    (tmp_path / ".DS_Store").write_text("")

    listing = folders.read(tmp_path)

    assert listing.skipped == [("loose.jpg", "not in a country's folder")]
    assert listing.passed_over == {".md": 1, "hidden": 1}


def test_folders_without_images_need_no_country_s_name(tmp_path, write_picture):
    write_picture(tmp_path / "France" / "1.jpg")
    (tmp_path / "Congo").mkdir()

    assert [image.country for image in folders.read(tmp_path).images] == ["FR"]


@pytest.mark.data
def test_all_80_real_folders_resolve(real_data):
    listing = folders.read(real_data / "street-countries")

    countries = {image.original.split("/")[0]: image.country for image in listing.images}
    assert len(listing.images) == 5231
    assert len(countries) == 80
    assert len(set(countries.values())) == 80
    expected = {"UK": "GB", "USA": "US", "Dubai": "AE", "Czechia": "CZ", "Réunion": "RE", "Isle of Man": "IM"}
    assert expected.items() <= countries.items()
    assert listing.skipped == []
