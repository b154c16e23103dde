"""The same work as strait's training benchmarks, in PyTorch.

    python torch_peer.py WORK IMAGES REPETITIONS DATA [--mode eager|compile|graphs] [--precision f32|tf32|bf16|f16]
                         [--device cpu|cuda] [--threads N]

prints one line of JSON with the seconds of each repetition and the last loss. WORK is `cd-VISIBLExHIDDEN`,
`adam-BATCH`, `encode`, `lstm-UNITS`, `gru-UNITS`, `lstmencode-UNITS`, `dictionary-UNITS`, `dictionaryencode-UNITS` or `quick`: the quick recipe of the example `hinton2006` once, of all images, compilation included,
whose loss is the test error.
"""

import argparse
import contextlib
import gzip
import json
import math
import os
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
parser.add_argument("--bag", action="store_true", help="decode by embedding_bag")
parser.add_argument("--sparsify", action="store_true", help="dictionaries by sparsify's encoder and decoder (eai-sparsify)")
options = parser.parse_args()

if options.threads:
    torch.set_num_threads(options.threads)
torch.manual_seed(2006)
device = torch.device(options.device)
torch.set_float32_matmul_precision("high" if options.precision == "tf32" else "highest")
half = {"bf16": torch.bfloat16, "f16": torch.float16}.get(options.precision)


def autocast():
    return torch.autocast(device.type, dtype=half) if half else contextlib.nullcontext()


def rows(count, width, split="train"):
    """The first images of a split of MNIST, or for other widths the pattern that strait's benchmarks use."""
    if width == 784:
        with gzip.open(f"{options.data}/{split}-images-idx3-ubyte.gz") as file:
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


def captured(step, batch, width, learned, optimizer):
    """A step as a CUDA graph that reads its minibatch from one place. What the steps before capture, on empty images, have
    learned is forgotten."""
    before = [tensor.detach().clone() for tensor in learned]
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
    with torch.no_grad():
        for tensor, was in zip(learned, before):
            tensor.copy_(was)
        for state in optimizer.state.values() if optimizer else []:
            for tensor in state.values():
                tensor.zero_()

    def replay(x):
        place.copy_(x)
        graph.replay()
        return result

    return replay


def prepared(step, batch, width, learned, optimizer=None):
    if options.mode == "compile":
        return torch.compile(step, dynamic=False)
    if options.mode == "graphs":
        return captured(step, batch, width, learned, optimizer)
    return step


class Machine:
    """A restricted Boltzmann machine with the velocities of its parameters."""

    def __init__(self, visible, hidden, linear=False):
        self.w = torch.randn(visible, hidden, device=device) * 0.1
        self.a, self.b = torch.zeros(visible, device=device), torch.zeros(hidden, device=device)
        self.vw, self.va, self.vb = map(torch.zeros_like, (self.w, self.a, self.b))
        self.learned = [self.w, self.a, self.b, self.vw, self.va, self.vb]
        self.linear = linear

    def hidden(self, v):
        with autocast():
            inputs = torch.addmm(self.b, v, self.w)
            return (inputs if self.linear else torch.sigmoid(inputs)).float()

    @torch.no_grad()
    def step(self, v0, momentum):
        """A step of CD-1; gives the squared error and what the hidden units say to the data."""
        rate = 0.001 if self.linear else 0.1
        h0 = self.hidden(v0)
        drawn = h0 + torch.randn_like(h0) if self.linear else (torch.rand_like(h0) < h0).float()
        with autocast():
            v1 = torch.sigmoid(torch.addmm(self.a, drawn, self.w.T)).float()
        h1 = self.hidden(v1)
        with autocast():
            # One product with the negative phase below the positive one.
            gradient = torch.cat([v0, -v1]).T @ torch.cat([h0, h1])
        self.vw.mul_(momentum).add_(gradient.float() / len(v0) - 0.0002 * self.w, alpha=rate)
        self.va.mul_(momentum).add_((v0 - v1).mean(0), alpha=rate)
        self.vb.mul_(momentum).add_((h0 - h1).mean(0), alpha=rate)
        self.w.add_(self.vw)
        self.a.add_(self.va)
        self.b.add_(self.vb)
        return (v0 - v1).square().sum(), h0


def contrastive_divergence(visible, hidden):
    data = rows(options.images, visible).split(100)
    machine = Machine(visible, hidden)
    step = prepared(lambda v: machine.step(v, 0.5), 100, visible, machine.learned)
    return timed(lambda: sum(step(v)[0] for v in data) / options.images)


def network(sizes):
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(torch.nn.Linear(inputs, outputs))
        torch.nn.init.xavier_uniform_(layers[-1].weight)
        torch.nn.init.zeros_(layers[-1].bias)
        if i != 3 and i != 7:
            layers.append(torch.nn.Sigmoid())
    return torch.nn.Sequential(*layers).to(device)


