"""Publishing a data set in the form of the Hugging Face Hub: Parquet files and a data card."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lostfound.data.dataset import Dataset
from lostfound.data.records import SCHEMA, SPLITS, strings
from lostfound.data.sharing.card import HUB_SPLITS, dataset_card
from lostfound.data.writing import writing
from lostfound.errors import DatasetError, UsageError
from lostfound.files import cache_folder, digest, remove_partials, write_atomic
from lostfound.hub import upload
from lostfound.progress import Advance, progress

HUB = "hf://datasets/"
_ROWS = 100  # a row group, which a viewer reads at once
_FILE_BYTES = 400_000_000
_FILE = re.compile(rf"({'|'.join(HUB_SPLITS.values())})-\d{{5}}-of-\d{{5}}\.parquet")
_LEFT_OUT = frozenset({"shard", "offset", "split"})

# Licences that let anyone pass a work on, changed (here: made smaller) and unchanged; so not those with ND.
_OPEN = re.compile(
    r"(cc0|cc-by(-nc)?(-sa)?|public[- ]domain|pddl|odc-by|odbl|mit|apache|bsd(-[23]-clause)?)"
    r"([- ]?v?\d+(\.\d+)*)?"
)


def publish(
    dataset: Dataset,
    target: str,
    *,
    licenses: Collection[str] = (),
    unknown_as: str | None = None,
    leave_out: bool = False,
    public: bool = False,
) -> tuple[str, int]:
    """Write a data set as Parquet files with a data card, into a folder or onto the Hugging Face Hub.

    Ordinary readers of Parquet and `datasets.load_dataset` read it; splits become the Hub's train, validation
    and test. Images are published only under a licence that lets anyone pass them on, resized.

    Args:
        dataset: What to publish.
        target: A new folder, or "hf://datasets/OWNER/NAME".
        licenses: Licences that are taken to allow publication, beside those known to.
        unknown_as: The licence of images that state none; they are refused if None.
        leave_out: Publish the other images where some may not be published.
        public: Whether anybody may see it on the Hub.

    Returns:
        Where it is, and how many images were published.

    Raises:
        DatasetError: Images whose licence is unknown or forbids publication; the message counts them by
            licence and source. Or the data set is damaged.
        UsageError: The target exists, or is no name on the Hub; or the folder beside it in which it is made
            holds what no publication wrote.
        MissingExtraError: Publishing onto the Hub needs huggingface_hub.
    """
    allowed = _allowed(dataset, licenses, unknown_as)
    if not allowed.all() and not (leave_out and allowed.any()):
        raise DatasetError(_refusal(dataset, allowed))
    chosen = dataset.with_records(dataset.records.filter(pa.array(allowed)))
    if target.startswith("hf://"):
        return _upload(chosen, target, unknown_as, public), len(chosen)
    folder = Path(target)
    if folder.exists() and (not folder.is_dir() or any(each.name != ".lock" for each in folder.iterdir())):
        raise UsageError(f"{folder} is there already: give a new folder")
    partial = folder.resolve().with_name(f".{folder.resolve().name}.partial")
    _refuse_others(partial)
    with writing(partial):
        _write(chosen, partial, unknown_as)
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    return str(folder), len(chosen)


def may_be_published(license_name: str) -> bool:
    """Does a licence, by its usual short name, let anyone pass an image on?"""
    return (
        _OPEN.fullmatch(license_name.strip().casefold().replace("_", "-").replace("cc by", "cc-by"))
        is not None
    )


def _allowed(
    dataset: Dataset, licenses: Collection[str], unknown_as: str | None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    stated = {name.casefold() for name in licenses}

    def check(name: str | None) -> bool:
        name = name or unknown_as
        return name is not None and (name.casefold() in stated or may_be_published(name))

    names = strings(dataset.records, "license")
    verdict = {name: check(name) for name in set(names)}
    return np.array([verdict[name] for name in names], dtype=bool)


def _refusal(dataset: Dataset, allowed: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    refused = dataset.records.filter(pa.array(~allowed))
    found = Counter(zip(refused["license"].to_pylist(), refused["source"].to_pylist(), strict=True))
    ids: dict[Any, list[str]] = defaultdict(list)
    for row in refused.select(["license", "source", "image_id"]).to_pylist():
        if len(own := ids[row["license"], row["source"]]) < 3:
            own.append(row["image_id"])
    lines = [
        f"  {count} of {source}: {f'licence {name!r}' if name else 'no licence known'} "
        f"({', '.join(ids[name, source])}{', ...' if count > 3 else ''})"
        for (name, source), count in found.most_common()
    ]
    return (
        f"{refused.num_rows} of {len(dataset)} images may not be published, as far as is known:\n"
        + "\n".join(lines)
        + "\nSay under which licence those without one are with --unknown-license, name a licence that "
        "allows it with --allow-license, or leave these images out with --leave-out"
    )


def _write(dataset: Dataset, folder: Path, unknown_as: str | None) -> None:
    _clear(folder)
    (folder / "data").mkdir(parents=True)
    split = strings(dataset.records, "split")
    files: dict[str, list[str]] = {}
    with progress("Publishing", len(dataset)) as advance:
        for name in SPLITS:
            part = dataset.with_records(dataset.records.filter(pa.array(split == name)))
            if len(part):
                files[HUB_SPLITS[name]] = _write_split(part, folder, HUB_SPLITS[name], unknown_as, advance)
    write_atomic(folder / "README.md", dataset_card(dataset, files, unknown_as).encode())


def _refuse_others(folder: Path) -> None:
    """Refuse to clear a folder of which not all is a publication's that was killed."""
    parts = folder / "data"
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(name for name in names - {"data", "README.md", ".lock"} if not name.endswith(".partial"))
    others += (
        [path.name for path in parts.iterdir() if not _FILE.fullmatch(path.name)] if parts.is_dir() else []
    )
    if others or ("README.md" in names and "data" not in names):
        raise UsageError(
            f"{folder} holds something else than a publication ({(others or ['README.md'])[0]}): move it "
            "away, or give another folder"
        )


