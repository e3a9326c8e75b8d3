"""The Hugging Face Hub: what is there by name, its files here, and files of ours there.

Files are kept in the hub's own cache, which other programs share; a revision that is a commit needs no
network once its files are there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from lostfound.errors import LostFoundError, MissingExtraError, ModelError, UsageError
from lostfound.progress import note

HUB = "hf://"
# A path of the system has lost one of the slashes.
_NAME = re.compile(r"hf:/{1,2}([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_COMMIT = re.compile("[0-9a-f]{40}")
_MAIN = "main"

Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class Repository:
    """A repository of models on the hub.

    Attributes:
        name: OWNER/NAME.
        revision: A commit, branch or tag; None for the newest.
    """

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str | Path) -> Self:
        """What hf://OWNER/NAME@REVISION names; one slash less is understood too, as paths lose it.

        Raises:
            UsageError: It is no such name.
        """
        match = _NAME.fullmatch(_plain(text))
        if match is None:
            raise UsageError(
                f"{_plain(text)} is no model's name on the hub: write {HUB}OWNER/NAME or "
                f"{HUB}OWNER/NAME@REVISION"
            )
        return cls(*match.groups())

    @property
    def is_pinned(self) -> bool:
        """Whether it names a commit, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    @property
    def by_hand(self) -> str:
        """The command that puts a copy of it into a folder."""
        revision = f" --revision {self.revision}" if self.revision else ""
        return f"hf download {self.name}{revision} --local-dir FOLDER"

    def __str__(self) -> str:
        return f"{HUB}{self.name}{f'@{self.revision}' if self.revision else ''}"


def is_on_hub(source: str | Path) -> bool:
    """Whether a name is one on the hub, and no path here."""
    return _plain(source).startswith("hf:/")


def cached_repository(folder: Path) -> Repository | None:
    """The repository that a folder of the hub's cache is a copy of; None of any other folder."""
    folder = folder.resolve()
    kept = folder.parent.parent
    if folder.parent.name != "snapshots" or not (kept / "blobs").is_dir():
        return None
    kind, _, name = kept.name.partition("--")
    return Repository(name.replace("--", "/", 1), folder.name) if kind == "models" and name else None


def first_file(repository: Repository, name: str) -> tuple[Path, Repository]:
    """A file of a repository, and the repository at the commit that it is of, for all others.

    Without a network the copy in the cache answers; where the name has no commit, that is said.

    Raises:
        ModelError: There is no such repository, revision or file; or the hub can't be reached, and nothing is
            in the cache.
        MissingExtraError: huggingface_hub is not installed.
    """
    hub = _library()
    kept = hub.try_to_load_from_cache(repository.name, name, revision=repository.revision or _MAIN)
    path = Path(kept) if isinstance(kept, str) else None
    if path is None or not repository.is_pinned:
        try:
            url = hub.hf_hub_url(repository.name, name, revision=repository.revision)
            hub.get_hf_file_metadata(url)  # quick to fail, where a download would try for half a minute
            path = Path(hub.hf_hub_download(repository.name, name, revision=repository.revision))
        except Exception as error:  # of the network, of the account, of the hub
            if path is None or _is_absent(error):
                raise _refusal(repository, error, f"a file {name}") from None
            commit = _commit_of(path)
            note(
                f"{repository}: the hub can't be asked ({_reason(error)}); its copy in the cache is taken, "
                f"at {commit[:12]}"
            )
    return path, replace(repository, revision=_commit_of(path))


def file_of(repository: Repository, name: str, *, again: bool = False) -> Path:
    """A file of a repository at a commit, downloaded once.

    Args:
        repository: At a commit, as `first_file` gives it.
        name: The file's.
        again: Download it anew, since the copy here is damaged.

    Raises:
        ModelError: It can't be had.
    """
    try:
        found = _library().hf_hub_download(
            repository.name, name, revision=repository.revision, force_download=again
        )
    except Exception as error:  # as above
        raise _refusal(repository, error, f"a file {name}") from None
    return Path(found)


def is_cached(repository: Repository, name: str) -> bool:
    """Whether a file of a repository at a commit is here, or known not to exist."""
    return _library().try_to_load_from_cache(repository.name, name, revision=repository.revision) is not None


