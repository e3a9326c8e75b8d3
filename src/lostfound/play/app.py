"""The game's server: its page, and what the page asks."""

from __future__ import annotations

import io
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lostfound.errors import UsageError
from lostfound.geo.suggestions import suggest_countries
from lostfound.play.answers import Answer
from lostfound.play.games import Game
from lostfound.play.page import page_file, page_files
from lostfound.play.store import NameTakenError
from lostfound.play.study import PlayStudy
from lostfound.serve.guard import Guard
from lostfound.serve.metrics import Metrics
from lostfound.serve.pages import send_file
from lostfound.serve.problems import Problem
from lostfound.serve.settings import ServeSettings
from lostfound.texts import json_text

_MOST_BYTES = 16 * 2**10  # of a request: an answer is a hundredth of it

Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Begin(BaseModel):
    """Who begins."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern="^[0-9a-f]{24}$")
    name: str | None = Field(None, max_length=200)


class Sent(BaseModel):
    """An answer as the page sends it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    ranked: list[str] = Field([], max_length=20)
    point: Point | None = None
    skipped: bool = False
    known: bool = False
    clues: list[str] = Field([], max_length=20)

    def answer(self) -> Answer:
        """It as an answer."""
        point = None if self.point is None else (self.point[0], self.point[1])
        return Answer(tuple(self.ranked), point, self.skipped, self.known, tuple(self.clues))


def build_app(study: PlayStudy) -> FastAPI:
    """The application."""
    app = FastAPI(title="Lost & Found: the game", docs_url=None, redoc_url=None, openapi_url=None)
    _pages(app, study)
    _games(app, study)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(UsageError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(SmallBodies)
    app.add_middleware(Guard, settings=ServeSettings(models=()), metrics=Metrics())
    return app


def _pages(app: FastAPI, study: PlayStudy) -> None:
    @app.get("/")
    @app.get("/game/{_}")
    def page(request: Request) -> Response:
        return send_file(request, page_file("index.html"))

    @app.get("/static/{name}")
    def static(request: Request, name: str) -> Response:
        if name not in page_files():
            raise Problem(404, "there is no such file")
        return send_file(request, page_file(name))

    @app.get("/favicon.ico")
    def icon(request: Request) -> Response:
        return send_file(request, page_file("icon.svg"))

    @app.get("/join.svg")
    def join() -> Response:
        if study.join is None:
            raise Problem(404, "only this machine reaches the game: start it with --lan")
        return Response(qr_svg(study.join), media_type="image/svg+xml")

    @app.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}


def _games(app: FastAPI, study: PlayStudy) -> None:
    def of(game: str) -> Game:
        found = study.store.game(game)
        if found is None:
            raise Problem(404, "there is no such game: begin one")
        return found

    @app.get("/api/study")
    def about() -> dict[str, Any]:
        return study.about()

    @app.get("/api/countries")
    def countries(q: Annotated[str, Query(max_length=100)] = "") -> list[dict[str, Any]]:
        return [each._asdict() for each in suggest_countries(q)]

    @app.post("/api/games", status_code=201)
    def begin(sent: Begin) -> dict[str, str]:
        try:
            game = study.begin(sent.key, sent.name)
        except NameTakenError as taken:
            raise Problem(
                409,
                f"somebody is called {taken} already: choose another name, or go on where that game is open",
            ) from None
        return {"game": game.id, "player": game.player}

    @app.post("/api/games/{game}/again", status_code=201)
    def again(game: str) -> dict[str, str]:
        following = study.again(of(game))
        return {"game": following.id, "player": following.player}

    @app.get("/api/games/{game}")
    def state(game: str) -> dict[str, Any]:
        return study.state(of(game))

    @app.get("/api/games/{game}/rounds/{number}/{view}")
    def picture(game: str, number: int, view: int) -> Response:
        try:
            data, kind = study.picture(of(game), number, view)
        except IndexError:
            raise Problem(404, "there is no such picture") from None
        return Response(data, media_type=kind)

    @app.post("/api/games/{game}/rounds/{number}")
    def guess(game: str, number: int, sent: Sent) -> dict[str, Any]:
        return study.guess(of(game), number, sent.answer())

    @app.get("/api/games/{game}/results")
    def results(game: str) -> dict[str, Any]:
        return study.results(of(game))


class SmallBodies:
    """Refuses requests that are larger than any answer, before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, if it is small."""
        if scope["type"] == "http" and scope["method"] == "POST":
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not length.isdigit() or int(length) > _MOST_BYTES:
                problem = Problem(413, f"a request says its length, and has {_MOST_BYTES} bytes at most")
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


def qr_svg(address: str) -> bytes:
    """A code that a phone's camera reads, as SVG."""
    import segno

    buffer = io.BytesIO()
    segno.make(address, error="m").save(buffer, kind="svg", scale=4, border=2, light="#fff")
    return buffer.getvalue()


async def _problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.response()


async def _refused(_: Request, error: Exception) -> Response:
    return Problem(400, str(error)).response()


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return Problem(400, said[:500]).response()


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = json_text({"error": "there is nothing at this address"}, indent=None)
    return Response(body, error.status_code, error.headers, media_type="application/json")
