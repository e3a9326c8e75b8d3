"""Install the wheel alone as its users may get it, and run the demo and the first commands from it.

    python scripts/check_installs.py [lowest] [3.12] [3.13]

With the lowest versions that pyproject.toml allows, and with those of constraints.txt on newer Pythons, where
this machine has them; all of these if none is named.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "src" / "lostfound" / "cli" / "demo_photos"
LOWEST, NEWER = "lowest", ("3.12", "3.13")
UV = shutil.which("uv", path=Path(sys.executable).parent)  # where it is, it does the same sooner


def main() -> None:
    """Try each of them; the first that fails ends it."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        if UV:
            run(UV, "build", "-q", "--wheel", "--out-dir", here, ROOT)
        else:
            run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", here, ROOT)
        (wheel,) = here.glob("*.whl")
        for name in sys.argv[1:] or (LOWEST, *NEWER):
            python = Path(sys.executable) if name == LOWEST else interpreter(name)
            if python is None:
                print(f"Python {name} is not on this machine: not tried")
                continue
            versions = lowest_versions(here) if name == LOWEST else ROOT / "constraints.txt"
            check(here / name, python, wheel, versions)


def interpreter(version: str) -> Path | None:
    """A Python of that version that starts: what is on PATH may only stand for one."""
    named = shutil.which(f"python{version}")
    found = [Path(named)] if named else []
    found += sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for each in found:
        if subprocess.run([each, "-c", ""], capture_output=True).returncode == 0:
            return each
    return None


def lowest_versions(folder: Path) -> Path:
    """A file of constraints that takes each dependency in its lowest version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [re.fullmatch(r"([\w.-]+)>=([\d.]+)", each) for each in project["dependencies"]]
    file = folder / "lowest.txt"
    file.write_text("".join(f"{each[1]}=={each[2]}\n" for each in wanted if each))
    if not all(wanted):
        raise SystemExit("a dependency of pyproject.toml has no lowest version")
    return file


def check(folder: Path, python: Path, wheel: Path, versions: Path) -> None:
    """Install the wheel for a Python, and let the demo and the first commands show that it works."""
    own = folder / "bin" / "python"
    if UV:
        run(UV, "venv", "-q", "--python", python, folder)
        run(UV, "pip", "install", "-q", "--python", own, "-c", versions, wheel)
        run(UV, "pip", "check", "--python", own)
    else:
        run(python, "-m", "venv", folder)
        run(own, "-m", "pip", "install", "-q", "--no-compile", "--prefer-binary", "-c", versions, wheel)
        run(own, "-m", "pip", "check")
    for words in (
        ["demo", "--to", folder / "demo"],
        ["locate", PHOTOS, "--output", folder / "answers.json"],
        ["locate", PHOTOS, "--to", folder / "results"],
        ["import", PHOTOS, "--to", folder / "data"],
        ["stats", folder / "data", "--to", folder / "stats.png"],
    ):
        run(own, "-I", "-m", "lostfound", "--quiet", *words)
    made = (
        "demo/map.html",
        "demo/report/report.html",
        "demo/why/explanation.html",
        "answers.json",
        "stats.png",
    )
    for name in made:
        if not (folder / name).is_file():
            raise SystemExit(f"{folder.name}: the commands left no {name}")
    size = sum(f.stat().st_size for f in (folder / "lib").rglob("*") if f.is_file()) / 1e6
    print(f"{folder.name}: works, {size:.0f} MB")


def run(*command: object) -> None:
    """Run a command; what it says is shown if it fails."""
    words = [str(each) for each in command]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tempfile.gettempdir())
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
