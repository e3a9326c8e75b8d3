"""Record the first minute: what `lostfound demo` prints and when, for asciinema (v2) and as a picture.

python scripts/record_minute.py        # then: asciinema play docs/first-minute.cast, or open first-minute.svg
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import sys
import tempfile
import termios
import time
from html import escape
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "first-minute.cast"
WIDTH, HEIGHT = 100, 30
LINE, CHARACTER, EDGE = 17, 7.25, 12  # of the picture, in pixels
STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e2e8f0;white-space:pre;"
    "opacity:0;animation:shown .01s forwards}.command{fill:#5eead4}@keyframes shown{to{opacity:1}}"
    "@media (prefers-reduced-motion:reduce){text{opacity:1;animation:none}}"
)


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


def picture(events: list[tuple[float, str, str]]) -> str:
    """An SVG whose lines appear when they were printed; of a progress bar, what it ended with."""
    lines: list[tuple[float, str]] = []
    rest = ""
    for at, _, text in events:
        *whole, rest = (rest + text).replace("\r\n", "\n").split("\n")
        for line in whole:
            printed = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", line.rpartition("\r")[2]).rstrip()
            lines += [(at, printed[cut : cut + WIDTH]) for cut in range(0, max(len(printed), 1), WIDTH)]
    width, height = round(WIDTH * CHARACTER) + 2 * EDGE, LINE * len(lines) + 2 * EDGE
    kinds = ["command" if line.startswith("$ ") else "said" for _, line in lines]
    drawn = [
        f'<text class="{kind}" x="{EDGE}" y="{LINE * number + 2 * EDGE}" style="animation-delay:{at:.2f}s">'
        f"{escape(line)}</text>"
        for number, (kind, (at, line)) in enumerate(zip(kinds, lines, strict=True))
        if line
    ]
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
    paper = f'<rect width="{width}" height="{height}" rx="6" fill="#1a202c"/>'
    return "\n".join(
        [start, f"<title>lostfound demo</title><style>{STYLE}</style>", paper, *drawn, "</svg>\n"]
    )


def main() -> None:
    """Record the command that the README begins with, and write both."""
    with tempfile.TemporaryDirectory() as folder:
        events = record(("demo",), folder, time.monotonic())
    header = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "lostfound demo"}
    lines = [json.dumps(header), *(json.dumps([round(at, 3), *rest]) for at, *rest in events)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    TARGET.with_suffix(".svg").write_text(picture(events), encoding="utf-8")


if __name__ == "__main__":
    main()
