"""Install the wheel alone as its users may get it, and run the demo from it.

With the lowest versions that pyproject.toml allows, and on Python 3.12 and 3.13, passed over with a word
where they are missing. Needs uv (extra dev).

    python scripts/check_installs.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWER = ("3.12", "3.13")


def main() -> None:
    """Try each of them; the first that fails ends it."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(here), str(ROOT)])
        (wheel,) = here.glob("*.whl")
        check(here / "lowest", Path(sys.executable), wheel, "--resolution", "lowest-direct")
        for version in NEWER:
            python = interpreter(version)
            if python is None:
                print(f"Python {version} is not on this machine: not tried")
            else:
                check(here / version, python, wheel, "-c", str(ROOT / "constraints.txt"))


def interpreter(version: str) -> Path | None:
    """A Python of that version that starts: what is on PATH may only stand for one."""
    named = shutil.which(f"python{version}")
    found = [Path(named)] if named else []
    found += sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for each in found:
        if subprocess.run([each, "-c", ""], capture_output=True).returncode == 0:
            return each
    return None


def check(folder: Path, python: Path, wheel: Path, *how: str) -> None:
    """Install the wheel for a Python, and let the demo show that it works."""
    uv = [sys.executable, "-m", "uv"]
    run([*uv, "venv", "-q", "--python", str(python), str(folder)])
    own = folder / "bin" / "python"
    run([*uv, "pip", "install", "-q", "--python", str(own), *how, str(wheel)])
    run([str(own), "-I", "-m", "lostfound", "--quiet", "demo", "--to", str(folder / "demo")])
    for made in ("map.html", "report/report.html", "why/explanation.html"):
        if not (folder / "demo" / made).is_file():
            raise SystemExit(f"{folder.name}: the demo left no {made}")
    size = sum(f.stat().st_size for f in (folder / "lib").rglob("*") if f.is_file()) / 1e6
    print(f"{folder.name}: works, {size:.0f} MB")


def run(command: list[str]) -> None:
    """Run a command; what it says is shown if it fails."""
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tempfile.gettempdir())
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
