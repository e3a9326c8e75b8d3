"""Load at a rate, for locust. Started by benchmarks/serve.py."""

import itertools
import os
import random
from pathlib import Path

import gevent
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
PACE = float(os.environ["BENCH_PACE"])  # requests a second of each user
TURNS = itertools.count()


class Sender(FastHttpUser):
    """Posts the next photo at its turn, and doesn't wait for the server."""

    wait_time = constant_throughput(PACE)

    def on_start(self) -> None:
        """Users begin one after another: all at once would ask in bursts."""
        gevent.sleep(random.random() / PACE)

    @task
    def send(self) -> None:
        """One request."""
        self.client.post(PATH, data=FORMS[next(TURNS) % len(FORMS)], headers=HEADERS, name=PATH)