def trained(net, batch, optimizer):
    """The function that trains the net on a minibatch and gives the cross-entropy."""

    def step(x):
        with autocast():
            z = net(x)
        loss = F.binary_cross_entropy_with_logits(z.float(), x, reduction="sum")
        optimizer.zero_grad(set_to_none=options.mode != "graphs")
        (loss / len(x)).backward()
        optimizer.step()
        return loss.detach()

    return prepared(step, batch, 784, list(net.parameters()), optimizer)


def adam(batch):
    data = rows(options.images, 784)
    net = network(SIZES)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True, capturable=options.mode == "graphs")
    step = trained(net, batch, optimizer)

    def epoch():
        order = torch.randperm(len(data), device=device)
        return sum(step(data[chosen]) for chosen in order.split(batch)) / len(data)

    return timed(epoch)


def pretrained(data, batch, epochs, initial_epochs):
    """The paper's stack of machines, each trained on what the one below said in its last epoch."""
    data = data[torch.randperm(len(data), device=device)].split(batch)
    machines = []
    for visible, hidden in zip(SIZES[:4], SIZES[1:5]):
        machine = Machine(visible, hidden, linear=hidden == SIZES[4])
        steps = [prepared(lambda v, m=m: machine.step(v, m), batch, visible, machine.learned) for m in (0.5, 0.9)]
        for epoch in range(epochs):
            step = steps[epoch >= initial_epochs]
            last = epoch == epochs - 1
            said = [step(v)[1].clone() if last else step(v)[0] for v in data]
        data = said
        machines.append(machine)
    return machines


def quick():
    data, test = rows(60_000, 784), rows(10_000, 784, "t10k")
    epochs, batch, rate = 20, 100, 3e-3
    synchronize()
    start = time.perf_counter()
    machines = pretrained(data, batch, epochs=5, initial_epochs=2)
    net = network(SIZES)
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, mirrored, machine in zip(linear, reversed(linear), machines):
            layer.weight.copy_(machine.w.T)
            layer.bias.copy_(machine.b)
            mirrored.weight.copy_(machine.w)
            mirrored.bias.copy_(machine.a)
    # The rate in a tensor, so that nothing is compiled anew when it changes.
    now = torch.tensor(rate, device=device)
    optimizer = torch.optim.Adam(net.parameters(), lr=now, betas=(0.9, 0.99), fused=True)
    step = trained(net, batch, optimizer)
    steps = len(data) // batch
    rise = steps // 2
    for epoch in range(epochs):
        for i, chosen in enumerate(torch.randperm(len(data), device=device).split(batch)):
            i += epoch * steps
            fall = 0.5 * (1 + math.cos(math.pi * (i - rise) / (steps * epochs - rise)))
            now.fill_(rate * ((i + 1) / rise if i < rise else fall))
            step(data[chosen])
    synchronize()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        error = (torch.sigmoid(net(test)) - test).square().sum(1).mean()
    return [seconds], float(error)


@torch.no_grad()
def encode():
    data = rows(60_000, 784)
    net = network(SIZES[:5])
    with autocast():
        step = torch.compile(net) if options.mode == "compile" else net
        return timed(lambda: sum(step(x).cpu().float().sum() for x in data.split(1000)))


class Sequences(torch.nn.Module):
    """A recurrent layer reads the 28 rows of an image, another writes them down again from its last state."""

    def __init__(self, layer, units):
        super().__init__()
        self.encoder = layer(28, units, batch_first=True)
        self.decoder = layer(units, units, batch_first=True)
        self.output = torch.nn.Linear(units, 28)

    def codes(self, x):
        states, _ = self.encoder(x.view(-1, 28, 28))
        return states[:, -1]

    def forward(self, x):
        codes = self.codes(x)
        states, _ = self.decoder(codes[:, None].expand(-1, 28, -1))
        return self.output(states).reshape(-1, 784)


def sequences(layer, units):
    data = rows(options.images, 784)
    net = Sequences(layer, units).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    step = trained(net, 100, optimizer)

    def epoch():
        order = torch.randperm(len(data), device=device)
        return sum(step(data[chosen]) for chosen in order.split(100)) / len(data)

    return timed(epoch)


@torch.no_grad()
def encode_sequences(units):
    data = rows(60_000, 784)
    net = Sequences(torch.nn.LSTM, units).to(device)
    with autocast():
        step = torch.compile(net.codes) if options.mode == "compile" else net.codes
        return timed(lambda: sum(step(x).cpu().float().sum() for x in data.split(1000)))


