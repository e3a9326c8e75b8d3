"""The page and its files."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from lostfound.serve.answers import Service
from lostfound.serve.page import PageFile, page_file, page_files
from lostfound.serve.problems import Problem


def routes(_: Service) -> APIRouter:
    """The routes; they are for browsers, and stand in no description."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page(request: Request) -> Response:
        return send_file(request, page_file("index.html"))

    @router.get("/static/{name}")
    def static(request: Request, name: str) -> Response:
        if name not in page_files():
            raise Problem(404, "there is no such file")
        return send_file(request, page_file(name))

    @router.get("/favicon.ico")
    def icon(request: Request) -> Response:
        return send_file(request, page_file("icon.svg"))

    return router


def send_file(request: Request, file: PageFile) -> Response:
    """A file of a page, unless the browser has it."""
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}  # kept, and asked for whether it has changed
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers=headers, media_type=file.media_type)
