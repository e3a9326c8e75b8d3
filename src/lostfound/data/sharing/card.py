"""The card of a published data set."""

from __future__ import annotations

from collections import Counter

import yaml

from lostfound.data.dataset import Dataset
from lostfound.data.records import counts

HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def dataset_card(dataset: Dataset, files: dict[str, list[str]], unknown_as: str | None) -> str:
    """The README: a YAML header that the Hub reads, then what people should know.

    Args:
        dataset: What is published.
        files: The Parquet files of each of the Hub's splits.
        unknown_as: The licence of images that state none.
    """
    licenses = Counter(name or unknown_as for name in dataset.records["license"].to_pylist())
    only = next(iter(licenses)) if len(licenses) == 1 else None
    header = {
        "license": "other" if only is None else str(only).casefold(),
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
    rows = counts(dataset.records, "split")
    countries = counts(dataset.records, "country")
    top = ", ".join(f"{name} {count}" for name, count in list(countries.items())[:10])
    tables = [f"| {name} | {rows.get(own, 0)} |" for own, name in HUB_SPLITS.items()]
    sources = [f"| {name} | {count} |" for name, count in counts(dataset.records, "source").items()]
    terms = [f"| {name} | {count} |" for name, count in licenses.most_common()]
    return "\n".join(
        [
            "---",
            yaml.safe_dump(header, sort_keys=False, allow_unicode=True).rstrip(),
            "---",
            f"# {dataset.name}",
            "",
            f"{len(dataset)} images with the places where they were taken, made with `lostfound`. Shorter "
            f"side at most {dataset.info['settings']['size']} pixels; camera metadata was removed.",
            "",
            "| split | images |",
            "|---|---|",
            *tables,
            "",
            "Splits are by place: no place sits in two of them, nor do near-duplicates.",
            "",
            f"{len(countries)} countries; most images: {top}.",
            "",
            "| source | images |",
            "|---|---|",
            *sources,
            "",
            "| licence | images |",
            "|---|---|",
            *terms,
            "",
            "Coordinates are degrees (WGS 84); `country` is ISO 3166-1 alpha-2; what is not known is null. "
            "`sha256` is the hash of the image's bytes.",
            "",
            "## What it is not for",
            "",
            "Images of places show people's surroundings. Don't use them to find out where somebody lives or "
            "is who has not asked to be found, and remove images that somebody asks you to.",
            "",
        ]
    )


def _size_category(n: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for bound, name in bounds if n < bound), "1M<n<10M")
