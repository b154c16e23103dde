"""Models that come from PyTorch, Keras, SAELens, sparsify and scikit-learn and go there: what strait computes is what they compute.

    python3 tests/outside/exchange.py target/release/strait

Needs numpy, torch, keras, safetensors, sae-lens, eai-sparsify and scikit-learn. Differences are told as parts of the largest absolute output; at most
1e-5 is allowed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["SPARSIFY_DISABLE_TRITON"] = "1"
os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import torch
from safetensors.torch import load_file, save_file

STRAIT = Path(sys.argv[1]).resolve()
ALLOWED = 1e-5
WIDTH, UNITS, K, ROWS = 24, 96, 5, 500
found = {}


def strait(folder, *arguments):
    run = subprocess.run([STRAIT, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, f"strait {' '.join(map(str, arguments))}: {run.stderr}"
    return run.stdout


def compare(name, ours, theirs):
    theirs = np.asarray(theirs, np.float64)
    found[name] = float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
    print(f"{name:44} {found[name]:.1e}")


def apply(folder, command, model, file="rows.npy"):
    strait(folder, command, model, file, "--out", "found.npy", "--device", "cpu")
    return np.load(folder / "found.npy")


def linear_layers(folder, rows):
    torch.manual_seed(1)
    net = torch.nn.Sequential(
        torch.nn.Linear(WIDTH, 32), torch.nn.Tanh(), torch.nn.Linear(32, 6), torch.nn.Linear(6, 32), torch.nn.Softplus(), torch.nn.Linear(32, WIDTH)
    )
    save_file(net.state_dict(), folder / "net.safetensors")
    strait(folder, "import", "torch", "net.safetensors", "--activations", "tanh,linear,softplus,linear", "--encoder", "2", "--out", "net.strait")
    with torch.no_grad():
        compare("torch: codes", apply(folder, "encode", "net.strait"), net[:3](rows))
        compare("torch: reconstructions", apply(folder, "reconstruct", "net.strait"), net(rows))
    # And back: the model's file is what load_state_dict takes.
    ours = torch.nn.Sequential()
    ours.add_module("encoder", torch.nn.Sequential(*net[:3]))
    ours.add_module("decoder", torch.nn.Sequential(*net[3:]))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    ours.load_state_dict(load_file(folder / "net.strait"))
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items()), "round trip"


def convolutions(folder, _):
    torch.manual_seed(2)
    encoder = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(6, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * 4 * 4, 10)
    )
    decoder = torch.nn.Sequential(
        torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.Unflatten(1, (4, 4, 4)), torch.nn.ConvTranspose2d(4, 6, 3), torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(6, 2, 3, 2, 1, output_padding=1), torch.nn.Sigmoid(),
    )
    net = torch.nn.Sequential()
    net.add_module("encoder", encoder)
    net.add_module("decoder", decoder)
    save_file(net.state_dict(), folder / "convolutions.safetensors")
    strait(
        folder, "import", "torch", "convolutions.safetensors", "--image", "12x12", "--strides", "2,1,1,2", "--paddings", "1,0,0,1",
        "--output-paddings", "0,0,0,1", "--activations", "relu,tanh,linear,relu,relu,logistic", "--encoder", "3", "--out", "convolutions.strait",
    )
    images = torch.rand(200, 2, 12, 12)
    # All channels of a pixel lie together in a row.
    by_pixel = lambda x: x.permute(0, 2, 3, 1).flatten(1).numpy()
    np.save(folder / "images.npy", by_pixel(images))
    with torch.no_grad():
        codes = encoder(images)
        compare("torch: codes of convolutions", apply(folder, "encode", "convolutions.strait", "images.npy"), codes)
        compare("torch: pictures by convolutions", apply(folder, "reconstruct", "convolutions.strait", "images.npy"), by_pixel(decoder(codes)))


def recurrent_layers(folder, rows):
    steps, units = 6, 10
    series = rows.reshape(ROWS, steps, WIDTH // steps)
    for kind in (torch.nn.LSTM, torch.nn.GRU):
        torch.manual_seed(4)
        net = torch.nn.ModuleDict(
            {
                "encoder": kind(WIDTH // steps, units, batch_first=True),
                "decoder": kind(units, units, batch_first=True),
                "output": torch.nn.Linear(units, WIDTH // steps),
            }
        )
        name = f"torch {kind.__name__}"
        save_file(net.state_dict(), folder / "sequence.safetensors")
        strait(folder, "import", "torch", "sequence.safetensors", "--steps", steps, "--activations", "logistic", "--out", "sequence.strait")
        with torch.no_grad():
            state = net["encoder"](series)[1]
            code = (state[0] if kind is torch.nn.LSTM else state)[0]
            made = net["output"](net["decoder"](code[:, None].expand(-1, steps, -1))[0]).sigmoid()
            compare(f"{name}: codes", apply(folder, "encode", "sequence.strait"), code)
            compare(f"{name}: reconstructions", apply(folder, "reconstruct", "sequence.strait"), made.reshape(ROWS, WIDTH))


def keras_layers(folder, rows):
    import keras
    from keras import layers

    table = rows.numpy()
    keras.utils.set_random_seed(5)
    net = keras.Sequential([layers.Input((WIDTH,)), layers.Dense(32, "relu"), layers.Dense(6), layers.Dense(WIDTH, "tanh", use_bias=False)])
    np.savez(folder / "dense.npz", *net.get_weights())
    strait(folder, "import", "keras", "dense.npz", "--activations", "relu,linear,tanh", "--encoder", "2", "--out", "dense.strait")
    compare("keras Dense: reconstructions", apply(folder, "reconstruct", "dense.strait"), net.predict(table, verbose=0))

    steps, units = 6, 10
    series = table.reshape(ROWS, steps, WIDTH // steps)
    for name, layer, both, depth, code in (
        ("LSTM", layers.LSTM, False, 1, None),
        ("GRU", layers.GRU, False, 1, None),
        ("LSTM both ways", layers.LSTM, True, 1, 3),
        ("GRU both ways, 2 layers", layers.GRU, True, 2, 3),
        ("GRU, 2 layers", layers.GRU, False, 2, 4),
    ):
        inputs = layers.Input((steps, WIDTH // steps))
        x = inputs
        for number in range(depth):
            cell = layer(units, return_sequences=number + 1 < depth)
            x = (layers.Bidirectional(cell) if both else cell)(x)
        encoded = x = x if code is None else layers.Dense(code)(x)
        x = layers.RepeatVector(steps)(x)
        for _ in range(depth):
            x = layer(units, return_sequences=True)(x)
        net = keras.Model(inputs, [encoded, layers.TimeDistributed(layers.Dense(WIDTH // steps))(x)])
        # Biases start at 0, which would hide a wrong order.
        random = np.random.default_rng(6)
        net.set_weights([weight + random.normal(0, 0.1, weight.shape) for weight in net.get_weights()])
        codes, made = net.predict(series, verbose=0)
        by_name = {variable.path: variable.numpy() for variable in net.variables}
        for how, file in (("in order", dict(args=net.get_weights())), ("by name", by_name)):
            np.savez(folder / "sequence.npz", *file.pop("args", ()), **file)
            strait(folder, "import", "keras", "sequence.npz", "--steps", steps, "--out", "sequence.strait")
            compare(f"keras {name}, {how}: codes", apply(folder, "encode", "sequence.strait"), codes)
            compare(f"keras {name}, {how}: reconstructions", apply(folder, "reconstruct", "sequence.strait"), made.reshape(ROWS, WIDTH))


def saelens(folder, rows):
    from sae_lens import SAE, TopKTrainingSAE, TopKTrainingSAEConfig

    torch.manual_seed(2)
    for rescale in (True, False):
        sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=WIDTH, d_sae=UNITS, k=K, rescale_acts_by_decoder_norm=rescale))
        with torch.no_grad():
            sae.W_enc.normal_(std=0.3)
            sae.b_enc.normal_(std=0.1)
            sae.W_dec.normal_(std=0.2)
            sae.b_dec.normal_(std=0.5)
        for save in ("save_model", "save_inference_model"):
            name = f"saelens-{save}-{rescale}"
            (folder / name).mkdir()
            getattr(sae, save)(str(folder / name))
            theirs = SAE.load_from_disk(str(folder / name))
            strait(folder, "import", "saelens", name, "--out", f"{name}.strait")
            with torch.no_grad():
                codes = theirs.encode(rows)
                codes = codes.to_dense() if codes.is_sparse else codes
                compare(f"{name}: reconstructions", apply(folder, "reconstruct", f"{name}.strait"), theirs.decode(codes))
                compare(f"{name}: codes", apply(folder, "encode", f"{name}.strait"), codes)
    thresholds_of_saelens(folder, rows)
    strait(folder, "export", f"{name}.strait", "--saelens", "back")
    theirs = SAE.load_from_disk(str(folder / "back"))
    with torch.no_grad():
        codes = theirs.encode(rows)
        compare("to saelens: codes", apply(folder, "encode", f"{name}.strait"), codes.to_dense() if codes.is_sparse else codes)


def thresholds_of_saelens(folder, rows):
    from sae_lens import SAE, BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig

    sizes = {"d_in": WIDTH, "d_sae": UNITS}
    kinds = {
        "batch top k": lambda: BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**sizes, k=3.5)),
        "batch top k, not rescaled": lambda: BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**sizes, k=3.5, rescale_acts_by_decoder_norm=False)),
        "jump relu": lambda: JumpReLUTrainingSAE(JumpReLUTrainingSAEConfig(**sizes)),
    }
    for kind, make in kinds.items():
        sae = make()
        with torch.no_grad():
            sae.W_enc.normal_(std=0.3)
            sae.b_enc.normal_(std=0.1)
            sae.W_dec.normal_(std=0.2)
            sae.b_dec.normal_(std=0.5)
            if kind == "jump relu":
                sae.threshold.uniform_(0.1, 0.9)
            else:
                sae.topk_threshold.fill_(0.7)
        for save in ("save_inference_model", "save_model"):
            name = f"{kind} by {save}"
            (folder / name).mkdir()
            getattr(sae, save)(str(folder / name))
            if save == "save_inference_model":
                # What both stand for once training is over.
                theirs = SAE.load_from_disk(str(folder / name))
            strait(folder, "import", "saelens", name, "--out", f"{name}.strait")
            with torch.no_grad():
                codes = theirs.encode(rows)
                compare(f"{name}: codes", apply(folder, "encode", f"{name}.strait"), codes)
                compare(f"{name}: reconstructions", apply(folder, "reconstruct", f"{name}.strait"), theirs.decode(codes))
    strait(folder, "export", f"{name}.strait", "--saelens", "thresholds")
    theirs = SAE.load_from_disk(str(folder / "thresholds"))
    with torch.no_grad():
        compare("to saelens, thresholds: codes", apply(folder, "encode", f"{name}.strait"), theirs.encode(rows))


def sparsify_coder(folder, rows):
    from sparsify import SparseCoder, SparseCoderConfig

    torch.manual_seed(3)
    coder = SparseCoder(WIDTH, SparseCoderConfig(num_latents=UNITS, k=K))
    with torch.no_grad():
        coder.encoder.bias.normal_(std=0.1)
        coder.b_dec.normal_(std=0.5)

    def dense(coder):
        out = coder.encode(rows)
        return torch.zeros(ROWS, UNITS).scatter_(1, out.top_indices, out.top_acts)

    coder.save_to_disk(str(folder / "sparsify"))
    strait(folder, "import", "sparsify", "sparsify", "--out", "sparsify.strait")
    with torch.no_grad():
        out = coder.encode(rows)
        compare("sparsify: codes", apply(folder, "encode", "sparsify.strait"), dense(coder))
        decoded = coder.decode(out.top_acts, out.top_indices)
        compare("sparsify: reconstructions", apply(folder, "reconstruct", "sparsify.strait"), decoded)
        strait(folder, "export", "sparsify.strait", "--sparsify", "again")
        again = SparseCoder.load_from_disk(str(folder / "again"))
        compare("to sparsify: codes", apply(folder, "encode", "sparsify.strait"), dense(again))


def scikit_learn(folder, rows):
    from sklearn.neural_network import BernoulliRBM

    binary = (rows.numpy() > 0).astype(np.float32)
    np.save(folder / "binary.npy", binary)
    rbm = BernoulliRBM(n_components=12, n_iter=3, random_state=0).fit(binary)
    arrays = {name: getattr(rbm, name) for name in ("components_", "intercept_hidden_", "intercept_visible_")}
    np.savez(folder / "rbm.npz", **arrays)
    strait(folder, "import", "scikit-learn", "rbm.npz", "--out", "rbm.strait")
    compare("scikit-learn: hidden means", apply(folder, "encode", "rbm.strait", "binary.npy"), rbm.transform(binary))
    strait(folder, "score", "rbm.strait", "binary.npy", "--out", "scores.npy", "--device", "cpu")
    compare("scikit-learn: free energies", np.load(folder / "scores.npy")[:, 1], rbm._free_energy(binary))
    strait(folder, "export", "rbm.strait", "--scikit-learn", "back.npz")
    back = np.load(folder / "back.npz")
    for name, array in arrays.items():
        compare(f"to scikit-learn: {name}", back[name], array)


with tempfile.TemporaryDirectory() as work:
    work = Path(work)
    table = np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32)
    np.save(work / "rows.npy", table)
    for part in (linear_layers, convolutions, recurrent_layers, keras_layers, saelens, sparsify_coder, scikit_learn):
        part(work, torch.from_numpy(table))
assert max(found.values()) <= ALLOWED, "some outputs differ by more"
