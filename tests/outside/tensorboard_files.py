#!/usr/bin/env python3
"""A run that is killed and resumed writes event files that both of TensorBoard's loaders read as metrics.csv has it:
tensorboard_files.py HINTON2006."""
import csv
import pathlib
import subprocess
import sys
import tempfile
import time

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

RECIPE = """hidden = [64, 32, 12]
pretrain = { epochs = 4 }
finetune = { epochs = 8, schedule = "constant" }
logistic-pca = { epochs = 1 }
"""


def main():
    example = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        recipe = folder / "small.toml"
        recipe.write_text(RECIPE)
        job = [example, "--device", "cpu", "--limit", "2000", "--recipe", recipe, "--checkpoint-epochs", "3", "--out", folder / "out"]
        metrics = folder / "out/metrics.csv"
        for line in ("RBM 64-32,3", "fine-tuning,5"):
            child = subprocess.Popen([*job, "--resume"], stdout=subprocess.DEVNULL)
            while child.poll() is None and not (metrics.exists() and line in metrics.read_text()):
                time.sleep(0.01)
            child.kill()
            child.wait()
        subprocess.run([*job, "--resume"], stdout=subprocess.DEVNULL, check=True)
        rows = list(csv.DictReader(metrics.open()))
        epochs = [(row["run"], row["stage"], int(row["epoch"])) for row in rows]
        assert len(set(epochs)) == len(epochs), "an epoch is there twice"
        compared = 0
        for run in sorted({row["run"] for row in rows}):
            files = EventAccumulator(str(folder / "out/tensorboard" / run), size_guidance={event_accumulator.SCALARS: 0})
            files.Reload()
            of_run = [row for row in rows if row["run"] == run]
            for stage in {row["stage"] for row in of_run}:
                events = files.Scalars(f"{stage}/error")
                expected = [(int(row["epoch"]), float(row["error"])) for row in of_run if row["stage"] == stage]
                found = [(event.step, event.value) for event in events]
                assert [step for step, _ in found] == [step for step, _ in expected], (run, stage, found, expected)
                assert all(abs(x - y) <= 1e-6 * abs(y) for (_, x), (_, y) in zip(found, expected)), (run, stage)
                compared += len(found)
            if run == "fine-tuning":
                tags = files.Tags()
                assert "fine-tuning/filters" in tags["images"], tags
                assert "fine-tuning/weights of layer 0" in tags["histograms"], tags
        print(f"{compared} points of two killed runs are in TensorBoard's files and metrics.csv alike")


main()
