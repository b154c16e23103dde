"""Square products in PyTorch, which are cuBLAS's on a GPU of NVIDIA's, beside those of strait's benchmark `operations`.

    python products_peer.py SIDE... [--device cuda|cpu]

prints a line of JSON for each side and precision (f32, tf32, f16): the median seconds of a product.
"""

import argparse
import json
import statistics
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("sides", type=int, nargs="+")
parser.add_argument("--device", default="cuda")
options = parser.parse_args()
gpu = options.device == "cuda"


def synchronize():
    if gpu:
        torch.cuda.synchronize()


def timed(multiply):
    """The median of ten samples, each long enough for the clock of the GPU to stay up."""
    multiply()
    synchronize()
    start = time.perf_counter()
    multiply()
    synchronize()
    count = max(1, round(0.05 / (time.perf_counter() - start)))
    samples = []
    for _ in range(11):
        start = time.perf_counter()
        for _ in range(count):
            multiply()
        synchronize()
        samples.append((time.perf_counter() - start) / count)
    # The first one warms up.
    return statistics.median(samples[1:])


for side in options.sides:
    for precision in ["f32", "tf32", "f16"] if gpu else ["f32"]:
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        number = torch.float16 if precision == "f16" else torch.float32
        x, w = (torch.rand(side, side, device=options.device, dtype=number) for _ in range(2))
        out = torch.empty_like(x)
        seconds = timed(lambda: torch.matmul(x, w, out=out))
        print(json.dumps({"side": side, "precision": precision, "seconds": seconds}), flush=True)
