"""Models of the hub: their copy in the cache, checked by the hashes that its own config.json holds."""

from __future__ import annotations

from pathlib import Path

from lostfound import hub
from lostfound.download import resolve_weights
from lostfound.errors import ModelError
from lostfound.files import is_unchanged
from lostfound.hub import Repository, is_on_hub
from lostfound.predict.model_folder import CARD, CONFIG, NOT_FOR_ANSWERS, read_config


def downloaded(model: str | Path, *, whole: bool = False) -> Path:
    """The folder of the hub's cache that holds a model, downloaded once; all of one commit.

    Args:
        model: hf://OWNER/NAME or hf://OWNER/NAME@REVISION.
        whole: Also what answers don't need: what trains on, and what makes galleries.

    Raises:
        UsageError: It is no such name.
        ModelError: It can't be had, is no model of ours, or other bytes came than its `config.json` names.
        MissingExtraError: huggingface_hub is not installed.
    """
    config, repository = hub.first_file(Repository.parse(model), CONFIG)
    hub.optional_file(repository, CARD)
    for name, sha256 in read_config(config.parent)["files"].items():
        if whole or name not in NOT_FOR_ANSWERS:
            _check(repository, name, str(sha256))
    return config.parent


def whole_folder(model: str | Path) -> Path:
    """A model's folder with all that belongs to it: itself, or the whole copy of one on the hub."""
    return downloaded(model, whole=True) if is_on_hub(model) else Path(model)


def local_weights(weights: str | None) -> str | None:
    """Weights as a user names them: of an address the file here, of a model on the hub its folder here."""
    if weights is not None and is_on_hub(weights):
        return str(whole_folder(weights))
    return resolve_weights(weights)


def _check(repository: Repository, name: str, sha256: str) -> None:
    """Have a file whose bytes are right: if those in the cache are not, they are fetched anew."""
    was_here = hub.is_cached(repository, name)
    file = hub.file_of(repository, name)
    if was_here and not is_unchanged(file, sha256):
        file = hub.file_of(repository, name, again=True)
    if not is_unchanged(file, sha256):
        hub.discard(file)
        raise ModelError(
            f"{repository}: {name} is not this model's own (its hash differs from {CONFIG}'s), and was "
            "removed: whoever published it must publish it whole"
        )
