"""Load on a server, for locust: each user posts photos one after another. Started by benchmarks/serve.py."""

import itertools
import os
from pathlib import Path

from locust import FastHttpUser, constant_throughput, task

PHOTOS = [path.read_bytes() for path in sorted(Path(os.environ["BENCH_PHOTOS"]).iterdir())]
PATH = os.environ["BENCH_PATH"]
PACE = float(os.environ.get("BENCH_PACE", "0"))  # requests a second of each user; 0: as fast as answers come
TURNS = itertools.count()


class Sender(FastHttpUser):
    """Posts the next photo; with a pace it doesn't wait for the server, but for its turn."""

    if PACE:
        wait_time = constant_throughput(PACE)

    @task
    def send(self) -> None:
        photo = PHOTOS[next(TURNS) % len(PHOTOS)]
        self.client.post(PATH, data=photo, headers={"Content-Type": "image/jpeg"}, name=PATH)
