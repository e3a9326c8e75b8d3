"""A small guessing game on loopback, as a process: `python server.py FOLDER SETTINGS`.

The port is written to FOLDER/port, each event to FOLDER/events.jsonl. FOLDER/settings.json, if it is there,
replaces the settings while it runs.
"""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image, ImageDraw

from lostfound.world import render, sample_places

HERE = Path(__file__).parent
ROUNDS, TILE = 5, 128
USER, PASSWORD = "anna", "correct horse; battery staple"
DEFAULTS = {
    "login": True,
    "refuse_login": False,  # the site refuses right passwords too
    "delay_s": 0.02,  # before each tile
    "tiles_fail": 0,  # every so many rounds, a tile is an error page
    "pictures_fail": 0,  # every so many rounds, the tiles are pictures that say "error", with status 200
    "renamed": "",  # an element of the page that has another id now
    "site_fails": 0,  # so many pages fail first
    "hang": False,  # the page's script never comes to an end
    "one_game": False,  # everyone is given the same game until it is over
    "places": 500,
}


@lru_cache(maxsize=4)
def places(count: int):
    return sample_places(count, seed=5, countries=["FR", "JP", "BR", "KE"])


@lru_cache(maxsize=64)
def picture(latitude: float, longitude: float) -> Image.Image:
    return Image.fromarray(render(latitude, longitude, 0.0, size=2 * TILE))


class Site:
    """The games, and what happened to them."""

    def __init__(self, folder: Path, settings: dict) -> None:
        self.folder = folder
        self.begun_with = DEFAULTS | settings
        self.games: dict[str, dict] = {}
        self.lock = threading.Lock()
        self.failed = 0

    @property
    def settings(self) -> dict:
        try:
            return self.begun_with | json.loads((self.folder / "settings.json").read_text())
        except OSError:
            return self.begun_with

    def log(self, event: str, **values: object) -> None:
        with (self.folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({"event": event, **values}) + "\n")

    def begin(self) -> str:
        with self.lock:
            open_games = [name for name, game in self.games.items() if game["state"] != "over"]
            if self.settings["one_game"] and open_games:
                name = open_games[0]
            else:
                name = f"g{len(self.games) + 1:04}"
                self.games[name] = {"round": 1, "state": "open", "number": len(self.games)}
            self.log("given", game=name)
            return name

    def place(self, game: str, number: int):
        known = places(self.settings["places"])
        return known[(self.games[game]["number"] * ROUNDS + number - 1) % len(known)]

    def state(self, game: str) -> dict:
        values = self.games[game]
        state = {"game": game, "round": values["round"], "rounds": ROUNDS, "state": values["state"]}
        if values["state"] == "result":
            place = self.place(game, values["round"])
            state["truth"] = {"position": [place.latitude, place.longitude], "pano": place.place_id}
        return state

    def guess(self, game: str) -> dict:
        with self.lock:
            if self.games[game]["state"] == "open":
                self.games[game]["state"] = "result"
                self.log("guessed", game=game, round=self.games[game]["round"])
        return self.state(game)

    def next(self, game: str) -> dict:
        with self.lock:
            values = self.games[game]
            if values["state"] == "result":
                over = values["round"] >= ROUNDS
                values |= {"state": "over"} if over else {"state": "open", "round": values["round"] + 1}
        return self.state(game)


class Handler(BaseHTTPRequestHandler):
    """Requests."""

    site: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, settings = self.path.partition("?")[0], self.site.settings
        parts = path.strip("/").split("/")
        if path == "/" or (parts[0] == "game" and parts[1] in self.site.games):
            if self.site.failed < settings["site_fails"]:
                self.site.failed += 1
                self.reply(503, "text/html", b"<h1>Service unavailable</h1>")
                return
            page = (HERE / "game.html").read_text()
            if settings["renamed"]:
                name = settings["renamed"]
                page = page.replace(f'id="{name}"', f'id="new-{name}"').replace(f"'{name}'", f"'new-{name}'")
            known = {"signedIn": self.signed_in(), "hang": settings["hang"]}
            self.reply(200, "text/html", page.replace("{known}", json.dumps(known)).encode())
        elif parts[0] == "state":
            self.json(self.site.state(parts[1]))
        elif parts[0] == "tile":
            time.sleep(settings["delay_s"] * (1 + int(parts[3])))
            self.tile(parts[1], int(parts[2]), int(parts[3]))
        elif parts[0] == "hang":
            time.sleep(3600)
        else:
            self.reply(404, "text/plain", b"not here")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = self.path.strip("/").split("/")
        if parts[0] == "login":
            right = json.loads(body) == {"user": USER, "password": PASSWORD}
            right = right and not self.site.settings["refuse_login"]
            self.site.log("login", right=right)
            cookie = {"Set-Cookie": "session=of-anna; Path=/; Max-Age=86400; HttpOnly"} if right else {}
            self.reply(200 if right else 403, "application/json", b"{}", cookie)
        elif not self.signed_in():
            self.reply(401, "application/json", b"{}")
        elif parts[0] == "begin":
            self.json({"game": self.site.begin()})
        else:
            self.json({"guess": self.site.guess, "next": self.site.next}[parts[0]](parts[1]))

    def signed_in(self) -> bool:
        return not self.site.settings["login"] or "session=of-anna" in self.headers.get("cookie", "")

    def tile(self, game: str, number: int, which: int) -> None:
        settings = self.site.settings
        count = self.site.games[game]["number"] * ROUNDS + number
        if settings["tiles_fail"] and count % settings["tiles_fail"] == 0 and which == 3:
            self.site.log("failed", game=game, round=number)
            self.reply(500, "text/html", b"<h1>Internal error</h1>")
            return
        place = self.site.place(game, number)
        x, y = which % 2 * TILE, which // 2 * TILE
        part = picture(place.latitude, place.longitude).crop((x, y, x + TILE, y + TILE))
        if settings["pictures_fail"] and count % settings["pictures_fail"] == 0:
            if which == 3:
                self.site.log("failed", game=game, round=number)
            part = Image.new("RGB", (TILE, TILE), (228, 227, 223))
            ImageDraw.Draw(part).text((8, 50), f"Sorry, no imagery {game}/{number}", fill=(90, 90, 90))
        buffer = io.BytesIO()
        part.save(buffer, "PNG")
        self.reply(200, "image/png", buffer.getvalue(), {"Cache-Control": "no-store"})

    def json(self, value: object) -> None:
        self.reply(200, "application/json", json.dumps(value).encode())

    def reply(self, status: int, kind: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(data)),
                **(headers or {}),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # the browser was killed
            self.close_connection = True


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Browsers are killed in the middle of a request here."""


def main() -> None:
    """Serve until killed."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    Handler.site = Site(folder, json.loads(sys.argv[2]))
    (folder / "events.jsonl").touch()
    server = Server(("127.0.0.1", 0), Handler)
    partial = folder / "port.partial"
    partial.write_text(str(server.server_port))
    partial.replace(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