def _clear(folder: Path) -> None:
    """Remove what a publication that was killed left."""
    if (folder / "data").is_dir():
        for file in list((folder / "data").iterdir()):
            if _FILE.fullmatch(file.name):
                file.unlink()
        (folder / "data").rmdir()
    remove_partials(folder)


def _write_split(
    dataset: Dataset, folder: Path, name: str, unknown_as: str | None, advance: Advance
) -> list[str]:
    """The Parquet files of one split; names them."""
    total = int(np.sum(dataset.records["size"].to_numpy()))
    number = max(1, -(-total // _FILE_BYTES))
    bounds = np.linspace(0, len(dataset), number + 1).astype(int).tolist()
    columns = [each for each in SCHEMA.names if each not in _LEFT_OUT]
    image = pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    schema = pa.schema([image, *(SCHEMA.field(each) for each in columns)], metadata=_features(columns))
    names = []
    for index in range(number):
        names.append(f"data/{name}-{index:05d}-of-{number:05d}.parquet")
        with pq.ParquetWriter(folder / names[-1], schema, compression="zstd") as writer:
            for start in range(bounds[index], bounds[index + 1], _ROWS):
                stop = min(start + _ROWS, bounds[index + 1])
                rows = dataset.records.slice(start, stop - start).select(columns).to_pylist()
                for row, each in zip(rows, range(start, stop), strict=True):
                    row["image"] = {"bytes": dataset.read(each), "path": f"{row['image_id']}.jpg"}
                    row["license"] = row["license"] or unknown_as
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                advance(stop - start)
    return names


def _features(columns: list[str]) -> dict[str, str]:
    """What tells `datasets` that the column is an image."""
    types = {each: {"_type": "Value", "dtype": str(SCHEMA.field(each).type)} for each in columns}
    types = {
        name: {**value, "dtype": _DTYPES.get(value["dtype"], value["dtype"])} for name, value in types.items()
    }
    return {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}, **types}}})}


_DTYPES = {"float": "float32", "double": "float64"}


def _upload(dataset: Dataset, target: str, unknown_as: str | None, public: bool) -> str:
    name = target.removeprefix(HUB).strip("/")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise UsageError(f"{target} is no data set's name on the Hub: give {HUB}OWNER/NAME")
    key = digest(f"{dataset.info['records_sha256']}:{len(dataset)}:{unknown_as}".encode())[:16]
    staged = cache_folder() / "publish" / key
    with writing(staged):
        if not (staged / "README.md").is_file():  # the card is written last
            _write(dataset, staged, unknown_as)
        files = {
            each.relative_to(staged).as_posix(): each
            for each in sorted(staged.rglob("*"))
            if each.is_file() and each.name != ".lock"
        }
        upload(name, files, kind="dataset", public=public, error=DatasetError)
    _clear(staged)
    (staged / "README.md").unlink()
    staged.rmdir()
    return f"https://huggingface.co/datasets/{name}"
