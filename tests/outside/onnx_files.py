"""Exports a model of every kind, checks each file by onnx.checker, runs it in ONNX Runtime, and compares with what strait gives.

    python3 tests/outside/onnx_files.py target/release/strait

Needs numpy, onnx and onnxruntime. Differences are told as parts of the largest absolute output; at most 1e-5 is allowed. Of top-k codes, rows
whose k-th and next numbers differ by less than that are left out, and counted.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

STRAIT = Path(sys.argv[1]).resolve()
ALLOWED = 1e-5
ROWS = 600


def strait(folder, *arguments):
    run = subprocess.run([STRAIT, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, f"strait {' '.join(map(str, arguments))}: {run.stderr}"
    return run.stdout


def pictures(random):
    """Bars of 8 x 8 pixels with values from 0 to 1, and the class of each."""
    rows, classes = np.zeros((ROWS, 8, 8), np.float32), random.integers(0, 3, ROWS)
    for row, kind in zip(rows, classes):
        place = random.integers(0, 8)
        if kind == 0:
            row[place] = 1
        elif kind == 1:
            row[:, place] = 1
        else:
            row[place, place] = 1
        row += random.uniform(0, 0.2, (8, 8)).astype(np.float32)
    return np.clip(rows, 0, 1).reshape(ROWS, 64), classes


def table(random):
    """Columns of very different scales; single precision loses the differences of the last."""
    causes = random.normal(size=(ROWS, 3))
    rows = causes @ random.normal(size=(3, 8)) + 0.1 * random.normal(size=(ROWS, 8))
    return rows * [1, 10, 1e3, 1e-3, 1, 1, 5, 20] + [0, 1e3, -5, 1, 0, 0, 7, 1.6e9]


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def difference(found, wanted, by_column=False):
    """The largest difference as a part of the largest absolute output; of columns in different units, of each column's own."""
    axis = 0 if by_column else None
    largest = np.maximum(np.max(np.abs(wanted), axis=axis), 1e-30)
    return float(np.max(np.max(np.abs(found.astype(np.float64) - wanted), axis=axis) / largest))


def read(path):
    return np.load(path)


def main():
    random = np.random.default_rng(1)
    worst, left_out = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pixels, classes = pictures(random)
        np.save(folder / "pixels.npy", pixels)
        np.save(folder / "classes.npy", classes)
        wide = table(random)
        header = ",".join(f"c{i}" for i in range(8))
        np.savetxt(folder / "table.csv", wide, delimiter=",", header=header, comments="", fmt="%.17g")
        labelled = ["--data", "pixels.npy", "--labels-file", "classes.npy"]
        plain = ["--data", "pixels.npy"]
        real = ["--data", "table.csv"]
        cases = [
            ("autoencoder", plain, ["--hidden", "32,8"]),
            ("autoencoder-table", real, ["--hidden", "32,3"]),
            ("autoencoder-tanh", plain, ["--hidden", "32,8", "--set", "activation=tanh", "--set", "output=linear"]),
            ("autoencoder-softplus", plain, ["--hidden", "32,8", "--set", "activation=softplus"]),
            ("autoencoder-robust", real, ["--hidden", "16,3", "--scale", "robust"]),
            ("autoencoder-unit", real, ["--hidden", "16,3", "--scale", "unit"]),
            ("autoencoder-clipped", real, ["--hidden", "16,3", "--scale", "clipped"]),
            ("autoencoder-unit-norm", real, ["--hidden", "16,3", "--scale", "unit-norm"]),
            ("autoencoder-pretrained", plain, ["--hidden", "32,8", "--set", "pretrain.epochs=2"]),
            ("autoencoder-top-k", plain, ["--hidden", "100", "--set", "top-k=7"]),
            ("convolutional", plain, ["--hidden", "6,4"]),
            ("convolutional-over-time", plain, ["--hidden", "6,4", "--set", "steps=8", "--set", "kernel=5"]),
            ("convolutional-series", real, ["--hidden", "6,4", "--set", "steps=4"]),
            ("dictionary", plain, ["--hidden", "120", "--set", "top-k=5"]),
            ("dictionary-jump-relu", plain, ["--hidden", "120", "--set", "top-k=5", "--set", "sparsity=jump-relu"]),
            ("sequence", plain, ["--hidden", "20", "--set", "sequence.steps=8"]),
            ("sequence-table", real, ["--hidden", "20,3", "--set", "sequence.steps=4", "--set", "sequence.cell=gru"]),
            ("sequence-both", plain, ["--hidden", "12,5", "--set", "sequence.steps=8", "--set", "sequence.bidirectional=true", "--set", "sequence.depth=2", "--set", "sequence.reversed=true"]),
            ("sequence-drawn", plain, ["--hidden", "20,5", "--set", "sequence.steps=8", "--set", "sequence.variational=true", "--set", "sequence.cell=gru"]),
            ("vae", plain, ["--hidden", "32,5"]),
            ("vae-table", real, ["--hidden", "32,3"]),
            ("pca", plain, ["--hidden", "6"]),
            ("pca-table", real, ["--hidden", "3", "--scale", "standard"]),
            ("rbm", plain, ["--hidden", "20"]),
            ("rbm-table", real, ["--hidden", "20"]),
            ("stack", plain, ["--hidden", "20,7"]),
            ("dbn", labelled, ["--hidden", "20,16"]),
            ("classifier", labelled, ["--hidden", "24"]),
        ]
        for name, data, more in cases:
            kind = name.split("-")[0]
            epochs = [] if kind == "pca" else ["--epochs", "6"]
            strait(folder, "train", "--kind", kind, *data, *more, *epochs, "--out", name, "--device", "cpu", "--precision", "f32")
            file = data[1]
            rows = pixels if file == "pixels.npy" else wide
            left_out += compare(folder, name, kind, file, rows, worst)
    for (name, output), value in sorted(worst.items()):
        print(f"{name:24} {output:16} {value:.1e}")
    print(json.dumps({"cases": len(cases), "outputs": len(worst), "worst": max(worst.values()), "top_k_rows_left_out": left_out}))
    assert max(worst.values()) <= ALLOWED, "some outputs differ by more"


