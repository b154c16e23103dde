"""Write small data files as real tools write them, each beside a JSON of what is in it.

    python make.py FOLDER

Each file NAME gets NAME.json: the table its user expects, in float64, as it stood
in memory before the tool wrote it (for a lossy tool, as that tool reads it back).
README.md in FOLDER lists every file with its tool and call. Needs numpy, scipy,
scikit-learn, gensim, pandas, polars, duckdb, pyarrow, Pillow, idx2numpy,
safetensors, ml_dtypes and zstandard, and the programs octave-cli, Rscript and zstd.
MAT, gzip-by-tool and parquet files may differ in dates or version strings when
written again; the tables do not.
"""

import bz2
import datetime
import decimal
import gzip
import json
import lzma
import math
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import gensim
import idx2numpy
import ml_dtypes
import numpy as np
import pandas as pd
import PIL
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import safetensors
import safetensors.numpy
import scipy
import scipy.io
import scipy.sparse as sp
import sklearn
import sklearn.datasets
import zstandard
from gensim.corpora import BleiCorpus, MmCorpus, SvmLightCorpus, UciCorpus
from PIL import Image, ImageOps

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
ROWS = []  # README lines


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=True).stdout


VERSION = {
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "scikit-learn": sklearn.__version__,
    "gensim": gensim.__version__,
    "pandas": pd.__version__,
    "polars": pl.__version__,
    "duckdb": duckdb.__version__,
    "pyarrow": pa.__version__,
    "Pillow": PIL.__version__,
    "idx2numpy": "1.2.3",
    "safetensors": safetensors.__version__,
    "ml_dtypes": ml_dtypes.__version__,
    "zstandard": zstandard.__version__,
    "GNU Octave": run("octave-cli", "--version").split("version ")[1].split()[0],
    "R": re.search(r"\d+\.\d+\.\d+", run("Rscript", "-e", "cat(R.version.string)")).group(),
    "gzip": run("gzip", "--version").split()[1],
    "zstd": re.search(r"v([\d.]+)", run("zstd", "--version")).group(1),
    "handmade": "",
    "python": sys.version.split()[0],
}


# --- the expected table ------------------------------------------------------------

def number(x):
    """One cell: a float, null for a missing one, a word for an infinity or a text."""
    if x is None or x is pd.NA or x is pd.NaT:
        return None
    if isinstance(x, (str, bytes, datetime.date)):
        return None
    x = float(x)
    if math.isnan(x):
        return None
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return int(x) if x.is_integer() and abs(x) < 2**53 and not (x == 0 and math.copysign(1, x) < 0) else x


def rows_of(table):
    """Rows of numbers from an array (first axis = rows, the rest flattened), a frame or a list."""
    if sp.issparse(table):
        table = table.toarray()
    if isinstance(table, np.ndarray):
        table = table.reshape(len(table), -1)
        if table.dtype != object:
            table = table.astype(np.float64)
    if isinstance(table, pd.DataFrame):
        table = [list(row) for row in table.itertuples(index=False)]
    return [[number(x) for x in row] for row in table]


def dump(path, thing):
    path.write_text(json.dumps(thing, separators=(",", ":"), allow_nan=False) + "\n")


def note(path, tool, call):
    ROWS.append((str(path.relative_to(OUT)), f"{tool} {VERSION[tool]}".strip(), call))


def put(path, tool, call, table=None, names=None, labels=None, **more):
    """Record NAME.json beside the file at `path`, and its line for README.md."""
    about = {"tool": tool, "version": VERSION[tool]}
    if table is not None:
        values = rows_of(table)
        about |= {"rows": len(values), "columns": len(values[0]) if values else 0,
                  "names": names, "labels": labels, "values": values}
    elif names is not None:
        about["names"] = names
    dump(path.with_name(path.name + ".json"), about | more)
    note(path, tool, call)


def arrays_of(arrays):
    """For files of several arrays: {name: {shape, values}}, values flat in row-major order."""
    return {name: {"shape": list(np.shape(a)),
                   "values": str(np.asarray(a).item(), "ascii") if np.asarray(a).dtype.kind == "S"
                   else [number(x) for x in np.asarray(a).astype(np.float64).ravel()]}
            for name, a in arrays.items()}


def folder(kind):
    (OUT / kind).mkdir(parents=True, exist_ok=True)
    return OUT / kind


# --- the tables that are written ---------------------------------------------------

