"""Street View's and Mapillary's services on loopback, as they are documented, with faults on demand.

A program of its own, so that what it saw outlives any client: it writes its port to a file and one JSON line
for each request to a log. What it answers depends on its settings and the request alone; whether a request
meets a fault depends also on how often the same was asked before, so that asking again helps.

    python services.py FOLDER [SETTINGS as JSON]

FOLDER/port holds the port, FOLDER/requests.jsonl the log; FOLDER/settings.json, if it is changed, changes the
settings while it runs.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image, ImageDraw

KEY, TOKEN = "AIzaSy-test/key+0123456789=", "MLY|7242424242424247|0123456789abcdef"
CELL = 0.01  # degrees: a cell has one panorama, or one sequence
SEQUENCE, STEP = 12, 0.0004  # images of a sequence, and degrees between them
MLY_EPOCH_MS = 1_500_000_000_000
DEFAULTS = {
    "coverage": 0.7,  # share of cells that have images
    "bare": [],  # boxes [south, west, north, east] without any
    "faults": {},  # share of requests that meet each kind
    "always": None,  # every request meets this one
    "seed": 0,
    "scenes": False,  # pictures of the generated world, not cheap ones
    "side": 96,  # pixels of a Mapillary picture
    "delay": 0.0,  # seconds before each answer
    "expired": 0.0,  # share of picture addresses that have expired
    "limit": 2000,  # images a search gives at most
    "key": KEY,
    "token": TOKEN,
}


def chance(*key: object) -> float:
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class State:
    def __init__(self, folder: Path, settings: dict) -> None:
        self.folder = folder
        self.settings = DEFAULTS | settings
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.log = (folder / "requests.jsonl").open("a", buffering=1)
        self.changed = 0

    def refresh(self) -> None:
        path = self.folder / "settings.json"
        if path.is_file() and (changed := path.stat().st_mtime_ns) != self.changed:
            self.settings = DEFAULTS | json.loads(path.read_text())
            self.changed = changed

    def covered(self, lat: float, lon: float) -> bool:
        s = self.settings
        if any(b[0] <= lat <= b[2] and b[1] <= lon <= b[3] for b in s["bare"]):
            return False
        return chance(s["seed"], "cover", round(lat / CELL), round(lon / CELL)) < s["coverage"]

    def fault(self, question: str, nth: int) -> str | None:
        if self.settings["always"]:
            return self.settings["always"]
        drawn, edge = chance(self.settings["seed"], "fault", question, nth), 0.0
        for kind, share in self.settings["faults"].items():
            edge += share
            if drawn < edge:
                return kind
        return None


@lru_cache(maxsize=256)
def picture(
    name: str, width: int, height: int, lat: float, lon: float, heading: float, scenes: bool
) -> bytes:
    if scenes:
        from lostfound.world import render

        side = min(width, height)
        image = Image.fromarray(np.asarray(render(lat, lon, heading=heading, size=side)))
    else:
        seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def grey_picture(width: int, height: int) -> bytes:
    image = Image.new("RGB", (640, 640), (228, 227, 223))
    ImageDraw.Draw(image).text((220, 310), "Sorry, we have no imagery here.", fill=(120, 120, 120))
    image = image.resize((width, height))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    services: State

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        services = self.services
        services.refresh()
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        secret = {"key", "signature", "access_token"}
        asked = {name: value for name, value in sorted(query.items()) if name not in secret}
        question = f"{parts.path}?{json.dumps(asked)}"
        with services.lock:
            nth = services.asked[question]
            services.asked[question] += 1
        fault = services.fault(question, nth)
        kind, allowed = self.kind(parts.path, query)
        line = {"kind": kind, "question": question, "fault": fault, "allowed": allowed}
        line["signed"] = "signature" in query
        with services.lock:
            services.log.write(json.dumps(line) + "\n")
        time.sleep(services.settings["delay"])
        status, content_type, body = self.reply(kind, parts.path, query, allowed, fault)
        self.give(status, content_type, body, fault)

    def kind(self, path: str, query: dict) -> tuple[str, bool]:
        s = self.services.settings
        if path.startswith("/streetview"):
            return ("metadata" if path.endswith("/metadata") else "view"), query.get("key") == s["key"]
        if path.startswith("/thumb/"):
            return "picture", True
        token = self.headers.get("authorization", "").removeprefix("OAuth ") or query.get("access_token")
        return ("search" if path == "/graph/images" else "entity"), token == s["token"]

    def reply(
        self, kind: str, path: str, query: dict, allowed: bool, fault: str | None
    ) -> tuple[int, str, bytes]:
        if fault == "500":
            return 503, "text/html", b"<html>Service Unavailable</html>"
        if fault in ("429", "429-long"):
            return 429, "text/plain", b"Too Many Requests"
        if fault == "html":
            return 200, "text/html", b"<html><body>Maintenance</body></html>"
        if fault == "broken":
            return (
                200,
                "application/json" if kind in ("metadata", "search") else "image/jpeg",
                b"{\xff\xd8 no",
            )
        if kind in ("metadata", "view"):
            return self.streetview(kind, query, allowed, fault)
        return self.mapillary(kind, path, query, allowed, fault)

    def streetview(self, kind: str, query: dict, allowed: bool, fault: str | None) -> tuple[int, str, bytes]:
        services = self.services
        if kind == "metadata":
            if not allowed:
                said = {
                    "error_message": f"The provided API key is invalid: {query.get('key')}",
                    "status": "REQUEST_DENIED",
                }
                return self.json(200, said)
            if fault in ("OVER_QUERY_LIMIT", "OVER_DAILY_LIMIT", "UNKNOWN_ERROR", "REQUEST_DENIED"):
                return self.json(200, {"error_message": f"about {query['key']}", "status": fault})
            lat, lon = map(float, query["location"].split(","))
            row, column = round(lat / CELL), round(lon / CELL)
            if not services.covered(row * CELL, column * CELL):
                return self.json(200, {"status": "ZERO_RESULTS"})
            month = 1 + int(12 * chance("month", row, column))
            said = {
                "copyright": "© Google",
                "date": f"2019-{month:02d}",
                "location": {"lat": row * CELL, "lng": column * CELL},
                "pano_id": f"pano_{row}_{column}",
                "status": "OK",
            }
            return self.json(200, said)
        if not allowed:
            text = f"The Google Maps Platform server rejected your request. {query.get('key')}"
            return 403, "text/plain", text.encode()
        width, height = map(int, query["size"].split("x"))
        if fault == "grey":
            return 200, "image/jpeg", grey_picture(width, height)
        if fault == "gone":
            return 404, "image/jpeg", grey_picture(width, height)
        row, column = map(int, query["pano"].split("_")[1:])
        lat, lon, heading = row * CELL, column * CELL, float(query["heading"])
        name = f"{query['pano']}/{heading}"
        return 200, "image/jpeg", picture(name, width, height, lat, lon, heading, services.settings["scenes"])

    def mapillary(
        self, kind: str, path: str, query: dict, allowed: bool, fault: str | None
    ) -> tuple[int, str, bytes]:
        services, s = self.services, self.services.settings
        if kind == "picture":
            name, _, generation = path.removeprefix("/thumb/").partition("-")
            if int(generation) == 0 and chance(s["seed"], "expired", name) < s["expired"]:
                return 403, "text/plain", b"URL signature expired"
            if fault == "gone":
                return 404, "text/plain", b"Not found"
            if fault == "grey":
                return 200, "image/jpeg", grey_picture(s["side"], s["side"])
            image = self.image(int(name))
            lon, lat = image["geometry"]["coordinates"]
            content = picture(name, s["side"], s["side"], lat, lon, image["compass_angle"], s["scenes"])
            return 200, "image/jpeg", content
        if not allowed:
            message = "Invalid OAuth 2.0 Access Token"
            return self.error(401, message, 190)
        if fault == "code4":
            return self.error(400, "Application request limit reached", 4)
        if fault == "code2":
            return self.error(500, "Service temporarily unavailable", 2)
        if kind == "entity":
            name = path.rpartition("/")[2]
            return self.json(200, {"id": name, "thumb_2048_url": self.address(int(name), 1)})
        west, south, east, north = map(float, query["bbox"].split(","))
        if (east - west) * (north - south) >= 0.01:
            return self.error(400, "bbox is too large, must be smaller than 0.01 degrees square", 100)
        found = []
        for row in range(math.floor(south / CELL), math.ceil(north / CELL) + 1):
            for column in range(math.floor(west / CELL), math.ceil(east / CELL) + 1):
                if services.covered(row * CELL, column * CELL):
                    found += [self.image(number(row, column, step)) for step in range(SEQUENCE)]
        inside = [
            image
            for image in found
            if west <= image["geometry"]["coordinates"][0] <= east
            and south <= image["geometry"]["coordinates"][1] <= north
        ]
        if "is_pano" in query:
            inside = [image for image in inside if str(image["is_pano"]).lower() == query["is_pano"]]
        limit = min(int(query.get("limit", 100)), s["limit"], 2000)
        wanted = {"id", *query["fields"].split(",")}
        return self.json(
            200, {"data": [{k: v for k, v in image.items() if k in wanted} for image in inside[:limit]]}
        )

    def image(self, number: int) -> dict:
        row, column, step = parts(number)
        lat, lon = row * CELL + 0.0001, column * CELL + step * STEP
        pano = chance("pano", row, column) < 0.2
        return {
            "id": str(number),
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "computed_geometry": {"type": "Point", "coordinates": [lon, lat]},
            "captured_at": MLY_EPOCH_MS + int(2e11 * chance("when", row, column)) + 2000 * step,
            "compass_angle": 90.0,
            "computed_compass_angle": 90.0 + step,
            "is_pano": pano,
            "camera_type": "spherical" if pano else "perspective",
            "sequence": f"seq{row}_{column}",
            "creator": {"username": f"mapper{row % 7}", "id": str(row % 7)},
            "thumb_2048_url": self.address(number, 0),
        }

    def address(self, number: int, generation: int) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/thumb/{number}-{generation}?oh=x&oe=65"

    def json(self, status: int, value: object) -> tuple[int, str, bytes]:
        return status, "application/json; charset=UTF-8", json.dumps(value).encode()

    def error(self, status: int, message: str, code: int) -> tuple[int, str, bytes]:
        said = {"message": message, "type": "MLYApiException", "code": code, "fbtrace_id": "A1"}
        return self.json(status, {"error": said})

    def give(self, status: int, content_type: str, body: bytes, fault: str | None) -> None:
        try:
            self.send_response(status)
            self.send_header("content-type", content_type)
            if fault == "429":
                self.send_header("retry-after", "0")
            if fault == "429-long":
                self.send_header("retry-after", "3600")
            if fault == "cut-silently":  # no length: the end of the connection is the end of the body
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if fault == "truncate":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            if fault == "slow":
                for piece in range(20):
                    self.wfile.write(body[piece : piece + 1])
                    self.wfile.flush()
                    time.sleep(0.2)
                self.close_connection = True
                return
            self.wfile.write(body)
        except OSError:  # the client was killed
            self.close_connection = True


def number(row: int, column: int, step: int) -> int:
    return ((row + 9_500) * 40_000 + column + 18_500) * 100 + step


def parts(number: int) -> tuple[int, int, int]:
    rest, step = divmod(number, 100)
    row, column = divmod(rest, 40_000)
    return row - 9_500, column - 18_500, step


class Services:
    """The program as a process of its own, for those who ask it; started cold, or by what starts commands."""

    def __init__(self, folder: Path, *, begin: Callable[..., Any] | None = None, **settings: object) -> None:
        self.folder = folder
        (folder / "port").unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "said.txt").open("ab") as said:  # such as connections that a killed client broke
            words = (folder, json.dumps(settings))
            if begin is None:
                self.process: Any = subprocess.Popen([sys.executable, __file__, *words], stderr=said)
            else:
                self.process = begin(*words, script=Path(__file__), stderr=said.fileno())
        while not (folder / "port").is_file():
            assert self.process.poll() is None
            time.sleep(0.01)
        self.base = f"http://127.0.0.1:{(folder / 'port').read_text()}"

    def change(self, **settings: object) -> None:
        partial = self.folder / "settings.partial"
        partial.write_text(json.dumps(settings))
        partial.replace(self.folder / "settings.json")

    def requests(self, *kinds: str) -> list[dict]:
        lines = (self.folder / "requests.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if not kinds or line["kind"] in kinds]

    def questions(self, *kinds: str) -> Counter[str]:
        return Counter(line["question"] for line in self.requests(*kinds))

    def environment(self) -> dict[str, str]:
        return {
            "LOSTFOUND_STREETVIEW_URL": f"{self.base}/streetview",
            "LOSTFOUND_MAPILLARY_URL": f"{self.base}/graph",
            "LOSTFOUND_STREETVIEW_KEY": KEY,
            "LOSTFOUND_MAPILLARY_TOKEN": TOKEN,
        }

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    Handler.services = State(folder, json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
    ThreadingHTTPServer.allow_reuse_address = True
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
    server.daemon_threads = True
    partial = folder / "port.partial"
    partial.write_text(str(server.server_address[1]))
    partial.replace(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