def compare(folder, name, kind, file, rows, worst):
    left_out = 0
    strait(folder, "export", name, "--onnx", "whole.onnx")
    whole = session(folder / "whole.onnx")
    inputs = {i.name: i.type for i in whole.get_inputs()}
    fed = rows.astype(np.float64 if inputs["input"] == "tensor(double)" else np.float32)
    found = dict(zip([o.name for o in whole.get_outputs()], whole.run(None, {"input": fed})))
    strait(folder, "encode", name, file, "--out", "codes.npy", "--device", "cpu")
    codes = read(folder / "codes.npy")
    same = np.ones(len(rows), bool)
    if kind == "dictionary" or name.endswith("top-k"):
        # Where the k-th and the next are alike, either may be kept: the codes then differ by a whole number.
        same = np.max(np.abs(found["code"] - codes), axis=1) / np.max(np.abs(codes)) <= ALLOWED
        left_out = int(np.sum(~same))
        assert left_out <= len(rows) // 100, f"{name}: {left_out} rows differ"
    for output in ("code", "mean"):
        if output in found:
            worst[name, output] = difference(found[output][same], codes[same])
    if kind in ("dbn", "classifier"):
        strait(folder, "classify", name, file, "--out", "found.csv", "--device", "cpu")
        named = [line.split(",")[1] for line in (folder / "found.csv").read_text().splitlines()[1:]]
        wrong = sum(int(a) != b for a, b in zip(named, found["class"]))
        assert wrong == 0, f"{name}: {wrong} classes differ"
        worst[name, "class"] = 0.0
    if "reconstruction" in found:
        strait(folder, "reconstruct", name, file, "--out", "made.npy", "--device", "cpu")
        made = read(folder / "made.npy")
        worst[name, "reconstruction"] = difference(found["reconstruction"][same], made[same], file == "table.csv")
        if "logits" in found and file == "pixels.npy":
            # In double precision from the logits, which is what ONNX Runtime's own Sigmoid is not.
            logits = found["logits"].astype(np.float64)
            worst[name, "logits"] = difference(1 / (1 + np.exp(-logits[same])), made[same])
        strait(folder, "export", name, "--onnx", "decoder.onnx", "--part", "decoder")
        decoder = session(folder / "decoder.onnx")
        again = decoder.run(["reconstruction"], {"input": codes})[0]
        strait(folder, "decode", name, "codes.npy", "--out", "decoded.npy", "--device", "cpu")
        worst[name, "decoder"] = difference(again, read(folder / "decoded.npy"), file == "table.csv")
    strait(folder, "export", name, "--onnx", "encoder.onnx", "--part", "encoder")
    encoder = session(folder / "encoder.onnx")
    drawn_codes = kind == "vae" or name == "sequence-drawn"
    output = "mean" if drawn_codes else "code"
    encoded = encoder.run([output], {"input": fed})[0]
    worst[name, "encoder"] = difference(encoded[same], codes[same])
    # The number of rows is free.
    one = encoder.run([output], {"input": fed[:1]})[0]
    assert one.shape == encoded[:1].shape
    if drawn_codes:
        strait(folder, "export", name, "--onnx", "noise.onnx", "--part", "noise")
        noisy = session(folder / "noise.onnx")
        noise = np.random.default_rng(2).normal(size=codes.shape).astype(np.float32)
        drawn = dict(zip([o.name for o in noisy.get_outputs()], noisy.run(None, {"input": fed, "noise": noise})))
        z = codes + np.exp(0.5 * drawn["log_variance"].astype(np.float64)) * noise
        np.save(folder / "drawn.npy", z.astype(np.float32))
        strait(folder, "decode", name, "drawn.npy", "--out", "decoded.npy", "--device", "cpu")
        worst[name, "noise"] = difference(drawn["reconstruction"], read(folder / "decoded.npy"))
    return left_out


main()
