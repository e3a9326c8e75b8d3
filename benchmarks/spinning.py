"""What does it bring that ONNX Runtime's threads don't wait by spinning, alone and beside other work?

    python benchmarks/spinning.py MODEL > benchmarks/results/spinning.md

The same network answers in turns with and without; photos a second, and processor time a photo. The other
work is a process that keeps one core busy.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from machine import machine, versions

from lostfound.predict.model_folder import ModelFolder

TURNS, SECONDS = 3, 3.0


def session(graph: Path, spinning: bool) -> onnxruntime.InferenceSession:
    """The network, on all cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = multiprocessing.cpu_count()
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def measured(network: onnxruntime.InferenceSession, images: np.ndarray) -> tuple[float, float]:
    """Photos a second, and milliseconds of processor a photo."""
    network.run(["outputs"], {"images": images})
    began, used, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < SECONDS:
        network.run(["outputs"], {"images": images})
        time.sleep(0.005)  # as between two batches
        count += len(images)
    return count / (time.perf_counter() - began), 1000 * (time.process_time() - used) / count


def busy() -> None:
    """Keep a core at work."""
    while True:
        pass


def main() -> None:
    """Measure and print a Markdown text."""
    model = ModelFolder.open(Path(sys.argv[1]))
    shape = (8, model.preprocessing.height, model.preprocessing.width, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    networks = {"spinning": session(model.graph, True), "not": session(model.graph, False)}
    rows = []
    for beside in ("nothing", "one busy process"):
        if beside != "nothing":  # it ends with this process
            multiprocessing.get_context("spawn").Process(target=busy, daemon=True).start()
            time.sleep(2)
        for size in (1, 8):
            found = {
                name: np.median([measured(each, images[:size]) for _ in range(TURNS)], axis=0)
                for name, each in networks.items()
            }
            (quick, costs), (quicker, cheaper) = found["spinning"], found["not"]
            rows.append(
                f"| {beside} | {size} | {quick:.1f}, {costs:.1f} ms | {quicker:.1f}, {cheaper:.1f} ms "
                f"| {quicker / quick:.2f} | {cheaper / costs:.2f} |"
            )
    print("# Threads that don't spin\n")
    print(f"`python benchmarks/spinning.py {model.path.name}`")
    print(f"on {machine()}; {versions('onnxruntime')}. Photos a second and processor a photo, medians of")
    print(f"{TURNS} turns of {SECONDS:.0f} s.\n")
    print("| beside it runs | photos a batch | spinning | not spinning | speed | processor |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
