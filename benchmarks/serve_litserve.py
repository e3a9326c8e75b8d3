"""LitServe with the starter's graph: what a user would write, with batches. Started by benchmarks/serve.py.

It decodes with our preprocessing and gives the five largest outputs: no radii, no abstention, no names.
"""

import argparse
import os

import litserve
import numpy as np
import onnxruntime

from lostfound.predict.model_folder import STARTER, ModelFolder


class Api(litserve.LitAPI):
    """From a JPEG's bytes to the best classes."""

    def setup(self, device):  # noqa: ARG002
        """In each worker."""
        model = ModelFolder.open(STARTER)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["BENCH_THREADS"])
        self.preprocessing = model.preprocessing
        self.session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        """The photo of a form."""
        return self.preprocessing(request["photos"].file.read())

    def batch(self, inputs):
        """One array."""
        return np.stack(inputs)

    def predict(self, images):
        """The network."""
        images = images if images.ndim == 4 else images[None]
        return self.session.run(["outputs"], {"images": images})[0]

    def unbatch(self, outputs):
        """One by one."""
        return list(outputs)

    def encode_response(self, output):
        """The five best."""
        output = output.reshape(-1)
        best = np.argsort(-output)[:5]
        return {"classes": best.tolist(), "scores": output[best].tolist()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    given = parser.parse_args()
    os.environ["BENCH_THREADS"] = str(given.threads)  # for the workers
    settings = {} if given.batch == 1 else {"max_batch_size": given.batch, "batch_timeout": 0.005}
    server = litserve.LitServer(Api(**settings), accelerator="cpu", workers_per_device=given.workers)
    server.run(port=given.port, host="127.0.0.1", generate_client_file=False, log_level="error")
