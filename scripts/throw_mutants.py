"""Throw damaged images at a server, many thousands: each must be answered or refused, memory must stay flat.

python scripts/throw_mutants.py --number 10000
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "helpers"))
from mutants import image_mutants

AT_ONCE = 50


def main() -> None:
    """Start a server, and throw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=19)
    given = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "lostfound", "serve", "--port", str(port)])
    try:
        throw(server.pid, f"http://127.0.0.1:{port}", given.number, given.seed)
    finally:
        server.terminate()
        server.wait(60)


def throw(process: int, url: str, number: int, seed: int) -> None:
    """Send them, and print what came of them."""
    counts: Counter[str] = Counter()
    batch: list[tuple[str, tuple[str, bytes]]] = []
    with httpx2.Client(base_url=url, timeout=120) as client:
        wait_until_ready(client)
        memory = [resident_mb(process)]
        for index, mutant in enumerate(image_mutants(number, seed), 1):
            batch.append(("photos", mutant))
            if len(batch) < AT_ONCE and index < number:
                continue
            answer = client.post("/v1/locate", files=batch)
            counts[f"requests with status {answer.status_code}"] += 1
            for each in answer.json().get("guesses", []):
                counts["answered" if "candidates" in each else "refused with a reason"] += 1
                if "unexpected" in each.get("error", ""):
                    counts["unexpected errors"] += 1
                    print(each)
            batch = []
            if index % 1000 == 0:
                memory.append(resident_mb(process))
        assert client.get("/readyz").status_code == 200
    said = [round(each) for each in memory]
    print(f"{number} damaged images: {dict(counts)}; memory in MB after each thousand: {said}")


def wait_until_ready(client: httpx2.Client) -> None:
    """Or end."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(httpx2.HTTPError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.05)
    raise SystemExit("the server does not get ready")


def resident_mb(process: int) -> float:
    """Of the server, in megabytes."""
    fields = Path(f"/proc/{process}/statm").read_text().split()
    return int(fields[1]) * 4096 / 1e6


if __name__ == "__main__":
    main()
