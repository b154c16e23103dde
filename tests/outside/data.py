#!/usr/bin/env python3
"""Compares `strait inspect` with NumPy on fresh random files of other libraries.

    python tests/outside/data.py target/debug/strait [SEED]

Needs numpy, pandas, polars, pyarrow, duckdb, scipy and scikit-learn. Prints how many files agree; exits with 1 if one does not.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
import scipy.sparse
from sklearn.datasets import dump_svmlight_file

# What two sums of one column may differ by, as a share of its largest number.
TOLERANCE = 1e-9
REALS = ["f4", "f8"]
WHOLE = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
# Text holds the fewest digits that tell numbers of their precision apart: those of single precision are others in double.
PRINTED = ["f8"] + WHOLE


class Maker:
    """Random tables in a folder, each written by a library: the path, options of strait, and the table in double precision."""

    def __init__(self, seed, folder):
        self.random = np.random.default_rng(seed)
        self.folder = pathlib.Path(folder)

    def sizes(self, least=1):
        """Many rows of few columns, or few rows of many."""
        if self.random.random() < 0.7:
            return int(self.random.integers(10, 2001)), int(self.random.integers(least, 21))
        return int(self.random.integers(10, 101)), int(self.random.integers(100, 801))

    def array(self, kinds, shape=None):
        """An array of one of these types."""
        kind = np.dtype(str(self.random.choice(kinds)))
        shape = shape or self.sizes()
        if kind.kind == "f":
            scale = 10.0 ** self.random.integers(-3, 4)
            return (self.random.normal(self.random.normal(), 1, shape) * scale).astype(kind)
        if kind.kind == "b":
            return self.random.random(shape) < 0.5
        info = np.iinfo(kind)
        # Integers that double precision holds.
        low, high = max(info.min, -(2**50)), min(info.max, 2**50)
        return self.random.integers(low, high, shape, dtype=np.int64, endpoint=True).astype(kind)

    def columns(self, kinds, missing=False, least=1):
        """A table of at least so many columns, which have types of their own, by pandas, and its numbers."""
        rows, width = self.sizes(least)
        frame = pd.DataFrame({f"c{i}": self.array(kinds, (rows,)) for i in range(width)})
        values = frame.to_numpy("f8")
        if missing:
            gaps = self.random.random(values.shape) < 0.1
            # Every column keeps a number.
            gaps[0] = False
            frame, values = frame.astype("f8").mask(gaps), np.where(gaps, np.nan, values)
        return frame, values

    def sparse(self):
        """A sparse matrix with an entry in its first and in its last column."""
        rows, width = self.sizes()
        matrix = scipy.sparse.random(rows, width, 0.1, "lil", rng=self.random)
        matrix[0, 0], matrix[rows - 1, width - 1] = 1.5, -2.5
        return matrix.tocsr(), matrix.toarray()

    def name(self, name):
        return self.folder / name

    # NumPy

    def npy(self):
        array = self.array(["f2", "?"] + REALS + WHOLE)
        np.save(self.name("c.npy"), array)
        return self.name("c.npy"), [], array

    def npy_big_fortran(self):
        array = self.array(REALS + WHOLE[2:])
        np.save(self.name("fortran.npy"), np.asfortranarray(array.astype(array.dtype.newbyteorder(">"))))
        return self.name("fortran.npy"), [], array

    def npy_cube(self):
        array = self.array(REALS + ["i2"], tuple(int(size) for size in self.random.integers(2, 30, 3)))
        np.save(self.name("cube.npy"), array if self.random.random() < 0.5 else np.asfortranarray(array))
        return self.name("cube.npy"), [], array.reshape(len(array), -1)

    def npz(self):
        array = self.array(REALS + WHOLE)
        np.savez_compressed(self.name("several.npz"), other=np.arange(6).reshape(2, 3), rows=array)
        return self.name("several.npz"), ["--tensor", "rows"], array

    def text(self):
        array = self.array(REALS)
        np.savetxt(self.name("blanks.txt"), array)
        return self.name("blanks.txt"), [], array

    # SciPy and scikit-learn

    def scipy_npz(self):
        matrix, array = self.sparse()
        matrix = matrix.asformat(str(self.random.choice(["csr", "csc", "coo"])))
        scipy.sparse.save_npz(self.name("sparse.npz"), matrix, compressed=bool(self.random.random() < 0.5))
        return self.name("sparse.npz"), [], array

    def matlab_5(self):
        array = self.array(REALS + WHOLE)
        scipy.io.savemat(self.name("5.mat"), {"x": array, "note": "hello"}, do_compression=bool(self.random.random() < 0.5))
        return self.name("5.mat"), [], array

    def matlab_4(self):
        array = self.array(REALS + ["u1", "i2", "u2", "i4"])
        scipy.io.savemat(self.name("4.mat"), {"x": array}, format="4")
        return self.name("4.mat"), [], array

    def matlab_sparse(self):
        matrix, array = self.sparse()
        scipy.io.savemat(self.name("sparse.mat"), {"x": matrix.tocsc()}, do_compression=True)
        return self.name("sparse.mat"), [], array

    def matrix_market(self):
        array = self.array(["f8"])
        scipy.io.mmwrite(self.name("full.mtx"), array)
        return self.name("full.mtx"), [], array

    def matrix_market_sparse(self):
        matrix, array = self.sparse()
        scipy.io.mmwrite(self.name("sparse.mtx"), matrix)
        return self.name("sparse.mtx"), [], array

    def svmlight(self):
        matrix, array = self.sparse()
        labels = self.random.integers(0, 3, matrix.shape[0])
        base = bool(self.random.random() < 0.5)
        dump_svmlight_file(matrix, labels, str(self.name("base.svmlight")), zero_based=base)
        return self.name("base.svmlight"), ["--word-base", "0" if base else "1"], array

    # pandas and polars

    def pandas_csv(self):
        frame, values = self.columns(PRINTED)
        frame.to_csv(self.name("pandas.csv"), index=False)
        return self.name("pandas.csv"), [], values

    def pandas_gaps(self):
        frame, values = self.columns(["f8"], missing=True)
        frame.to_csv(self.name("gaps.csv.gz"), index=False, na_rep=str(self.random.choice(["", "NA"])))
        return self.name("gaps.csv.gz"), [], values

    def pandas_semicolons(self):
        # One column of decimal commas could be two.
        frame, values = self.columns(["f8"], least=2)
        frame.to_csv(self.name("semicolons.csv"), index=False, header=False, sep=";", decimal=",")
        return self.name("semicolons.csv"), [], values

    def pandas_parquet(self):
        frame, values = self.columns(["?"] + REALS + WHOLE)
        frame.to_parquet(self.name("pandas.parquet"), compression=str(self.random.choice(["snappy", "zstd", "gzip"])))
        return self.name("pandas.parquet"), [], values

    def polars_csv(self):
        frame, values = self.columns(PRINTED)
        pl.from_pandas(frame).write_csv(self.name("polars.csv"), separator=str(self.random.choice([",", "\t", ";", "|"])))
        return self.name("polars.csv"), [], values

    def polars_parquet(self):
        frame, values = self.columns(["?"] + REALS + WHOLE)
        size = int(self.random.integers(5, 600))
        pl.from_pandas(frame).write_parquet(self.name("polars.parquet"), row_group_size=size)
        return self.name("polars.parquet"), [], values

    # Arrow and DuckDB

    def arrow_parquet(self):
        frame, values = self.columns(["f2", "?"] + REALS + WHOLE)
        table = pa.Table.from_arrays([pa.array(frame[name].to_numpy()) for name in frame], names=list(frame))
        pq.write_table(
            table,
            self.name("arrow.parquet"),
            row_group_size=int(self.random.integers(5, 600)),
            compression=str(self.random.choice(["none", "snappy", "zstd", "gzip", "brotli", "lz4"])),
            use_dictionary=bool(self.random.random() < 0.5),
            data_page_version=str(self.random.choice(["1.0", "2.0"])),
            data_page_size=int(self.random.integers(64, 4096)),
        )
        return self.name("arrow.parquet"), [], values

    def arrow_nulls(self):
        frame, values = self.columns(REALS, missing=True)
        table = pa.Table.from_arrays([pa.array(frame[name], from_pandas=True) for name in frame], names=list(frame))
        pq.write_table(table, self.name("nulls.parquet"), row_group_size=int(self.random.integers(5, 600)))
        return self.name("nulls.parquet"), [], values

    def arrow_lists(self):
        array = self.array(REALS + WHOLE)
        flat = pa.array(array.reshape(-1))
        lists = pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
        if self.random.random() < 0.5:
            lists = lists.cast(pa.list_(flat.type))
        size = int(self.random.integers(5, 600))
        pq.write_table(pa.table({"x": lists}), self.name("lists.parquet"), row_group_size=size)
        return self.name("lists.parquet"), [], array

    def duckdb_parquet(self):
        # The crate parquet refuses differences of more than 32 bits, which version 2 packs.
        frame, values = self.columns(["?"] + REALS + WHOLE[:4])
        self.copy(frame, "duckdb.parquet", f"(FORMAT parquet, PARQUET_VERSION {self.random.choice(['V1', 'V2'])})")
        return self.name("duckdb.parquet"), [], values

    def duckdb_csv(self):
        frame, values = self.columns(PRINTED)
        self.copy(frame, "duckdb.csv", f"(FORMAT csv, HEADER {self.random.choice(['true', 'false'])})")
        return self.name("duckdb.csv"), [], values

    def copy(self, frame, name, form):
        connection = duckdb.connect()
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{self.name(name)}' {form}")

    def all(self):
        """The methods that make files."""
        others = {"sizes", "array", "columns", "sparse", "name", "copy", "all"}
        return [getattr(self, name) for name in vars(Maker) if name not in others and not name.startswith("_")]


def differences(found, wanted):
    """What `strait inspect` says otherwise than NumPy."""
    if [found["rows"], found["columns"]] != list(wanted.shape):
        yield f"{found['rows']} x {found['columns']}, but expected {wanted.shape}"
        return
    if len(found["column_summaries"]) != wanted.shape[1]:
        yield f"{len(found['column_summaries'])} columns are summed up"
        return

    def close(one, other, scale):
        return one is not None and abs(one - other) <= TOLERANCE * scale

    for i, (column, summary) in enumerate(zip(wanted.T, found["column_summaries"])):
        finite = column[np.isfinite(column)]
        scale = np.abs(finite).max()
        for name, value, scale in [
            ("minimum", finite.min(), abs(finite.min())),
            ("maximum", finite.max(), abs(finite.max())),
            ("mean", finite.mean(), scale),
        ]:
            if not close(summary[name], value, scale):
                yield f"column {i}: the {name} {summary[name]}, but expected {value}"
    first = wanted[:5]
    if [len(row) for row in found["first_rows"]] != [first.shape[1]] * len(first):
        yield f"{len(found['first_rows'])} first rows"
        return
    for r, row in enumerate(first):
        for c, value in enumerate(row):
            shown = found["first_rows"][r][c]
            same = close(shown, value, abs(value)) if np.isfinite(value) else shown is None
            if not same:
                yield f"row {r}, column {c}: {shown}, but expected {value}"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    seed = int(sys.argv[2]) if len(sys.argv) == 3 else int(np.random.SeedSequence().generate_state(1)[0])
    strait = str(pathlib.Path(sys.argv[1]).resolve())
    files = rows = 0
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for make in Maker(seed, folder).all():
            path, options, array = make()
            wanted = np.asarray(array, "f8")
            command = [strait, "inspect", str(path), "--json", *options]
            result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            if result.returncode == 0:
                found = list(differences(json.loads(result.stdout), wanted))
            else:
                found = [f"exit code {result.returncode}: {result.stderr.strip()[-300:]}"]
            wrong += [f"{path.name} ({' x '.join(map(str, wanted.shape))}): {text}" for text in found[:3]]
            files += 1
            rows += len(wanted)
    for text in wrong:
        print(text)
    print(f"{files} files of {rows} rows with the seed {seed}: {'all agree' if not wrong else 'some differ'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
