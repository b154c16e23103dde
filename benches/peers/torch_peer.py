"""The same work as strait's training benchmarks, in PyTorch.

    python torch_peer.py WORK IMAGES REPETITIONS DATA [--mode eager|compile|graphs] [--precision f32|tf32|bf16|f16]
                         [--device cpu|cuda] [--threads N]

prints one line of JSON with the seconds of each repetition and the last loss. WORK is `cd-VISIBLExHIDDEN`,
`adam-BATCH` or `encode`.
"""

import argparse
import contextlib
import gzip
import json
import time

import numpy as np
import torch
import torch.nn.functional as F

SIZES = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]

parser = argparse.ArgumentParser()
parser.add_argument("work")
parser.add_argument("images", type=int)
parser.add_argument("repetitions", type=int)
parser.add_argument("data")
parser.add_argument("--mode", choices=["eager", "compile", "graphs"], default="eager")
parser.add_argument("--precision", choices=["f32", "tf32", "bf16", "f16"], default="f32")
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int)
options = parser.parse_args()

if options.threads:
    torch.set_num_threads(options.threads)
torch.manual_seed(2006)
device = torch.device(options.device)
torch.set_float32_matmul_precision("high" if options.precision == "tf32" else "highest")
half = {"bf16": torch.bfloat16, "f16": torch.float16}.get(options.precision)


def autocast():
    return torch.autocast(device.type, dtype=half) if half else contextlib.nullcontext()


def rows(count, width):
    """The first images of MNIST's training set, or for other widths the pattern that strait's benchmarks use."""
    if width == 784:
        with gzip.open(f"{options.data}/train-images-idx3-ubyte.gz") as file:
            values = np.frombuffer(file.read(), np.uint8, offset=16)[: count * width].reshape(count, width)
    else:
        row, column = np.arange(count)[:, None], np.arange(width)[None, :]
        values = (row * 7919 + column * 104729) % 251
    return torch.tensor(values, dtype=torch.float32, device=device) / 255


def synchronize():
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(epoch):
    """Runs the epoch once to warm up and then as often as asked; gives the seconds and the last loss."""
    seconds = []
    for _ in range(options.repetitions + 1):
        synchronize()
        start = time.perf_counter()
        loss = float(epoch())
        synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds[1:], loss


def captured(step, batch, width):
    """A step as a CUDA graph that reads its minibatch from one place."""
    place = torch.zeros(batch, width, device=device)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(place)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step(place)

    def replay(x):
        place.copy_(x)
        graph.replay()
        return result

    return replay


def prepared(step, batch, width):
    if options.mode == "compile":
        return torch.compile(step, dynamic=False)
    if options.mode == "graphs":
        return captured(step, batch, width)
    return step


def contrastive_divergence(visible, hidden):
    data = rows(options.images, visible).split(100)
    w = torch.randn(visible, hidden, device=device) * 0.1
    a, b = torch.zeros(visible, device=device), torch.zeros(hidden, device=device)
    vw, va, vb = torch.zeros_like(w), torch.zeros_like(a), torch.zeros_like(b)

    @torch.no_grad()
    def step(v0):
        with autocast():
            h0 = torch.sigmoid(torch.addmm(b, v0, w)).float()
            drawn = (torch.rand_like(h0) < h0).float()
            v1 = torch.sigmoid(torch.addmm(a, drawn, w.T)).float()
            h1 = torch.sigmoid(torch.addmm(b, v1, w)).float()
            # One product with the negative phase below the positive one.
            gradient = torch.cat([v0, -v1]).T @ torch.cat([h0, h1])
        vw.mul_(0.5).add_(gradient.float() / len(v0) - 0.0002 * w, alpha=0.1)
        va.mul_(0.5).add_((v0 - v1).mean(0), alpha=0.1)
        vb.mul_(0.5).add_((h0 - h1).mean(0), alpha=0.1)
        w.add_(vw)
        a.add_(va)
        b.add_(vb)
        return (v0 - v1).square().sum()

    step = prepared(step, 100, visible)
    return timed(lambda: sum(step(v) for v in data) / options.images)


def network(sizes):
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(torch.nn.Linear(inputs, outputs))
        torch.nn.init.xavier_uniform_(layers[-1].weight)
        torch.nn.init.zeros_(layers[-1].bias)
        if i != 3 and i != 7:
            layers.append(torch.nn.Sigmoid())
    return torch.nn.Sequential(*layers).to(device)


def adam(batch):
    data = rows(options.images, 784)
    net = network(SIZES)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True, capturable=options.mode == "graphs")

    def step(x):
        with autocast():
            z = net(x)
        loss = F.binary_cross_entropy_with_logits(z.float(), x, reduction="sum")
        optimizer.zero_grad(set_to_none=options.mode != "graphs")
        (loss / len(x)).backward()
        optimizer.step()
        return loss.detach()

    step = prepared(step, batch, 784)

    def epoch():
        order = torch.randperm(len(data), device=device)
        return sum(step(data[chosen]) for chosen in order.split(batch)) / len(data)

    return timed(epoch)


@torch.no_grad()
def encode():
    data = rows(60_000, 784)
    net = network(SIZES[:5])
    with autocast():
        step = torch.compile(net) if options.mode == "compile" else net
        return timed(lambda: sum(step(x).cpu().float().sum() for x in data.split(1000)))


kind, _, shape = options.work.partition("-")
if kind == "cd":
    seconds, loss = contrastive_divergence(*map(int, shape.split("x")))
elif kind == "adam":
    seconds, loss = adam(int(shape))
elif kind == "encode":
    seconds, loss = encode()
    loss = None
else:
    raise SystemExit(f"{options.work}: unknown work")
print(json.dumps({"seconds": seconds, "loss": loss, "version": torch.__version__}))
