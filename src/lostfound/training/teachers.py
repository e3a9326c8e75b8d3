"""Finished models whose answers a network learns beside the labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lostfound.errors import RecipeError
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
        self._teachers: list[tuple[nn.Module, nn.Module, Tensor]] = []
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
            network = load_network(model).eval().requires_grad_(False)
            self._teachers.append((network, network.head, torch.tensor(own)))
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
        total: Tensor | float = 0.0
        for network, head, own in self._teachers:
            network.to(images.device)
            own = own.to(images.device)
            features = network.embed(images.flatten(0, 1))  # type: ignore[operator]
            logits = mean_outputs(head, features.reshape(*images.shape[:2], -1)).float()
            chosen = logits[:, own.clamp(min=0)].masked_fill(own < 0, -torch.inf)
            total = total + chosen.softmax(dim=1)
        assert isinstance(total, Tensor)
        return total / len(self._teachers)
