"""Publishing a model folder: its files, and a card whose header hubs read, with what was measured."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from lostfound.data.sharing.publish import may_be_published
from lostfound.errors import ModelError, UsageError, refused_as
from lostfound.evaluation.card import HUB_HEADER, hub_result
from lostfound.evaluation.evaluate import Evaluation
from lostfound.files import is_unchanged, write_atomic
from lostfound.hub import HUB, Repository, is_on_hub, upload
from lostfound.predict.model_folder import CARD, CONFIG, ModelFolder
from lostfound.predict.model_source import whole_folder

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_HEADER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Published:
    """Where a model is now.

    Attributes:
        where: A folder; or hf://OWNER/NAME@COMMIT, by which it is loaded.
        license: What the card says; None if nothing is known.
        metrics: How many numbers the card's header holds.
    """

    where: str
    license: str | None
    metrics: int


def publish_model(
    model: str | Path,
    target: str,
    *,
    reports: Sequence[str | Path] = (),
    license: str | None = None,  # noqa: A002
    public: bool = False,
) -> Published:
    """Publish a model folder, into a folder or onto the hub.

    Args:
        model: The folder.
        target: A new folder, or OWNER/NAME (also with hf:// before it) on the hub.
        reports: Folders that `lostfound evaluate MODEL DATASET --to` wrote: their numbers go into the card,
            beside those that training measured.
        license: Under which licence it is; by default what the model says itself.
        public: Whether anybody may see it on the hub; a repository that is public already is refused else.

    Raises:
        ModelError: It is no complete model folder; a report is of another model; it may not be passed on; or
            the upload failed.
        UsageError: The target is there already, or could be both a folder and a name on the hub.
        DatasetError: A report can't be read.
        MissingExtraError: The hub needs huggingface_hub.
    """
    name = _name_on_hub(target)
    opened = ModelFolder.open(whole_folder(model))
    terms = _terms(opened, license)
    files: dict[str, Path | bytes] = {each: _whole(opened, each) for each in opened.config["files"]}
    header, text = _card(opened)
    measured = [_measured(opened, each) for each in reports]
    with refused_as(ModelError, f"{opened.path / CARD} has a header that no hub can read"):
        header = _header(header, opened, terms, measured)
    place = None if name is None else f"{HUB}{name}"
    files[CARD] = _as_text(header, text, place)
    files[CONFIG] = opened.path / CONFIG
    if name is None:
        _copy(files, Path(target))
        where = target
    else:
        where = f"{place}@{upload(name, files, kind='model', public=public, error=ModelError)}"
    results = [each for index in header.get("model-index", []) for each in index["results"]]
    return Published(where, terms, sum(len(each["metrics"]) for each in results))


def _name_on_hub(target: str) -> str | None:
    """The name on the hub that a target means; None of a folder."""
    if is_on_hub(target):
        repository = Repository.parse(target)
        if repository.revision is not None:
            raise UsageError(f"{target}: a new commit gets its own name; leave @{repository.revision} out")
        return repository.name
    folder = Path(target)
    if _HUB_NAME.fullmatch(target):
        if folder.parent.is_dir():
            raise UsageError(
                f"{target} could be a folder in {folder.parent} or a name on the hub: write ./{target} or "
                f"{HUB}{target}"
            )
        return target
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already: give a new folder")
    return None


def _terms(model: ModelFolder, stated: str | None) -> str | None:
    """The licence, if the model may be passed on.

    Raises:
        ModelError: It is others', and theirs does not let anybody pass it on.
    """
    about: Mapping[str, Any] | None = model.config.get("published")
    name = stated or (None if about is None else str(about["license"]))
    if about is not None and stated is None and not may_be_published(str(name)):
        found = "states no licence" if name == _UNKNOWN else f"is under {name}"
        raise ModelError(
            f"{model.path} is {about['model']} of others, which {found}: nobody may pass it on, as far as is "
            "known; if you may, say by which licence with --license"
        )
    return name


def _whole(model: ModelFolder, name: str) -> Path:
    """A file of the model, whose bytes are right."""
    file = model.path / name
    if not is_unchanged(file, model.config["files"][name]):
        raise ModelError(f"{file} is not this model's own (its hash differs from {CONFIG}'s)")
    return file


def _measured(model: ModelFolder, report: str | Path) -> Evaluation:
    """A report, which must be of this model."""
    measured = Evaluation.load(report)
    if measured.about.get("model_sha256") != model.fingerprint:
        raise ModelError(
            f"{report} is no report of {model.path} as it is now (of {measured.about['model']}): measure "
            f"again with `lostfound evaluate {model.path} DATASET --to {report}`"
        )
    return measured


def _card(model: ModelFolder) -> tuple[dict[str, Any], str]:
    """The header of the model's own card, and its text."""
    file = model.path / CARD
    if not file.is_file():
        return {}, f"# {model.name}\n\nEstimates where a photo was taken, from its pixels alone.\n"
    text = file.read_text(encoding="utf-8")
    match = _HEADER.match(text)
    if match is None:
        return {}, text
    with refused_as(ModelError, f"{file} has no header that a hub could read"):
        header = yaml.safe_load(match[1])
        if not isinstance(header, dict):
            raise ValueError("it is no YAML mapping")
    return header, text[match.end() :]


def _header(
    header: Mapping[str, Any], model: ModelFolder, terms: str | None, reports: Sequence[Evaluation]
) -> dict[str, Any]:
    """The header with all that hubs ask for, and that is known."""
    about: dict[str, Any] = {**header, **HUB_HEADER}
    about["tags"] = list(dict.fromkeys([*(header.get("tags") or []), *HUB_HEADER["tags"]]))
    if terms is not None:
        about["license"] = terms.casefold()
    if bases := _bases(model):
        about["base_model"] = bases
    own = about.pop("model-index", None) or [{"name": model.config.get("name", model.name), "results": []}]
    results = [*own[0]["results"], *map(hub_result, reports)]
    return {**about, "model-index": [{**own[0], "results": results}]} if results else about


def _bases(model: ModelFolder) -> list[str]:
    """The repositories of the hub that a converted model was made of."""
    sources = model.config.get("published", {}).get("sources", [])
    return [each["source"] for each in sources if each["revision"] and "/" in each["source"]]


def _as_text(header: Mapping[str, Any], text: str, place: str | None) -> bytes:
    front = yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True)
    if place is not None and place not in text:
        text = (
            f"{text.rstrip()}\n\n## How to use it\n\n```sh\npip install 'lostfound[hub]'\n"
            f"lostfound locate photo.jpg --model {place}\n```\n"
        )
    return f"---\n{front}---\n{text}".encode()


def _copy(files: Mapping[str, Path | bytes], to: Path) -> None:
    """Write the files into a new folder, whole or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as work:
        folder = Path(work) / "model"
        folder.mkdir()
        for name, data in files.items():
            if isinstance(data, bytes):
                write_atomic(folder / name, data)
            else:
                shutil.copyfile(data, folder / name)
        if to.is_dir():
            to.rmdir()
        folder.rename(to)
