"""Google's Street View Static API: places to panoramas to images.

The free metadata endpoint says whether there is a panorama near a place, so that a miss costs nothing; each
view of it is then one image request, which is paid for.
https://developers.google.com/maps/documentation/streetview/metadata
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from lostfound.collect.http import Request, RequestFailed, Response, base_url
from lostfound.collect.keys import Secret, signed
from lostfound.collect.ledger import Ledger
from lostfound.collect.places import uniform
from lostfound.collect.quotas import Quotas
from lostfound.collect.tasks import MICRO, NewTask, Outcome, Task
from lostfound.errors import UsageError
from lostfound.geo.sphere import haversine_km, location_problem

SOURCE = "streetview"
KEY, SIGNING_SECRET = "LOSTFOUND_STREETVIEW_KEY", "LOSTFOUND_STREETVIEW_SECRET"
URL = "LOSTFOUND_STREETVIEW_URL"
_URL = "https://maps.googleapis.com/maps/api/streetview"
MAX_SIDE = 640
PRICE = 0.007
"""Dollars for an image: the price of the first 100 000 in a month, before what is free."""
_ROUNDING_M = 100
"""So much farther a panorama may be than was asked: services measure and round in their own ways."""


@dataclass(frozen=True)
class Views:
    """What is taken of each panorama.

    Attributes:
        headings: How many views, evenly around the horizon from a random start.
        width: Pixels, 16 to 640.
        height: Pixels, 16 to 640.
        fov: Horizontal field of view in degrees, 10 to 120.
        pitch: Degrees above the horizon, -90 to 90.
        search_m: How far from a place a panorama may be, in metres.
        outdoor: Outdoor panoramas alone.
        seed: Another seed gives other starts.
    """

    headings: int = 1
    width: int = MAX_SIDE
    height: int = MAX_SIDE
    fov: float = 90.0
    pitch: float = 0.0
    search_m: int = 1000
    outdoor: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.headings <= 36:
            raise UsageError(f"{self.headings} headings: give 1 to 36")
        pixels = f"{self.width}x{self.height}"
        if not (16 <= self.width <= MAX_SIDE and 16 <= self.height <= MAX_SIDE):
            raise UsageError(f"images of {pixels} pixels: the service gives 16x16 to {MAX_SIDE}x{MAX_SIDE}")
        if not 10 <= self.fov <= 120:
            raise UsageError(f"a field of view of {self.fov:g} degrees: the service takes 10 to 120")
        if not -90 <= self.pitch <= 90:
            raise UsageError(f"a pitch of {self.pitch:g} degrees: give -90 (down) to 90 (up)")
        if self.search_m < 1:
            raise UsageError(f"a panorama within {self.search_m} m of a place: give 1 or more")

    def directions(self, pano_id: str) -> list[float]:
        """The headings of a panorama's views, degrees clockwise from north, the same in every run."""
        start = 360 * uniform(self.seed, "heading", pano_id)
        return [round((start + 360 * n / self.headings) % 360, 2) % 360 for n in range(self.headings)]


