"""Finished models whose answers a network learns beside the labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lostfound.errors import RecipeError
from lostfound.models.network import Network
from lostfound.models.weights import SAME_EVERYWHERE, load_network
from lostfound.partitions import Partition
from lostfound.predict.decoders import CellDecoder
from lostfound.predict.model_folder import ModelFolder
from lostfound.predict.model_source import whole_folder
from lostfound.training.tasks.objective import mean_outputs


class Teachers:
    """Models that answer a batch's own images, as the network sees them: changed, cut out and mixed.

    A small network so learns what several, or larger ones, say together (knowledge distillation, Hinton et
    al. 2015); that both see the same pixels is what makes it work (Beyer et al. 2022, "Knowledge
    distillation: A good teacher is patient and consistent"). No part of the network: they are neither
    trained nor kept with it.

    Attributes:
        names: What the models are called.
    """

    def __init__(self, paths: Sequence[str], cells: Partition) -> None:
        """Load the models.

        Args:
            paths: Their folders, or hf://OWNER/NAME.
            cells: What the network tells apart.

        Raises:
            RecipeError: One ranks no cells, cells of another kind, or none of these.
            ModelError: One is incomplete, or was kept without its weights.
        """
        self._teachers: list[_Teacher] = []
        self.names = []
        for path in paths:
            model = ModelFolder.open(whole_folder(path))
            theirs = model.partition
            same = theirs is not None and theirs.kind == cells.kind and cells.kind in SAME_EVERYWHERE
            own = [theirs.numbers.get(each, -1) if theirs and same else -1 for each in cells.cell_ids]
            if not isinstance(model.decoder, CellDecoder) or max(own) < 0:
                raise RecipeError(
                    f"task.teachers: {path} ranks none of the {len(cells)} {cells.kind} to be learnt: "
                    f"give finished models of the same of {', '.join(SAME_EVERYWHERE)}"
                )
            self._teachers.append(_Teacher(load_network(model), torch.tensor(own)))
            self.names.append(model.name)

    @torch.no_grad()
    def answers(self, images: Tensor) -> Tensor:
        """What they make of places together.

        Args:
            images: (n, views, height, width, 3), as the network gets them.

        Returns:
            The mean of their probabilities of the network's cells, (n, cells); those of cells that a teacher
            lacks are 0 for it.
        """
        said = [teacher.to(images.device)(images) for teacher in self._teachers]
        return torch.stack(said).mean(dim=0)


class _Teacher(nn.Module):
    """A finished network's probabilities of other cells than its own.

    Args:
        network: The network.
        numbers: Which of its outputs each of the cells has, (cells,); -1 for none.
    """

    numbers: Tensor

    def __init__(self, network: Network, numbers: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("numbers", numbers)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        features = self.network.embed(images.flatten(0, 1)).reshape(*images.shape[:2], -1)
        logits = mean_outputs(self.network.head, features).float()
        known = logits[:, self.numbers.clamp(min=0)].masked_fill(self.numbers < 0, -torch.inf)
        return known.softmax(dim=1)
