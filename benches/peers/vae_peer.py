"""A variational autoencoder in PyTorch with the recipe of `examples/vae.rs`, to compare the bounds.

    vae_peer.py [--data data/mnist] [--epochs 10] [--threads 2]

Prints one line of JSON: the evidence lower bound on the test set by its terms, and the seconds of training.
"""

import argparse
import gzip
import json
import pathlib
import time

import numpy
import torch


def images(folder, part):
    path = pathlib.Path(folder) / f"{part}-images-idx3-ubyte.gz"
    values = numpy.frombuffer(gzip.decompress(path.read_bytes()), numpy.uint8, offset=16)
    return torch.tensor(values.reshape(-1, 784).astype(numpy.float32) / 255)


class Vae(torch.nn.Module):
    def __init__(self, hidden=400, code=20):
        super().__init__()
        self.up = torch.nn.Linear(784, hidden)
        self.moments = torch.nn.Linear(hidden, 2 * code)
        self.down = torch.nn.Linear(code, hidden)
        self.out = torch.nn.Linear(hidden, 784)
        for layer in (self.up, self.moments, self.down, self.out):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def terms(self, x):
        """-ln p(x|z) and the divergence of q(z|x) from N(0, I), for each row."""
        mean, log_variance = self.moments(torch.relu(self.up(x))).chunk(2, dim=1)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = self.out(torch.relu(self.down(code)))
        error = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return error, divergence


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/mnist")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(2006)
    train, test = images(options.data, "train"), images(options.data, "t10k")
    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    for _ in range(options.epochs):
        for batch in torch.randperm(len(train)).split(128):
            optimizer.zero_grad()
            error, divergence = model.terms(train[batch])
            (error + divergence).mean().backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        error, divergence = (term.mean().item() for term in model.terms(test))
    print(json.dumps({"elbo": -error - divergence, "reconstruction": -error, "divergence": divergence, "seconds": seconds}))


if __name__ == "__main__":
    main()
