#!/usr/bin/env bash
# Octave 7.3.0 (Debian 12): `save -v4` of a logical matrix only warns, and leaves a header without numbers, so that nothing behind it can
# be read; `save -v6` of a sparse logical matrix writes the class of uint8 (9) where a sparse matrix has 5. SciPy 1.17.1 raises an error on
# both; doubles, and full logical matrices in -v6, are fine. Seen on 2026-11-29. Needs Debian's package octave.
set -euo pipefail
octave --version | grep -q "version 7.3.0" || { echo "another Octave than 7.3.0" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scipy==1.17.1
cd "$folder"
octave --quiet --no-gui --eval '
  l = logical([1 0 1; 0 1 1]); d = [1 2 3; 4 5 6]; s = sparse(logical([1 0 0; 0 0 1]));
  save("-v4", "four.mat", "l", "d"); save("-v4", "doubles.mat", "d");
  save("-v6", "full.mat", "l"); save("-v6", "sparse.mat", "s");
' 2>warnings || true
"$folder/venv/bin/python" - <<'PYTHON'
import scipy.io

assert scipy.io.loadmat("doubles.mat")["d"].shape == (2, 3)
assert scipy.io.loadmat("full.mat")["l"].shape == (2, 3)
for name in ("four.mat", "sparse.mat"):
    try:
        found = scipy.io.loadmat(name)
        raise SystemExit(f"{name} has become readable: {sorted(found)}")
    except (ValueError, TypeError, OSError) as error:
        print(f"{name}: {type(error).__name__}: {error}")
PYTHON
cat warnings
