"""The shape of Hugging Face's image classification, for clients that speak it: labels with scores."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from lostfound.predict.guess import Guess
from lostfound.serve import schema
from lostfound.serve.answers import Service
from lostfound.serve.batching import Ask
from lostfound.serve.options import MOST_CANDIDATES
from lostfound.serve.problems import Problem
from lostfound.serve.uploads import Upload, discard, uploads, whole_body


class Parameters(BaseModel):
    """The parameters of an image classification."""

    model_config = ConfigDict(extra="ignore")

    top_k: int | None = Field(None, ge=1, le=MOST_CANDIDATES)
    function_to_apply: str | None = Field(None, description="Scores are probabilities, whatever it says")


class Classification(BaseModel):
    """An image to classify, as JSON."""

    inputs: str = Field(description="The photo's bytes, base64")
    parameters: Parameters | None = None


class Label(BaseModel):
    """A place, and how probable it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label": "France", "score": 0.41}]})

    label: str
    score: float = Field(ge=0, le=1)


def routes(service: Service) -> APIRouter:
    """The route, for a service."""
    router = APIRouter(tags=["Hugging Face"])

    @router.post(
        "/models/{model}",
        summary="Classify a photo, as Hugging Face's API does",
        operation_id="image_classification",
        responses={
            200: {"model": list[Label], "description": "The candidates, the most probable first"},
            **schema.problems(*schema.UPLOAD_STATUSES),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                    "application/json": {"schema": {"$ref": "#/components/schemas/Classification"}},
                },
            }
        },
    )
    async def classify(request: Request, model: str) -> Response:
        try:
            service.batcher.check_room()
            with service.memory.lent() as loan:
                name = service.shelf.name(model)
                top = 5
                if request.headers.get("content-type", "").startswith("application/json"):
                    photos, top = _from_json(await whole_body(request, loan))
                else:
                    photos = await uploads(request, loan)
                    if len(photos) > 1:
                        raise Problem(400, "one photo a request: /v1/locate takes many")
                ask = Ask(name, service.shelf.models[name], top)
                (located,) = await service.guesses(photos, ask)
        except Problem:
            await discard(request)
            raise
        assert located.guess is not None
        return JSONResponse(_labels(located.guess))

    return router


def _from_json(body: bytes) -> tuple[Sequence[Upload], int]:
    try:
        asked = Classification.model_validate(json.loads(body))
        photo = base64.b64decode(asked.inputs.rpartition(",")[2], validate=True)
    except (ValidationError, ValueError, RecursionError, binascii.Error):
        raise Problem(400, 'give {"inputs": "BASE64", "parameters": {"top_k": 5}}, or a photo\'s bytes') from None
    parameters = asked.parameters or Parameters()
    return [Upload("photo", photo)], parameters.top_k or 5


def _labels(guess: Guess) -> list[dict[str, Any]]:
    """The candidates as labels; a model of bare coordinates is sure of its one."""
    return [
        {"label": each.name, "score": 1.0 if each.probability is None else each.probability}
        for each in guess.candidates
    ]
