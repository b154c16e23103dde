#!/usr/bin/env bash
# DuckDB 2.0.1 writes 32-bit integers by PARQUET_VERSION V2 so that pyarrow 26.0.1 raises an error, if neighbours differ by more than
# 32 bits hold (DELTA_BINARY_PACKED with wider deltas). DuckDB and polars 2.1.0 read the file, and pyarrow reads what DuckDB writes by
# default. The crate parquet 60.1.0 refuses it as well ("'min_delta' too large"). Seen on 2026-11-29, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb, polars, pyarrow.parquet

values = [-(2**31), 2**31 - 1, -5, 7, 2**31 - 1, -(2**31)]
for name, version in (("v1", "v1"), ("v2", "v2")):
    duckdb.sql(f"copy (select unnest({values})::integer as x) to '{name}.parquet' (format parquet, parquet_version {version})")
assert pyarrow.parquet.read_table("v1.parquet")["x"].to_pylist() == values
assert polars.read_parquet("v2.parquet")["x"].to_list() == values
assert [row[0] for row in duckdb.sql("select x from 'v2.parquet'").fetchall()] == values
try:
    found = pyarrow.parquet.read_table("v2.parquet")["x"].to_pylist()
    raise SystemExit(f"pyarrow has changed: it reads {found}")
except OSError as error:
    print(f"pyarrow {pyarrow.__version__} on DuckDB {duckdb.__version__}'s V2: {error}")
PYTHON
