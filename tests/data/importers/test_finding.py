"""Which files below a folder are photos, what is said of the rest, and which file a name means."""

import os
import socket
import threading
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lostfound.data.importers.finding import FileNames, find_images, name_key
from lostfound.data.importers.layouts import LAYOUTS, list_source


class Heard:
    """What a search says that it does not take."""

    def __init__(self):
        self.skipped = {}
        self.kinds = Counter()

    def skip(self, original, reason):
        assert original not in self.skipped
        self.skipped[original] = reason

    def pass_over(self, kind):
        self.kinds[kind] += 1


def search(folder):
    """What is found in a folder, and what is said of the rest; fails where it would wait for ever."""
    heard, found = Heard(), []
    thread = threading.Thread(target=lambda: found.extend(find_images(folder, heard)), daemon=True)
    thread.start()
    thread.join(300)
    assert not thread.is_alive()
    return [os.path.relpath(each, folder) for each in found], heard


def picture(path, kind="JPEG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), "green").save(path, kind)


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "a.JPG",
        "a.jfif",
        "a.jpe",
        "a.JPE",
        "a.mpo",
        "a.gif",
        "a.tiff",
        "a.heic",
        "a.HIF",
        "a.png",
        "a.avif",
    ],
)
def test_endings_of_photos_are_taken_without_a_look(tmp_path, name):
    (tmp_path / name).write_bytes(b"")

    assert search(tmp_path)[0] == [name]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"])
@pytest.mark.parametrize("name", ["noending", "a.xyz", "a.jpg_original", "a.jpg~", "a.1", "a.jp2"])
def test_where_the_ending_says_nothing_the_content_decides(tmp_path, kind, name):
    picture(tmp_path / name, kind)

    assert search(tmp_path)[0] == [name]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("notes.txt", b"text", ".txt"),
        ("a.JSON", b"{}", ".json"),
        ("README", b"BMW and other cars", "without ending"),
        ("a.xyz", b"", ".xyz"),
        ("video.mp4", b"\0\0\0\x20ftypisom", ".mp4"),
        ("clip.new", b"\0\0\0\x20ftypisom\0\0\0\0", ".new"),
        ("sound.riff", b"RIFF\x24\0\0\0WAVEfmt ", ".riff"),
        (".DS_Store", b"\0\0\0\1Bud1", "hidden"),
    ],
)
def test_what_is_no_photo_is_counted_by_its_ending(tmp_path, name, content, kind):
    (tmp_path / name).write_bytes(content)

    found, heard = search(tmp_path)

    assert (found, heard.skipped, heard.kinds) == ([], {}, {kind: 1})


def test_raw_photos_and_hidden_ones_are_named(tmp_path):
    for name in ("a.NEF", "a.dng", ".hidden.jpg", ".thumbnails/a.jpg", "b.jpg"):
        picture(tmp_path / name, "TIFF")

    found, heard = search(tmp_path)

    assert found == ["b.jpg"]
    raw, hidden = "a raw photo (save it as JPEG or TIFF first)", "hidden (its name begins with a dot)"
    assert heard.skipped == {"a.NEF": raw, "a.dng": raw, ".hidden.jpg": hidden, ".thumbnails": hidden}


def test_what_is_no_regular_file_is_named_and_never_opened(tmp_path):
    picture(tmp_path / "a.jpg")
    for name in ("pipe.jpg", "pipe", "pipe.csv"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(tmp_path)  # a socket's name must be short
        listening.bind("socket.jpg")

        found, heard = search(tmp_path)

    assert found == ["a.jpg"]
    assert heard.skipped == {
        "pipe.jpg": "no regular file (a pipe)",
        "pipe": "no regular file (a pipe)",
        "pipe.csv": "no regular file (a pipe)",
        "device.jpg": "no regular file (a device)",
        "socket.jpg": "no regular file (a socket)",
    }


def test_links_are_followed_once_and_loops_are_named(tmp_path):
    top = tmp_path / "photos"
    picture(top / "z" / "a.jpg")
    picture(tmp_path / "other" / "deep" / "b.jpg")
    links = {
        "loop": "loop",
        "loop.jpg": "loop.jpg",
        "gone.jpg": "nowhere.jpg",
        "self": ".",
        "up": "..",
        "root": "/",
        "alias": "z",
        "z/back": "..",
        "c.jpg": "z/a.jpg",
        "linked": "../other",
        "twice": "../other",
    }
    for name, target in links.items():
        (top / name).symlink_to(target)
    (tmp_path / "other" / "round").symlink_to("../photos")

    found, heard = search(top)

    assert found == ["c.jpg", "z/a.jpg", "linked/deep/b.jpg"]
    again = "a folder that is searched already, by another name"
    assert heard.skipped == {
        "loop": "a link that leads to itself",
        "loop.jpg": "a link that leads to itself",
        "gone.jpg": "a link to nothing",
        **dict.fromkeys(("self", "up", "root", "alias", "z/back", "twice", "linked/round"), again),
    }


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_links_that_lead_nowhere_stop_no_layout(tmp_path, layout):
    folder = tmp_path / "France"
    picture(folder / "48.5,2.5.jpg")
    (folder / "48.5,2.5.json").write_text('{"lat": 48.5, "lng": 2.5}')
    (tmp_path / "t.csv").write_text('path,latitude,longitude\n"France/48.5,2.5.jpg",48.5,2.5\n')
    for name in ("loop", "France/loop.jpg", "loop.csv", "loop.json", "France/loop.json"):
        (tmp_path / name).symlink_to(Path(name).name)
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "France" / "pipe.jpg")

    _, listing = list_source(tmp_path, layout)

    assert [image.original for image in listing.images] == ["France/48.5,2.5.jpg"]
    skipped = dict(listing.skipped)
    assert skipped["France/loop.jpg"] == "a link that leads to itself"
    assert skipped["France/pipe.jpg"] == "no regular file (a pipe)"


def test_a_folder_that_can_t_be_read_is_named(tmp_path):
    picture(tmp_path / "a.jpg")

    found, heard = search(tmp_path / "a.jpg")

    assert found == []
    assert heard.skipped == {".": "a folder that can't be read (Not a directory)"}


# --- names as people write them


def test_a_file_of_the_very_name_is_meant_first(tmp_path):
    for name in ("IMG.jpg", "img.jpg"):
        picture(tmp_path / name)

    files = FileNames()

    assert files.find(tmp_path / "img.jpg") == str(tmp_path / "img.jpg")
    assert files.find(tmp_path / "Img.jpg") is None  # either could be meant
    assert files.find(tmp_path / "other.jpg") is None


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_name_is_one_in_every_unicode_form_and_case(tmp_path, written, stored):
    name = "Öjendorf/Über Å 한국.JPG"
    picture(tmp_path / unicodedata.normalize(stored, name))
    real = [str(path) for path in tmp_path.rglob("*.JPG")]

    files = FileNames()
    for each in (name, name.lower(), name.upper()):
        assert [files.find(tmp_path / unicodedata.normalize(written, each))] == real
    assert files.find(tmp_path / "öjendorf" / "ÜBER å 한국", (".png", ".jpg")) == real[0]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_key_of_a_name_is_its_own_in_every_form(name):
    for form in ("NFC", "NFD"):
        assert name_key(unicodedata.normalize(form, name)) == name_key(name)
