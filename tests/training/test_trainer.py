"""The trainer: what a recipe's trainer settings do to a run, and what is kept of it."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lostfound.data.dataset import Dataset
from lostfound.errors import LostFoundError, RecipeError
from lostfound.training.callbacks import Checkpoints
from lostfound.training.error_messages import training_errors
from lostfound.training.recipe import load_recipe
from lostfound.training.run_folder import RunFolder
from lostfound.training.trainer import build_trainer

BATCHES = 4


class Net(nn.Module):
    """Enough of a network: `embed` is what is compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 1)

    def embed(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images)).relu().mean((2, 3))


class Module(lightning.LightningModule):
    """Learns a number of each image; each epoch's score is given."""

    def __init__(self, scores: Sequence[float] = (), rate: float = 0.1, bad_step: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = Net()
        self.scores, self.rate, self.bad_step = scores, rate, bad_step
        self.validated: list[Tensor] = []
        self.after_steps: list[dict[str, Tensor]] = []
        self.layouts: list[bool] = []

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        self.layouts.append(self.network.conv.weight.is_contiguous())
        loss = (self.network.head(self.network.embed(batch)) - batch.mean((1, 2, 3))[:, None]).square().mean()
        if self.bad_step == self.current_epoch * BATCHES + index + 1:
            loss = loss * math.nan
        return loss

    def on_train_batch_end(self, *_: object) -> None:
        self.after_steps.append(state(self.network))

    def validation_step(self, batch: Tensor, _: int) -> None:
        self.validated.append(self.network.head.weight.detach().clone())
        score = self.scores[self.current_epoch] if self.scores else 0.0
        self.log_dict({"val_top_1_accuracy": score, "val_median_distance_km": score, "val_loss": score})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def images(scale: float = 1.0) -> DataLoader[Tensor]:
    data = torch.rand((BATCHES, 6, 3, 5, 5), generator=torch.Generator().manual_seed(1))
    return DataLoader(list(scale * data), batch_size=None)  # type: ignore[arg-type]


def run_of(dataset: Dataset, folder: Path, *overrides: str) -> RunFolder:
    recipe = load_recipe("demo", ["trainer.device=cpu", "trainer.epochs=3", *overrides])
    return RunFolder(folder, recipe, dataset, None)


def trained(
    run: RunFolder, module: Module, monitor: Any = "top_1_accuracy", scale: float = 1.0
) -> tuple[lightning.Trainer, Checkpoints]:
    with training_errors(run.folder):
        trainer, checkpoints = build_trainer(run.recipe, run, monitor)
        last = run.begin(go_on=run.last.is_file())
        trainer.fit(module, images(scale), images(scale), ckpt_path=last, weights_only=True)
    return trainer, checkpoints


def kept(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


# --- the best epoch, and the end


@pytest.mark.parametrize(
    ("monitor", "scores", "patience", "best", "epochs"),
    [
        ("top_1_accuracy", [0.1, 0.5, 0.4, 0.5, 0.3, 0.9], None, 6, 6),
        ("top_1_accuracy", [0.1, 0.5, 0.4, 0.5, 0.3, 0.9], 2, 2, 4),
        ("top_1_accuracy", [0.1, 0.5, 0.4, 0.6, 0.3, 0.9], 2, 6, 6),
        ("median_distance_km", [900.0, 500.0, 600.0, 400.0, 800.0, 700.0], 2, 4, 6),
        ("loss", [3.0, 4.0, 5.0], 1, 1, 2),
        ("top_1_accuracy", [math.nan, 0.2, math.nan], None, 2, 3),
        ("top_1_accuracy", [math.nan, math.nan], None, 1, 2),
    ],
)
def test_the_best_epoch_is_kept_and_a_run_in_vain_ends(
    dataset: Dataset, tmp_path: Path, monitor: str, scores: list[float], patience: int | None, best: int,
    epochs: int,
) -> None:  # fmt: skip
    limit = "null" if patience is None else str(patience)
    run = run_of(dataset, tmp_path, f"trainer.epochs={len(scores)}", f"trainer.patience={limit}")
    trainer, checkpoints = trained(run, Module(scores), monitor)
    assert kept(run.best)["epoch"] + 1 == best
    assert checkpoints.best_score == pytest.approx(scores[best - 1], nan_ok=True)
    assert trainer.current_epoch == epochs
    assert kept(run.last)["epoch"] + 1 == epochs


def test_a_run_that_ended_in_vain_has_no_more_to_do(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path, "trainer.epochs=9", "trainer.patience=2")
    scores = [0.5, 0.4, 0.3, *[0.9] * 6]
    trained(run, Module(scores))
    again = Module(scores)
    _, checkpoints = trained(run, again)
    assert again.after_steps == []
    assert checkpoints.best_score == 0.5


def test_patience_counts_on_after_a_stop(dataset: Dataset, tmp_path: Path) -> None:
    scores = [0.5, 0.4, 0.3, 0.2, 0.1, 0.9]
    short = run_of(dataset, tmp_path, "trainer.epochs=2", "trainer.patience=3")
    trained(short, Module(scores))
    trainer, _ = trained(run_of(dataset, tmp_path, "trainer.epochs=6", "trainer.patience=3"), Module(scores))
    assert trainer.current_epoch == 4


# --- steps


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 4), (2, 2), (3, 2), (9, 1)])
def test_gradients_of_several_batches_make_one_step(
    dataset: Dataset, tmp_path: Path, accumulate: int, steps: int
) -> None:
    """And those left at an epoch's end make one too."""
    run = run_of(dataset, tmp_path, f"trainer.accumulate={accumulate}", "trainer.epochs=2")
    module = Module()
    trainer, _ = trained(run, module)
    assert trainer.global_step == 2 * steps
    heads = [each["head.weight"] for each in module.after_steps[:BATCHES]]
    moved = [not torch.equal(a, b) for a, b in pairwise(heads)]
    assert sum(moved) == (steps if accumulate > 1 else steps - 1)  # the first is seen after it


