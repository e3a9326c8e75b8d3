"""Load on a server, for locust: each user posts photos one after another. Started by benchmarks/serve.py."""

import itertools
import os
from pathlib import Path

from locust import FastHttpUser, constant_throughput, task

BOUNDARY = "b0undary-of-the-benchmark"


def form(path: Path) -> bytes:
    """A photo as a browser sends it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photos"; filename="{path.name}"\r\n'
    return (
        f"{head}Content-Type: image/jpeg\r\n\r\n".encode()
        + path.read_bytes()
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


FORMS = [form(path) for path in sorted(Path(os.environ["BENCH_PHOTOS"]).iterdir())]
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PATH = os.environ["BENCH_PATH"]
PACE = float(os.environ.get("BENCH_PACE", "0"))  # requests a second of each user; 0: as fast as answers come
TURNS = itertools.count()


class Sender(FastHttpUser):
    """Posts the next photo; with a pace it doesn't wait for the server, but for its turn."""

    if PACE:
        wait_time = constant_throughput(PACE)

    @task
    def send(self) -> None:
        """One request."""
        self.client.post(PATH, data=FORMS[next(TURNS) % len(FORMS)], headers=HEADERS, name=PATH)
