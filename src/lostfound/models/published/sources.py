"""Where published weights lie: files here, or a snapshot of the hub, if that is asked for by name."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lostfound.errors import ModelError, UsageError
from lostfound.files import file_digest
from lostfound.hub import HUB, Repository, cached_repository, is_on_hub, snapshot


@dataclass
class ModelSource:
    """What a model is made of.

    Attributes:
        folder: Where its files lie.
        name: What the user gave: a path's last part, or a name on the hub.
        revision: Of a snapshot of the hub; None of files here.
        used: The SHA-256 of each file that was read, by its path below the folder.
    """

    folder: Path
    name: str
    revision: str | None = None
    used: dict[str, str] = field(default_factory=dict)

    def find(self, *names: str) -> Path | None:
        """The first of some files that is there, in the folder or below it; it counts as used."""
        for name in names:
            direct = self.folder / name
            found = [direct] if direct.is_file() else sorted(self.folder.rglob(name))
            if found:
                self.used[found[0].relative_to(self.folder).as_posix()] = file_digest(found[0])
                return found[0]
        return None

    def need(self, what: str, *names: str) -> Path:
        """The first of some files that is there.

        Raises:
            ModelError: None is.
        """
        found = self.find(*names)
        if found is None:
            raise ModelError(
                f"{self.name} has no {what} (looked for {', '.join(names)}): give the whole folder"
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """What a model folder keeps of it."""
        return {
            "source": self.name,
            "revision": self.revision,
            "files_sha256": dict(sorted(self.used.items())),
        }


@contextmanager
def opened(source: str, what: str, patterns: Sequence[str]) -> Iterator[ModelSource]:
    """A source, opened for reading.

    Args:
        source: A folder, a wheel, a file of weights, or hf://OWNER/NAME@REVISION.
        what: What it is to be, for messages.
        patterns: Of the files that are needed of a snapshot.

    Raises:
        UsageError: There is no such file or folder.
        ModelError: The hub can't be reached, or has no such model.
        MissingExtraError: The hub needs an extra.
    """
    if is_on_hub(source):
        yield _snapshot(source, patterns)
        return
    path = Path(source)
    if path.is_dir():
        yield ModelSource(path, path.resolve().name)
    elif path.suffix == ".whl" and zipfile.is_zipfile(path):
        with TemporaryDirectory() as folder, zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)  # Python's own leaves no folder
            yield ModelSource(Path(folder), path.name)
    elif path.is_file():
        yield ModelSource(path.parent, path.name)
    else:
        raise UsageError(
            f"{source} does not exist: give the folder of {what}, or {HUB}OWNER/NAME to download it"
        )


def _snapshot(source: str, patterns: Sequence[str]) -> ModelSource:
    repository = Repository.parse(source)
    folder = snapshot(repository, patterns)
    cached = cached_repository(folder)
    return ModelSource(folder, repository.name, cached.revision if cached else repository.revision)


@dataclass(frozen=True)
class License:
    """Under which terms weights are.

    Attributes:
        name: By its SPDX name.
        commercial: Whether they allow commercial use.
    """

    name: str
    commercial: bool

    def as_dict(self) -> Mapping[str, Any]:
        """As a model folder keeps it."""
        return {"license": self.name, "commercial_use": self.commercial}


MIT = License("MIT", commercial=True)
