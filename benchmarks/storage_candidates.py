# ruff: noqa: D102 - the methods are described once, in Store
"""The nine ways to store images that `storage.py` measures, and the images it stores in them.

Libraries are imported where they are used, by name, so that a measured process loads only its own.
"""

import hashlib
import io
import itertools
import os
import random
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

SEED = 7
SHARD = 10_000  # images in a file, for every candidate that shards
ROWS = 100  # images in a Parquet row group or an Arrow record batch: what `datasets` writes for images
BASES = 400
Images = Iterable[tuple[str, bytes]]


@cache
def textures() -> list[bytes]:
    """BASES noise textures of 256x256 as JPEG: coarse noise blended with fine, at several qualities."""
    image = import_module("PIL.Image")
    source = random.Random(SEED)

    def layer(side: int) -> Any:
        noise = image.frombytes("RGB", (side, side), source.randbytes(side * side * 3))
        return noise.resize((256, 256), image.Resampling.BICUBIC)

    found = []
    for _ in range(BASES):
        buffer = io.BytesIO()
        texture = image.blend(layer(24), layer(256), source.uniform(0.15, 0.35))
        texture.save(buffer, "JPEG", quality=source.randint(70, 85))
        found.append(buffer.getvalue())
    return found


def images(count: int) -> Iterator[tuple[str, bytes]]:
    """Yields (image_id, JPEG bytes): the textures in turn, distinct by a comment of random bytes."""
    source = random.Random(SEED)
    for i in range(count):
        name = f"{i:08x}" + hashlib.sha256(str(i).encode()).hexdigest()[:24]
        comment = source.randbytes(source.randint(32, 2048))
        marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        base = textures()[i % BASES]
        yield name, base[:2] + marker + base[2:]


class Store:
    """One candidate: `write` makes the files, the constructor opens them; images are counted as written."""

    label = ""
    modules: tuple[str, ...] = ()  # imported before the clock starts
    package = "pyarrow"  # what has to be installed to read it
    pattern = "*"  # the data files
    readable = ""
    append = ""
    random_access = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        """Stores the images in an empty folder."""
        raise NotImplementedError

    def read(self, index: int) -> bytes:
        """One image."""
        raise NotImplementedError

    def read_many(self, indices: Sequence[int]) -> list[bytes]:
        """Some images, as a data loader asks for a batch."""
        return [self.read(index) for index in indices]

    def shuffled(self, order: Sequence[int]) -> Iterator[bytes]:
        """The images at these places, one at a time."""
        return map(self.read, order)

    def scan(self) -> Iterator[bytes]:
        """All images in the order they were written."""
        raise NotImplementedError


def shards(pairs: Images, size: int = SHARD) -> Iterator[list[tuple[str, bytes]]]:
    """Cuts the stream into lists of `size`."""
    stream = iter(pairs)
    return iter(lambda: list(itertools.islice(stream, size)), [])


def tables(pairs: Images, size: int) -> Iterator[Any]:
    """Cuts the stream into Arrow tables of `size` rows."""
    pa = import_module("pyarrow")
    for rows in shards(pairs, size):
        names, contents = zip(*rows, strict=True)
        yield pa.table({"image_id": pa.array(names), "image": pa.array(contents, pa.binary())})


class Files(Store):
    """The baseline; listed with `os.scandir`."""

    label = "plain files in 256 folders"
    pattern = "*/*.jpg"
    readable = "everything"
    append = "add a file; a half-written one looks whole"

    def __init__(self, folder: Path) -> None:
        found = ((e.name, e.path) for d in os.scandir(folder) for e in os.scandir(d))
        self.paths = [path for _, path in sorted(found)]

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        for i in range(256):
            (folder / f"{i:02x}").mkdir()
        for name, content in pairs:
            (folder / name[-2:] / f"{name}.jpg").write_bytes(content)

    def read(self, index: int) -> bytes:
        with open(self.paths[index], "rb", buffering=0) as file:  # noqa: PTH123 - faster than a Path
            return file.read()

    def scan(self) -> Iterator[bytes]:
        return map(self.read, range(len(self.paths)))


