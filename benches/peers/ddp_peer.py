"""Fine-tuning of 784-1000-500-250-30 by PyTorch's DistributedDataParallel, as strait's ranks do it.

    torchrun --nproc-per-node 2 ddp_peer.py IMAGES BATCH EPOCHS DATA

Each process has one thread and its part of each batch; gloo adds up the gradients. Rank 0 prints one line of JSON with the seconds of each
epoch after the first and the last loss. Without torchrun it is one process, with two threads.
"""

import gzip
import json
import os
import sys
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

SIZES = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
images, batch, epochs, data = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
torch.set_num_threads(1 if ranks > 1 else 2)
torch.manual_seed(2006)
with gzip.open(f"{data}/train-images-idx3-ubyte.gz") as file:
    pixels = np.frombuffer(file.read(), np.uint8, offset=16)[: images * 784].reshape(images, 784)
x = torch.tensor(pixels, dtype=torch.float32) / 255
layers = []
for number, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
    layers.append(torch.nn.Linear(inputs, outputs))
    if number not in (3, len(SIZES) - 2):
        layers.append(torch.nn.Sigmoid())
net = torch.nn.Sequential(*layers)
if ranks > 1:
    dist.init_process_group("gloo")
    net = torch.nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
seconds, own = [], batch // ranks
for epoch in range(epochs + 1):
    order = torch.randperm(images, generator=torch.Generator().manual_seed(epoch))
    if ranks > 1:
        dist.barrier()
    start = time.perf_counter()
    for first in range(0, images, batch):
        rows = x[order[first + rank * own : first + (rank + 1) * own]]
        loss = F.binary_cross_entropy_with_logits(net(rows), rows, reduction="sum") / len(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds.append(time.perf_counter() - start)
if rank == 0:
    print(json.dumps({"seconds": seconds[1:], "loss": float(loss)}))
if ranks > 1:
    dist.destroy_process_group()
