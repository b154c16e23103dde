#!/usr/bin/env bash
# sparsify 1.3.3 cannot decode on a machine without a GPU where Triton is installed, which PyTorch 2.15.0's wheels for Linux bring along: it takes
# Triton's kernel on any device, and Triton 3.9.0 raises "0 active drivers". SPARSIFY_DISABLE_TRITON=1 makes it take
# torch.nn.functional.embedding_bag instead. Encoding works either way. Seen on 2026-11-30, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.15.0 eai-sparsify==1.3.3
cat >"$folder/decode.py" <<'PYTHON'
import sys
import torch
from importlib.metadata import version
from sparsify import SparseCoder, SparseCoderConfig

if torch.cuda.is_available():
    raise SystemExit("this machine has a GPU: hide it by CUDA_VISIBLE_DEVICES=")
coder = SparseCoder(8, SparseCoderConfig(num_latents=32, k=4))
acts, indices, _ = coder.encode(torch.ones(2, 8))
assert acts.shape == indices.shape == (2, 4)
try:
    outcome = f"rows of {tuple(coder.decode(acts, indices).shape)}"
except RuntimeError as error:
    outcome = f"RuntimeError: {error}"
print(f"sparsify {version('eai-sparsify')}, Triton {version('triton')}, {sys.argv[1]}: {outcome}")
assert outcome.startswith("RuntimeError: 0 active drivers" if sys.argv[1] == "as installed" else "rows of (2, 8)"), "sparsify has changed"
PYTHON
"$folder/venv/bin/python" "$folder/decode.py" "as installed"
SPARSIFY_DISABLE_TRITON=1 "$folder/venv/bin/python" "$folder/decode.py" "without Triton"
