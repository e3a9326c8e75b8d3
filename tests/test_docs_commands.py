"""The commands in the README and in docs/ are ones that there are, and run as they stand.

A block that can't run here says what it needs, in a comment before it: `<!-- needs: the Hub -->`.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from lostfound.cli import app

REPOSITORY = Path(__file__).parent.parent
BLOCK = re.compile(r"(?:^<!-- needs: ([^\n]+) -->\n\n?)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = ("", "sh", "bash")
SMALL = (  # what a training in a page is cut down to
    *("--set", "trainer.epochs=1", "--set", "input.size=[32, 32]", "--set", "trainer.workers=0"),
    *("--set", "task.min_images=2", "--set", "trainer.batch_size=16"),
)
# ... and its network, if the page names none.
NETWORK = ("--set", "model.backbone=lostfound:cnn5", "--set", "model.options={width: 8}")
OWN = ("--model", "models/mine")  # explains in a second what takes the starter many


@dataclass(frozen=True)
class Block:
    """The commands of `lostfound` in a block of a page."""

    name: str
    needs: str
    commands: list[list[str]]


def blocks() -> list[Block]:
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    found = []
    for page in pages:
        for number, (needs, language, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1):
            if language in SHELLS and (commands := commands_in(text)):
                found.append(Block(f"{page.stem}-{number}", needs, commands))
    return found


def commands_in(text: str) -> list[list[str]]:
    """The words after `lostfound` of each command; a line that ends with a backslash goes on."""
    commands = []
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|(?<!\\)\|", line.partition(" # ")[0] if "'" not in line else line):
            words = shlex.split(part, comments=True)
            if words and words[0].removeprefix(".venv/bin/") == "lostfound":
                commands.append(words[1:])
    return commands


BLOCKS = blocks()
EVERY = [(block, words) for block in BLOCKS for words in block.commands]
RUN = [block for block in BLOCKS if not block.needs]
COMMAND = typer.main.get_command(app)
DIFFERENT = list({str(block.commands): block for block in RUN}.values())  # some pages have the same


def test_there_are_many_and_most_pages_run_some():
    assert len(EVERY) > 100
    assert len({block.name.rpartition("-")[0] for block in RUN}) >= 10


@pytest.mark.parametrize(("block", "words"), EVERY, ids=lambda value: getattr(value, "name", ""))
def test_a_command_has_the_options_that_a_page_gives_it(block: Block, words: list[str]):
    """As far as the command line itself can tell: commands, options, and values of the right kind."""
    command, name = COMMAND, "lostfound"
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"{name} has no command {words[0]!r}"
        command, name, words = command.commands[words[0]], words[0], words[1:]
    command.make_context(name, list(words))


@pytest.fixture(scope="module")
def prepared(made_once, dataset_folder: Path, calibrated_model_folder: Path) -> Path:
    """What the pages speak of: photos, data sets, a model."""
    from lostfound.world import write_world

    def build(folder: Path) -> None:
        folder.mkdir()
        write_world(folder / "photos", places=24, views=1, size=64, countries=["FR", "JP", "BR", "KE"])
        photos = sorted((folder / "photos" / "images").iterdir())
        for name, photo in zip(("photo.jpg", "front.jpg", "side.jpg"), photos, strict=False):
            shutil.copy(photo, folder / name)
        (folder / "holiday").mkdir()
        for photo in photos[:3]:
            shutil.copy(photo, folder / "holiday")
        for name in ("streets", "mine", "clean", "travel"):
            shutil.copytree(dataset_folder, folder / "data" / name)
        shutil.copytree(calibrated_model_folder, folder / "models" / "mine")

    return made_once("documented", build)


@pytest.mark.slow
@pytest.mark.parametrize("block", DIFFERENT, ids=lambda block: block.name)
def test_a_block_runs(lostfound, prepared: Path, tmp_path: Path, block: Block):
    if any("--exif" in words for words in block.commands) and shutil.which("exiftool") is None:
        pytest.skip("needs ExifTool")
    here = tmp_path / "here"
    shutil.copytree(prepared, here)
    written: set[Path] = set()
    for words in block.commands:
        target = here / words[words.index("--to") + 1] if "--to" in words else None
        if words[0] in ("import", "prepare", "train") and target not in written and target:
            shutil.rmtree(target, ignore_errors=True)  # the page makes what others of its blocks have
            written.add(target)
        small = SMALL if re.search(r"model\.|--weights|--from", " ".join(words)) else SMALL + NETWORK
        more = {"train": small, "explain": () if "--model" in words else OWN}.get(words[0], ())
        run = lostfound(*words, *more, cwd=here)
        assert run.returncode == 0, f"lostfound {shlex.join(words)}\n{run.stderr}"