def table(dtype="f8", *shape):
    """Distinct values of a type: its least and greatest, negatives and fractions where it has them."""
    shape = shape or (7, 5)
    n = int(np.prod(shape))
    k = np.arange(n)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return ((k * k + k // 5) % 3 == 0).reshape(shape)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        bits = min(info.bits, 53) - (dtype.kind == "i")
        step = 2**bits // n
        a = [int(i) * step + (int(i) if step > 2 * n else 0) for i in k]
        if dtype.kind == "i":
            a = [(-v if i % 3 == 1 else v) for i, v in enumerate(a)]
        a = np.array(a, dtype=object)
        a[0], a[-1] = info.min if dtype.kind == "i" else 1, info.max
        return a.astype(dtype).reshape(shape)
    a = np.round((k - n // 2) * 1.37, 2)
    a[-1] = {"f2": 6e-8, "f4": 1.5e-40, "f8": 2.5e-310}.get(dtype.str[1:], a[-1])
    return a.astype(dtype).reshape(shape)


def plain(rows=7, columns=5):
    """Short decimal fractions, some negative: for text formats."""
    k = np.arange(rows * columns)
    return np.round((k - 11) * 1.37, 2).reshape(rows, columns)


NAMES = ["a", "b", "c", "d", "e"]


def frame():
    return pd.DataFrame(plain(), columns=NAMES)


def counts():
    """Documents as bags of words, (word, count) pairs; the third is empty of the last words."""
    return [[(0, 1), (2, 3)], [(1, 2), (4, 1), (5, 7)], [(3, 12)], [(0, 2), (1, 1), (2, 1), (5, 4)]]


WORDS = ["apple", "bread", "cheese", "dill", "egg", "fig"]


def bags_table():
    t = np.zeros((4, 6))
    for i, bag in enumerate(counts()):
        for word, count in bag:
            t[i, word] = count
    return t


# --- the kinds ---------------------------------------------------------------------

def idx():
    at = folder("idx")
    for code, dtype in [("u1", "u1"), ("i1", "i1"), ("i2", "i2"), ("i4", "i4"), ("f4", "f4"), ("f8", "f8")]:
        a = table(dtype)
        path = at / f"{code}.idx2-{'ubyte' if code == 'u1' else code}"
        idx2numpy.convert_to_file(str(path), a)
        put(path, "idx2numpy", f"convert_to_file(path, a) of {a.dtype}{list(a.shape)}", a)
    for shape in [(9,), (7, 3, 2), (4, 3, 2, 2)]:
        a = np.array([3, 0, 9, 1, 1, 7, 2, 8, 5], "u1") if len(shape) == 1 else table("u1", *shape)
        path = at / f"rank{len(shape)}.idx{len(shape)}-ubyte"
        idx2numpy.convert_to_file(str(path), a)
        more = {"one_dimensional": True} if len(shape) == 1 else {}
        put(path, "idx2numpy", f"convert_to_file(path, a) of u1{list(shape)}", a, **more)
    a = table("i2", 5, 3, 2)
    path = at / "rank3-i2.idx3-short"
    idx2numpy.convert_to_file(str(path), a)
    put(path, "idx2numpy", "convert_to_file(path, a) of i2[5, 3, 2]", a)
    a = table("u1", 7, 3, 2)
    path = at / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx2numpy.convert_to_string(a), mtime=0))
    put(path, "idx2numpy", "gzip.compress(convert_to_string(a)) of u1[7, 3, 2]", a)


def npy():
    at = folder("npy")

    def save(name, a, call=None, refused=False, write=np.save, **more):
        path = at / f"{name}.npy"
        write(path, a)
        call = call or f"np.save(path, a) of {a.dtype.str}{list(a.shape)}"
        if refused:
            put(path, "numpy", call, refused=True, shape=list(a.shape), **more)
        else:
            put(path, "numpy", call, a, **more)

    for code in "? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8".split():
        save("bool" if code == "?" else code, table(code))
    for code in [">i2", ">u4", ">f4", ">f8"]:
        save("big-" + code[1:], table(code[1:]).astype(code))
    save("fortran-2d", np.asfortranarray(table("f4")), "np.save of np.asfortranarray(f4[7, 5])")
    save("transposed", table("f8", 5, 7).T, "np.save of a.T, a of f8[5, 7] (written in Fortran order)")
    save("fortran-3d", np.asfortranarray(table("i2", 4, 3, 2)), "np.save of np.asfortranarray(i2[4, 3, 2])")
    save("fortran-big", np.asfortranarray(table("i4").astype(">i4")), "np.save of np.asfortranarray(>i4[7, 5])")
    save("strided", table("f8", 14, 10)[::2, ::-2], "np.save of a[::2, ::-2], a of f8[14, 10]")
    save("3d", table("f4", 4, 3, 2))
    save("4d", table("u1", 3, 2, 2, 2))
    save("one-column", table("f8", 7, 1), "np.save of f8[7, 1] (both orders: written as C)")
    a = table("f8")
    a[1, 2] = a[4, 0] = np.nan
    a[2, 2], a[3, 3] = np.inf, -np.inf
    save("nan-inf", a, "np.save of f8[7, 5] with nan, inf, -inf")
    for version in [(2, 0), (3, 0)]:
        def write(path, a):
            with open(path, "wb") as f:
                np.lib.format.write_array(f, a, version=version)
        save(f"version{version[0]}", table("f4"), f"np.lib.format.write_array(f, a, version={version})", write=write)
    save("1d", table("f8", 7), refused=True, why="one dimension: rows or columns?")
    save("0d", np.float64(2.5) + np.zeros(()), "np.save of a 0-d array", refused=True, why="no dimension")
    save("no-rows", np.zeros((0, 5)), refused=True, why="no rows")
    save("no-columns", np.zeros((7, 0)), refused=True, why="no columns")
    save("complex", np.array([[1 + 2j, 3], [4, 5j]]), refused=True, why="complex")
    save("text", np.array([["1.5", "x"], ["2", "yy"]]), refused=True, why="text")
    save("structured", np.array([(1, 2.5), (3, 4.5)], dtype=[("n", "<i4"), ("x", "<f8")]), "np.save of a structured array",
         refused=True, why="a record type")
    save("object", np.array([[1, None], ["x", 2.5]], dtype=object), "np.save of an object array (a pickle)",
         refused=True, why="a pickle")


def npz():
    at = folder("npz")
    a, b = table("f4"), table("i2", 3, 4)
    path = at / "savez.npz"
    np.savez(path, rows=a, other=b)
    put(path, "numpy", "np.savez(path, rows=a, other=b)", arrays=arrays_of({"rows": a, "other": b}))
    path = at / "savez-one.npz"
    np.savez(path, a)
    put(path, "numpy", "np.savez(path, a): the array is named arr_0", a, arrays=arrays_of({"arr_0": a}))
    path = at / "savez-compressed.npz"
    np.savez_compressed(path, rows=a, other=np.asfortranarray(b))
    put(path, "numpy", "np.savez_compressed(path, rows=a, other=asfortranarray(b))", arrays=arrays_of({"rows": a, "other": b}))
    keras = {"x_train": table("u1", 6, 4, 3), "y_train": np.array([5, 0, 4, 1, 9, 2], "u1"),
             "x_test": table("u1", 3, 4, 3)[:, ::-1], "y_test": np.array([7, 2, 1], "u1")}
    path = at / "keras.npz"
    np.savez(path, **keras)
    put(path, "numpy", "np.savez(path, x_train=.., y_train=.., x_test=.., y_test=..), as Keras' mnist.npz", arrays=arrays_of(keras))
    for name, make, compressed in [("csr", sp.csr_matrix, True), ("csr-stored", sp.csr_matrix, False), ("csc", sp.csc_matrix, True),
                                   ("coo", sp.coo_matrix, True), ("csr-array", sp.csr_array, True)]:
        m = make(sparse_table())
        path = at / f"scipy-{name}.npz"
        sp.save_npz(path, m, compressed=compressed)
        with np.load(path) as z:
            parts = {k: z[k] for k in z.files}
        put(path, "scipy", f"sparse.save_npz(path, {make.__name__}(a), compressed={compressed})", sparse_table(),
            arrays=arrays_of(parts))


def sparse_table():
    a = np.zeros((7, 5))
    for n, (i, j) in enumerate([(0, 1), (0, 4), (1, 0), (2, 2), (3, 0), (3, 1), (3, 3), (5, 4), (6, 2)]):
        a[i, j] = (n - 3) * 1.25 if n != 3 else 0.1
    return a


def safetensors_files():
    at = folder("safetensors")
    save = safetensors.numpy.save_file
    kinds = {"f64": "f8", "f32": "f4", "f16": "f2", "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8",
             "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "bool": "?"}
    for name, code in kinds.items():
        a = table(code)
        path = at / f"{name}.safetensors"
        save({"rows": a}, path)
        put(path, "safetensors", f'numpy.save_file({{"rows": a}}, path) of {a.dtype}[7, 5]', a)
    a = table("f4").astype(ml_dtypes.bfloat16)
    path = at / "bf16.safetensors"
    save({"rows": a}, path)
    put(path, "safetensors", 'numpy.save_file({"rows": a}, path) of ml_dtypes.bfloat16[7, 5]', a)
    a = table("f4", 4, 3, 2)
    path = at / "3d.safetensors"
    save({"rows": a}, path, metadata={"format": "np"})
    put(path, "safetensors", 'numpy.save_file({"rows": a}, path, metadata={"format": "np"}) of f4[4, 3, 2]', a)
    a = table("f4", 22, 3)
    path = at / "numbered.safetensors"
    save({f"rows.{i + 1}": a[2 * i:2 * i + 2].copy() for i in range(11)}, path)
    put(path, "safetensors", "numpy.save_file of rows.1 .. rows.11, each f4[2, 3]; table in numeric order", a)
    several = {"images": table("f4", 4, 3, 2), "labels": np.array([3, 1, 2, 0]), "mean": table("f8", 6)}
    path = at / "several.safetensors"
    save(several, path)
    put(path, "safetensors", "numpy.save_file of images f4[4, 3, 2], labels i8[4], mean f8[6]", arrays=arrays_of(several))
    a = table("f8", 7)
    path = at / "1d.safetensors"
    save({"rows": a}, path)
    put(path, "safetensors", 'numpy.save_file({"rows": a}, path) of f8[7]', refused=True, shape=[7])
    at = folder("safetensors/shards")
    a = table("f4", 6, 5)
    parts = {"rows.1": a[:4].copy(), "rows.2": a[4:].copy()}
    weight_map = {}
    for i, (name, part) in enumerate(parts.items()):
        path = at / f"model-0000{i + 1}-of-00002.safetensors"
        save({name: part}, path, metadata={"format": "pt"})
        weight_map[name] = path.name
        put(path, "safetensors", f'numpy.save_file({{"{name}": ..}}, path, metadata={{"format": "pt"}})', part)
    path = at / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": a.nbytes}, "weight_map": weight_map}, indent=2) + "\n")
    put(path, "handmade", "an index of two shards in the shape Hugging Face's libraries write", a)


def csv():
    at = folder("csv")
    df = frame()
    missing = df.copy()
    missing.iloc[1, 2] = missing.iloc[4, 0] = missing.iloc[6, 4] = np.nan
    species = ["setosa", "versicolor", "virginica", "setosa", "virginica", "versicolor", "setosa"]
    labelled = df.assign(label=[3, 0, 1, 1, 2, 0, 3])

    def pandas(name, d, call, names=True, text=None, **more):
        path = at / f"pandas-{name}.csv"
        keys = {k: more.pop(k) for k in list(more) if k in PANDAS_KEYS}
        d.to_csv(path, **keys)
        put(path, "pandas", call, d, names=list(d.columns) if names else None, **({"text_columns": text} if text else {}), **more)

    pandas("header", df, "to_csv(path, index=False)", index=False)
    pandas("index", df, "to_csv(path): the index first, under an empty name", index_column=True)
    pandas("named-index", df.rename_axis("id").set_index(np.array([10, 11, 12, 13, 14, 15, 16])).rename_axis("id"),
           'to_csv(path) of a frame whose index is named id', index_column=True)
    pandas("no-header", df, "to_csv(path, index=False, header=False)", index=False, header=False, names=False)
    quoted = df.set_axis(["width, cm", 'the "long" one', "c", "d;x", "e\nf"], axis=1)
    pandas("quoted-header", quoted, "to_csv(path, index=False): separator, quotes and a line break inside names", index=False)
    pandas("semicolon", df, 'to_csv(path, index=False, sep=";")', index=False, sep=";")
    pandas("semicolon-comma", df, 'to_csv(path, index=False, sep=";", decimal=",")', index=False, sep=";", decimal=",")
    pandas("tab", df, r'to_csv(path, index=False, sep="\t")', index=False, sep="\t")
    pandas("missing", missing, "to_csv(path, index=False): missing cells empty", index=False)
    pandas("missing-nan", missing, 'to_csv(path, index=False, na_rep="NaN")', index=False, na_rep="NaN")
    pandas("missing-na", missing, 'to_csv(path, index=False, na_rep="NA")', index=False, na_rep="NA")
    holes = missing.copy()
    holes.iloc[6, 3], holes.iloc[3] = np.nan, np.nan
    pandas("missing-row", holes, "to_csv(path, index=False): a row all missing, the last two cells missing", index=False)
    one = pd.DataFrame({"a": [1.5, np.nan, -2.25, np.nan]})
    pandas("missing-one-column", one, 'to_csv(path, index=False) of one column: missing cells written as ""', index=False)
    inf = df.copy()
    inf.iloc[0, 1], inf.iloc[2, 3] = np.inf, -np.inf
    pandas("inf", inf, "to_csv(path, index=False) of inf and -inf", index=False)
    logical = df.assign(b=[True, False, True, True, False, False, True], e=[False] * 6 + [True])
    pandas("booleans", logical, "to_csv(path, index=False) of True and False", index=False)
    pandas("text", df.assign(species=species), "to_csv(path, index=False) with a column of text", index=False, text=["species"])
    awkward = ["plain", "with, comma", 'with "quotes"', "two\nlines", "", " blank ", "é ü 猫"]
    pandas("text-quoted", df.assign(c=awkward), "to_csv(path, index=False), text with commas, quotes, line breaks", index=False, text=["c"])
    pandas("crlf", df, r'to_csv(path, index=False, lineterminator="\r\n")', index=False, lineterminator="\r\n")
    pandas("bom", df, 'to_csv(path, index=False, encoding="utf-8-sig")', index=False, encoding="utf-8-sig")
    pandas("bom-quoted", quoted, 'to_csv(path, index=False, encoding="utf-8-sig", quoting=QUOTE_ALL)', index=False,
           encoding="utf-8-sig", quoting=1)
    pandas("utf16", df, 'to_csv(path, index=False, encoding="utf-16")', index=False, encoding="utf-16", names=True, utf16=True)
    pandas("labels", labelled, "to_csv(path, index=False) with an integer label column", index=False, label_column="label")
    pandas("labels-first", labelled[["label", *NAMES]].astype({"a": int, "b": int}),
           "to_csv(path, index=False, header=False), the label first", index=False, header=False, names=False, label_column=0)
    pandas("quote-all", df, "to_csv(path, index=False, quoting=csv.QUOTE_ALL)", index=False, quoting=1)
    pandas("quote-nonnumeric", df.assign(species=species), "to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)", index=False,
           quoting=2, text=["species"])
    rounded = pd.DataFrame([[float("%.4e" % x) for x in row] for row in (plain() * 1234.5)], columns=NAMES)
    pandas("exponents", rounded, 'to_csv(path, index=False, float_format="%.4e")', index=False, float_format="%.4e")
    wide = pd.DataFrame([[1e-300, 1e300, 123456789012345680.0, 1e-5, 0.1 + 0.2], [-0.0, 5e-324, 1.7976931348623157e308, 1e16, 1 / 3]],
                        columns=NAMES)
    pandas("extremes", wide, "to_csv(path, index=False) of extreme values at full precision", index=False)
    whole = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [2**53 + 2, -2**62, 7]})
    pandas("integers", whole, "to_csv(path, index=False) of Int64 with a missing one, and of great integers", index=False)
    dates = df.assign(c=pd.date_range("2024-02-27 23:30", periods=7, freq="h"))
    pandas("dates", dates, "to_csv(path, index=False) with a column of times", index=False, text=["c"])
    one_column = df[["b"]]
    pandas("one-column", one_column, "to_csv(path, index=False) of one column", index=False)
    numbered = pd.DataFrame(plain())
    pandas("numbered-header", numbered.set_axis([str(i) for i in range(5)], axis=1),
           "to_csv(path, index=False) of DataFrame(a): the header is 0,1,2,3,4", index=False, note="the header is itself numbers")
    levels = df.copy()
    levels.columns = pd.MultiIndex.from_tuples([("x", "a"), ("x", "b"), ("y", "a"), ("y", "b"), ("y", "c")])
    path = at / "pandas-two-header-rows.csv"
    levels.to_csv(path, index=False)
    put(path, "pandas", "to_csv(path, index=False) of two levels of column names", refused=True, why="two header lines")

    # polars
    p = pl.DataFrame({n: plain()[:, i] for i, n in enumerate(NAMES)})
    def polars(name, d, call, names=True, text=None, **keys):
        path = at / f"polars-{name}.csv"
        d.write_csv(path, **keys)
        put(path, "polars", call, d.rows(), names=d.columns if names else None, **({"text_columns": text} if text else {}))
    polars("header", p, "write_csv(path)")
    path = at / "polars-f32.csv"
    p.cast(pl.Float32).write_csv(path)
    put(path, "polars", "write_csv(path) of Float32: the shortest digits that give the float32 back", p.rows(), names=NAMES)
    polars("no-header", p, "write_csv(path, include_header=False)", names=False, include_header=False)
    mixed = p.with_columns(pl.Series("b", [True, False, None, True, False, False, True]), pl.Series("c", [1.5, None, float("nan"), -2.25, 0.0, 1e-7, 1e22]),
                           pl.Series("d", ["x", None, "", "a,b", 'q"q', "z", "NA"]))
    polars("missing", mixed, "write_csv(path): true and false, null empty, an empty text quoted, NaN written NaN", text=["d"])
    polars("null-value", p.with_columns(pl.Series("c", [1.5, None, 2.5, -2.25, None, 3.0, None])), 'write_csv(path, null_value="null")', null_value="null")
    polars("quote-always", p, 'write_csv(path, quote_style="always", line_terminator="\\r\\n")', quote_style="always", line_terminator="\r\n")
    polars("bom-semicolon", p, 'write_csv(path, include_bom=True, separator=";")', include_bom=True, separator=";")
    polars("scientific", p, "write_csv(path, float_scientific=True)", float_scientific=True)

    # duckdb
    t = arrow_mixed()
    duckdb.register("mixed", t)
    def duck(name, options, call, names=True):
        path = at / f"duckdb-{name}.csv"
        duckdb.sql(f"COPY mixed TO '{path}' ({options})")
        put(path, "duckdb", call, [list(r.values()) for r in t.to_pylist()], names=t.column_names if names else None, text_columns=["word"] if names else [3])
    duck("header", "FORMAT csv", "COPY mixed TO path (FORMAT csv)")
    duck("no-header", "FORMAT csv, HEADER false, DELIMITER '|'", "COPY .. (FORMAT csv, HEADER false, DELIMITER '|')", names=False)
    duck("tab-null", r"FORMAT csv, DELIMITER '\t', NULL '\N', FORCE_QUOTE (x)", r"COPY .. (FORMAT csv, DELIMITER '\t', NULL '\N', FORCE_QUOTE (x))")
    path = at / "pyarrow-header.csv"
    pa.csv.write_csv(t, path)
    put(path, "pyarrow", "csv.write_csv(table, path): header and text quoted, null empty, true and false",
        [list(r.values()) for r in t.to_pylist()], names=t.column_names, text_columns=["word"])

    # numpy
    def savetxt(name, a, call, ext="txt", **keys):
        path = at / f"numpy-{name}.{ext}"
        np.savetxt(path, a, **keys)
        put(path, "numpy", call, a)
    savetxt("default", plain(), "savetxt(path, a): blanks, %.18e")
    savetxt("comma", plain(), 'savetxt(path, a, delimiter=",")', ext="csv", delimiter=",")
    savetxt("comment", plain(), 'savetxt(path, a, delimiter=",", header="a,b,c,d,e"): a line "# a,b,c,d,e"', ext="csv", delimiter=",", header="a,b,c,d,e")
    path = at / "numpy-header.csv"
    np.savetxt(path, plain(), delimiter=",", header=",".join(NAMES), comments="", fmt="%g")
    put(path, "numpy", 'savetxt(path, a, delimiter=",", header="a,b,c,d,e", comments="", fmt="%g")', plain(), names=NAMES)
    savetxt("footer", plain(), r'savetxt(path, a, fmt="%10.3f", header="two\nlines", footer="the end"): padded with blanks', fmt="%10.3f", header="two\nlines", footer="the end")
    savetxt("nan", rows_array(missing), "savetxt(path, a): nan")
    savetxt("integers", table("i2"), r'savetxt(path, a, fmt="%d", delimiter="\t")', ext="tsv", fmt="%d", delimiter="\t")

    # Octave and R
    octave(f"""
        a = {octave_matrix(plain())};
        csvwrite('{at}/octave-csvwrite.csv', a);
        dlmwrite('{at}/octave-dlmwrite.txt', a, 'delimiter', ' ', 'precision', '%.3f', 'newline', 'pc');
        b = a; b(2, 3) = NaN; b(4, 1) = NA; b(5, 5) = Inf; b(6, 2) = -Inf;
        csvwrite('{at}/octave-nan.csv', b);
        save('-ascii', '{at}/octave-ascii.txt', 'a');
    """)
    put(at / "octave-csvwrite.csv", "GNU Octave", "csvwrite(path, a)", plain())
    put(at / "octave-dlmwrite.txt", "GNU Octave", "dlmwrite(path, a, 'delimiter', ' ', 'precision', '%.3f', 'newline', 'pc')", plain())
    b = plain()
    b[1, 2] = b[3, 0] = np.nan
    b[4, 4], b[5, 1] = np.inf, -np.inf
    put(at / "octave-nan.csv", "GNU Octave", "csvwrite(path, a) of NaN, NA, Inf, -Inf", b)
    put(at / "octave-ascii.txt", "GNU Octave", "save('-ascii', path, 'a'): leading blank, %.8e", plain())
    run("Rscript", "-", stdin=f"""
        d <- data.frame(matrix(c({",".join(map(repr, plain().ravel().tolist()))}), ncol=5, byrow=TRUE))
        names(d) <- c("a", "b", "c", "d", "e")
        d$c[2] <- NA; d$e[7] <- NaN; d$a[5] <- Inf
        d$species <- factor(c({",".join('"%s"' % s for s in species)}))
        d$ok <- c(TRUE, FALSE, NA, TRUE, FALSE, FALSE, TRUE)
        write.csv(d, "{at}/r-write-csv.csv")
        write.csv(d, "{at}/r-write-csv-plain.csv", row.names=FALSE, quote=FALSE, na="")
        write.csv2(d, "{at}/r-write-csv2.csv", row.names=FALSE)
        write.table(d, "{at}/r-write-table.txt")
        write.table(d[, 1:5], "{at}/r-write-table-tab.tsv", sep="\\t", quote=FALSE, row.names=FALSE)
    """)
    r = df.copy()
    r.iloc[1, 2] = r.iloc[6, 4] = np.nan
    r.iloc[4, 0] = np.inf
    full = r.assign(species=species, ok=pd.array([True, False, None, True, False, False, True], dtype="boolean"))
    for name, call, more in [
        ("r-write-csv.csv", "write.csv(d, path): quoted names, row names first under \"\", NA, TRUE", {"index_column": True}),
        ("r-write-csv-plain.csv", 'write.csv(d, path, row.names=FALSE, quote=FALSE, na="")', {}),
        ("r-write-csv2.csv", "write.csv2(d, path, row.names=FALSE): semicolons, decimal commas", {}),
        ("r-write-table.txt", "write.table(d, path): blanks, row names, the header one name short", {"index_column": True, "note": "the header has one name fewer than the rows have cells"}),
    ]:
        put(at / name, "R", call, full, names=list(full.columns), text_columns=["species"], **more)
    put(at / "r-write-table-tab.tsv", "R", r'write.table(d[, 1:5], path, sep="\t", quote=FALSE, row.names=FALSE)', r, names=NAMES)

    path = at / "handmade-spaces.csv"
    path.write_text("a, b, c\n1, 2.5, -3\n 4 ,5e-1, +6\n.5, 7., 8\n\n", newline="")
    put(path, "handmade", "blanks after commas, +6, .5, 7., a blank line at the end", [[1, 2.5, -3], [4, 0.5, 6], [0.5, 7, 8]], names=["a", "b", "c"])
    path = at / "handmade-no-last-newline.csv"
    path.write_text("a,b,c\n1,2,3\n4,5,6", newline="")
    put(path, "handmade", "no line end after the last row", [[1, 2, 3], [4, 5, 6]], names=["a", "b", "c"])
    path = at / "handmade-ragged.csv"
    path.write_text("a,b,c\n1,2,3\n4,5\n6,7,8\n", newline="")
    put(path, "handmade", "a row that is one cell short", refused=True, why="rows of different lengths")


PANDAS_KEYS = {"index", "header", "sep", "decimal", "na_rep", "lineterminator", "encoding", "quoting", "float_format"}


def rows_array(df):
    return df.to_numpy(dtype=np.float64)


def arrow_mixed():
    """A table of the plain column types, with nulls and text."""
    return pa.table({
        "n": pa.array([1, -2, None, 4, 5, 6, 7], pa.int32()),
        "x": pa.array([0.5, -1.25, 3.1, None, 1e-9, 1e20, 7.75], pa.float64()),
        "ok": pa.array([True, False, None, True, False, False, True]),
        "word": pa.array(["red", "a, b", None, 'say "x"', "", "two\nlines", "é"]),
        "y": pa.array([0.1, 0.2, -0.3, 0.4, 0.5, 0.6, 0.75], pa.float64()),
    })


def parquet():
    at = folder("parquet")
    columns = {n: plain()[:, i] for i, n in enumerate(NAMES)}
    t = pa.table({n: pa.array(v) for n, v in columns.items()})

    def cells(t):
        return [list(r.values()) for r in t.to_pylist()]

    def arrow(name, t, call, values=None, names=None, text=None, **keys):
        path = at / f"pyarrow-{name}.parquet"
        pq.write_table(t, path, **keys)
        put(path, "pyarrow", call, cells(t) if values is None else values, names=names or t.column_names, **({"text_columns": text} if text else {}))

    types = {"i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "f32": "f4", "f64": "f8"}
    every = {name: pa.array(table(code, 7)) for name, code in types.items()} | {
        "f16": pa.array(table("f2", 7)),
        "bool": pa.array(table("?", 7)),
        "dec32": pa.array([decimal.Decimal(k * 137 - 400) / 100 for k in range(7)], pa.decimal128(7, 2)),
        "dec64": pa.array([decimal.Decimal(k * 12345678901 - 40000000000) / 1000 for k in range(7)], pa.decimal128(15, 3)),
        "dec128": pa.array([decimal.Decimal((k - 3) * 10**24 + 5) / 10**10 for k in range(7)], pa.decimal128(30, 10)),
    }
    wide = pa.table(every)
    arrow("types", wide, "write_table(t, path) of every numeric type, Float16, bool, three decimal128")
    arrow("types-v2", wide, 'write_table(t, path, data_page_version="2.0", compression="zstd")', data_page_version="2.0", compression="zstd")
    arrow("types-1.0", wide.drop_columns(["f16"]), 'write_table(t, path, version="1.0", use_dictionary=False)', version="1.0", use_dictionary=False)
    arrow("decimal-as-integer", wide.select(["dec32", "dec64", "dec128"]), "write_table(t, path, store_decimal_as_integer=True)", store_decimal_as_integer=True)
    ints = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
    arrow("delta", wide.select(ints + ["f32"]), "column_encoding: DELTA_BINARY_PACKED for integers, BYTE_STREAM_SPLIT for f32", use_dictionary=False,
          column_encoding={n: "DELTA_BINARY_PACKED" for n in ints} | {"f32": "BYTE_STREAM_SPLIT"})
    arrow("split", wide.select(["f32", "f64", "f16", "i32", "i64"]), "write_table(t, path, use_byte_stream_split=True, use_dictionary=False)",
          use_dictionary=False, use_byte_stream_split=True)
    flags = pa.table({"ok": pa.array([True, None, False, True, True, False, True]), "x": columns["a"]})
    arrow("rle-bool", flags, 'write_table(t, path, data_page_version="2.0", column_encoding={"ok": "RLE", "x": "PLAIN"}, use_dictionary=False)',
          data_page_version="2.0", use_dictionary=False, column_encoding={"ok": "RLE", "x": "PLAIN"})
    for codec in ["snappy", "gzip", "zstd", "brotli", "lz4", "none"]:
        arrow(codec, t, f'write_table(t, path, compression="{codec}")', compression=codec)
    arrow("groups", t, "write_table(t, path, row_group_size=3)", row_group_size=3)
    arrow("pages", pa.table({n: pa.array(np.resize(table("i2"), 60) * (i + 1)) for i, n in enumerate("ab")}),
          "write_table(t, path, data_page_size=32, write_batch_size=8, use_dictionary=False, write_page_index=True): many pages",
          data_page_size=32, write_batch_size=8, use_dictionary=False, write_page_index=True)
    arrow("nulls", arrow_mixed(), "write_table(t, path) of int32, float64, bool, text, with nulls", text=["word"])
    required = pa.table({n: v for n, v in columns.items()}, schema=pa.schema([pa.field(n, pa.float64(), nullable=False) for n in NAMES]))
    arrow("required", required, "write_table(t, path) of columns that are not nullable")
    kind = pa.array(["red", "blue", "red", None, "green", "blue", "red"]).dictionary_encode()
    arrow("dictionary", pa.table({"x": columns["a"], "kind": kind}), "write_table(t, path) with a dictionary column of text", text=["kind"])
    codes = pa.array([10, -20, 10, 30, None, -20, 10], pa.int32()).dictionary_encode()
    arrow("dictionary-of-numbers", pa.table({"x": columns["a"], "n": codes}), "write_table(t, path) with a dictionary column of int32")
    when = pa.table({
        "x": columns["a"],
        "stamp": pa.array([datetime.datetime(2024, 2, 27 + i // 4, 3 * i) for i in range(7)], pa.timestamp("us", "UTC")),
        "day": pa.array([datetime.date(2024, 2, 25 + i) for i in range(5)] + [None, datetime.date(1969, 12, 31)]),
        "word": pa.array(list("abcdefg")), "y": columns["b"]})
    arrow("times", when, "write_table(t, path) with a timestamp, a date and a text column", text=["stamp", "day", "word"])
    numbered = pa.table({"x": pa.nulls(7, pa.float64()), "y": columns["b"], "z": pa.nulls(7)})
    arrow("all-null", numbered, "write_table(t, path) with a column all null, and one of type null")

    lists = [[float(x) for x in row] for row in plain()]
    values = plain()
    def wide_names(name):
        return {"list_column": name}
    for name, type_, call in [
        ("list", pa.list_(pa.float32()), "write_table of one list<float> column"),
        ("fixed-list", pa.list_(pa.float32(), 5), "write_table of one fixed_size_list<float>[5] column"),
        ("list-double", pa.list_(pa.field("element", pa.float64(), nullable=False)), "write_table of one list<double not null> column"),
    ]:
        column = pa.array(lists, type_)
        path = at / f"pyarrow-{name}.parquet"
        pq.write_table(pa.table({"rows": column}), path, row_group_size=4)
        v = values.astype("f4") if "float" in str(type_) and "double" not in str(type_) else values
        put(path, "pyarrow", call + ", row_group_size=4", v, **wide_names("rows"))
    path = at / "pyarrow-list-and-label.parquet"
    pq.write_table(pa.table({"rows": pa.array(lists, pa.list_(pa.float32())), "label": pa.array([3, 0, 1, 1, 2, 0, 3])}), path)
    put(path, "pyarrow", "write_table of a list<float> and an int64 label column", np.column_stack([values.astype("f4"), [3, 0, 1, 1, 2, 0, 3]]),
        list_column="rows", label_column="label", note="values: the list's five numbers, then the label")
    path = at / "pyarrow-nested-list.parquet"
    nested = [[[float(x) for x in line] for line in row] for row in table("f4", 4, 3, 2)]
    pq.write_table(pa.table({"rows": pa.array(nested, pa.list_(pa.list_(pa.float32())))}), path)
    put(path, "pyarrow", "write_table of one list<list<float>> column, each 3 by 2", table("f4", 4, 3, 2), list_column="rows")
    for name, bad, why in [
        ("list-ragged", [[1.0, 2.0, 3.0], [4.0], [5.0, 6.0]], "lists of different lengths"),
        ("list-null", [[1.0, 2.0], None, [5.0, 6.0]], "a list that is null"),
        ("list-empty", [[], [], []], "lists of no numbers"),
    ]:
        path = at / f"pyarrow-{name}.parquet"
        pq.write_table(pa.table({"rows": pa.array(bad, pa.list_(pa.float32()))}), path)
        put(path, "pyarrow", f"write_table of list<float>: {why}", refused=True, why=why)
    path = at / "pyarrow-list-null-inside.parquet"
    pq.write_table(pa.table({"rows": pa.array([[1.0, None, 3.0], [4.0, 5.0, None]], pa.list_(pa.float32()))}), path)
    put(path, "pyarrow", "write_table of list<float> with nulls inside the lists", [[1, None, 3], [4, 5, None]], list_column="rows")
    path = at / "pyarrow-struct.parquet"
    pq.write_table(pa.table({"x": columns["a"], "point": pa.array([{"u": i + 0.5, "v": -i} for i in range(7)])}), path)
    put(path, "pyarrow", "write_table with a struct column", refused=True, why="a struct column")
    path = at / "pyarrow-no-rows.parquet"
    pq.write_table(t.slice(0, 0), path)
    put(path, "pyarrow", "write_table of a table of no rows", refused=True, why="no rows")

    df = frame()
    df["kind"] = pd.Categorical(["x", "y", "x", "z", "z", "x", "y"])
    df["n"] = pd.array([1, None, 3, 4, 5, 6, 7], dtype="Int16")
    path = at / "pandas-range.parquet"
    df.to_parquet(path)
    put(path, "pandas", "to_parquet(path) with a categorical and a nullable Int16 column; the index only in metadata", df, names=list(df.columns), text_columns=["kind"])
    path = at / "pandas-index.parquet"
    part = frame()[lambda d: d.a > -10]
    part.to_parquet(path)
    put(path, "pandas", "to_parquet(path) of filtered rows: the index becomes a column __index_level_0__, last", part, names=NAMES, index_column="__index_level_0__",
        index=part.index.tolist())
    p = pl.DataFrame(columns).with_columns(
        pl.Series("i", [1, None, 3, -4, 5, 6, 7], dtype=pl.Int8), pl.Series("ok", [True, False, None, True, True, False, False]),
        pl.Series("kind", ["x", "y", None, "x", "z", "z", "y"], dtype=pl.Categorical), pl.Series("dec", [decimal.Decimal("1.25") * k for k in range(7)], dtype=pl.Decimal(10, 2)))
    path = at / "polars-default.parquet"
    p.write_parquet(path)
    put(path, "polars", "write_parquet(path) of Float64, Int8, Boolean, Categorical, Decimal", p.rows(), names=p.columns, text_columns=["kind"])
    path = at / "polars-groups.parquet"
    p.select(NAMES).write_parquet(path, compression="lz4", row_group_size=3, statistics=False)
    put(path, "polars", 'write_parquet(path, compression="lz4", row_group_size=3, statistics=False)', plain(), names=NAMES)
    for name, type_ in [("array", pl.Array(pl.Float32, 5)), ("list", pl.List(pl.Float64))]:
        path = at / f"polars-{name}.parquet"
        pl.DataFrame({"rows": pl.Series(lists, dtype=type_)}).write_parquet(path)
        put(path, "polars", f"write_parquet(path) of one {type_} column", values.astype("f4") if name == "array" else values, list_column="rows")
    duckdb.register("t", t)
    duckdb.register("types", wide.drop_columns(["f16"]))
    duckdb.register("words", arrow_mixed())
    def duck(name, query, options, call, v, **more):
        path = at / f"duckdb-{name}.parquet"
        duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet{options})")
        put(path, "duckdb", call, v, **more)
    duck("default", "SELECT * FROM t", "", "COPY t TO path (FORMAT parquet)", plain(), names=NAMES)
    duck("v2", "SELECT * FROM t", ", PARQUET_VERSION V2, COMPRESSION zstd", "COPY .. (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd)", plain(), names=NAMES)
    every_but = [n for n in wide.column_names if n != "f16"]
    duck("types", "SELECT * FROM types", "", "COPY .. (FORMAT parquet) of every integer, float, bool, three decimals", cells(wide.select(every_but)), names=every_but)
    at_v2 = wide.select(every_but).set_column(every_but.index("i32"), "i32", pa.array(table("i4", 7) >> 2))
    duckdb.register("types_v2", at_v2)
    duck("types-v2", "SELECT * FROM types_v2", ", PARQUET_VERSION V2", "the same with PARQUET_VERSION V2 (and i32 in half its range)", cells(at_v2), names=every_but)
    duck("v2-far-integers", "SELECT i32 FROM types", ", PARQUET_VERSION V2", "PARQUET_VERSION V2 of int32 more than 2^31 apart: pyarrow cannot read it, polars and duckdb can",
         cells(wide.select(["i32"])), names=["i32"])
    duck("nulls", "SELECT * FROM words", ", COMPRESSION brotli", "COPY .. (FORMAT parquet, COMPRESSION brotli) with nulls and text", cells(arrow_mixed()),
         names=arrow_mixed().column_names, text_columns=["word"])
    duck("lz4", "SELECT * FROM t", ", COMPRESSION lz4_raw", "COPY .. (FORMAT parquet, COMPRESSION lz4_raw)", plain(), names=NAMES)
    huge = [[170141183460469231731687303715884105727.0, 1], [-5, 2], [7, 3]]
    duck("hugeint", "SELECT * FROM (VALUES (170141183460469231731687303715884105727::HUGEINT, 1), (-5, 2), (7, 3)) v(h, n)", "",
         "COPY .. (FORMAT parquet) of HUGEINT (written as DOUBLE)", huge, names=["h", "n"])
    for name, options in [("array", ""), ("array-v2", ", PARQUET_VERSION V2")]:
        duck(name, "SELECT [a, b, c, d, e]::FLOAT[5] AS rows FROM t", options, f"COPY .. (FORMAT parquet{options}) of one FLOAT[5] column",
             values.astype("f4"), list_column="rows")


def octave_matrix(a):
    return "[" + "; ".join(" ".join(repr(float(x)) for x in row) for row in a) + "]"


def octave(code):
    return subprocess.run(["octave-cli", "--no-gui", "--quiet", "--norc", "--eval", code], check=True, capture_output=True, text=True)


def variables(**arrays):
    def one(a):
        a = a.toarray() if sp.issparse(a) else np.asarray(a)
        a = a.reshape(1, -1) if a.ndim < 2 else a
        v = rows_of(a)
        return {"rows": len(v), "columns": len(v[0]), "values": v}
    return {"variables": {k: one(v) for k, v in arrays.items()}}


def matlab():
    at = folder("matlab")
    a = plain()
    ones = {"double": a, "single": a.astype("f4"), "logical": table("?", 3, 4)}
    ints = {n: table(c, 3, 4) for n, c in [("int8", "i1"), ("uint8", "u1"), ("int16", "i2"), ("uint16", "u2"), ("int32", "i4"), ("uint32", "u4"),
                                           ("int64", "i8"), ("uint64", "u8")]}
    s = sp.csc_matrix(sparse_table())
    for compressed in [False, True]:
        path = at / f"scipy-v5{'-compressed' if compressed else ''}.mat"
        all_ = ones | ints | {"sparse": s, "row": np.arange(4.0), "cube": table("f8", 4, 3, 2)}
        other = {"word": "hello", "cell": np.array([1, "x"], dtype=object), "record": {"n": 1.0, "s": "t"}, "complex": np.array([[1 + 2j, 3]])}
        scipy.io.savemat(path, all_ | other, do_compression=compressed)
        put(path, "scipy", f"io.savemat(path, dict, do_compression={compressed}): all numeric classes, sparse, logical; text, cell, struct, complex beside",
            **variables(**{k: v for k, v in all_.items() if k != "cube"}), arrays=arrays_of({"cube": all_["cube"]}), other=list(other))
    path = at / "scipy-v5-digits.mat"
    usps = {"X": table("u1", 6, 4), "y": np.array([[3], [1], [4], [1], [5], [9]], "u1")}
    scipy.io.savemat(path, usps)
    put(path, "scipy", "io.savemat(path, {X: u1[6, 4], y: u1[6, 1]})", **variables(**usps), other=[])
    path = at / "scipy-v5-column.mat"
    scipy.io.savemat(path, {"x": np.arange(4.0) - 1.5}, oned_as="column")
    put(path, "scipy", 'io.savemat(path, {x: f8[4]}, oned_as="column")', **variables(x=(np.arange(4.0) - 1.5).reshape(-1, 1)), other=[])
    v4 = {k: v for k, v in (ones | ints).items() if k not in ("int64", "uint64", "int8", "uint32", "logical")}
    path = at / "scipy-v4.mat"
    scipy.io.savemat(path, v4 | {"sparse": s, "fortran": np.asfortranarray(a), "word": "hello"}, format="4")
    put(path, "scipy", 'io.savemat(path, dict, format="4"): double, single, int16, uint16, int32, uint8, sparse, text', **variables(**v4, sparse=s, fortran=a), other=["word"])
    path = at / "scipy-v4-others.mat"
    others = {k: v for k, v in (ones | ints).items() if k in ("int8", "logical", "uint32")}
    scipy.io.savemat(path, others, format="4")
    put(path, "scipy", 'io.savemat(path, dict, format="4") of int8, logical and uint32, which v4 has no class for', **variables(**others), other=[])

    i64 = np.array([[-2**63, 5], [2**63 - 1, -7]], dtype="i8")
    u64 = np.array([[1, 2], [3, 2**64 - 1]], dtype="u8")
    small = np.array([[1.0, -2, 3], [4, 5, 126]])
    numbers = f"""
        a = {octave_matrix(a)};
        whole = [1 -2 3; 4 5 126]; wider = [1 300 3; 4 -5 6]; great = [1 70000 3; 4 5 -6]; flat = single([1 2 3; 4 5 6]);
        r = 1:5; q = 0:0.25:1; back = 5:-1:2; s = sparse({octave_matrix(sparse_table())});
        f = single([0.1 2; -3 4]); scalar = 7.5; word = 'hello';
    """
    expected = {"a": a, "whole": small, "wider": [[1, 300, 3], [4, -5, 6]], "great": [[1, 70000, 3], [4, 5, -6]], "flat": [[1, 2, 3], [4, 5, 6]],
                "r": np.arange(1.0, 6), "q": np.arange(5) * 0.25, "back": [5, 4, 3, 2], "s": sparse_table(), "f": np.array([[0.1, 2], [-3, 4]], "f4"),
                "scalar": [[7.5]]}
    more = {"l": [[1, 0, 1], [0, 0, 1]], "i": [[1, -2, 3], [4, 5, -6]], "h": [[1, 300], [65535, 4]], "w": i64, "u": u64}
    extra = """
        l = logical([1 0 1; 0 0 1]); i = int8([1 -2 3; 4 5 -6]); h = uint16([1 300; 65535 4]);
        w = [intmin('int64') 5; intmax('int64') -7]; u = [uint64(1) 2; 3 intmax('uint64')];
        k = {1, 'x'}; st = struct('n', 1); z = [1+2i 3]; cube = reshape(1:24, 4, 3, 2);
    """
    names4 = " ".join([*expected, "word"])
    octave(f"""{numbers} {extra} e = zeros(0, 3);
        save -v4 {at}/octave-v4.mat {names4}
        warning('off'); save -v4 {at}/octave-v4-logical.mat a l r
        save -v6 {at}/octave-v6.mat {names4} {" ".join(more)} k st z cube e
        save -v7 {at}/octave-v7.mat {names4} {" ".join(more)} k st z cube e
        ls = sparse(logical([1 0 0; 0 0 1]));
        save -v6 {at}/octave-v6-sparse-logical.mat ls
        save -hdf5 {at}/octave-hdf5.mat a
        save -text {at}/octave-text.mat a r l
        save -binary {at}/octave-binary.mat a r l
    """)
    put(at / "octave-v4.mat", "GNU Octave", "save -v4: double, ranges, sparse, single, a text", **variables(**expected), other=["word"])
    put(at / "octave-v4-logical.mat", "GNU Octave", "save -v4 of a, a logical l, r: Octave warns and leaves l a header without data", refused=True,
        why="corrupt as written: l has a header and no numbers")
    cube = np.arange(1.0, 25).reshape(4, 3, 2, order="F")
    for v in "67":
        put(at / f"octave-v{v}.mat", "GNU Octave", f"save -v{v}: double (whole numbers stored narrower), ranges, sparse, logical, int8, uint16, int64, uint64, single; text, cell, struct, complex, empty beside",
            **variables(**expected, **more), arrays=arrays_of({"cube": cube}), other=["word", "k", "st", "z", "e"])
    put(at / "octave-v6-sparse-logical.mat", "GNU Octave", "save -v6 of a sparse logical matrix: its header names class uint8, not sparse", refused=True,
        why="corrupt as written: the class in its header is uint8 (9), not sparse (5); scipy cannot read it", meant=[[1, 0, 0], [0, 0, 1]])
    put(at / "octave-hdf5.mat", "GNU Octave", "save -hdf5", refused=True, why="HDF5")
    put(at / "octave-text.mat", "GNU Octave", "save -text (Octave's default)", refused=True, why="Octave's own text format")
    put(at / "octave-binary.mat", "GNU Octave", "save -binary", refused=True, why="Octave's own binary format")


def svmlight():
    at = folder("svmlight")
    x = sparse_table()
    x[0, 0] = 2.0  # so that counting from zero shows
    y = np.array([1, -1, 1, 1, -1, -1, 1])
    dump_ = sklearn.datasets.dump_svmlight_file
    def sk(name, call, y=y, x=x, labels=None, **keys):
        more = {k: keys.pop(k) for k in ["qid"] if k in keys}
        said = keys.pop("said", x)
        path = at / f"sklearn-{name}.svmlight"
        dump_(x, y, str(path), **keys)
        put(path, "scikit-learn", call, said, labels=np.asarray(y).tolist() if labels is None else labels, zero_based=keys.get("zero_based", True), **more)
    sk("zero-based", "dump_svmlight_file(x, y, path)")
    sk("one-based", "dump_svmlight_file(x, y, path, zero_based=False)", zero_based=False)
    sk("float-labels", "the same with y float64 -1.0, 1.0 (written -1 and 1), zero_based=False", y=y.astype(float), zero_based=False)
    sk("real-labels", "the same with y real", y=np.round(y * 1.37 + np.arange(7), 2), zero_based=False)
    q = [1, 1, 1, 2, 2, 5, 5]
    sk("query", "dump_svmlight_file(.., zero_based=False, query_id=q)", zero_based=False, query_id=q, qid=q)
    sk("comment", 'dump_svmlight_file(.., zero_based=False, comment="two\\nlines")', zero_based=False, comment="two\nlines")
    sk("comment-zero", 'dump_svmlight_file(.., zero_based=True, comment="x")', zero_based=True, comment="x")
    sk("dense", "dump_svmlight_file(.., zero_based=False) of a dense real table", x=plain(), zero_based=False)
    sk("single", "dump_svmlight_file(.., zero_based=False) of float32: written with 16 digits", x=plain().astype("f4"), zero_based=False,
       said=np.array([[float(f"{float(v):.16g}") for v in row] for row in plain().astype("f4")]))
    many = np.zeros((7, 4), int)
    for i, on in enumerate([[1, 3], [0], [], [2, 3], [0, 1, 2], [3], [1]]):
        many[i, on] = 1
    sk("multilabel", "dump_svmlight_file(x, Y, path, zero_based=False, multilabel=True): a row without labels starts with a blank", y=many, zero_based=False, multilabel=True,
       labels=[np.flatnonzero(row).tolist() for row in many])
    bags = counts()
    path = at / "gensim.svmlight"
    SvmLightCorpus.serialize(str(path), bags)
    drop_index(path)
    put(path, "gensim", "SvmLightCorpus.serialize(path, bags): every label 0, counting from one", bags_table(), labels=[0] * 4, zero_based=False)
    path = at / "gensim-labels.svmlight"
    SvmLightCorpus.save_corpus(str(path), bags, labels=[1, -1, 1, 2])
    put(path, "gensim", "SvmLightCorpus.save_corpus(path, bags, labels=..)", bags_table(), labels=[1, -1, 1, 2], zero_based=False)
    path = at / "handmade-libsvm.txt"
    path.write_text("+1 1:0.708333 3:-1 5:1 \n-1 2:1 5:-0.5 \n+1 1:1e-2 \n", newline="")
    put(path, "handmade", "as the LIBSVM page's data: +1 and -1, a blank at the line's end", [[0.708333, 0, -1, 0, 1], [0, 1, 0, 0, -0.5], [0.01, 0, 0, 0, 0]],
        labels=[1, -1, 1], zero_based=False)
    path = at / "handmade-svmlight-info.txt"
    path.write_text("# header\n-1 1:0.43 3:0.12 6:0.2 # abcdef\n1 qid:3 2:0.5 # second\n", newline="")
    put(path, "handmade", "as SVMlight's page: a comment line, and a comment after the numbers", [[0.43, 0, 0.12, 0, 0, 0.2], [0, 0.5, 0, 0, 0, 0]], labels=[-1, 1], zero_based=False)


def drop_index(path):
    """gensim's own offsets file, a pickle: no part of the format."""
    path.with_name(path.name + ".index").unlink()


def bags():
    id2word = dict(enumerate(WORDS))
    for kind, corpus, call in [("lda-c", BleiCorpus, "BleiCorpus"), ("uci", UciCorpus, "UciCorpus")]:
        at = folder(kind)
        path = at / ("docword.gensim.txt" if kind == "uci" else "gensim.lda-c")
        corpus.serialize(str(path), counts(), id2word=id2word)
        drop_index(path)
        vocab = path.with_name(path.name + ".vocab")
        put(path, "gensim", f"{call}.serialize(path, bags, id2word=words)", bags_table(), names=WORDS, vocabulary=vocab.name)
        note(vocab, "gensim", "the words of the file before, one a line")
    at = folder("lda-c")
    path = at / "no-vocab.lda-c"
    BleiCorpus.serialize(str(path), [*counts(), []], id2word=id2word)
    drop_index(path)
    path.with_name(path.name + ".vocab").unlink()
    put(path, "gensim", "BleiCorpus.serialize(path, bags) with an empty document last; the vocab file taken away", np.vstack([bags_table(), np.zeros(6)]))
    at = folder("uci")
    path = at / "docword.empty-document.txt"
    with_empty = [counts()[0], [], *counts()[1:], []]
    UciCorpus.serialize(str(path), with_empty, id2word=id2word)
    drop_index(path)
    path.with_name(path.name + ".vocab").unlink()
    b = bags_table()
    put(path, "gensim", "UciCorpus.serialize(path, bags) with the second and the last document empty; the vocab file taken away",
        np.vstack([b[:1], np.zeros((1, 6)), b[1:], np.zeros((1, 6))]))
    path = at / "docword.handmade.txt"
    path.write_text("3\n4\n5\n1 2 1\n1 4 3\n2 1 2\n3 3 1\n3 4 1\n")
    (at / "vocab.handmade.txt").write_text("ant\nbee\ncat\ndog\n")
    put(path, "handmade", "as the UCI archive's docword.kos.txt, with vocab.handmade.txt", [[0, 1, 0, 3], [2, 0, 0, 0], [0, 0, 1, 1]], names=["ant", "bee", "cat", "dog"],
        vocabulary="vocab.handmade.txt")
    note(at / "vocab.handmade.txt", "handmade", "the words of the file before, one a line")


def mtx():
    at = folder("mtx")
    x = sparse_table()
    whole = np.round(x * 4).astype(int)
    square = np.array([[2.5, 0, -1, 0], [0, 0, 0, 3.25], [-1, 0, 1, 0], [0, 3.25, 0, -7]])
    skew = np.array([[0, 2.5, 0], [-2.5, 0, -1], [0, 1, 0]])
    def write(name, m, call, v, **keys):
        path = at / f"{name}.mtx"
        scipy.io.mmwrite(str(path), m, **keys)
        put(path, "scipy", call, v)
    write("scipy-real", sp.coo_matrix(x), "io.mmwrite(path, coo_matrix(a)): coordinate real general", x)
    write("scipy-real-csr", sp.csr_matrix(x), 'io.mmwrite(path, csr_matrix(a), comment="one\\ntwo")', x, comment="one\ntwo")
    write("scipy-single", sp.coo_matrix(x.astype("f4")), "io.mmwrite(path, coo_matrix(float32)): the shortest digits that give the float32 back", x)
    write("scipy-integer", sp.coo_matrix(whole), "io.mmwrite(path, coo_matrix(int64)): coordinate integer general", whole)
    write("scipy-unsigned", sp.coo_matrix(np.abs(whole).astype("u4")), "io.mmwrite(path, coo_matrix(uint32)): coordinate unsigned-integer general", np.abs(whole))
    write("scipy-pattern", sp.coo_matrix(x != 0).astype(float), 'io.mmwrite(path, coo_matrix, field="pattern")', (x != 0), field="pattern")
    write("scipy-symmetric", sp.coo_matrix(square), "io.mmwrite(path, coo_matrix) of a symmetric one: coordinate real symmetric", square)
    write("scipy-skew", sp.coo_matrix(skew), "io.mmwrite(path, coo_matrix) of a skew one: coordinate real skew-symmetric", skew)
    write("scipy-duplicates", sp.coo_matrix(([1.5, 2.0, 4.0], ([0, 0, 2], [1, 1, 0])), shape=(3, 2)), "io.mmwrite(path, coo_matrix) with one cell given twice (scipy sums)",
          np.array([[0, 3.5], [0, 0], [4, 0]]))
    write("scipy-array", plain(), "io.mmwrite(path, a): array real general, by columns", plain())
    write("scipy-array-integer", table("i2"), "io.mmwrite(path, a) of int16: array integer general", table("i2"))
    write("scipy-array-symmetric", square, "io.mmwrite(path, a) of a symmetric one: array real symmetric", square)
    write("scipy-array-precision", plain(), "io.mmwrite(path, a, precision=3)", np.array([[float("%.3g" % v) for v in row] for row in plain()]), precision=3)
    path = at / "scipy-complex.mtx"
    scipy.io.mmwrite(str(path), sp.coo_matrix(np.array([[1 + 2j, 0], [0, 3]])))
    put(path, "scipy", "io.mmwrite(path, coo_matrix) of complex", refused=True, why="complex")
    path = at / "gensim.mtx"
    MmCorpus.serialize(str(path), counts(), id2word=dict(enumerate(WORDS)))
    drop_index(path)
    put(path, "gensim", "MmCorpus.serialize(path, bags): rows are documents, the size line padded with blanks", bags_table())
    path = at / "gensim-real.mtx"
    real = [[(w, c / 8) for w, c in bag] for bag in [*counts(), []]]
    MmCorpus.serialize(str(path), real, id2word=dict(enumerate(WORDS)))
    drop_index(path)
    put(path, "gensim", "MmCorpus.serialize(path, weights), the last document empty", np.vstack([bags_table() / 8, np.zeros(6)]))


def ratings():
    at = folder("ratings")
    def hand(name, text, what, triples, **more):
        path = at / name
        path.write_text(text, newline="")
        triples = [[str(u), str(i), float(r)] for u, i, r in triples]
        about = {"tool": "handmade", "version": "", "users": more.pop("users", len({t[0] for t in triples})),
                 "items": more.pop("items", len({t[1] for t in triples})), "ratings": triples}
        dump(path.with_name(name + ".json"), about | more)
        note(path, "handmade", what)
    base = [(196, 242, 3), (186, 302, 3), (22, 377, 1), (196, 51, 2), (166, 346, 1), (22, 242, 5), (186, 51, 4)]
    stamps = [881250949 + 12345 * i for i in range(7)]
    half = [(1, 296, 5.0), (1, 306, 3.5), (2, 1, 0.5), (2, 62, 4.0), (10, 296, 2.5), (3, 296, 4.0)]
    twice = [*half[:3], (1, 306, 4.5), *half[3:]]
    hand("u.data", "".join(f"{u}\t{i}\t{r}\t{t}\n" for (u, i, r), t in zip(base, stamps)), "MovieLens 100K: user, item, rating, time; tabs, no header", base)
    hand("u1.base.crlf", "".join(f"{u}\t{i}\t{r}\t{t}\r\n" for (u, i, r), t in zip(base, stamps)), "the same with CRLF", base)
    hand("ratings.dat", "".join(f"{u}::{i}::{r}::{t}\n" for (u, i, r), t in zip(base, stamps)), "MovieLens 1M: user::item::rating::time", base)
    hand("ratings-half.dat", "".join(f"{u}::{i}::{r:g}::{t}\n" for (u, i, r), t in zip(half, stamps)), "MovieLens 10M: half stars", half)
    hand("ratings.csv", "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},{r:.1f},{t}\n" for (u, i, r), t in zip(half, stamps)), "MovieLens 20M, 25M and latest: a header, half stars", half)
    hand("ratings-repeated.csv", "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},{r:.1f},{t}\n" for (u, i, r), t in zip(twice, stamps)),
         "the same with one pair rated twice", twice, repeated=[["1", "306"]])
    hand("three-columns.csv", "user,item,rating\n" + "".join(f"{u},{i},{r}\n" for u, i, r in base), "a header, no time", base)
    quoted = [("A3,F1", 'say "x"', 5), ("B 2", "0001", 3.5), ("A3,F1", "0001", 1), ("é", "1", 2)]
    hand("quoted.csv", "user_id,item_id,rating,timestamp\n" + '"A3,F1","say ""x""",5,10\n"B 2","0001",3.5,11\n"A3,F1","0001",1,12\n"é","1",2,13\n',
         "quoted ids with commas, quotes, leading zeros", quoted)
    books = [(276725, "034545104X", 0), (276726, "0155061224", 5), (276726, "052165615X", 3)]
    hand("BX-Book-Ratings.csv", '"User-ID";"ISBN";"Book-Rating"\n' + "".join(f'"{u}";"{i}";"{r}"\n' for u, i, r in books), "Book-Crossing: semicolons, all quoted", books)
    amazon = [("A2CX7LUOHB2NDG", "0321732944", 5), ("A2NWSAGRHCP8N5", "0439886341", 1), ("A2CX7LUOHB2NDG", "0439886341", 3)]
    hand("ratings_Electronics.csv", "".join(f"{u},{i},{r:.1f},{t}\n" for (u, i, r), t in zip(amazon, [1341100800, 1367193600, 1374451200])), "Amazon reviews, ratings only: no header", amazon)
    hand("out.movielens", "% bip weighted\n% 5 3 4\n" + "1 1 5 881250949\n1 2 3 881250950\n2 1 4.5 881250951\n3 4 1 881250952\n3 2 2 881250953\n",
         "KONECT: % bip weighted, % edges users items, blanks", [(1, 1, 5), (1, 2, 3), (2, 1, 4.5), (3, 4, 1), (3, 2, 2)], users=3, items=4, note="sizes from the size line; item 3 is unrated")
    hand("out.tabs", "% bip weighted\n" + "1\t1 5 881250949\n1\t2 3 881250950\n2\t1 4 881250951\n", "KONECT: no size line, a tab after the user", [(1, 1, 5), (1, 2, 3), (2, 1, 4)])
    hand("out.unweighted", "% bip unweighted\n% 4 3 3\n1 1\n1 3\n2 2\n3 1\n", "KONECT: % bip unweighted, no weights (each 1)", [(1, 1, 1), (1, 3, 1), (2, 2, 1), (3, 1, 1)], unweighted=True)
    hand("out.symmetric", "% sym weighted\n% 4 4 4\n1 2 5\n1 3 3\n2 4 1.5\n4 3 2\n", "KONECT: % sym weighted, one set of nodes, each edge once",
         [(1, 2, 5), (1, 3, 3), (2, 4, 1.5), (4, 3, 2)], users=4, items=4, note="an undirected network over one set of nodes; ratings: the edges as written")
    hand("ml-100k.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + "".join(f"{u}\t{i}\t{r}\t{t}\n" for (u, i, r), t in zip(base, stamps)), "RecBole's .inter", base)
    hand("no-rating.inter", "user_id:token\titem_id:token\ttimestamp:float\n1\t7\t10.0\n2\t7\t11.5\n1\t8\t12.0\n", "RecBole's .inter without ratings (each 1)", [(1, 7, 1), (2, 7, 1), (1, 8, 1)], unweighted=True)
    hand("reordered.inter", "timestamp:float\trating:float\titem_id:token\tuser_id:token\n10\t4.5\tx\tu1\n11\t1\ty\tu2\n", "RecBole's .inter with the columns in another order", [("u1", "x", 4.5), ("u2", "y", 1)])
    hand("combined_data_1.txt", "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n1488844,4,2005-10-01\n", "Netflix prize: a line item:, then user,rating,date",
         [(1488844, 1, 3), (822109, 1, 5), (1488844, 2, 4)])


def pictures():
    at = folder("pictures")
    w, h = 6, 5
    k = np.arange(w * h).reshape(h, w)
    grey = (k * 8 + 3).astype("u1")
    rgb = np.stack([k * 8 + 3, 255 - k * 7, (k * 53) % 256], -1).astype("u1")
    smooth = np.stack([k * 6 + 20, 220 - k * 5, (k % w) * 30 + 40], -1).astype("u1")
    alpha = ((k * 37) % 256).astype("u1")
    deep = (k * 2111 + 7).astype("u2")
    one = ((k * k + k // 4) % 3 == 0)
    L = Image.fromarray(grey)
    RGB = Image.fromarray(rgb)
    SMOOTH = Image.fromarray(smooth)
    RGBA = Image.fromarray(np.dstack([rgb, alpha]))
    LA = Image.merge("LA", [L, Image.fromarray(alpha)])
    P = RGB.quantize(8)
    ONE = Image.fromarray(one)
    DEEP = Image.fromarray(deep)

    def values(image):
        if image.mode.startswith("I;16") or image.mode == "I":
            return np.asarray(image).astype(float) / 65535
        if image.mode == "CMYK":
            image = image.convert("RGB")
        return np.asarray(image.convert("L")).astype(float) / 255

    def save(name, image, call, tolerance=0, frames=1, **keys):
        path = at / name
        image.save(path, **keys)
        with Image.open(path) as back:
            more = {"mode": back.mode, "width": back.width, "height": back.height, "tolerance": tolerance}
            if getattr(back, "n_frames", 1) > 1:
                more["frames"] = []
                for i in range(back.n_frames):
                    back.seek(i)
                    more["frames"].append(rows_of(values(back)))
                back.seek(0)
            v = values(back)
            turned = ImageOps.exif_transpose(back)
            if "exif" in keys:
                more["values_upright"] = rows_of(values(turned))
        put(path, "Pillow", call, v, **more)

    save("l.png", L, "L")
    save("rgb.png", RGB, "RGB")
    save("rgba.png", RGBA, "RGBA; convert('L') leaves alpha out")
    save("la.png", LA, "LA; convert('L') leaves alpha out")
    save("p.png", P, "P: RGB.quantize(8)")
    clear = P.copy()
    save("p-transparent.png", clear, "P with transparency=0", transparency=0)
    save("l-transparent.png", L, "L with transparency=3 (a tRNS chunk)", transparency=3)
    save("1.png", ONE, "1 bit")
    save("p4.png", P, "P with bits=4", bits=4)
    save("16.png", DEEP, "I;16")
    save("gamma.png", L, "L with dpi=(300, 300)", dpi=(300, 300))
    save("l.jpg", Image.fromarray(smooth[..., 0]), "L, quality=95", tolerance=3 / 255, quality=95)
    save("rgb.jpg", SMOOTH, "RGB, quality=95, subsampling=0", tolerance=4 / 255, quality=95, subsampling=0)
    save("rgb-420.jpg", SMOOTH, "RGB, default quality 75 and 4:2:0", tolerance=16 / 255)
    save("progressive.jpg", SMOOTH, "RGB, quality=95, subsampling=0, progressive=True", tolerance=4 / 255, quality=95, subsampling=0, progressive=True)
    for orientation in [6, 3]:
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"exif{orientation}.jpg", Image.fromarray(smooth[..., 0]), f"L with EXIF orientation {orientation}; values as stored, values_upright turned", tolerance=3 / 255, quality=95, exif=exif)
    save("cmyk.jpg", SMOOTH.convert("CMYK"), "CMYK, quality=95, subsampling=0; values by convert('RGB').convert('L')", tolerance=4 / 255, quality=95, subsampling=0)
    save("two.gif", P, "P, two frames (save_all=True); values: the first", save_all=True, append_images=[Image.fromarray(rgb[::-1].copy()).quantize(8)])
    save("l.gif", L, "L")
    save("l.tiff", L, "L")
    save("rgb.tiff", RGB, "RGB")
    save("rgba.tiff", RGBA, "RGBA")
    save("1.tiff", ONE, "1 bit")
    save("1-group4.tiff", ONE, 'compression="group4"', compression="group4")
    save("p.tiff", P, "P")
    save("16.tiff", DEEP, "I;16")
    big = Image.frombytes("I;16B", (w, h), deep.astype(">u2").tobytes())
    save("16-big.tiff", big, "I;16B (big-endian)")
    save("lzw.tiff", RGB, 'compression="tiff_lzw"', compression="tiff_lzw")
    save("deflate.tiff", RGB, 'compression="tiff_deflate"', compression="tiff_deflate")
    save("packbits.tiff", L, 'compression="packbits"', compression="packbits")
    save("16-lzw.tiff", DEEP, 'I;16, compression="tiff_lzw"', compression="tiff_lzw")
    save("two.tiff", L, "L, two pages (save_all=True); values: the first", save_all=True, append_images=[Image.fromarray(255 - grey)])
    save("l.pgm", L, "L (P5)")
    save("rgb.ppm", RGB, "RGB (P6)")
    save("1.pbm", ONE, "1 bit (P4)")
    save("16.pgm", DEEP, "I;16 (P5, maxval 65535)")
    save("l.bmp", L, "L (8-bit palette)")
    save("rgb.bmp", RGB, "RGB")
    save("rgba.bmp", RGBA, "RGBA (32 bit)")
    save("1.bmp", ONE, "1 bit")
    save("lossless.webp", RGB, "lossless=True", lossless=True)
    save("lossy.webp", SMOOTH, "quality=95", tolerance=4 / 255, quality=95)
    for name, text, v in [("plain.pgm", "P2\n# by hand\n3 2\n15\n0 5 15\n3 9 12\n", np.array([[0, 5, 15], [3, 9, 12]]) / 15),
                          ("maxval100.pgm", b"P5 3 2 100\n" + bytes([0, 50, 100, 25, 75, 10]), np.array([[0, 50, 100], [25, 75, 10]]) / 100)]:
        path = at / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        put(path, "handmade", "a grey PNM of another maxval: value/maxval", v, mode="L", width=3, height=2, tolerance=0.5 / 255)


def packed():
    at = folder("packed")
    a = table("f4", 4, 3)
    small = plain(4, 3)
    pd.DataFrame(small, columns=list("abc")).to_csv(at / "rows.csv", index=False)
    np.save(at / "rows.npy", a)
    image = table("u1", 4, 3, 2)
    idx2numpy.convert_to_file(str(at / "rows.idx3-ubyte"), image)
    y = [1, -1, 1, 1]
    sklearn.datasets.dump_svmlight_file(small, y, str(at / "rows.svmlight"), zero_based=False)
    contents = {"rows.csv": (small, {"names": list("abc")}), "rows.npy": (a, {}), "rows.idx3-ubyte": (image, {}), "rows.svmlight": (small, {"labels": y})}
    packers = {"gz": ("gzip.compress(data, mtime=0)", lambda d: gzip.compress(d, mtime=0)), "bz2": ("bz2.compress(data)", bz2.compress),
               "xz": ("lzma.compress(data)", lzma.compress)}
    for name, (t, more) in contents.items():
        data = (at / name).read_bytes()
        for ext, (call, pack) in packers.items():
            path = at / f"{name}.{ext}"
            path.write_bytes(pack(data))
            put(path, "python", call, t, **more)
        path = at / f"{name}.zst"
        path.write_bytes(zstandard.compress(data))
        put(path, "zstandard", "compress(data)", t, **more)
    data = (at / "rows.csv").read_bytes()
    cut = data.index(b"\n", len(data) // 2) - 3  # inside a line
    for name, tool, call, packed_ in [
        ("two-members.csv.gz", "python", "two gzip members, cut inside a line", gzip.compress(data[:cut], mtime=0) + gzip.compress(data[cut:], mtime=0)),
        ("two-streams.csv.bz2", "python", "two bzip2 streams, cut inside a line", bz2.compress(data[:cut]) + bz2.compress(data[cut:])),
        ("two-streams.csv.xz", "python", "two xz streams, cut inside a line", lzma.compress(data[:cut]) + lzma.compress(data[cut:])),
        ("two-frames.csv.zst", "zstandard", "two zstd frames, cut inside a line", zstandard.compress(data[:cut]) + zstandard.compress(data[cut:])),
        ("streamed.csv.zst", "zstandard", "compressobj(): a frame without its content's size", streamed(data)),
        ("misnamed.csv", "python", "gzip.compress(data): gzip without .gz", gzip.compress(data, mtime=0)),
        ("old.csv.lzma", "python", "lzma.compress(data, format=FORMAT_ALONE)", lzma.compress(data, format=lzma.FORMAT_ALONE)),
    ]:
        path = at / name
        path.write_bytes(packed_)
        put(path, tool, call, small, names=list("abc"))
    path = at / "program.csv.gz"
    path.write_bytes(subprocess.run(["gzip", "-c", str(at / "rows.csv")], capture_output=True, check=True).stdout)
    put(path, "gzip", "gzip -c rows.csv (the program: the file's name in the header)", small, names=list("abc"))
    path = at / "program.csv.zst"
    path.write_bytes(subprocess.run(["zstd", "-q", "-19", "-c", str(at / "rows.csv")], capture_output=True, check=True).stdout)
    put(path, "zstd", "zstd -19 -c rows.csv (the program: with a checksum)", small, names=list("abc"))
    path = at / "pandas.csv.gz"
    pd.DataFrame(small, columns=list("abc")).to_csv(path, index=False, compression={"method": "gzip", "mtime": 0})
    put(path, "pandas", 'to_csv("pandas.csv.gz", index=False)', small, names=list("abc"))
    path = at / "numpy.txt.gz"
    np.savetxt(path, small)
    put(path, "numpy", 'savetxt("numpy.txt.gz", a)', small)
    for name in contents:
        (at / name).unlink()


def streamed(data):
    c = zstandard.ZstdCompressor().compressobj()
    return c.compress(data) + c.flush()


def readme():
    lines = ["# Data as real tools write it", "",
             "Small files of each kind the engine opens, written by the tools people write them with, and beside each file `NAME` a `NAME.json` of what is in it.",
             "All of it is regenerated by `python make.py tests/data` (the packages and programs are named at its head).", "",
             "`NAME.json`: `tool`, `version`, `rows`, `columns`, `names`, `labels`, and `values`, the table in float64, a row a list; `null` is a missing value",
             '(or a text, in the columns of `text_columns`, by name or, without names, by number from 0), `"inf"` and `"-inf"` the infinities. `refused`: no table can be read without a guess. `arrays`:',
             "several arrays, each its shape and its values flat, the last axis fastest. `variables`: MATLAB variables, `other` those that are no real",
             "matrix. `index_column`: the file has a row index that is not in `values`. `label_column`: a column (in `values`) that is a label.",
             "`tolerance`: how far another decoder of a lossy picture may be off. Ratings are `[user, item, rating]` in the file's order.", "",
             "`.gitattributes` here keeps git from changing line ends.", "",
             "| file | tool | call |", "|---|---|---|"]
    lines += [f"| {f} | {t} | {c.replace('|', chr(92) + '|')} |" for f, t, c in ROWS]
    (OUT / "README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for kind in [idx, npy, npz, safetensors_files, csv, parquet, matlab, svmlight, bags, mtx, ratings, pictures, packed]:
        kind()
    readme()
