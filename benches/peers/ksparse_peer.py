"""A k-sparse autoencoder in PyTorch with the recipe of `examples/activations.rs`, on the same activations.

    ksparse_peer.py --model out/hinton2006/model.safetensors [--layer 2] [--data data/mnist] [--epochs 16]

Prints one line of JSON: the explained variance of the test vectors, the units that the first 10,000 training vectors do
not use, and the seconds of training. Units without use are left as they are.
"""

import argparse
import json
import math
import time

import torch
from safetensors.torch import load_file
from vae_peer import images


def activations(model, layer, x):
    """The outputs of the encoder's first layers, which are logistic."""
    for number in range(layer):
        weight, bias = model[f"encoder.{2 * number}.weight"], model[f"encoder.{2 * number}.bias"]
        x = torch.sigmoid(x @ weight.T + bias)
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--layer", type=int, default=2)
    parser.add_argument("--data", default="data/mnist")
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--top-k", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(2006)
    model = load_file(options.model)
    train, test = (activations(model, options.layer, images(options.data, part)) for part in ("train", "t10k"))
    mean = train.mean(0)
    deviation = (train - mean).square().mean().sqrt()
    train, test = (train - mean) / deviation, (test - mean) / deviation
    width = train.shape[1]
    directions = torch.nn.functional.normalize(torch.randn(options.units, width))
    parameters = [directions.T.clone(), torch.zeros(options.units), directions.clone(), torch.zeros(width)]
    encode, encode_bias, decode, decode_bias = (parameter.requires_grad_() for parameter in parameters)

    def reconstruct(x):
        y = torch.relu(x @ encode + encode_bias)
        values, places = y.topk(options.top_k)
        code = torch.zeros_like(y).scatter(1, places, values)
        return code @ decode + decode_bias, code

    start = time.perf_counter()
    of_a_round = options.epochs // options.rounds
    for round_ in range(options.rounds):
        optimizer = torch.optim.Adam([encode, encode_bias, decode, decode_bias], lr=1e-3)
        steps, done = of_a_round * math.ceil(len(train) / 500), 0
        for _ in range(of_a_round):
            for batch in torch.randperm(len(train)).split(500):
                if round_ + 1 == options.rounds:
                    optimizer.param_groups[0]["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * done / steps))
                done += 1
                optimizer.zero_grad()
                (reconstruct(train[batch])[0] - train[batch]).square().sum(1).mean().backward()
                optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        error = (reconstruct(test)[0] - test).square().sum(1).mean()
        explained = 1 - error / (test - test.mean(0)).square().sum(1).mean()
        dead = (reconstruct(train[:10000])[1] > 0).any(0).logical_not().sum()
    print(json.dumps({"explained_variance": explained.item(), "dead": dead.item(), "seconds": seconds}))


if __name__ == "__main__":
    main()
