"""Frames of videos: real ones, made and read by FFmpeg."""

import io
import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from lostfound.errors import ImageError, UsageError
from lostfound.predict.locating import locate_into
from lostfound.predict.locator import Locator
from lostfound.predict.sources import Selection, list_sources, read_again, read_ahead
from lostfound.predict.videos import Video, parse_every

av = pytest.importorskip("av")


# The matrix of a track (ISO/IEC 14496-12, 8.3.2) that a camera held upright writes: the picture is to
# be turned a quarter clockwise.
QUARTER = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))


def write_video(path, seconds=6, rate=5, size=(96, 64)):
    """A video that says in its grey what time it is: 10 levels brighter every second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate, options={"g": "10", "qmin": "3", "qmax": "3"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(seconds * rate):
            level = 40 + 10 * (number // rate)
            noise = np.random.default_rng(number).integers(-20, 21, (size[1], size[0], 1))
            frame = av.VideoFrame.from_ndarray(
                np.uint8(np.clip(np.full((size[1], size[0], 3), level) + noise, 0, 255))
            )
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def level(data):
    return round((np.asarray(Image.open(io.BytesIO(data)).convert("L")).mean() - 40) / 10)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("film") / "trip.mp4")


def test_a_frame_every_so_often(film):
    sources = list(list_sources([film], Selection(every_s=2)))
    assert [each.name.removeprefix(str(film)) for each in sources] == ["#t=0.0", "#t=2.0", "#t=4.0"]
    assert [level(data) for _, data in read_ahead(sources)] == [0, 2, 4]
    assert {each.size for each in sources} == {film.stat().st_size}
    again = read_again([*(each.name for each in sources), f"{film}#t=600.0"])
    assert [data and level(data) for data in again] == [0, 2, 4, None]


def test_a_frame_is_the_same_in_whatever_order_they_are_read(film):
    forward, backward = Video(film, 0.5), Video(film, 0.5)
    count = forward.count()
    assert count == 12
    assert [forward.read(n) for n in range(count)] == [backward.read(n) for n in reversed(range(count))][::-1]


def test_frames_of_a_camera_held_upright_are_upright(tmp_path):
    with av.open(str(tmp_path / "lying.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        picture = np.zeros((64, 96, 3), dtype=np.uint8)
        picture[:, :48] = 255  # its left is bright
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    data = (tmp_path / "lying.mp4").read_bytes()
    matrix = data.index(b"tkhd") + 4 + 40
    (tmp_path / "upright.mp4").write_bytes(data[:matrix] + QUARTER + data[matrix + len(QUARTER) :])

    frame = Image.open(io.BytesIO(Video(tmp_path / "upright.mp4", 1).read(0))).convert("L")
    assert frame.size == (64, 96)
    top, bottom = np.asarray(frame)[:40].mean(), np.asarray(frame)[-40:].mean()
    assert top > 200
    assert bottom < 50


def test_in_folders_videos_are_taken_where_frames_are_asked_for(film):
    (film.parent / "notes.txt").write_text("no photo")
    assert list(list_sources([film.parent], Selection())) == []
    assert len(list(list_sources([film.parent], Selection(every_s=3)))) == 2
    ((_, refused),) = read_ahead(list_sources([film], Selection()))
    assert str(refused) == "trip.mp4: a video: add --every 2s"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 5000,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    ],
    ids=["empty", "no video", "a list of addresses"],
)
def test_what_is_no_video_is_reported_and_skipped(film, tmp_path, data):
    (tmp_path / "broken.mp4").write_bytes(data)
    (tmp_path / "whole.mp4").write_bytes(film.read_bytes())
    found = list(read_ahead(list_sources([tmp_path], Selection(every_s=2))))
    assert isinstance(found[0][1], ImageError)
    assert str(found[0][1]).startswith("broken.mp4: can't be read as a video")
    assert [isinstance(each, bytes) for _, each in found[1:]] == [True] * 3


def test_one_that_was_cut_off_gives_what_there_is(film, tmp_path):
    cut = write_video(tmp_path / "cut.mkv")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    found = [data for _, data in read_ahead(list_sources([cut], Selection(every_s=1)))]
    assert [level(each) for each in found if isinstance(each, bytes)][:2] == [0, 1]


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2), ("500ms", 0.5), ("1m", 60), ("1.5", 1.5), ("2 min", 120)]
)
def test_times(text, seconds):
    assert parse_every(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "-1s", "2h", "inf", "nan", "1e3s"])
def test_no_times(text):
    with pytest.raises(UsageError, match="give a time such as 2s"):
        parse_every(text)


def test_each_frame_is_an_answer_and_is_asked_once(film, tmp_path):
    locator = Locator.load()
    first = locate_into([film], tmp_path / "results", locator, selection=Selection(every_s=2))
    assert (first.asked, first.known, first.unreadable) == (3, 0, [])
    assert [each.photo.removeprefix(str(film)) for each in first.results] == ["#t=0.0", "#t=2.0", "#t=4.0"]
    again = locate_into([film], tmp_path / "results", locator, selection=Selection(every_s=1))
    assert (again.asked, again.known) == (3, 3)
    assert json.loads((tmp_path / "results" / "results.json").read_text())["format"] == 1
