"""What goes wrong in a training, and what is said of it."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.multiprocessing.spawn import ProcessRaisedException

from lostfound.errors import ImageError, LostFoundError, RecipeError
from lostfound.training.error_messages import explain, training_errors

FOLDER = Path("model/run")
TRACEBACK = (
    'Caught {0} in process 1.\nTraceback (most recent call last):\n  File "x.py", line 3\n    f()\n{1}\n'
)


def of_worker(kind: type[Exception], last_line: str) -> Exception:
    """An error as a worker process hands it over."""
    return kind(TRACEBACK.format(kind.__name__, last_line))


@pytest.mark.parametrize(
    ("error", "kind", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), LostFoundError, "lower trainer.batch_size"),
        (RuntimeError("MPS backend out of memory"), LostFoundError, "trainer.accumulate=2"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:130] . DefaultCPUAllocator: can't allocate memory"),
            LostFoundError,
            "ran out of memory: lower trainer.batch_size",
        ),
        (MemoryError(), LostFoundError, "input.size"),
        (of_worker(MemoryError, "MemoryError: Unable to allocate 9 GiB"), LostFoundError, "out of memory"),
        (
            ProcessRaisedException(
                TRACEBACK.format("", "torch.OutOfMemoryError: CUDA out of memory"), 1, 77
            ),
            LostFoundError,
            "out of memory",
        ),
        (
            RuntimeError("DataLoader worker (pid(s) 77) exited unexpectedly"),
            LostFoundError,
            r"ended from outside.*\(pid\(s\) 77\).*lower trainer.workers",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), LostFoundError, "No space left on device; mend"),
        (
            ProcessRaisedException(
                TRACEBACK.format("", "OSError: [Errno 28] No space left on device: 'last.ckpt'"), 0, 77
            ),
            LostFoundError,
            "No space left on device.*--resume",
        ),
        (LostFoundError("the loss became nan"), LostFoundError, "^the loss became nan$"),
        (
            of_worker(ImageError, "lostfound.errors.ImageError: cat.jpg: damaged image"),
            ImageError,
            r"^cat\.jpg: damaged image$",
        ),
        (
            ProcessRaisedException(
                TRACEBACK.format("", "lostfound.errors.RecipeError: recipe x:\n  input.size: wrong"), 0, 77
            ),
            RecipeError,
            r"^recipe x:\n  input\.size: wrong$",
        ),
    ],
)  # fmt: skip
def test_an_error_is_said_in_this_packages_words(
    error: Exception, kind: type[Exception], expected: str
) -> None:
    found = explain(error, FOLDER)
    assert type(found) is kind
    with pytest.raises(kind, match=f"(?s){expected}"):
        raise found


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("mat1 and mat2 shapes"), KeyError("x")])
def test_an_error_nothing_is_known_of_is_left_as_it_is(error: Exception) -> None:
    assert explain(error, FOLDER) is error


LIMITED = """
import resource
from pathlib import Path
from lostfound.cli import main
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29,) * 2)
main()
"""


@pytest.mark.slow
def test_too_little_memory_names_the_settings_to_lower(
    begin: Callable[..., Any], dataset_folder: Path, tmp_path: Path
) -> None:
    """Through the command line, with less memory than one batch needs."""
    changes = ["task.min_images=2", "trainer.device=cpu", "trainer.workers=0", "input.size=[1024, 1024]"]
    options = [part for each in changes for part in ("--set", each)]
    to = tmp_path / "model"
    (tmp_path / "limited.py").write_text(LIMITED)
    running = begin(
        *("train", "demo", "--data", dataset_folder, "--to", to, *options), script=tmp_path / "limited.py"
    )
    _, said = running.communicate(timeout=300)
    assert running.returncode == 1
    assert "ran out of memory: lower trainer.batch_size" in said
    assert "Traceback" not in said


# --- Ctrl-C


def interrupted_while_loading() -> None:
    """The workers get Ctrl-C too, and that they are gone is found out on the way out of it."""
    try:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("DataLoader worker (pid 7) exited unexpectedly")
    except RuntimeError as error:
        raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly") from error


def test_what_goes_wrong_on_the_way_out_of_ctrl_c_is_ctrl_c(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), training_errors(tmp_path):
        interrupted_while_loading()
    assert signal.getsignal(signal.SIGINT) is before


def full_memory() -> None:
    raise MemoryError


def test_a_ctrl_c_before_the_training_is_not_the_trainings(tmp_path: Path) -> None:
    """As of a script that tries again."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(LostFoundError, match="ran out of memory"), training_errors(tmp_path):
            full_memory()
