from unicodedata import normalize

import pytest

from lostfound.data.importers.sidecars import Sidecars

LONG = "Screenshot_2023-10-01-12-34-56-789_com.android"  # 46 characters


@pytest.mark.parametrize(
    ("image", "sidecar"),
    [
        ("a.jpg", "a.xmp"),
        ("a.jpg", "a.jpg.xmp"),
        ("a.JPG", "A.XMP"),
        ("a.jpg", "a.json"),
        ("a.jpg", "a.jpg.json"),
        ("a.jpg", "a.jpg.supplemental-metadata.json"),
        ("a.jpg", "a.jpg.supplemental-me.json"),
        ("a.jpg", "a.jpg.s.json"),
        ("a.jpg", "a.jpg..json"),
        ("a(1).jpg", "a.jpg(1).json"),
        ("a(1).jpg", "a.jpg.supplemental-metadata(1).json"),
        ("a(1).jpg", "a.jpg.supplemental-(1).json"),
        ("a(1).jpg", "a(1).jpg.json"),
        ("a-edited.jpg", "a.jpg.json"),
        ("a-bearbeitet(2).jpg", "a.jpg.supplemental-metadata(2).json"),
        (f"{LONG}1.jpg", f"{LONG}.json"),
        (f"{LONG}1(1).jpg", f"{LONG}(1).json"),
        (f"{LONG[:44]}.jpg", f"{LONG[:44]}.j.json"),
        (normalize("NFD", "café.jpg"), normalize("NFC", "café.jpg.json")),
    ],
)
def test_the_file_beside_an_image_is_found(tmp_path, image, sidecar):
    (tmp_path / sidecar).write_text("{}")
    assert Sidecars().of(str(tmp_path / image)) == (str(tmp_path / sidecar),)


@pytest.mark.parametrize(
    ("image", "other"),
    [
        ("a(1).jpg", "a.jpg.json"),
        ("a.jpg", "a.jpg(1).json"),
        ("IMG_10.jpg", "IMG_1.json"),
        ("IMG_1.jpg", "IMG_10.jpg.json"),
        ("a.jpg", "metadata.json"),
        ("a.jpg", "a.jpg.txt"),
    ],
)
def test_another_image_s_file_is_not(tmp_path, image, other):
    (tmp_path / other).write_text("{}")
    assert Sidecars().of(str(tmp_path / image)) == ()


def test_the_most_telling_comes_first_and_folders_are_told_apart(tmp_path):
    for name in ("one/a.jpg.json", "one/a.xmp", "two/b.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    sidecars = Sidecars()
    found = sidecars.of(str(tmp_path / "one" / "a.jpg"))
    assert found == (str(tmp_path / "one" / "a.xmp"), str(tmp_path / "one" / "a.jpg.json"))
    assert sidecars.of(str(tmp_path / "two" / "a.jpg")) == ()
    assert sidecars.of(str(tmp_path / "gone" / "a.jpg")) == ()
