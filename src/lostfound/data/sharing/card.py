"""The card of a published data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml

from lostfound.data.dataset import Dataset
from lostfound.data.records import count_sources, counts

HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def dataset_card(dataset: Dataset, files: dict[str, list[str]], unknown_as: str | None) -> str:
    """The README: a YAML header that the Hub reads, then what people should know.

    Args:
        dataset: What is published.
        files: The Parquet files of each of the Hub's splits.
        unknown_as: The licence of images that state none.
    """
    licenses = Counter(name or unknown_as for name in dataset.records["license"].to_pylist())
    rows, countries = counts(dataset.records, "split"), counts(dataset.records, "country")
    most = ", ".join(f"{name} {count}" for name, count in list(countries.items())[:10])
    return f"""---
{yaml.safe_dump(_header(dataset, files, licenses), sort_keys=False, allow_unicode=True).rstrip()}
---
# {dataset.name}

{len(dataset)} images with the places where they were taken, made with `lostfound`. Shorter \
side at most {dataset.info["settings"]["size"]} pixels; camera metadata was removed.

{_table("split", {name: rows.get(own, 0) for own, name in HUB_SPLITS.items()})}

Splits are by place: no place sits in two of them, nor do near-duplicates.

{len(countries)} countries; most images: {most}.

{_table("source", count_sources(dataset.records))}

{_table("licence", dict(licenses.most_common()))}

Coordinates are degrees (WGS 84); `country` is ISO 3166-1 alpha-2; what is not known is null. \
`sha256` is the hash of the image's bytes.

## What it is not for

Images of places show people's surroundings. Don't use them to find out where somebody lives or \
is who has not asked to be found, and remove images that somebody asks you to.
"""


def _header(
    dataset: Dataset, files: dict[str, list[str]], licenses: Mapping[str | None, int]
) -> dict[str, Any]:
    """What the Hub reads."""
    only = next(iter(licenses)) if len(licenses) == 1 else None
    return {
        "license": "other" if only is None else only.casefold(),
        **({"license_name": "several, see the column license"} if only is None else {}),
        "task_categories": ["image-classification"],
        "tags": ["geolocation", "lostfound"],
        "size_categories": [_size_category(len(dataset))],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": names} for split, names in files.items()],
            }
        ],
    }


def _table(title: str, images: Mapping[Any, int]) -> str:
    rows = [f"| {name} | {count} |" for name, count in images.items()]
    return "\n".join([f"| {title} | images |", "|---|---|", *rows])


def _size_category(n: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for bound, name in bounds if n < bound), "1M<n<10M")
