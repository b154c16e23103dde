#!/usr/bin/env bash
# SAELens 6.54.12 saves one top-k dictionary in two ways that have the same file and tensor names and the same configuration, but other numbers:
# `save_model` keeps the lengths of the decoder's rows, by which units are chosen (rescale_acts_by_decoder_norm is true by default);
# `save_inference_model` folds them into the encoder, while the configuration still says true. A reader that applies relu(x W + b) and takes the
# k largest reads the second rightly and the first wrongly. Seen on 2026-11-30, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sae-lens==6.54.12 torch==2.15.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json, os, torch
from safetensors.torch import load_file
from sae_lens import SAE, TopKTrainingSAE, TopKTrainingSAEConfig

torch.manual_seed(0)
sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=16, d_sae=64, k=4))
with torch.no_grad():
    sae.W_dec.normal_(std=0.3)
    sae.b_enc.normal_(std=0.1)
    sae.b_dec.normal_(std=0.1)
rows = torch.randn(100, 16)
found = {}
for save in ("save_model", "save_inference_model"):
    os.mkdir(save)
    getattr(sae, save)(save)
    config = json.load(open(f"{save}/cfg.json"))
    weights = load_file(f"{save}/sae_weights.safetensors")
    lengths = weights["W_dec"].norm(dim=1)
    inputs = (rows - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    values, places = torch.relu(inputs).topk(4, dim=1)
    plain = torch.zeros(100, 64).scatter_(1, places, values)
    with torch.no_grad():
        theirs = SAE.load_from_disk(save).encode(rows)
    theirs = theirs.to_dense() if theirs.is_sparse else theirs
    same = torch.allclose(plain, theirs, atol=1e-5)
    found[save] = (sorted(os.listdir(save)), sorted(weights), config["rescale_acts_by_decoder_norm"], same)
    print(f"{save}: rescale {found[save][2]}, decoder lengths {lengths.min():.3f} to {lengths.max():.3f}, plain formula right: {same}")
one, other = found["save_model"], found["save_inference_model"]
assert one[1] == other[1] and "sae_weights.safetensors" in one[0] and "sae_weights.safetensors" in other[0], "the names have changed"
assert one[2] is True and other[2] is True, "the configuration has changed"
assert not one[3] and other[3], "the two saves have changed"
PYTHON
