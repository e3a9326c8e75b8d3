"""`POST /v1/locate`: where photos were taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lostfound.predict.outputs import LocatedPhoto, to_geojson, written_name
from lostfound.serve import schema
from lostfound.serve.answers import Service, as_values
from lostfound.serve.batching import Ask
from lostfound.serve.options import LocateOptions
from lostfound.serve.problems import Problem
from lostfound.serve.uploads import Upload, discard, uploads
from lostfound.texts import json_text

VERSION = 1
GEOJSON = "application/geo+json"


def routes(service: Service) -> APIRouter:
    """The route, for a service."""
    router = APIRouter(tags=["locate"])

    @router.post(
        "/v1/locate",
        summary="Say where photos were taken",
        operation_id="locate",
        responses=schema.LOCATE_RESPONSES,
        openapi_extra={"requestBody": schema.PHOTOS},
    )
    async def locate(request: Request, options: Annotated[LocateOptions, Query()]) -> Response:
        try:
            service.batcher.check_room()
            with service.memory.lent() as loan:
                name = service.shelf.name(options.model)
                locator = await service.locator(name, options.answering)
                photos = await uploads(request, loan)
                ask = Ask(name, locator, options.top)
                return await _answer(service, photos, ask, options, request.headers.get("accept", ""))
        except Problem:
            await discard(request)
            raise

    return router


async def _answer(
    service: Service, photos: Sequence[Upload], ask: Ask, options: LocateOptions, accept: str
) -> Response:
    located = await (service.place(photos, ask) if options.same_place else service.guesses(photos, ask))
    names = None
    if options.same_place:
        failed = {each.photo for each in located if each.guess is None}
        names = [each.name for each in photos if each.name not in failed]
        located = [LocatedPhoto(", ".join(names), each.guess) if each.guess else each for each in located]
    if GEOJSON in accept:
        return Response(to_geojson(located), media_type=GEOJSON)
    values = [as_values(each, names) for each in located]
    if options.explain:
        await _add_heat_maps(service, photos, ask, located, values)
    body = {"version": VERSION, "model": ask.model, "guesses": values}
    return Response(json_text(body, indent=None), media_type="application/json")


async def _add_heat_maps(
    service: Service,
    photos: Sequence[Upload],
    ask: Ask,
    located: Sequence[LocatedPhoto],
    values: list[dict[str, Any]],
) -> None:
    """Explain the answer to each photo that was located."""
    exact = service.shelf.has_class_activation(ask.model)
    if "photos" in values[0]:  # of a place: its one answer is explained on each of its photos
        failed = {each.photo for each in located if each.guess is None}
        readable = [each for each in photos if each.name not in failed]
        explained = [(each, located[0].guess, values[0]) for each in readable]
    else:
        explained = [
            (photo, each.guess, value) for photo, each, value in zip(photos, located, values, strict=True)
        ]
    try:
        async with asyncio.timeout(service.settings.limits.deadline_s):
            for photo, guess, value in explained:
                if guess is not None:
                    maps = await service.heat_maps.draw(ask.locator, photo.data, guess, exact=exact)
                    named = [{"photo": written_name(photo.name), **each} for each in maps]
                    value.setdefault("heat_maps", []).extend(named)
    except TimeoutError:
        raise Problem(504, "explaining took too long: ask for one photo at a time", retry_after_s=5) from None
