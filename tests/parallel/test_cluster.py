"""The Ray engine, on a cluster of two nodes of this machine."""

import shutil
import subprocess
import sys

import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare
from lostfound.errors import MissingExtraError
from lostfound.world import write_world

pytestmark = pytest.mark.slow

# In a process of its own: Ray opens sockets and files that it leaves to the end of the process to close.
SCRIPT = """
import os, sys
from functools import partial
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
from ray.cluster_utils import Cluster
from lostfound.data import chunks
from lostfound.parallel.cluster import RayEngine
from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
source, to = sys.argv[1:3]
try:
    with RayEngine(cluster.address) as engine:
        import ray
        print("nodes", len([node for node in ray.nodes() if node["Alive"]]))
        def killing(chunk, work=chunks._encode_chunk, marker=to + ".killed"):
            if chunk.part.stem == "00003" and not os.path.exists(marker):
                open(marker, "w").close()
                os.kill(os.getpid(), 9)
            return work(chunk)
        chunks._encode_chunk = killing
        import_images([source], to, size=64, engine=engine)
        prepare(Dataset.open(to), to + "-48", size=48, engine=engine)
finally:
    cluster.shutdown()
print("done")
"""


LOCATING = """
import os, sys
from pathlib import Path
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
from lostfound.parallel.cluster import RayEngine
from lostfound.predict import locating
from lostfound.predict.locator import Locator

photos, to = sys.argv[1:3]
with RayEngine() as engine:
    def killing(question, work=locating._ask_elsewhere, marker=to + ".killed", **about):
        if question[0] == 1 and not os.path.exists(marker):
            open(marker, "w").close()
            os.kill(os.getpid(), 9)
        return work(question, **about)
    locating._ask_elsewhere = killing
    locator = Locator.load().using(always_answer=True)
    run = locating.locate_into([Path(photos)], Path(to), locator, engine=engine)
    print(run.asked, run.copied, len(run.unreadable))
"""


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def source(made_once):
    return made_once("cluster-source", lambda folder: write_world(folder, places=50, views=2, size=96))


@pytest.fixture(scope="module")
def local(made_once, source):
    def build(folder):
        import_images([source], folder / "data", size=64, jobs=1)
        prepare(Dataset.open(folder / "data"), folder / "data-48", size=48, jobs=1)

    return made_once("cluster-local", build)


def test_two_nodes_give_the_same_bytes_even_if_a_worker_is_killed(source, local, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lostfound[cluster]'")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(source), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nodes 2" in done.stdout
    assert (tmp_path / "data.killed").exists()
    assert contents(tmp_path / "data") == contents(local / "data")
    assert contents(tmp_path / "data-48") == contents(local / "data-48")


def test_locating_on_workers_gives_the_same_bytes_even_if_one_is_killed(source, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lostfound[cluster]'")
    from lostfound.predict.locating import locate_into
    from lostfound.predict.locator import Locator

    photos = shutil.copytree(source, tmp_path / "photos")
    first = next(each for each in photos.rglob("*.jpg"))
    shutil.copyfile(first, photos / "zz again.jpg")
    (photos / "zz broken.jpg").write_bytes(first.read_bytes()[:300])
    alone = locate_into([photos], tmp_path / "alone", Locator.load().using(always_answer=True))
    command = [sys.executable, "-c", LOCATING, str(photos), str(tmp_path / "ray")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ray.killed").exists()
    assert done.stdout.split()[-3:] == [
        str(each) for each in (alone.asked, alone.copied, len(alone.unreadable))
    ]
    assert contents(tmp_path / "ray") == contents(tmp_path / "alone")


def test_without_ray_the_command_says_what_to_install(monkeypatch):
    from lostfound.parallel.cluster import RayEngine

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lostfound\[cluster\]'"):
        RayEngine()


def test_no_cluster_at_the_address_is_wrong_usage(lostfound, source, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lostfound[cluster]'")
    done = lostfound(
        "import", source, "--to", tmp_path / "data", "--engine", "ray", "--address", "127.0.0.1:9"
    )
    assert done.returncode == 2
    assert "no Ray cluster answers at 127.0.0.1:9" in done.stderr
    assert not (tmp_path / "data").exists()
