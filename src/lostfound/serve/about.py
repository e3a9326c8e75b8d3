"""What a server says of itself: models, countries, settings, health, metrics."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

import lostfound
from lostfound.geo.countries import country_name
from lostfound.serve import metrics as prometheus
from lostfound.serve import schema
from lostfound.serve.answers import Service
from lostfound.serve.problems import Problem


def routes(service: Service) -> APIRouter:
    """The routes, for a service."""
    router = APIRouter(tags=["about"])
    models = {"models": [service.shelf.about(name) for name in service.shelf.models]}
    countries = {"countries": _countries(service)}
    limits = service.settings.limits
    settings = {
        "version": lostfound.__version__,
        "tiles": service.settings.tiles,
        "max_photos": limits.max_photos,
        "max_bytes": limits.max_bytes,
        "max_pixels": limits.max_pixels,
        "deadline_s": limits.deadline_s,
    }

    @router.get("/v1/models", summary="The models", operation_id="models", responses=schema.MODELS)
    async def list_models() -> Response:
        return JSONResponse(models)

    @router.get(
        "/v1/countries",
        summary="The countries that a model can answer with",
        operation_id="countries",
        responses=schema.COUNTRIES,
    )
    async def list_countries() -> Response:
        return JSONResponse(countries)

    @router.get(
        "/v1/settings", summary="What the server takes", operation_id="settings", responses=schema.SETTINGS
    )
    async def list_settings() -> Response:
        return JSONResponse(settings)

    @router.get("/healthz", summary="Whether it lives", operation_id="health", responses=schema.STATUS)
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @router.get(
        "/readyz",
        summary="Whether it takes photos now",
        operation_id="ready",
        responses=schema.STATUS | schema.problems(503),
    )
    async def ready() -> Response:
        if not service.batcher.is_working:
            raise Problem(503, "it does not take photos now", retry_after_s=1)
        return JSONResponse({"status": "ready"})

    @router.get("/metrics", summary="Metrics for Prometheus", operation_id="metrics", responses=schema.METRICS)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=prometheus.TYPE)

    return router


def _countries(service: Service) -> list[dict[str, str]]:
    """All that any of the models can answer with, by name."""
    codes: set[str] = set()
    for locator in service.shelf.models.values():
        if locator.model.partition is not None:
            codes |= set(locator.model.levels.ids["countries"].tolist())
    named = [{"code": code, "name": country_name(code)} for code in codes]
    return sorted(named, key=lambda each: each["name"])
