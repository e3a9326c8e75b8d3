"""Others' models in small, with random weights, in the forms in which they are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

PLACES = np.array(
    [[48.86, 2.35], [52.52, 13.4], [48.86, 2.35], [35.7, 139.7], [-22.6, 17.1], [40.7, -74.0], [48.86, 2.35]]
)
SIZE = 32


def random_geoclip(given: int = 10, width: int = 12) -> dict[str, torch.Tensor]:
    """The tensors of a release: towers that are narrower than GeoCLIP's."""
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / max(shape[-1], 1) ** 0.5

    tensors = {"logit_scale": torch.tensor(2.0)}
    for branch in range(3):
        prefix = f"location_encoder.LocEnc{branch}."
        tensors[f"{prefix}capsule.0.b"] = draw(8, 2)
        for name, shape in (
            ("capsule.1", (14, 16)),
            ("capsule.3", (14, 14)),
            ("capsule.5", (14, 14)),
            ("head.0", (width, 14)),
        ):
            tensors[f"{prefix}{name}.weight"], tensors[f"{prefix}{name}.bias"] = draw(*shape), draw(shape[0])
    for name, shape in (("0", (given, given)), ("2", (width, given))):
        tensors[f"image_encoder.mlp.{name}.weight"] = draw(*shape)
        tensors[f"image_encoder.mlp.{name}.bias"] = draw(shape[0])
    return tensors


def write_release(folder: Path, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    """A folder as the hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_geoclip() if tensors is None else tensors, folder / "model.safetensors")
    rows = "\n".join(f"{latitude},{longitude}" for latitude, longitude in PLACES.tolist())
    (folder / "coordinates_100K.csv").write_text(f"LAT,LON\n{rows}\n")
    return folder


def tiny_clip(projection: int, vocabulary: int = 20):
    """CLIP with random weights, of two layers."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    vision = {"hidden_size": 24, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    return CLIPModel(
        CLIPConfig(
            projection_dim=projection,
            text_config={
                **text,
                "vocab_size": vocabulary,
                "bos_token_id": 0 if vocabulary == 20 else vocabulary - 2,
                "eos_token_id": 2 if vocabulary == 20 else vocabulary - 1,
                "projection_dim": projection,
            },
            vision_config={**vision, "patch_size": 16, "image_size": SIZE, "projection_dim": projection},
        )
    ).eval()


def write_streetclip(folder: Path, *, pickled: bool = False) -> Path:
    """A CLIP of random weights with a tokenizer that knows single letters, as the hub has it."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{each}</w>" for each in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    clip = tiny_clip(10, vocabulary=len(words))
    with torch.no_grad():
        clip.logit_scale.fill_(2.0)
    clip.save_pretrained(folder)
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    if pickled:
        torch.save(clip.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder


def random_plonk(condition: int = 24, width: int = 16, depth: int = 3) -> dict[str, torch.Tensor]:
    """The tensors of a release: the published names, and a network that is smaller."""
    from lostfound.predict.sphere_flow import FlowShape

    generator = torch.Generator().manual_seed(5)
    found = {}
    for name, shape in FlowShape(condition, width, depth, 4).shapes().items():
        found[name] = torch.randn(shape, generator=generator) / max(shape[-1], 1) ** 0.5
    half = width // 8
    found["time_embedder.encode_time.freqs"] = (1 / 10000) ** (torch.arange(half) / half)
    return found


def write_plonk(folder: Path) -> Path:
    """A folder as the hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_plonk(), folder / "model.safetensors")
    (folder / "config.json").write_text('{"cond_dim": 24, "depth": 3, "dim": 16}')
    return folder


def tiny_dino():
    """DINOv2 with registers and random weights, of pictures of another size than it is used with."""
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    torch.manual_seed(0)
    return Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(
            hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=70, patch_size=14
        )
    ).eval()