class StreetView:
    """Collects from the Street View Static API."""

    source = SOURCE

    def __init__(
        self,
        ledger: Ledger,
        quotas: Quotas,
        views: Views,
        *,
        price: float = PRICE,
        held: frozenset[str] = frozenset(),
    ) -> None:
        """Take up a collection where its ledger says that it is.

        Args:
            ledger: Of this source.
            quotas: Which places to ask for.
            views: What to take of each panorama.
            price: Dollars for an image.
            held: The panoramas that the data set has already, as `place_id`.

        Raises:
            UsageError: No key in the environment.
        """
        self.quotas = quotas
        self._ledger = ledger
        self._views = views
        self._cost = round(price * MICRO)
        self._held = held
        self._key, self._secret = read_keys()
        self._url = base_url(URL, _URL)
        quotas.restore(ledger.outcomes("place"))

    def extent(self) -> tuple[int, int]:
        """Places in all, and those that were found."""
        return self.quotas.wanted(), self.quotas.found()

    def next_tasks(self) -> list[NewTask]:
        """The next places."""
        return self.quotas.next_places()

    def note(self, task: Task, outcome: Outcome) -> int:
        """Count a place towards its quota."""
        if task.kind != "place":
            return 0
        return self.quotas.note(task.area, outcome.outcome, task.payload)

    def request(self, task: Task) -> Request:
        """The request for a place's metadata, or for a view's image."""
        payload, views = task.payload, self._views
        params = {"return_error_code": "true"}
        if task.kind == "place":
            params |= {
                "location": f"{payload['latitude']:.6f},{payload['longitude']:.6f}",
                "radius": str(views.search_m),
                "source": "outdoor" if views.outdoor else "default",
            }
            return self._signed("/metadata", params, 0)
        params |= {
            "pano": payload["pano_id"],
            "size": f"{views.width}x{views.height}",
            "heading": f"{payload['heading']:.2f}",
            "fov": f"{views.fov:g}",
            "pitch": f"{views.pitch:g}",
        }
        return self._signed("", params, self._cost)

    def outcome_of(self, task: Task, response: Response) -> Outcome:
        """What came of a place, or a view's image."""
        if task.kind == "place":
            return self._place(task, response)
        if response.status == 404:  # it was there a moment ago: panoramas come and go
            return Outcome("miss", detail="the panorama is gone")
        if response.status != 200:
            text = response.content[:300].decode(errors="replace").strip()
            raise self._refused(f"status {response.status}: {text}" if text else f"status {response.status}")
        response.image()
        return Outcome("hit", record=self.record(task))

    def record(self, task: Task) -> Mapping[str, Any] | None:
        """The record of a view's image."""
        if task.kind == "place":
            return None
        payload = task.payload
        return {
            "place_id": f"{SOURCE}/{payload['pano_id']}",
            "heading": payload["heading"],
            "latitude": payload["latitude"],
            "longitude": payload["longitude"],
            "captured_at": payload["date"],
            "license": f"{payload['copyright']}; Google Maps Platform terms, not to be republished",
            "original": f"{payload['pano_id']}/{payload['heading']:.2f}",
        }

    def _place(self, task: Task, response: Response) -> Outcome:
        """Read a metadata response; the service says how it went in `status`, mostly with HTTP status 200."""
        if response.status in (401, 403):
            raise self._refused(f"status {response.status}")
        metadata = response.json()
        status, message = str(metadata.get("status", "")), str(metadata.get("error_message", ""))
        if status in ("ZERO_RESULTS", "NOT_FOUND"):
            return Outcome("miss")
        if status == "OK":
            return self._panorama(task, metadata)
        if status == "OVER_QUERY_LIMIT":
            raise RequestFailed(
                "throttled", f"the service says {status}: too many requests, or a spent quota"
            )
        if status == "OVER_DAILY_LIMIT":
            raise RequestFailed("refused", self._hide(
                f"the service says {status} {message}: the day's quota is spent, or the key has no billing: "
                "see the console; then run the same command again"
            ))  # fmt: skip
        if status in ("REQUEST_DENIED", "INVALID_REQUEST"):
            raise self._refused(f"{status} {message}")
        raise RequestFailed(
            "retried", self._hide(f"the service says {status or 'nothing'} {message}".strip())
        )

    def _panorama(self, task: Task, metadata: dict[str, Any]) -> Outcome:
        try:
            pano_id, where = str(metadata["pano_id"]), metadata["location"]
            latitude, longitude = float(where["lat"]), float(where["lng"])
        except (KeyError, TypeError, ValueError):
            raise RequestFailed("retried", "metadata without a panorama's id and place") from None
        if location_problem(latitude, longitude):
            raise RequestFailed("retried", f"metadata with a place that is none: {latitude}, {longitude}")
        asked = task.payload["latitude"], task.payload["longitude"]
        apart_m = 1000 * float(haversine_km(asked, (latitude, longitude)))
        if apart_m > self._views.search_m + _ROUNDING_M:
            return Outcome("miss", detail=f"the panorama that was given lies {apart_m:.0f} m from the place")
        date = metadata.get("date")
        found = {
            "pano_id": pano_id,
            "latitude": latitude,
            "longitude": longitude,
            "date": date if isinstance(date, str) else None,
            "copyright": str(metadata.get("copyright") or "© Google"),
        }
        views = [
            NewTask("view", f"view:{pano_id}:{heading:.2f}", {**found, "heading": heading}, task.area, 0)
            for heading in self._views.directions(pano_id)
        ]
        if f"{SOURCE}/{pano_id}" in self._held or self._ledger.has(views[0].key):
            return Outcome("duplicate")
        return Outcome("hit", tasks=views)

    def _signed(self, path: str, params: dict[str, str], cost: int) -> Request:
        params = {**params, "key": self._key.value}
        if self._secret is None:
            return Request(self._url + path, params, cost=cost)
        query = urlencode(params, quote_via=quote)
        params["signature"] = signed(f"{urlsplit(self._url).path}{path}?{query}", self._secret)
        return Request(f"{self._url}{path}?{urlencode(params, quote_via=quote)}", cost=cost)

    def _refused(self, what: str) -> RequestFailed:
        return RequestFailed("refused", self._hide(
            f"the service refuses ({what.strip()}): check that {KEY} holds a key, and that the Street View "
            "Static API and billing are enabled for it; then run the same command again"
        ))  # fmt: skip

    def _hide(self, text: str) -> str:
        text = self._key.hide(text)
        return text if self._secret is None else self._secret.hide(text)


def read_keys() -> tuple[Secret, Secret | None]:
    """The key, and the signing secret if there is one.

    Raises:
        UsageError: No key in the environment.
    """
    return Secret.read(KEY, "a key of the Street View Static API"), Secret.find(SIGNING_SECRET)


def settings_of(views: Views) -> dict[str, Any]:
    """The settings that a collection keeps to from its first run on."""
    return {f"views.{name}": value for name, value in asdict(views).items()}
