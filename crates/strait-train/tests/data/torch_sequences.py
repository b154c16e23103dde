"""Autoencoders of sequences in PyTorch, with what they give and their gradients: what `tests/sequences.rs` compares.

    python torch_sequences.py

writes one safetensors file for each net beside this script: its parameters by their names, `x`, `lengths`, `codes`, `outputs`, `loss`, and
the gradients of the loss, `gradient.NAME`. Written with PyTorch 2.15.0 on a CPU.
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

STEPS, FEATURES, UNITS, ROWS = 5, 3, 6, 7


class Net(nn.Module):
    def __init__(self, layer, depth, bidirectional, code, previous):
        super().__init__()
        self.previous, self.depth = previous, depth
        wide = UNITS * (2 if bidirectional else 1)
        self.encoder = layer(FEATURES, UNITS, depth, batch_first=True, bidirectional=bidirectional)
        self.code = nn.Linear(wide, code) if code else nn.Identity()
        size = code or wide
        if previous:
            self.start = nn.Linear(size, depth * UNITS)
        self.decoder = layer(FEATURES if previous else size, UNITS, depth, batch_first=True)
        self.output = nn.Linear(UNITS, FEATURES)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.encoder(packed)
        h = last[0] if isinstance(last, tuple) else last
        # The states of the highest layer, in both directions where there are two.
        directions = 2 if self.encoder.bidirectional else 1
        codes = self.code(torch.cat(list(h[-directions:]), dim=1))
        if self.previous:
            before = torch.cat([torch.zeros(len(x), 1, FEATURES), x[:, :-1]], dim=1)
            h0 = torch.tanh(self.start(codes)).view(len(x), self.depth, UNITS).transpose(0, 1).contiguous()
            states, _ = self.decoder(before, (h0, torch.zeros_like(h0)) if isinstance(last, tuple) else h0)
        else:
            states, _ = self.decoder(codes[:, None].expand(-1, STEPS, -1))
        return codes, self.output(states)


def write(name, layer, lengths=None, depth=1, bidirectional=False, code=None, previous=False):
    torch.manual_seed(len(name))
    net = Net(layer, depth, bidirectional, code, previous)
    lengths = torch.tensor(lengths or [STEPS] * ROWS)
    own = torch.arange(STEPS)[None, :] < lengths[:, None]
    x = torch.rand(ROWS, STEPS, FEATURES) * own[..., None]
    codes, outputs = net(x, lengths)
    outputs = outputs * own[..., None]
    loss = (outputs - x).square().sum() / ROWS
    loss.backward()
    tensors = {"x": x.reshape(ROWS, -1), "lengths": lengths.float(), "codes": codes, "outputs": outputs.reshape(ROWS, -1), "loss": loss[None]}
    for parameter, values in net.named_parameters():
        tensors[parameter] = values
        tensors[f"gradient.{parameter}"] = values.grad
    path = pathlib.Path(__file__).parent / f"{name}.safetensors"
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, path)


for name, layer in [("lstm", nn.LSTM), ("gru", nn.GRU)]:
    write(name, layer)
    write(f"{name}_both_ended", layer, [5, 1, 3, 2, 5, 4, 1], depth=2, bidirectional=True, code=4)
    write(f"{name}_previous", layer, [2, 5, 3, 1, 5, 4, 5], depth=2, previous=True)