class TarIndex(Store):
    """Tar shards, and a table with the shard, offset and size of each image: one system call reads one."""

    label = "tar shards + Parquet index"
    modules = ("pyarrow.parquet", "numpy")
    pattern = "*.tar"
    readable = "`tar`, any archive tool, webdataset, a file manager; index: pandas, DuckDB, Polars"
    append = "add shards; cut an unfinished one after its last whole member; the index comes last, by rename"

    def __init__(self, folder: Path) -> None:
        parquet = import_module("pyarrow.parquet")
        # `read_table` would load pyarrow's dataset engine for this: 60 MB and a tenth of a second.
        with parquet.ParquetFile(folder / "records.parquet") as file:
            index = file.read(["shard", "offset", "size"], use_threads=False)
        # Not `to_numpy`: it imports pandas where there is one, 30 MB and 0.14 s.
        from_arrow = import_module("numpy").from_dlpack
        self.shard, self.offset, self.size = (from_arrow(c.combine_chunks()) for c in index.columns)
        paths = sorted(folder.glob(self.pattern))
        self.files = [os.open(path, os.O_RDONLY) for path in paths]
        for number, path in enumerate(paths):
            mine = self.shard == number
            if path.stat().st_size < (self.offset[mine] + self.size[mine]).max():
                raise OSError(f"{path.name} is shorter than its index says")

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        rows: list[tuple[str, int, int, int]] = []
        for number, shard in enumerate(shards(pairs)):
            with tarfile.open(folder / f"{number:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
                for name, content in shard:
                    member = tarfile.TarInfo(f"{name}.jpg")
                    member.size = len(content)
                    rows.append((name, number, tar.offset + tarfile.BLOCKSIZE, member.size))
                    tar.addfile(member, io.BytesIO(content))
        columns = zip(("image_id", "shard", "offset", "size"), zip(*rows, strict=True), strict=True)
        parquet.write_table(pa.table({k: pa.array(v) for k, v in columns}), folder / "part")
        (folder / "part").rename(folder / "records.parquet")

    def read(self, index: int) -> bytes:
        return os.pread(self.files[self.shard[index]], self.size[index], self.offset[index])

    def scan(self) -> Iterator[bytes]:
        return map(self.read, range(len(self.size)))


class WebDataset(Store):
    """Tar shards, streamed."""

    label = "webdataset library on tar shards"
    modules = ("webdataset",)
    package = "webdataset"
    pattern = "*.tar"
    readable = "`tar`, any archive tool, webdataset"
    append = "add shards; a torn shard is found when the reader gets there"
    random_access = False

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        wds = import_module("webdataset")
        with wds.ShardWriter(str(folder / "%05d.tar"), maxcount=SHARD, verbose=0, mtime=0) as writer:
            for name, content in pairs:
                writer.write({"__key__": name, "jpg": content})

    def shuffled(self, order: Sequence[int]) -> Iterator[bytes]:
        pipe = self.pipe(shardshuffle=100, seed=SEED).shuffle(5000, rng=random.Random(SEED))
        return (sample["jpg"] for sample in itertools.islice(pipe, len(order)))

    def pipe(self, **settings: Any) -> Any:
        urls = [str(path) for path in sorted(self.folder.glob(self.pattern))]
        return import_module("webdataset").WebDataset(urls, **settings)

    def scan(self) -> Iterator[bytes]:
        return (sample["jpg"] for sample in self.pipe(shardshuffle=False))


class Parquet(Store):
    """The image is a binary column; one image costs its row group."""

    label = "Parquet in row groups of 100"
    rows = ROWS  # in a row group
    modules = ("pyarrow.parquet",)
    pattern = "*.parquet"
    readable = "pandas, DuckDB, Polars, Spark, `datasets`"
    append = "add shards; an unfinished shard has no footer and is lost whole"

    def __init__(self, folder: Path) -> None:
        parquet = import_module("pyarrow.parquet")
        files = [parquet.ParquetFile(path, pre_buffer=False) for path in sorted(folder.glob(self.pattern))]
        self.groups = [(file, group) for file in files for group in range(file.num_row_groups)]

    @classmethod
    def write(cls, folder: Path, pairs: Images) -> None:
        parquet = import_module("pyarrow.parquet")
        for number, table in enumerate(tables(pairs, SHARD)):
            path = folder / f"{number:05d}.parquet"
            # A JPEG neither compresses nor repeats, so the best settings store it as it is.
            parquet.write_table(table, path, cls.rows, compression="none", use_dictionary=False)

    def group(self, number: int) -> Any:
        file, group = self.groups[number]
        return file.read_row_group(group, columns=["image"], use_threads=False).column(0)

    def read(self, index: int) -> bytes:
        content: bytes = self.group(index // self.rows)[index % self.rows].as_py()
        return content

    def scan(self) -> Iterator[bytes]:
        for number in range(len(self.groups)):
            yield from self.group(number).to_pylist()


class ParquetTens(Parquet):
    """Smaller row groups: less to read for one image, more in the footer."""

    label = "Parquet in row groups of 10"
    rows = 10


class ParquetSingles(Parquet):
    """Each image a row group: the least to read that Parquet can do."""

    label = "Parquet in row groups of 1"
    rows = 1


class Arrow(Store):
    """As Parquet, uncompressed and mapped: an image is copied out of the page cache."""

    label = "memory-mapped Arrow IPC files"
    modules = ("pyarrow",)
    pattern = "*.arrow"
    readable = "pyarrow, Polars, DuckDB with an extension"
    append = "add shards; an unfinished shard has no footer"

    def __init__(self, folder: Path) -> None:
        pa = import_module("pyarrow")
        readers = (pa.ipc.open_file(pa.memory_map(str(path))) for path in sorted(folder.glob(self.pattern)))
        self.chunks = [chunk for reader in readers for chunk in reader.read_all()["image"].chunks]

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        pa = import_module("pyarrow")
        for number, table in enumerate(tables(pairs, SHARD)):
            with pa.ipc.new_file(str(folder / f"{number:05d}.arrow"), table.schema) as writer:
                writer.write_table(table, max_chunksize=ROWS)

    def read(self, index: int) -> bytes:
        content: bytes = self.chunks[index // ROWS][index % ROWS].as_py()
        return content

    def scan(self) -> Iterator[bytes]:
        return (content for chunk in self.chunks for content in chunk.to_pylist())


class HuggingFace(Store):
    """`load_dataset` on the Parquet shards, as a binary column."""

    label = "Hugging Face datasets on Parquet"
    modules = ("datasets",)
    package = "datasets"
    pattern = "*.parquet"
    readable = "as Parquet; the cache by `datasets` and pyarrow"
    append = "add shards; the Arrow cache is then built again whole"

    def __init__(self, folder: Path) -> None:
        hugging_face = import_module("datasets")
        hugging_face.disable_progress_bars()
        files = [str(path) for path in sorted(folder.glob(self.pattern))]
        loaded = hugging_face.load_dataset(
            "parquet", data_files=files, split="train", cache_dir=str(folder / "cache")
        )
        self.rows = loaded.select_columns(["image"])

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        Parquet.write(folder, pairs)
        HuggingFace(folder)  # the first load copies everything into the Arrow cache

    def read(self, index: int) -> bytes:
        content: bytes = self.rows[index]["image"]
        return content

    def read_many(self, indices: Sequence[int]) -> list[bytes]:
        return list(self.rows[list(indices)]["image"])

    def scan(self) -> Iterator[bytes]:
        return (content for rows in self.rows.iter(ROWS) for content in rows["image"])


class Lance(Store):
    """A Lance table, fragments of one shard each."""

    label = "Lance"
    modules = ("lance",)
    package = "pylance"
    pattern = "images.lance/data/*.lance"
    readable = "pylance; DuckDB and Polars by way of it"
    append = "versioned commits: an unfinished write leaves the last version in force"

    def __init__(self, folder: Path) -> None:
        self.rows = import_module("lance").dataset(str(folder / "images.lance"))

    @staticmethod
    def write(folder: Path, pairs: Images) -> None:
        pa, lance = import_module("pyarrow"), import_module("lance")
        # As for Parquet: not compressed. With its default settings Lance reads these images more slowly.
        image = pa.field("image", pa.binary(), metadata={"lance-encoding:compression": "none"})
        schema = pa.schema([pa.field("image_id", pa.string()), image])
        batches = (b for table in tables(pairs, 1000) for b in table.cast(schema).to_batches())
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        lance.write_dataset(reader, str(folder / "images.lance"), max_rows_per_file=SHARD)

    def read(self, index: int) -> bytes:
        return self.read_many([index])[0]

    def read_many(self, indices: Sequence[int]) -> list[bytes]:
        contents: list[bytes] = self.rows.take(list(indices), columns=["image"]).column(0).to_pylist()
        return contents

    def scan(self) -> Iterator[bytes]:
        for batch in self.rows.to_batches(columns=["image"], batch_size=1000):
            yield from batch.column(0).to_pylist()


PARQUETS = (Parquet, ParquetTens, ParquetSingles)
STORES: tuple[type[Store], ...] = (Files, TarIndex, WebDataset, *PARQUETS, Arrow, HuggingFace, Lance)