def test_a_gradient_is_clipped_to_its_largest_norm(dataset: Dataset, tmp_path: Path) -> None:
    """Over all parameters together: at a rate of 1 a step is no longer than that."""
    run = run_of(dataset, tmp_path, "optimizer.gradient_clip=0.01", "trainer.epochs=1")
    module = Module(rate=1.0)
    before = torch.cat([each.detach().clone().flatten() for each in module.network.parameters()])
    trained(run, module, scale=100.0)
    first = module.after_steps[0]
    after = torch.cat([first[name].flatten() for name, _ in module.network.named_parameters()])
    assert float((after - before).norm()) == pytest.approx(0.01, rel=1e-3)


# --- the moving average


def test_the_average_is_validated_and_kept(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path, "trainer.ema=0.5", "trainer.epochs=2")
    module = Module([0.1, 0.2])
    trained(run, module)
    expected = module.after_steps[0]["head.weight"].double()
    averages = [expected]
    for step, each in enumerate(module.after_steps[1:], start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * each["head.weight"].double()
        averages.append(expected)
    ends = [averages[BATCHES - 1], averages[-1]]
    for number, average in enumerate(ends):
        assert torch.allclose(module.validated[number * BATCHES].double(), average, atol=1e-6)
    best = kept(run.best)["state_dict"]
    assert torch.allclose(best["network.head.weight"].double(), ends[1], atol=1e-6)
    assert torch.equal(module.network.head.weight, module.after_steps[-1]["head.weight"])


def test_the_average_of_accumulated_batches_counts_steps(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path, "trainer.ema=0.5", "trainer.accumulate=2", "trainer.epochs=2")
    trained(run, Module())
    assert kept(run.last)["callbacks"]["Average"] == {"step": 4, "averaged": 4}


def test_a_stopped_average_goes_on_exactly(dataset: Dataset, tmp_path: Path) -> None:
    whole = run_of(dataset, tmp_path / "whole", "trainer.ema=0.9", "trainer.epochs=4")
    trained(whole, Module([0.1, 0.2, 0.3, 0.4]))
    for epochs in (2, 4):
        parts = run_of(dataset, tmp_path / "parts", "trainer.ema=0.9", f"trainer.epochs={epochs}")
        trained(parts, Module([0.1, 0.2, 0.3, 0.4]))
    for name in ("state_dict", "weights_to_go_on"):
        one, other = kept(whole.last)[name], kept(parts.last)[name]
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    assert kept(whole.last)["callbacks"] == kept(parts.last)["callbacks"]


# --- layouts, compilation, precision


def test_channels_last_is_for_the_training_alone(dataset: Dataset, tmp_path: Path) -> None:
    plain, last = Module(), Module()
    trained(run_of(dataset, tmp_path / "plain"), plain)
    trained(run_of(dataset, tmp_path / "last", "trainer.channels_last=true"), last)
    assert all(plain.layouts)
    assert not any(last.layouts)
    assert last.network.conv.weight.is_contiguous()
    assert torch.allclose(last.network.conv.weight, plain.network.conv.weight, atol=1e-5)


COMPILED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_trainer import Module, run_of, trained
from lostfound.data.dataset import Dataset
from lostfound.errors import RecipeError
import torch._inductor.config

torch._inductor.config.compile_threads = 1  # no processes of its own, which load torch too
torch._inductor.config.cpp.cxx = (None, {compiler!r})  # as the variable CXX says when torch is loaded
plain, compiled = Module(), Module()
folder = Path({folder!r})
dataset = Dataset.open({dataset!r})
trained(run_of(dataset, folder / "plain", "trainer.epochs=1"), plain)
try:
    trained(run_of(dataset, folder / "compiled", "trainer.epochs=1", "trainer.compile=true"), compiled)
except RecipeError as error:
    print("refused:", error)
else:
    difference = (plain.network.conv.weight - compiled.network.conv.weight).abs().max()
    print("trained:", float(difference) < 1e-5, "embed" in vars(compiled.network))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compiler", "expected"),
    [("g++", "trained: True False"), ("/nowhere/g++", "refused: the network can't be compiled here")],
)
def test_a_network_is_compiled_where_there_is_a_compiler(
    begin: Callable[..., Any], dataset_folder: Path, tmp_path: Path, compiler: str, expected: str
) -> None:
    """What is exported is the plain one."""
    script = tmp_path / "script.py"
    script.write_text(
        COMPILED.format(
            tests=str(Path(__file__).parent),
            folder=str(tmp_path),
            dataset=str(dataset_folder),
            compiler=compiler,
        )
    )
    running = begin(script=script, env={"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}, trains=True)
    said, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    assert said.startswith(expected), said + errors
    if expected.startswith("refused"):
        assert "set trainer.compile=false" in said


def test_bf16_trains_on_the_cpu(dataset: Dataset, tmp_path: Path) -> None:
    module = Module()
    trainer, _ = trained(run_of(dataset, tmp_path, "trainer.precision=bf16-mixed"), module)
    assert trainer.precision == "bf16-mixed"
    assert module.network.conv.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["trainer.precision=16-mixed"], "a CPU has no 16-mixed: take bf16-mixed"),
        (["trainer.device=gpu"], "trainer.device=gpu"),
        (["trainer.device=toaster"], "Available names are"),
        (["trainer.devices=3", "trainer.batch_size=16"], "set trainer.batch_size to a multiple of 3"),
        (["trainer.devices=4", "trainer.batch_size=4"], "with two or more each"),
        (["trainer.devices=2", "model.lock.unlock={2: 0}"], "model.lock.unlock needs a single device"),
    ],
)
def test_what_this_machine_cannot_do_is_said(
    dataset: Dataset, tmp_path: Path, overrides: list[str], expected: str
) -> None:
    run = run_of(dataset, tmp_path, *overrides)
    with pytest.raises(RecipeError, match=expected), training_errors(run.folder):
        build_trainer(run.recipe, run, "top_1_accuracy")


