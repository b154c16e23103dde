"""Loads a model that strait wrote into PyTorch and measures its error on MNIST's test set.

    pip install torch numpy safetensors
    python benches/peers/load_model.py out/hinton2006/model.safetensors data/mnist
"""

import gzip
import json
import sys
from collections import OrderedDict

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

path, folder = sys.argv[1:3]
with safe_open(path, "pt") as file:
    notes = file.metadata()
architecture = json.loads(notes["strait.arch"])
activations = {"logistic": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "softplus": torch.nn.Softplus}


def convolution(layer):
    window, transposed = layer["convolution"]["window"], layer["convolution"]["transposed"]
    sizes = window["height"], window["width"]
    kernel, stride, padding, channels = (window[key] for key in ("kernel", "stride", "padding", "channels"))
    steps = [(size + 2 * padding - kernel) // stride + 1 for size in sizes]
    filters = layer["inputs" if transposed else "outputs"] // (steps[0] * steps[1])
    if not transposed:
        return torch.nn.Conv2d(channels, filters, kernel, stride, padding)
    # Pixels of the larger map that no window would reach.
    rest = tuple(size - ((step - 1) * stride - 2 * padding + kernel) for size, step in zip(sizes, steps))
    return torch.nn.ConvTranspose2d(filters, channels, kernel, stride, padding, output_padding=rest)


def sequential(layers):
    modules = []
    for layer in layers:
        modules.append(convolution(layer) if "convolution" in layer else torch.nn.Linear(layer["inputs"], layer["outputs"]))
        if layer["activation"] != "linear":
            modules.append(activations[layer["activation"]]())
    return torch.nn.Sequential(*modules)


net = torch.nn.Sequential(OrderedDict((part, sequential(architecture[part])) for part in ("encoder", "decoder")))
net.load_state_dict(load_file(path))
with gzip.open(f"{folder}/t10k-images-idx3-ubyte.gz") as file:
    images = torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=16).copy()).reshape(10000, -1).float() / 255
if "convolution" in architecture["encoder"][0]:
    images = images.reshape(10000, 1, 28, 28)
with torch.no_grad():
    error = ((net(images) - images) ** 2).flatten(1).sum(1).mean().item()
print(f"PyTorch {error:.6f}, reported {float(notes['strait.test_error']):.6f}")
assert abs(error - float(notes["strait.test_error"])) < 1e-4 * error
