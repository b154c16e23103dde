#!/usr/bin/env python3
"""Times `strait encode` from .npy to .npy against the library from memory and ONNX Runtime, in turn:

    program.py STRAIT BENCH MODEL FOLDER [--rounds N]

BENCH is what `cargo bench --bench files --no-run` builds, MODEL a net of 784 inputs, FOLDER holds million.npy and dense.npy (`files.py --make
FOLDER`). Needs numpy and onnxruntime. Prints JSON: the shortest seconds of each, the program's largest anonymous memory, and the largest
difference of its codes to ONNX Runtime's as a part of the largest code.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np

WINDOW = 8000


def program(strait, model, rows, out):
    """Seconds and megabytes of anonymous memory."""
    start, most = time.time(), 0
    process = subprocess.Popen([strait, "encode", model, rows, "--out", out, "--device", "cpu"])
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            most = max([most] + [int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("RssAnon:")])
        except (FileNotFoundError, ProcessLookupError):
            pass
        time.sleep(0.02)
    assert process.returncode == 0
    return time.time() - start, most


def library(bench, model, rows):
    """From memory, without reading and writing."""
    run = subprocess.run([bench, model, rows, "memory", "--bench"], check=True, capture_output=True, text=True)
    return json.loads(run.stdout.strip().splitlines()[-1])["seconds"]


def onnx(path, rows, out):
    """As a user would in Python: windows of a mapped file."""
    import onnxruntime

    start = time.time()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    data = np.load(rows, mmap_mode="r")
    codes = None
    for i in range(0, len(data), WINDOW):
        part = session.run(None, {"input": np.ascontiguousarray(data[i : i + WINDOW])})[0]
        if codes is None:
            codes = np.lib.format.open_memmap(out, mode="w+", dtype="f4", shape=(len(data), part.shape[1]))
        codes[i : i + len(part)] = part
    codes.flush()
    return time.time() - start


def main():
    parser = argparse.ArgumentParser()
    for name in ("strait", "bench", "model", "folder"):
        parser.add_argument(name)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as work:
        work = pathlib.Path(work)
        encoder = work / "encoder.onnx"
        subprocess.run([options.strait, "export", options.model, "--onnx", encoder, "--part", "encoder"], check=True, stdout=subprocess.DEVNULL)
        for name in ("million", "dense"):
            rows = pathlib.Path(options.folder) / f"{name}.npy"
            times = {"program": [], "library": [], "onnxruntime": []}
            memory = 0
            for _ in range(options.rounds):
                seconds, megabytes = program(options.strait, options.model, rows, work / "ours.npy")
                times["program"].append(seconds)
                memory = max(memory, megabytes)
                times["library"].append(library(options.bench, options.model, rows))
                times["onnxruntime"].append(onnx(encoder, rows, work / "theirs.npy"))
            ours, theirs = np.load(work / "ours.npy", mmap_mode="r"), np.load(work / "theirs.npy", mmap_mode="r")
            best = {who: min(seconds) for who, seconds in times.items()}
            found[name] = {
                "rows": len(ours),
                "seconds": best,
                "program_rss_anon_mb": memory,
                "program_to_library": best["program"] / best["library"],
                "program_to_onnxruntime": best["program"] / best["onnxruntime"],
                "difference": float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))),
            }
    print(json.dumps(found, indent=2))


main()