@pytest.mark.parametrize("where", ["train", "validation"])
def test_ctrl_c_while_a_loader_starts_is_ctrl_c(dataset: Dataset, tmp_path: Path, where: str) -> None:
    """There Lightning's own answer to it fails."""

    class Stopped(DataLoader[Tensor]):
        def __iter__(self) -> Any:
            raise KeyboardInterrupt

    stopped = Stopped(images().dataset, batch_size=None)
    loaders = (stopped, images()) if where == "train" else (images(), stopped)
    run = run_of(dataset, tmp_path)
    before = signal.getsignal(signal.SIGINT)

    trainer, _ = build_trainer(run.recipe, run, "top_1_accuracy")

    with pytest.raises(KeyboardInterrupt), training_errors(run.folder):
        trainer.fit(Module(), *loaders)

    assert signal.getsignal(signal.SIGINT) is before


# --- a loss that is no number


def test_a_loss_that_is_no_number_ends_the_run_with_its_step(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path)
    with pytest.raises(LostFoundError) as caught:
        trained(run, Module(bad_step=2 * BATCHES + 2))
    message = str(caught.value)
    assert message.startswith("the loss became nan at step 10 (epoch 3); ")
    assert f"the last good checkpoint, of epoch 2, is {run.last}" in message
    assert "lower optimizer.learning_rate" in message
    assert kept(run.last)["epoch"] == 1
    assert all(torch.isfinite(each).all() for each in kept(run.last)["state_dict"].values())


def test_in_the_first_epoch_there_is_no_good_checkpoint(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path)
    with pytest.raises(LostFoundError, match=r"nan at step 3 \(epoch 1\); no epoch was finished before"):
        trained(run, Module(bad_step=3))
    assert not run.last.exists()
