"""Mapillary's Graph API (v4): boxes to images, thinned so that no sequence floods the set.

https://www.mapillary.com/developer/api-documentation: a search takes a box of less than 0.01 square degrees
and gives up to 2000 images, so a box that is full is cut in four and searched again. The addresses of
pictures expire, and are asked for anew where they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lostfound.collect.boxes import Box
from lostfound.collect.http import Request, RequestFailed, Response, base_url
from lostfound.collect.keys import Secret
from lostfound.collect.ledger import Ledger
from lostfound.collect.mapillary_images import PICTURE, Filters, Thinning, as_dict, image_task
from lostfound.collect.places import uniform
from lostfound.collect.quotas import Quotas
from lostfound.collect.tasks import NewTask, Outcome, Task

SOURCE = "mapillary"
TOKEN = "LOSTFOUND_MAPILLARY_TOKEN"  # noqa: S105
URL = "LOSTFOUND_MAPILLARY_URL"
_URL = "https://graph.mapillary.com"
LIMIT = 2000
_FIELDS = (
    "id,computed_geometry,geometry,captured_at,compass_angle,computed_compass_angle,is_pano,camera_type,"
    f"sequence,creator,{PICTURE}"
)
_SMALLEST_KM = 0.05
"""A box is not cut further: whatever lies in it is one place."""

# Codes of the Graph API, https://developers.facebook.com/docs/graph-api/guides/error-handling
_FAILED, _THROTTLED, _TOKEN_CODES = {1, 2}, {4, 17, 32, 341, 613}, {102, 190}


class Mapillary:
    """Collects from the Graph API, in boxes or around drawn places."""

    source = SOURCE

    def __init__(
        self,
        ledger: Ledger,
        filters: Filters,
        *,
        quotas: Quotas | None = None,
        boxes: Iterable[Box] = (),
        held: frozenset[str] = frozenset(),
    ) -> None:
        """Take up a collection where its ledger says that it is.

        Args:
            ledger: Of this source.
            filters: Which images are taken.
            quotas: Which places to search around; or
            boxes: what to search whole.
            held: The images that the data set has already, as `place_id`.

        Raises:
            UsageError: No token in the environment.
        """
        self.quotas = quotas
        self._ledger = ledger
        self._filters = filters
        self._held = held
        self._token = read_token()
        self._url = base_url(URL, _URL)
        self._boxes = [_box_task(box, f"box:{box}", whole=True) for box in boxes]
        self._all = len(self._boxes)
        if quotas is not None:
            quotas.restore(ledger.outcomes("place"))

    def extent(self) -> tuple[int, int]:
        """Units of progress: places or boxes in all, and those that are done."""
        if self.quotas is not None:
            return self.quotas.wanted(), self.quotas.found()
        done = [payload for _, outcome, payload in self._ledger.outcomes("box") if outcome is not None]
        return self._all, sum(bool(payload.get("whole")) for payload in done)

    def next_tasks(self) -> list[NewTask]:
        """All boxes at once, or the next places."""
        if self.quotas is None:
            boxes, self._boxes = self._boxes, []
            return [box for box in boxes if not self._ledger.has(box.key)]
        return self.quotas.next_places()

    def note(self, task: Task, outcome: Outcome) -> int:
        """Count a place towards its quota, or a box."""
        if task.kind == "place" and self.quotas is not None:
            return self.quotas.note(task.area, outcome.outcome, task.payload)
        return int(task.kind == "box" and bool(task.payload.get("whole")))

    def request(self, task: Task) -> Request:
        """A search, a picture, or its new address."""
        if task.kind == "image":
            if (url := task.payload["url"]) is not None:
                return Request(url)  # another host: the token stays here
            return self._graph(task.payload["id"], {"fields": f"id,{PICTURE}"})
        box = self._box(task)
        params = {
            "bbox": f"{box.west:.6f},{box.south:.6f},{box.east:.6f},{box.north:.6f}",
            "fields": _FIELDS,
            "limit": str(LIMIT),
        }
        filters = self._filters
        if filters.panoramas is not None:
            params["is_pano"] = str(filters.panoramas).lower()
        if filters.since:
            params["start_captured_at"] = f"{filters.since}T00:00:00Z"
        if filters.until:
            params["end_captured_at"] = f"{filters.until}T23:59:59Z"
        if after := task.payload.get("after"):
            params["after"] = after
        return self._graph("images", params)

    def outcome_of(self, task: Task, response: Response) -> Outcome:
        """What came of a search, or a picture."""
        if task.kind != "image":
            return self._searched(task, response)
        payload = task.payload
        if payload["url"] is None:
            return self._new_address(task, response)
        if response.status in (400, 401, 403, 404, 410):
            if payload["renewed"]:
                return Outcome("miss", detail=f"the picture is gone (status {response.status})")
            # The address has expired.
            return Outcome("again", again={**payload, "url": None, "renewed": True})
        response.image()
        return Outcome("hit", record=self.record(task))

    def record(self, task: Task) -> Mapping[str, Any] | None:
        """The record of an image, with what its licence asks for: its creator and where it is."""
        if task.kind != "image":
            return None
        payload = task.payload
        return {
            "place_id": f"{SOURCE}/{payload['id']}",
            "heading": payload["heading"],
            "latitude": payload["latitude"],
            "longitude": payload["longitude"],
            "captured_at": payload["captured_at"],
            "license": (
                f"CC BY-SA 4.0; © {payload['creator']}, Mapillary; "
                f"https://www.mapillary.com/app/?pKey={payload['id']}"
            ),
            "original": f"{payload['sequence']}/{payload['id']}",
        }

    def _searched(self, task: Task, response: Response) -> Outcome:
        content = self._read(response)
        if content is None:
            return self._cut(task, [])
        listed = content.get("data")
        if not isinstance(listed, list):
            raise RequestFailed("retried", "an answer without a list of images")
        thinning = Thinning(self._ledger, self._filters.spacing_m, self._filters.per_sequence)
        limit = (
            LIMIT if self._filters.per_box is None else self._filters.per_box - task.payload.get("taken", 0)
        )
        images: list[NewTask] = []
        known, box = 0, self._box(task)
        wanted = [image for image in listed if isinstance(image, dict) and self._filters.fit(image, box)]
        for image in sorted(wanted, key=lambda each: uniform(self._filters.seed, each["id"])):
            new = image_task(image, box)
            if self._ledger.has(new.key) or f"{SOURCE}/{image['id']}" in self._held:
                known += 1
            elif len(images) < limit and thinning.keeps(new.payload):
                images.append(new)
        paging = as_dict(content.get("paging"))
        after = as_dict(paging.get("cursors")).get("after")
        if after and paging.get("next"):  # that address holds the token: the cursor alone is kept
            following = {"after": after, "taken": task.payload.get("taken", 0) + len(images)}
            images.append(_box_task(self._box(task), f"{task.key}:{after}", area=task.area, **following))
        elif len(listed) >= LIMIT and (self._filters.per_box is None or len(images) < limit):
            return self._cut(task, images)
        outcome = "hit" if images else "duplicate" if known else "miss"
        return Outcome(outcome, tasks=images)

    def _cut(self, task: Task, images: list[NewTask]) -> Outcome:
        """Search a box that holds too much in four parts; what was found in it already is kept."""
        box = self._box(task)
        if box.height_km <= _SMALLEST_KM:
            return Outcome("hit" if images else "miss", tasks=images)
        parts = [_box_task(part, f"box:{part}", area=task.area) for part in box.quarters()]
        return Outcome("hit", tasks=[*images, *parts])

    def _new_address(self, task: Task, response: Response) -> Outcome:
        if response.status == 404:
            return Outcome("miss", detail="the image is gone")
        url = (self._read(response) or {}).get(PICTURE)
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            return Outcome("miss", detail="the image has no picture")
        return Outcome("again", again={**task.payload, "url": url})

    def _read(self, response: Response) -> dict[str, Any] | None:
        """The answer of the Graph API; None if it says that it would be too much."""
        content = response.json()
        error = content.get("error")
        if error is None:
            if response.status == 200:
                return content
            raise RequestFailed("retried", f"status {response.status} without a reason")
        error = error if isinstance(error, dict) else {"message": str(error)}
        code, message = error.get("code"), self._token.hide(str(error.get("message", "")))
        if "reduce the amount of data" in message:
            return None
        if code in _THROTTLED:
            raise RequestFailed("throttled", f"the service asks to slow down (code {code}: {message})")
        if code in _TOKEN_CODES or response.status in (401, 403):
            raise RequestFailed(
                "refused",
                f"the service refuses the token (code {code}: {message}): check that {TOKEN} holds a "
                "valid one; then run the same command again",
            )
        if code in _FAILED or error.get("is_transient"):
            raise RequestFailed("retried", f"the service failed (code {code}: {message})")
        raise RequestFailed("refused", f"the service refuses the request (code {code}: {message})")

    def _graph(self, path: str, params: dict[str, str]) -> Request:
        return Request(f"{self._url}/{path}", params, {"authorization": f"OAuth {self._token.value}"})

    def _box(self, task: Task) -> Box:
        payload = task.payload
        if task.kind == "place":
            return Box.around(payload["latitude"], payload["longitude"], self._filters.reach_km)
        return Box(*payload["box"])


def read_token() -> Secret:
    """The access token.

    Raises:
        UsageError: There is none in the environment.
    """
    return Secret.read(TOKEN, "an access token of Mapillary's API (MLY|...)")


def settings_of(filters: Filters) -> dict[str, Any]:
    """The settings that a collection keeps to from its first run on."""
    return {f"filters.{name}": value for name, value in asdict(filters).items()}


def _box_task(box: Box, key: str, *, area: str = "", **more: Any) -> NewTask:
    return NewTask("box", key, {"box": [box.south, box.west, box.north, box.east], **more}, area)