def activations(count, width=768, directions=3000):
    """Sums of 20 of many random directions of length 1."""
    random = torch.Generator().manual_seed(0)
    known = F.normalize(torch.randn(directions, width, generator=random), dim=1)
    chosen = torch.stack([torch.randperm(directions, generator=random)[:20] for _ in range(count)])
    weights = 1 + torch.randn(count, 20, generator=random).abs()
    rows = (weights[:, :, None] * known[chosen]).sum(1)
    rows -= rows.mean(0)
    return (rows / rows.norm(dim=1).median() * math.sqrt(width)).to(device)


class Dictionary(torch.nn.Module):
    """The 32 largest of rectified units stay."""

    def __init__(self, units, data):
        super().__init__()
        start = F.normalize(0.1125 * F.normalize(data[torch.randint(len(data), (units,))], dim=1) + 0.8875 * F.normalize(torch.randn(units, data.shape[1]), dim=1), dim=1)
        self.encoder, self.encoder_bias = torch.nn.Parameter(start.clone()), torch.nn.Parameter(torch.zeros(units))
        self.decoder, self.decoder_bias = torch.nn.Parameter(start.clone()), torch.nn.Parameter(torch.zeros(data.shape[1]))

    def codes(self, x):
        return torch.topk(torch.relu(F.linear(x, self.encoder, self.encoder_bias)), 32, dim=1, sorted=False)

    def forward(self, x):
        values, units = self.codes(x)
        if options.bag:
            return F.embedding_bag(units, self.decoder, per_sample_weights=values, mode="sum") + self.decoder_bias
        dense = torch.zeros(len(x), len(self.decoder), device=x.device, dtype=values.dtype).scatter(1, units, values)
        return dense @ self.decoder + self.decoder_bias


class Sparsify(torch.nn.Module):
    """The same by sparsify, from the same start."""

    def __init__(self, units, data):
        if options.device == "cpu":
            os.environ["SPARSIFY_DISABLE_TRITON"] = "1"
        # It tells that on the standard output, whose last line is the result.
        from sparsify import SparseCoder, SparseCoderConfig

        super().__init__()
        start = Dictionary(units, data)
        self.coder = SparseCoder(data.shape[1], SparseCoderConfig(num_latents=units, k=32, normalize_decoder=False))
        with torch.no_grad():
            self.coder.encoder.weight.copy_(start.encoder)
            self.coder.W_dec.copy_(start.decoder)

    def codes(self, x):
        return self.coder.encode(x)[:2]

    def forward(self, x):
        return self.coder.decode(*self.codes(x))


def new_dictionary(units, data):
    return (Sparsify if options.sparsify else Dictionary)(units, data).to(device)


def dictionary(units):
    data = activations(4096)
    net = new_dictionary(units, data)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    forward = torch.compile(net) if options.mode == "compile" else net

    def step(x):
        with autocast():
            made = forward(x)
        # What strait reports for squared errors: the sum over the numbers of a row.
        loss = ((made.float() - x) ** 2).sum(1).mean()
        optimizer.zero_grad(set_to_none=True)
        (loss / 2).backward()
        optimizer.step()
        return loss.item() * len(x)

    def epoch():
        order = torch.randperm(len(data), device=device)
        return sum(step(data[chosen]) for chosen in order.split(1024)) / len(data)

    return timed(epoch)


@torch.no_grad()
def encode_dictionary(units):
    data = activations(4096)
    net = new_dictionary(units, data)
    with autocast():
        step = torch.compile(net.codes) if options.mode == "compile" else net.codes
        return timed(lambda: sum(step(x)[0].cpu().float().sum() for x in data.split(1024)))


kind, _, shape = options.work.partition("-")
if kind == "cd":
    seconds, loss = contrastive_divergence(*map(int, shape.split("x")))
elif kind == "adam":
    seconds, loss = adam(int(shape))
elif kind == "encode":
    seconds, loss = encode()
    loss = None
elif kind in ("lstm", "gru"):
    seconds, loss = sequences(torch.nn.LSTM if kind == "lstm" else torch.nn.GRU, int(shape))
elif kind == "lstmencode":
    seconds, loss = encode_sequences(int(shape))
    loss = None
elif kind == "dictionary":
    seconds, loss = dictionary(int(shape))
elif kind == "dictionaryencode":
    seconds, loss = encode_dictionary(int(shape))
    loss = None
elif kind == "quick":
    if options.mode == "graphs":
        raise SystemExit("quick: the rate changes from step to step, which a graph would not see; take eager or compile")
    seconds, loss = quick()
else:
    raise SystemExit(f"{options.work}: unknown work")
print(json.dumps({"seconds": seconds, "loss": loss, "version": torch.__version__}))
