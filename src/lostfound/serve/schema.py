"""What the API's description says of requests and answers, with examples."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_GUESS: dict[str, Any] = {
    "photo": "street.jpg",
    "latitude": 46.227638,
    "longitude": 2.213749,
    "radius_50_km": 412.5,
    "radius_90_km": 2310.0,
    "country": "FR",
    "probability": 0.41,
    "abstained": False,
    "candidates": [
        {
            "cell_id": "FR",
            "name": "France",
            "probability": 0.41,
            "latitude": 46.227638,
            "longitude": 2.213749,
            "country": "FR",
        },
        {
            "cell_id": "ES",
            "name": "Spain",
            "probability": 0.17,
            "latitude": 40.463667,
            "longitude": -3.74922,
            "country": "ES",
        },
    ],
    "continents": [{"area_id": "EU", "name": "Europe", "probability": 0.83}],
    "countries": [
        {"area_id": "FR", "name": "France", "probability": 0.41},
        {"area_id": "ES", "name": "Spain", "probability": 0.17},
    ],
}


class Candidate(BaseModel):
    """A place that a photo may be from."""

    cell_id: str | None
    name: str
    probability: float | None = Field(ge=0, le=1)
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    country: str | None = Field(description="ISO 3166-1 alpha-2")


class Area(BaseModel):
    """A continent, country, region or city, as probable as its cells together."""

    area_id: str
    name: str
    probability: float = Field(ge=0, le=1)


class HeatMap(BaseModel):
    """Which parts of a photo speak for an answer (orange), or against it (blue)."""

    photo: str = Field(description="Over which it lies: a place has heat maps over each of its photos")
    country: str | None
    role: Literal["answer", "runner-up"]
    png: str = Field(description="A transparent PNG of the upright photo's shape, base64")


class Guess(BaseModel):
    """Where a photo was taken, as far as its pixels tell. An estimate, never a measurement.

    Where the model abstained, the place is null: the candidates say what it thought of.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_GUESS]})

    photo: str | None = Field(None, description="The photo's name, as it was sent")
    photos: list[str] | None = Field(None, description="The names of all photos of a place (same_place)")
    latitude: float | None = Field(ge=-90, le=90)
    longitude: float | None = Field(ge=-180, le=180)
    radius_50_km: float | None = Field(description="The truth is within it one time in two")
    radius_90_km: float | None = Field(description="The truth is within it nine times in ten")
    country: str | None = Field(description="ISO 3166-1 alpha-2")
    probability: float | None = Field(ge=0, le=1)
    abstained: bool = Field(description='Whether the model would rather say "I don\'t know"')
    warning: str | None = Field(None, description="Why the answer is worth little, if that is known")
    left_out: float | None = Field(None, description="How probable what a restriction left out was")
    candidates: list[Candidate]
    continents: list[Area] | None = None
    countries: list[Area] | None = None
    regions: list[Area] | None = None
    cities: list[Area] | None = None
    heat_maps: list[HeatMap] | None = Field(None, description="With explain=true")


class Unreadable(BaseModel):
    """A photo that can't be read; others of the request are answered."""

    photo: str
    error: str


class Located(BaseModel):
    """The answer of `POST /v1/locate`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "model": "starter",
                    "guesses": [
                        EXAMPLE_GUESS,
                        {"photo": "notes.txt", "error": "not an image that can be read"},
                    ],
                }
            ]
        }
    )

    version: Literal[1]
    model: str
    guesses: list[Guess | Unreadable] = Field(
        description="In the order of the photos; of a place one, then errors"
    )


class ProblemBody(BaseModel):
    """Why a request got no answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "top: Input should be greater than or equal to 1"}]}
    )

    error: str = Field(description="What is wrong, and what to do")


class Model(BaseModel):
    """A model that the server answers with."""

    name: str
    default: bool
    kind: str = Field(description="classify, hybrid, coordinates or distance")
    version: str = Field(description="The first digits of its graph's SHA-256")
    views: int = Field(description="Photos of a place that it was trained to be given together")
    explains: list[Literal["cam", "occlusion"]]
    same_place: bool
    license: str | None
    answers: int | None = Field(description="Cells that it tells apart; null: it answers with coordinates")
    input: list[int] = Field(description="Height and width of what it looks at, pixels")
    card: str | None = Field(description="Its card, Markdown: what it was measured to do, and is not for")


class Models(BaseModel):
    """The answer of /v1/models."""

    models: list[Model]


class Country(BaseModel):
    """A country by its code and name."""

    code: str
    name: str


class Countries(BaseModel):
    """The answer of /v1/countries."""

    countries: list[Country]


class Settings(BaseModel):
    """What the server takes."""

    version: str
    tiles: str | None = Field(description="Address of map tiles for the page")
    max_photos: int
    max_bytes: int
    max_pixels: int
    deadline_s: float


class Status(BaseModel):
    """How the server is."""

    status: str


_REASONS = {
    400: "An option, or the form, is wrong",
    401: "A token is needed",
    404: "There is no such model",
    408: "The body came too slowly",
    413: "More bytes or photos than the server takes",
    415: "Not the type of a photo",
    422: "No photo can be read, or it has too many pixels",
    429: "Too much at once: ask again after the seconds of Retry-After",
    503: "It is starting or stopping",
    504: "Not answered in time",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The description of what may go wrong."""
    return {status: {"model": ProblemBody, "description": _REASONS[status]} for status in statuses}


def _answer(model: type[BaseModel], description: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": description}, **problems(401, *statuses)}


UPLOAD_STATUSES = (400, 401, 404, 408, 413, 415, 422, 429, 503, 504)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
PHOTOS: dict[str, Any] = {
    "required": True,
    "description": "One or many photos as a form, or the bytes of one",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["photos"],
                "properties": {
                    "photos": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                    }
                },
            },
            "encoding": {"photos": {"contentType": "image/*, application/octet-stream"}},
        },
        **dict.fromkeys(("image/jpeg", "image/png", "image/webp", "application/octet-stream"), _BINARY),
    },
}
_GEOJSON_EXAMPLE = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [2.213749, 46.227638]},
            "properties": EXAMPLE_GUESS,
        }
    ],
}
LOCATE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Located,
        "description": "The guesses; as GeoJSON if `Accept` asks for application/geo+json",
        "content": {"application/geo+json": {"schema": {"type": "object"}, "example": _GEOJSON_EXAMPLE}},
    },
    **problems(*UPLOAD_STATUSES),
}
MODELS = _answer(Models, "The models")
COUNTRIES = _answer(Countries, "The countries, by name")
SETTINGS = _answer(Settings, "The settings")
STATUS: dict[int | str, dict[str, Any]] = {200: {"model": Status, "description": "It does"}}
METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Text", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **problems(401),
}
