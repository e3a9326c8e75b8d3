"""The server's application: its routes, put together."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

import lostfound
from lostfound.data.pixels import VARIABLE as MAX_PIXELS
from lostfound.errors import nearest_name
from lostfound.serve import about, huggingface, locate, open_inference, pages
from lostfound.serve.answers import Service
from lostfound.serve.guard import Guard
from lostfound.serve.options import LocateOptions
from lostfound.serve.problems import Problem
from lostfound.serve.settings import ServeSettings

DESCRIPTION = (
    "Where was this photo taken, from its pixels alone, and how sure is that? Every answer is an estimate. "
    "Photos are held in memory while they are answered; they are never written or logged, and what they "
    "say of themselves (EXIF) is not used."
)


def build_app(settings: ServeSettings) -> FastAPI:
    """The application of one process; its models are loaded when this returns."""
    os.environ.setdefault(MAX_PIXELS, str(settings.limits.max_pixels))
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        gc.collect()
        gc.freeze()  # what is loaded stays: the garbage collector need not look through it again and again
        yield
        service.batcher.close()
        service.heat_maps.close()

    app = FastAPI(
        title="Lost & Found",
        version=lostfound.__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    for room in (locate, about, huggingface, open_inference, pages):
        app.include_router(room.routes(service))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _wrong_options)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(Guard, settings=settings, metrics=service.metrics)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After"],
        )
    described = app.openapi

    def openapi() -> dict[str, Any]:
        return _mended(described())

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _mended(description: dict[str, Any]) -> dict[str, Any]:
    """The description with the bodies that routes read themselves.

    And without FastAPI's own answer to wrong options, which `_wrong_options` replaces.
    """
    schemas = description["components"]["schemas"]
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for body in (huggingface.Classification, open_inference.InferRequest):
        own = body.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update({**own.pop("$defs", {}), body.__name__: own})
    for operations in description["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    return description


async def _problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.response()


async def _wrong_options(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return Problem(400, "; ".join(_words(each) for each in error.errors())).response()


def _words(wrong: dict[str, Any]) -> str:
    name = str(wrong["loc"][-1]) if wrong["loc"] else "the request"
    if wrong["type"] == "extra_forbidden":
        known = [each.alias or field for field, each in LocateOptions.model_fields.items()]
        near = nearest_name(name, known)
        hint = f"did you mean {near!r}?" if near else f"choose of {', '.join(known)}"
        return f"no option {name[:80]!r}: {hint}"
    return f"{name[:80]}: {wrong['msg']}"


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: "there is nothing at this address: see /openapi.json",
        405: "another method: see /openapi.json",
    }
    response = Problem(error.status_code, said.get(error.status_code, str(error.detail))).response()
    response.headers.update(error.headers or {})
    return response


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it
