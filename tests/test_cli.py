from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    *("demo", "import", "prepare", "stats", "list", "publish", "collect", "partition"),
    "recipes",
    *(
        "train",
        "average",
        "compare",
        "tune",
        "calibrate",
        "convert",
        "quantize",
        "gallery",
        "evaluate",
        "locate",
    ),
    *("export", "tag", "bench", "report", "explain", "serve", "play", "compare-people"),
)


def on_a_terminal(*arguments: object, columns: int = 80, **variables: str) -> list[str]:
    """The lines that a terminal of some width gets from the command line."""
    leader, follower = os.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(columns)} | variables
    command = [sys.executable, "-m", "lostfound", *map(str, arguments)]
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=environment) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            shown += data
        process.communicate()
    os.close(leader)
    return shown.decode().splitlines()


@pytest.mark.parametrize("command", COMMANDS)
class TestHelp:
    def test_has_an_example_whose_options_exist(self, lostfound, command: str):
        done = lostfound(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        text, _, example = done.stdout.partition("  Example:\n")
        words = shlex.split(example)
        assert words[:2] == ["lostfound", command]
        options = [word for word in words if word.startswith("--")]
        assert [option for option in options if f"  {option} " not in text] == []

    def test_shows_nothing_of_python(self, lostfound, command: str):
        text = lostfound(command, "--help").stdout
        assert re.findall(r"<(?:int|float|str|path|bool|list)\b|None|Path|True|False", text) == []

    def test_short_form(self, lostfound, command: str):
        assert lostfound(command, "-h").stdout == lostfound(command, "--help").stdout


def test_help_lists_every_command(lostfound):
    text = lostfound("--help").stdout
    listed = re.findall(r"^  ([\w-]+)  +[A-Z]", text.partition("Commands:")[2], flags=re.MULTILINE)
    assert listed == list(COMMANDS)
    assert "..." not in text.partition("Commands:")[2]  # a summary that was cut short


def test_no_command_shows_the_help_and_is_wrong_usage(lostfound):
    done = lostfound()
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_version(lostfound):
    import lostfound as package

    assert lostfound("--version").stdout == f"lostfound {package.__version__}\n"


def test_the_installed_script_is_the_same_program():
    script = shutil.which("lostfound", path=str(Path(sys.executable).parent))
    assert script is not None
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "lostfound")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["locte"], "No such command 'locte'"),
        (["--nope"], "No such option: --nope"),
        (["stats"], "Missing argument 'DATASET'"),
        (["import", "photos"], "Missing option '--to'"),
        (["stats", "a", "b"], "unexpected extra argument"),
        (["locate", "a.jpg", "--model", "m", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
        (["locate", "a.jpg", "--model", "m", "--top", "0"], "'--top'"),
        (["demo", "--train", "--places", "1"], "'--places'"),
        (["import", "photos", "--to", "d", "--jobs", "none"], "'--jobs'"),
    ],
)
def test_wrong_usage_is_exit_code_2(lostfound, tmp_path: Path, arguments: list[str], message: str):
    done = lostfound(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Try 'lostfound" in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--debug", "stats", "gone"], ["stats", "gone", "--debug"]])
@pytest.mark.slow
def test_debug_shows_the_traceback_wherever_it_stands(lostfound, tmp_path: Path, arguments: list[str]):
    done = lostfound(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "DatasetError: gone is not a data set" in done.stderr


def run_with_command(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command line with one more command, `extra`."""
    code = f"""
import sys
from lostfound.cli import app, main

@app.command()
def extra():
    {body}

if __name__ == "__main__":
    sys.argv = ["lostfound", "extra", *{arguments!r}]
    main()
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("raise ValueError('odd')", 1, "unexpected ValueError: odd (--debug shows where; please report it)"),
        ("raise MemoryError", 1, "unexpected MemoryError"),
        ("raise OSError(28, 'No space left on device', 'model/x')", 1, "model/x: No space left on device"),
        ("raise PermissionError(13, 'Permission denied')", 1, "Permission denied"),
        ("raise KeyboardInterrupt", 130, "stopped; nothing was written"),
        ("from lostfound.errors import ModelError; raise ModelError('no model')", 1, "no model"),
        ("from lostfound.errors import UsageError; raise UsageError('no such')", 2, "no such"),
        ("from lostfound.errors import RecipeError; raise RecipeError('no key')", 2, "no key"),
    ],
)
def test_every_error_is_a_message_and_an_exit_code(body: str, code: int, message: str):
    done = run_with_command(body)
    assert done.returncode == code
    assert done.stderr.startswith(f"lostfound: {message}")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback_of_an_unexpected_error():
    done = run_with_command("raise ValueError('odd')", "--debug")
    assert done.returncode == 1
    assert "in extra\nValueError: odd" in re.sub(r"\n    .*", "", done.stderr)


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error_to_show(dataset_folder: Path):
    reading, writing = os.pipe()
    os.close(reading)
    for options in ([], ["--json"]):
        command = [sys.executable, "-m", "lostfound", "stats", str(dataset_folder), *options]
        for buffered in ("", "1"):  # a write fails at once, or when all is flushed
            done = subprocess.run(
                command,
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=os.environ | {"PYTHONUNBUFFERED": buffered},
            )
            assert (done.returncode, done.stderr) == (1, "")
    os.close(writing)


@pytest.mark.slow
def test_head_takes_the_first_line(dataset_folder: Path):
    command = shlex.join([sys.executable, "-m", "lostfound", "stats", str(dataset_folder)])
    done = subprocess.run(f"{command} | head -1", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


@pytest.mark.slow
def test_a_pipe_gets_no_colours_and_no_broken_lines(lostfound, world: Path, model_folder: Path):
    photo = next((world / "images").iterdir())
    show = {"TERM": "xterm-256color", "COLUMNS": "20"}
    printed = lostfound("locate", photo, "--model", model_folder, **show).stdout
    assert "\x1b" not in printed
    assert f"{photo}  " in printed


@pytest.mark.slow
def test_a_terminal_gets_styles_and_no_color_takes_colours_away(model_folder: Path, tmp_path: Path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    arguments = ("locate", tmp_path, "--model", model_folder)
    red = "\x1b[31m"
    assert red in "".join(on_a_terminal(*arguments))
    assert red not in "".join(on_a_terminal(*arguments, NO_COLOR="1"))


@pytest.mark.parametrize("columns", [40, 60, 200])
@pytest.mark.slow
def test_a_narrow_terminal_loses_nothing(model_folder: Path, world: Path, tmp_path: Path, columns: int):
    name = "a-photo-with-a-rather-long-name-that-no-narrow-column-holds.jpg"
    shutil.copy(next((world / "images").iterdir()), tmp_path / name)
    lines = on_a_terminal("locate", tmp_path, "--model", model_folder, columns=columns, NO_COLOR="1")
    text = [re.sub(r"\x1b\[\d*m", "", line) for line in lines]
    assert max(map(len, text)) <= columns
    rows = text[[line.startswith("──") for line in text].index(True) + 1 :]
    assert name in "".join(re.split(" {2,}", line)[0] for line in rows)
