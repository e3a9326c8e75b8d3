"""What `lostfound bench` prints: a table that can be pasted into an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lostfound.cli.common import show

if TYPE_CHECKING:
    from lostfound.predict.bench import Bench


def print_bench(found: Bench) -> None:
    """Print what was measured, and on what."""
    about = found.about
    height, width = about["input"]
    size = f"{about['model_bytes'] / 1e6:.1f} MB"
    show(f"{about['model']} ({size}, {width}x{height} pixels), {about['precision']}, {about['provider']}")
    show(f"{about['processor']}, {about['cores']} cores, load {about['load'] or 0:.1f}; {about['photos']}")
    show(f"Devices that this ONNX Runtime knows: {', '.join(about['devices'])}")
    show(", ".join(f"{name} {each}" for name, each in about["versions"].items()) + "\n")
    rows = [
        ("one photo, a new process", f"{found.cold_s:.2f} s"),
        ("opening the model", f"{found.open_ms:.0f} ms"),
        ("one photo, the model open", f"{found.one_ms:.1f} ms"),
        *((f"{name}, a photo", f"{value:.2f} ms") for name, value in found.parts_ms.items()),
        *((f"network, batches of {size}", f"{rate:.0f} photos/s") for size, rate in found.batches.items()),
        ("files to answers", f"{found.photos_per_second:.0f} photos/s"),
        ("... of what the bare graph does", f"{found.network_share:.0%}"),
    ]
    wide = max(len(name) for name, _ in rows)
    show(f"| {'what':{wide}} | measured |\n|{'-' * (wide + 2)}|---|")
    for name, value in rows:
        show(f"| {name:{wide}} | {value} |")
