#!/usr/bin/env python3
"""Times encoding from files and PCA against PyTorch with pyarrow and scikit-learn, in turn: files.py BENCH MODEL FOLDER [--rounds N].

BENCH is what `cargo bench --bench files --no-run` builds, MODEL a net of 784 inputs (`hinton2006` writes one), FOLDER holds million.npy,
list.parquet (one column of fixed-size lists), columns.parquet (784 columns), dense.npy and train.npy; `files.py --make FOLDER` writes them.
Needs numpy, pyarrow, torch, scikit-learn and safetensors. Prints JSON.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import time

import numpy as np

WINDOW = 8000
ROOT = pathlib.Path(__file__).resolve().parent.parent


def mnist():
    path = ROOT / "data/mnist/train-images-idx3-ubyte"
    path = path if path.exists() else path.with_name(path.name + ".gz")
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28)


def make(folder, count=1_000_000):
    """MNIST repeated with shifts, divided by 255, and dense random rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    images = mnist()
    np.save(folder / "train.npy", images.reshape(-1, 784).astype("f4") / np.float32(255))
    shifts = [(y, x) for y in (0, 1, -1, 2, -2) for x in (0, 1, -1, 2)]
    rows = np.lib.format.open_memmap(folder / "million.npy", mode="w+", dtype="f4", shape=(count, 784))
    for i in range(0, count, len(images)):
        y, x = shifts[i // len(images)]
        part = np.roll(np.roll(images, y, 1), x, 2).reshape(-1, 784)[: count - i]
        rows[i : i + len(part)] = part.astype("f4") / np.float32(255)
    rows.flush()
    np.save(folder / "half.npy", rows[:510_000])
    lists = pa.schema([("x", pa.list_(pa.float32(), 784))])
    columns = pa.schema([(f"p{i}", pa.float32()) for i in range(784)])
    with pq.ParquetWriter(folder / "list.parquet", lists) as one, pq.ParquetWriter(folder / "columns.parquet", columns) as many:
        for i in range(0, count, 100_000):
            part = np.ascontiguousarray(rows[i : i + 100_000])
            one.write_table(pa.table({"x": pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), 784)}, schema=lists))
            many.write_table(pa.table([pa.array(c) for c in np.ascontiguousarray(part.T)], schema=columns))
    dense = np.lib.format.open_memmap(folder / "dense.npy", mode="w+", dtype="f4", shape=(300_000, 784))
    random = np.random.default_rng(0)
    for i in range(0, len(dense), 50_000):
        dense[i : i + 50_000] = random.random((50_000, 784), dtype="f4")
    dense.flush()


def torch_encode(model, path):
    import pyarrow.parquet as pq
    import torch
    from safetensors.torch import load_file

    tensors = load_file(model)
    names = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("encoder.")})
    layers = [(tensors[f"encoder.{i}.weight"].float(), tensors[f"encoder.{i}.bias"].float()) for i in names]

    def windows():
        if path.suffix == ".npy":
            rows = np.load(path, mmap_mode="r")
            for i in range(0, len(rows), WINDOW):
                yield torch.from_numpy(np.array(rows[i : i + WINDOW]))
            return
        for batch in pq.ParquetFile(path).iter_batches(WINDOW):
            if batch.num_columns == 1:
                yield torch.from_numpy(batch.column(0).flatten().to_numpy(zero_copy_only=False).reshape(-1, 784))
            else:
                yield torch.from_numpy(np.stack([c.to_numpy() for c in batch.columns], 1))

    start, total = time.time(), 0.0
    with torch.inference_mode():
        for x in windows():
            for i, (weight, bias) in enumerate(layers):
                x = torch.nn.functional.linear(x, weight, bias)
                x = torch.sigmoid(x) if i + 1 < len(layers) else x
            total += float(x.sum())
    return time.time() - start, total


def strait(bench, *arguments):
    run = subprocess.run([bench, *map(str, arguments)], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--make", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--torch", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        return make(options.make)
    if options.torch:
        seconds, total = torch_encode(options.torch[0], pathlib.Path(options.torch[1]))
        return print(json.dumps({"seconds": seconds, "sum": total}))
    bench, model, folder = options.paths[0], options.paths[1], pathlib.Path(options.paths[2])
    results = {}

    def note(name, result):
        best = results.setdefault(name, dict(result))
        best["seconds"] = min(best["seconds"], result["seconds"])
        print(name, result, file=sys.stderr, flush=True)

    def torch(path):
        run = [sys.executable, __file__, "--torch", model, str(path)]
        return json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)

    for _ in range(options.rounds):
        note("million memory", strait(bench, model, folder / "million.npy", "memory"))
        for name in ("million.npy", "list.parquet", "columns.parquet"):
            note(f"{name} file", strait(bench, model, folder / name, "file"))
            note(f"{name} torch", torch(folder / name))
        note("dense memory", strait(bench, model, folder / "dense.npy", "memory"))
        note("dense.npy file", strait(bench, model, folder / "dense.npy", "file"))
        note("dense.npy torch", torch(folder / "dense.npy"))
        note("pca 60000 x 784", strait(bench, 30, folder / "train.npy", "pca", "--repetitions", "3"))
        x = np.load(folder / "train.npy")
        from sklearn.decomposition import PCA

        for _ in range(3):
            start = time.time()
            PCA(30).fit(x)
            note("pca 60000 x 784 sklearn", {"seconds": time.time() - start})
    seconds = {name: result["seconds"] for name, result in results.items()}
    ratios = {
        "million.npy": seconds["million.npy file"] / seconds["million memory"],
        "list.parquet": seconds["list.parquet file"] / seconds["million memory"],
        "columns.parquet": seconds["columns.parquet file"] / seconds["million memory"],
        "dense.npy": seconds["dense.npy file"] / seconds["dense memory"],
        **{f"{name} to torch": seconds[f"{name} file"] / seconds[f"{name} torch"] for name in ("million.npy", "list.parquet", "columns.parquet", "dense.npy")},
        "pca to sklearn": seconds["pca 60000 x 784"] / seconds["pca 60000 x 784 sklearn"],
    }
    print(json.dumps({"results": results, "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()}}, indent=1))


if __name__ == "__main__":
    main()
