"""Record the first minute: what `lostfound demo` prints and when, in asciinema's format (v2).

python scripts/record_minute.py        # then: asciinema play docs/first-minute.cast
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "first-minute.cast"
WIDTH, HEIGHT = 100, 30


def record(words: tuple[str, ...], folder: str, start: float) -> list[tuple[float, str, str]]:
    """Run a command on a terminal of its own; gives what it printed, with the seconds since the start.

    Raises:
        SystemExit: It failed.
    """
    events = [(time.monotonic() - start, "o", f"$ lostfound {' '.join(words)}\r\n")]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvp(sys.executable, [sys.executable, "-m", "lostfound", *words])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # its end, on Linux
            break
        if not data:
            break
        events.append((time.monotonic() - start, "o", data.decode("utf-8", "replace")))
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise SystemExit("".join(text for _, _, text in events))
    return events


def main() -> None:
    """Record the command that the README begins with, and write it."""
    with tempfile.TemporaryDirectory() as folder:
        events = record(("demo",), folder, time.monotonic())
    header = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "lostfound demo"}
    lines = [json.dumps(header), *(json.dumps([round(at, 3), *rest]) for at, *rest in events)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
