"""The Open Inference Protocol, version 2, for clients of KServe, Triton and the like.

A model has one input, `photos`, BYTES of the shape [n]: in JSON base64, or binary by the protocol's extension
for binary tensors. It has one output, `guesses`, BYTES of the shape [n]: the JSON of each guess, as
/v1/locate gives it.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

import lostfound
from lostfound.serve import schema
from lostfound.serve.answers import Service, as_values
from lostfound.serve.batching import Ask
from lostfound.serve.options import MOST_CANDIDATES
from lostfound.serve.problems import Problem
from lostfound.serve.uploads import Upload, discard, whole_body
from lostfound.texts import json_text

LENGTH_OF_JSON = "inference-header-content-length"
_LENGTH = struct.Struct("<I")


class TensorIn(BaseModel):
    """The input tensor."""

    model_config = ConfigDict(extra="ignore")

    name: str
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=2)]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class InferRequest(BaseModel):
    """A request for inference; `parameters` may hold `top`."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "inputs": [
                        {"name": "photos", "shape": [1], "datatype": "BYTES", "data": ["/9j/4AAQSkZJRg..."]}
                    ]
                }
            ]
        },
    )

    id: str | None = None
    inputs: Annotated[list[TensorIn], Field(min_length=1, max_length=1)]
    parameters: dict[str, Any] = {}


class TensorOut(BaseModel):
    """The output tensor."""

    name: str
    shape: list[int]
    datatype: str
    data: list[str]


class InferResponse(BaseModel):
    """The answer."""

    id: str | None = None
    model_name: str
    model_version: str
    outputs: list[TensorOut]


class Tensor(BaseModel):
    """What a tensor is like; -1: any number."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the server lives."""

    live: bool


class Ready(BaseModel):
    """Whether the server, or a model, takes photos now."""

    name: str | None = None
    ready: bool


def routes(service: Service) -> APIRouter:
    """The routes, for a service."""
    router = APIRouter(tags=["Open Inference Protocol"])
    about = {200: {"model": ModelMetadata, "description": "The model"}, **schema.problems(401, 404)}

    @router.get(
        "/v2", operation_id="v2_server", responses={200: {"model": ServerMetadata}, **schema.problems(401)}
    )
    async def server() -> Response:
        return JSONResponse(
            {"name": "lostfound", "version": lostfound.__version__, "extensions": ["binary_tensor_data"]}
        )

    @router.get("/v2/health/live", operation_id="v2_live", responses={200: {"model": Live}})
    async def live() -> Response:
        return JSONResponse({"live": True})

    @router.get(
        "/v2/health/ready", operation_id="v2_ready", responses={200: {"model": Ready}, **schema.problems(503)}
    )
    async def ready() -> Response:
        _must_work(service)
        return JSONResponse({"ready": True})

    @router.get("/v2/models/{model}", operation_id="v2_model", responses=about)
    async def metadata(model: str) -> Response:
        name = service.shelf.name(model)
        return JSONResponse(
            {
                "name": name,
                "versions": [_version(service, name)],
                "platform": "onnxruntime_onnx",
                "inputs": [{"name": "photos", "datatype": "BYTES", "shape": [-1]}],
                "outputs": [{"name": "guesses", "datatype": "BYTES", "shape": [-1]}],
            }
        )

    @router.get(
        "/v2/models/{model}/ready",
        operation_id="v2_model_ready",
        responses={200: {"model": Ready}, **schema.problems(401, 404, 503)},
    )
    async def model_ready(model: str) -> Response:
        name = service.shelf.name(model)
        _must_work(service)
        return JSONResponse({"name": name, "ready": True})

    @router.post(
        "/v2/models/{model}/infer",
        operation_id="v2_infer",
        responses={
            200: {"model": InferResponse, "description": "The guesses"},
            **schema.problems(*schema.UPLOAD_STATUSES),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}}},
            }
        },
    )
    async def infer(request: Request, model: str) -> Response:
        try:
            service.batcher.check_room()
            with service.memory.lent() as loan:
                name = service.shelf.name(model)
                asked, photos = _read(
                    await whole_body(request, loan),
                    request.headers.get(LENGTH_OF_JSON),
                    service.settings.limits.max_photos,
                )
                ask = Ask(name, service.shelf.models[name], _top(asked))
                located = await service.guesses(photos, ask)
        except Problem:
            await discard(request)
            raise
        guesses = [json_text(as_values(each), indent=None) for each in located]
        output = {"name": "guesses", "shape": [len(guesses)], "datatype": "BYTES", "data": guesses}
        return JSONResponse(
            {
                **({} if asked.id is None else {"id": asked.id}),
                "model_name": name,
                "model_version": _version(service, name),
                "outputs": [output],
            }
        )

    return router


def _must_work(service: Service) -> None:
    if not service.batcher.is_working:
        raise Problem(503, "it does not take photos now", retry_after_s=1)


def _version(service: Service, name: str) -> str:
    return str(service.shelf.about(name)["version"])


def _top(asked: InferRequest) -> int:
    top = asked.parameters.get("top", 5)
    if not isinstance(top, int) or not 1 <= top <= MOST_CANDIDATES:
        raise Problem(400, f"parameters.top is a number from 1 to {MOST_CANDIDATES}")
    return top


def _read(body: bytes, length: str | None, most: int) -> tuple[InferRequest, list[Upload]]:
    """What is asked, and the photos: from JSON, or from what follows it."""
    if length is not None and not (length.isascii() and length.isdigit() and int(length) <= len(body)):
        raise Problem(400, f"{LENGTH_OF_JSON} is {length[:20]!r}: give how many bytes of the body are JSON")
    end = len(body) if length is None else int(length)
    try:
        asked = InferRequest.model_validate(json.loads(body[:end]))
    except ValidationError as error:
        first = error.errors()[0]
        raise Problem(400, f"{'.'.join(str(each) for each in first['loc'])}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise Problem(400, "the body is no JSON of the Open Inference Protocol") from None
    (tensor,) = asked.inputs
    if tensor.datatype != "BYTES":
        raise Problem(400, f"the input is BYTES, not {tensor.datatype[:40]!r}: files of photos, not pixels")
    photos = _binary(body[end:]) if "binary_data_size" in tensor.parameters else _decoded(tensor.data)
    count = 1
    for side in tensor.shape:
        count *= side
    if not photos or count != len(photos):
        raise Problem(
            400, f"a tensor of the shape {tensor.shape} holds {count} photos; {len(photos)} were given"
        )
    if len(photos) > most:
        raise Problem(413, f"more than {most} photos: send them in several requests")
    return asked, [Upload(f"photo-{number}", photo) for number, photo in enumerate(photos, 1)]


def _decoded(data: list[Any] | None) -> list[bytes]:
    try:
        flat = [text for each in data or [] for text in (each if isinstance(each, list) else [each])]
        return [base64.b64decode(text, validate=True) for text in flat]
    except (binascii.Error, TypeError, ValueError):
        raise Problem(400, "data holds each photo's bytes as base64, or send them binary") from None


def _binary(rest: bytes) -> list[bytes]:
    """The elements of a binary BYTES tensor: each its length, four bytes, the lowest first, then itself."""
    photos, at = [], 0
    while at < len(rest):
        if at + _LENGTH.size > len(rest):
            raise Problem(400, "a binary tensor that ends within a length")
        (size,) = _LENGTH.unpack_from(rest, at)
        at += _LENGTH.size
        if at + size > len(rest):
            raise Problem(400, "a binary tensor that ends within a photo")
        photos.append(rest[at : at + size])
        at += size
    return photos
