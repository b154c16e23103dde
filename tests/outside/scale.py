"""The scripts of docs/scale on a table: their codes beside ONNX Runtime's in one process and strait's, and their time.

    scale.py STRAIT MODEL [--rows 20000]

MODEL takes rows of 784 numbers. Needs what docs/scale/ray.txt and spark.txt name, and a Java for Spark.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("strait")
parser.add_argument("model")
parser.add_argument("--rows", type=int, default=20_000)
options = parser.parse_args()
SCALE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "scale"
GROUP, BATCH = 50_000, 8192
failed = False


def timed(name, *command):
    start = time.perf_counter()
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if ran.returncode:
        sys.exit(f"{name}: {ran.stderr[-3000:]}")
    print(f"{name:28} {seconds:7.1f} s", flush=True)


def codes_of(path, key):
    """The codes of a folder or file of Parquet files, by their rows."""
    table = pq.read_table(path)
    codes = np.column_stack([table.column(name).to_numpy() for name in table.column_names if name != key])
    return codes[np.argsort(table.column(key).to_numpy())] if key else codes


def compare(name, codes, expected, most):
    global failed
    apart = float(np.abs(codes.astype(np.float64) - expected).max() / np.abs(expected).max())
    failed |= codes.shape != expected.shape or not apart <= most
    print(f"{name}: {apart:.1e} of the largest code, {most:.0e} allowed", flush=True)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    rows, plain = folder / "rows.parquet", folder / "plain.parquet"
    # Strokes that look a little like digits, in a column of lists.
    random = np.random.default_rng(5)
    kind = pa.list_(pa.float32(), 784)
    schema = pa.schema([("id", pa.int64()), ("values", kind)])
    with pq.ParquetWriter(rows, schema) as keyed, pq.ParquetWriter(plain, pa.schema([("values", kind)])) as alone:
        for first in range(0, options.rows, GROUP):
            count = min(GROUP, options.rows - first)
            x = random.integers(0, 256, (count, 784), dtype=np.uint8).astype(np.float32) / 255
            x *= random.random((count, 784), dtype=np.float32) < 0.2
            values = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 784)
            keyed.write_table(pa.table({"id": np.arange(first, first + count), "values": values}, schema=schema))
            alone.write_table(pa.table({"values": values}))
    print(f"{options.rows} rows of 784, {rows.stat().st_size / 1e6:.0f} MB", flush=True)
    onnx = folder / "encoder.onnx"
    subprocess.run([options.strait, "export", options.model, "--onnx", onnx, "--part", "encoder"], check=True, capture_output=True)
    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    name, expected = session.get_inputs()[0].name, []
    start = time.perf_counter()
    for batch in pq.ParquetFile(plain).iter_batches(BATCH):
        x = batch.column(0).flatten().to_numpy().reshape(-1, 784)
        expected.append(session.run(["code"], {name: x})[0])
    expected = np.concatenate(expected)
    print(f"{'ONNX Runtime, one process':28} {time.perf_counter() - start:7.1f} s", flush=True)
    timed("strait encode", options.strait, "encode", options.model, plain, "--out", folder / "codes.npy", "--device", "cpu")
    compare("strait encode", np.load(folder / "codes.npy"), expected, 1e-5)
    timed("Ray Data, 2 actors", sys.executable, SCALE / "encode_ray.py", onnx, rows, folder / "ray", "--actors", 2, "--id", "id")
    compare("Ray Data", codes_of(folder / "ray", "id"), expected, 0.0)
    timed("Spark, local[2]", sys.executable, SCALE / "encode_spark.py", onnx, rows, folder / "spark", "--master", "local[2]", "--id", "id")
    compare("Spark", codes_of(folder / "spark", "id"), expected, 0.0)
sys.exit(failed)