def optional_file(repository: Repository, name: str) -> None:
    """Download a file of a repository at a commit that it may lack; without a network it is done without."""
    if not is_cached(repository, name):
        hub = _library()
        try:
            hub.get_hf_file_metadata(hub.hf_hub_url(repository.name, name, revision=repository.revision))
        except Exception as error:  # it is not needed
            if not _is_absent(error):
                return
        with suppress(Exception):  # as above; it notes that there is none, too
            hub.hf_hub_download(repository.name, name, revision=repository.revision)


def own_folder(model: str | Path) -> Path:
    """A model's folder that may be changed.

    Raises:
        UsageError: It lies on the hub, or in its cache: others use that copy too.
    """
    repository = Repository.parse(model) if is_on_hub(model) else cached_repository(Path(model))
    if repository is not None:
        raise UsageError(
            f"{repository} is not changed, neither on the hub nor in its cache: get a copy of your own "
            f"(`{repository.by_hand}`), and give that"
        )
    return Path(model)


def discard(file: Path) -> None:
    """Remove a file of the cache, its bytes with it."""
    file.resolve().unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def snapshot(repository: Repository, patterns: Sequence[str]) -> Path:
    """The files of a repository that match some patterns, in one folder of the cache.

    Raises:
        ModelError: They can't be had.
        MissingExtraError: huggingface_hub is not installed.
    """
    hub = _library()
    try:
        found = hub.snapshot_download(
            repository.name, revision=repository.revision, allow_patterns=list(patterns)
        )
    except Exception as error:  # as above
        raise _refusal(repository, error, "what is needed") from None
    return Path(found)


def upload(
    name: str, files: Mapping[str, Path | bytes], *, kind: Kind, public: bool, error: type[LostFoundError]
) -> str:
    """Put files into a repository of the hub, all in one commit, and make it if it is not there.

    What an upload that broke has brought there is not sent again.

    Args:
        name: OWNER/NAME.
        files: What each file of the repository is to hold.
        kind: Of the repository.
        public: Whether anybody may see it; if not, one that is public already is refused.
        error: What is raised where it fails.

    Returns:
        The commit.

    Raises:
        UsageError: The repository is public, and that was not asked for.
        MissingExtraError: huggingface_hub is not installed.
    """
    hub = _library()
    api = hub.HfApi()
    operations = [hub.CommitOperationAdd(path, data) for path, data in files.items()]
    try:
        api.create_repo(name, repo_type=kind, private=not public, exist_ok=True)
        if not public and not api.repo_info(name, repo_type=kind).private:
            raise UsageError(
                f"{name} is there already, and anybody may see it: give --public if that is meant, or "
                "another name"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a model's cells, which are a Parquet file
            made = api.create_commit(
                name, operations, repo_type=kind, commit_message="Published with lostfound"
            )
    except LostFoundError:
        raise
    except Exception as problem:  # as above
        raise error(
            f"{name} could not be uploaded: {_reason(problem)}. The files are kept: mend that (`hf auth "
            "login` logs in) and run the same command again"
        ) from None
    return str(made.oid)


def _plain(source: str | Path) -> str:
    return str(source).replace("\\", "/") if isinstance(source, Path) else source


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError("the hub needs an extra: pip install 'lostfound[hub]'") from None
    return huggingface_hub


def _commit_of(file: Path) -> str:
    """The commit of a file in the cache: snapshots/COMMIT/NAME."""
    return file.parent.name


def _is_absent(error: Exception) -> bool:
    """Whether the hub has answered that there is no such thing, for us."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    if isinstance(error, HFValidationError):
        return True
    if isinstance(error, EntryNotFoundError) and not isinstance(error, FileNotFoundError):
        return True
    return isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403, 404)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def _refusal(repository: Repository, error: Exception, what: str) -> LostFoundError:
    """What to say, and to do, where something can't be had."""
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    if isinstance(error, RevisionNotFoundError):
        return ModelError(f"{repository.name} has no revision {repository.revision} on the hub")
    if isinstance(error, EntryNotFoundError) and _is_absent(error):
        return ModelError(f"{repository} has not {what}: it is another model, or not whole")
    if _is_absent(error):
        return ModelError(
            f"the hub has no {repository.name} that you may see ({_reason(error)}): look at its name; if it "
            "is private, or asks for its terms to be accepted, `hf auth login` logs in"
        )
    return ModelError(
        f"{repository} can't be had from the hub ({_reason(error)}). Where there is a network, download it "
        f"there (`{repository.by_hand}`), bring the folder here, and give that in the name's place"
    )
