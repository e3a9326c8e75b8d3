"""What tests share: where the real images are, and a small world, data set and model made once."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from exporter import quicken
from filelock import FileLock
from fork_server import LIBRARIES, OWN, TRAINING, ForkServer, Started, at_start

REPOSITORY = Path(__file__).parent.parent
REAL_DATA = Path(os.environ.get("LOSTFOUND_TEST_DATA", REPOSITORY.parent / "shared" / "data"))

# What changes how a program's output looks.
SHOWING = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TERMINAL_WIDTH", "PY_COLORS")

TRAINING_COMMANDS = {"train", "average", "compare", "convert", "demo", "tune"}  # they load torch
HOW_MANY = {"--jobs", "--engine", "-h", "--help"}
TIMEOUT_S = 300

gc.disable()  # until all is imported and collected, a sixth of whose time it would take

hypothesis.settings.register_profile("patient", deadline=None)  # no test depends on a clock
hypothesis.settings.load_profile("patient")

# Tests run side by side: one thread each keeps them from treading on each other's cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as training sets it, if a test imports that here
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # as `main` sets it, if a test calls that here
os.environ["CUDA_VISIBLE_DEVICES"] = ""


# Each of these modules is run by one process: what its tests share takes long to make, and others would wait.
TOGETHER = (
    *("tests/e2e/test_demo_training.py", "tests/e2e/test_main_job.py", "tests/e2e/test_real_images.py"),
    *("tests/e2e/test_recipes.py", "tests/e2e/test_repeat.py", "tests/parallel/test_cluster.py"),
    "tests/training/test_fit_resume.py",
    *("tests/serve/test_page.py", "tests/serve/test_page_for_all.py", "tests/serve/test_about.py"),
    *("tests/serve/test_locate.py", "tests/models/test_shrinking.py", "tests/play/test_page.py"),
    *("tests/evaluation/report/test_page.py", "tests/pages/test_explanation.py", "tests/pages/test_map.py"),
    *("tests/pages/test_partition.py", "tests/test_site.py"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out one by one, but those modules first and as a whole.

    (`xdist_group` is without effect: pytest 9.2 ignores how pytest-xdist 3.8 passes it on.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return module if module in TOGETHER else nodeid

    return Together(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many processes as there are cores, and where these are few one more, for tests wait."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (1 < cores <= 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave slow tests to CI, or to whoever says that they are it; there they come first.

    (A slow one that begins last is waited for alone.)
    """
    if os.environ.get("CI"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: it runs where CI is set, as in CI=1 pytest"))


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: the garbage collector need not look through them again and again.

    Nor as often as it does where memory is short: that was a thirtieth of all tests' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """No test leaves a variable that matters when a process starts: all commands after it would be cold."""
    before = at_start(os.environ)
    yield
    assert at_start(os.environ) == before


@pytest.fixture(scope="session")
def fork_server(shared: Path) -> Iterator[Callable[..., ForkServer | None]]:
    """What a process with an environment can be forked from, with the libraries of training or without.

    None if it has other variables that matter when a process starts.
    """
    servers: dict[bool, ForkServer] = {}

    def find(environment: Mapping[str, str], *, trains: bool) -> ForkServer | None:
        if trains not in servers:
            own = {name: value for name, value in os.environ.items() if name not in SHOWING}
            libraries = LIBRARIES + OWN + (TRAINING if trains else ())
            servers[trains] = ForkServer(libraries, own, shared / f"fork-{'train' if trains else 'plain'}")
        return servers[trains] if servers[trains].fits(environment) else None

    yield find
    for server in servers.values():
        server.leave()
    for server in servers.values():
        server.close()


def does_train(words: Sequence[str]) -> bool:
    """Whether a command trains."""
    if words[:1] == ["demo"] and "--train" not in words:
        return False
    return words != [] and words[0] in TRAINING_COMMANDS and not {"-h", "--help"} & set(words)


@pytest.fixture(scope="session")
def lostfound(
    fork_server: Callable[..., ForkServer | None],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command line in a process of its own; gives `returncode`, `stdout` and `stderr`.

    It is forked from one that has the libraries loaded, unless a test gives another `python`, other variables
    that matter at the start, or `cold=True`. It works on images in one process, unless a test says in how
    many: these start cold, and tests run side by side.
    """

    def run(
        *arguments: object,
        python: Path | str = sys.executable,
        cwd: Path | None = None,
        cold: bool = False,
        **variables: str,
    ):
        words = [str(word) for word in arguments]
        if words[:1] in (["import"], ["prepare"]) and not HOW_MANY & set(words):
            words += ["--jobs", "1"]
        environment = {name: value for name, value in os.environ.items() if name not in SHOWING} | variables
        if not cold and python == sys.executable:
            server = fork_server(environment, trains=does_train(words))
            if server is not None:
                return server.run(words, cwd=cwd, env=environment, timeout=TIMEOUT_S)
        return subprocess.run(
            [python, "-m", "lostfound", *words],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
        )

    return run


@pytest.fixture(scope="session")
def begin(fork_server: Callable[..., ForkServer | None]) -> Callable[..., Started | subprocess.Popen[str]]:
    """Start the real command line, or a `script`, as `lostfound` does, and go on at once.

    What `env` says is added to the environment. `trains` tells of a script whether it does.
    """

    def begin(
        *arguments: object,
        script: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] = {},
        cold: bool = False,
        trains: bool | None = None,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        start_new_session: bool = False,
    ) -> Started | subprocess.Popen[str]:
        words = [str(word) for word in arguments]
        environment = os.environ | env
        outputs: Any = {"stdout": stdout, "stderr": stderr, "start_new_session": start_new_session}
        if trains is None:
            trains = does_train(words)
        server = None if cold else fork_server(environment, trains=trains)
        if server is not None:
            return server.start(words, cwd=cwd, env=environment, script=script, **outputs)
        return subprocess.Popen(
            [sys.executable, *(["-m", "lostfound"] if script is None else [str(script)]), *words],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            **outputs,
        )

    return begin


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; tests that use it are marked `data`."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real images are not at {REAL_DATA}: set LOSTFOUND_TEST_DATA to their folder")
    return REAL_DATA


@pytest.fixture(scope="session")
def real_panoramas(made_once, real_data: Path) -> Path:
    """Every fifth of the 1374 real street panoramas as a data set, at 64 pixels."""
    from lostfound.data.importers.importing import import_images

    def build(to: Path) -> None:
        part = to.with_name("street-panoramas")
        part.mkdir()
        (part / "metadata.json").symlink_to(real_data / "street-panoramas" / "metadata.json")
        for each in sorted((real_data / "street-panoramas").glob("*.jpg"))[::5]:
            (part / each.name).symlink_to(each)
        import_images([part], to, size=64, jobs=1)

    return made_once("real-panoramas", build)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all test processes."""
    root = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    (root / "shared").mkdir(exist_ok=True)
    return root / "shared"


@pytest.fixture(scope="session")
def made_once(shared: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder once for all test processes; treat what it returns as read-only."""

    def make(name: str, build: Callable[[Path], None]) -> Path:
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                partial = folder.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                build(partial)
                partial.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def world(made_once) -> Path:
    """A generated world: 48 places of 4 countries, two views each, 64 pixels; a `table` source."""
    from lostfound.world import write_world

    return made_once(
        "world",
        lambda folder: write_world(folder, places=48, views=2, size=64, countries=["FR", "JP", "BR", "KE"]),
    )


@pytest.fixture(scope="session")
def dataset_folder(made_once, world: Path) -> Path:
    """That world as a data set of 96 images, with splits."""
    from lostfound.data.importers.importing import import_images
    from lostfound.data.splits import SplitSettings

    return made_once(
        "dataset",
        lambda folder: import_images(
            [world], folder, size=64, splits=SplitSettings(val=0.2, test=0.2), jobs=1
        ),
    )


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Overrides that let a recipe train on that data set, at 32 pixels, in this process."""
    return [
        "model.backbone=lostfound:cnn5",  # its export takes three quarters of the time of a timm model's
        "model.options={width: 8}",
        "task.min_images=2",
        "input.size=[32, 32]",
        "trainer.batch_size=16",
        "trainer.workers=0",
        "trainer.device=cpu",
    ]


@pytest.fixture(scope="session")
def tiny_recipe(tiny: list[str]):
    """The demo's recipe, cut down to an epoch at 32 pixels."""
    from lostfound.training.recipe import load_recipe

    return load_recipe("demo", [*tiny, "trainer.epochs=1"])


@pytest.fixture(scope="session")
def model_folder(made_once, shared: Path, dataset_folder: Path, tiny_recipe) -> Path:
    """A model trained on that data set for one epoch, with its card."""
    quicken(shared / "graphs")
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.card import write_card
    from lostfound.evaluation.evaluate import evaluate
    from lostfound.predict.locator import Locator
    from lostfound.training.fit import fit

    def build(folder: Path) -> None:
        dataset = Dataset.open(dataset_folder)
        result = fit(tiny_recipe, dataset, folder)
        write_card(result.folder, evaluate(Locator(result.folder), dataset))

    return made_once("model", build)


@pytest.fixture(scope="session")
def calibrated_model_folder(made_once, model_folder: Path, dataset_folder: Path) -> Path:
    """That model, calibrated: it knows its radii, and says "I don't know"."""
    from lostfound.data.dataset import Dataset
    from lostfound.predict.calibrate import calibrate

    def build(folder: Path) -> None:
        shutil.copytree(model_folder, folder)
        calibrate(
            folder, Dataset.open(dataset_folder), split="all"
        )  # the others have too few places for radii

    return made_once("calibrated-model", build)


@pytest.fixture(scope="session")
def point_model_folder(made_once, dataset_folder: Path, tiny_recipe) -> Path:
    """A model that answers with bare coordinates, from pairs of views, trained for one epoch."""
    from lostfound.data.dataset import Dataset
    from lostfound.training.fit import fit
    from lostfound.training.recipe import parse_recipe

    values = tiny_recipe.model_dump(mode="json")
    values |= {"task": {"kind": "coordinates"}, "model": {**values["model"], "views": 2}}
    recipe = parse_recipe(values, "tiny")
    return made_once("point-model", lambda folder: fit(recipe, Dataset.open(dataset_folder), folder))
