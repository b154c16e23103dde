#!/usr/bin/env bash
# ONNX Runtime 1.32.0 computes the f32 Sigmoid on x86-64 CPUs as exactly 0 from -18 down, where the true value is 1.5e-8 and f32 could hold it
# down to 1e-38; at -16 and -17 it is off by a factor of about two. The f64 Sigmoid of the same release is right to 0.1 % at -30. Whoever takes the
# logarithm of such an output gets -inf. Seen on 2026-11-30, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper

x = np.array([[-10.0, -16.0, -17.0, -18.0, -30.0]])
true = 1 / (1 + np.exp(-x))


def run(kind, dtype):
    value = lambda name: helper.make_tensor_value_info(name, kind, [None, 5])
    graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", [value("x")], [value("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.astype(dtype)})[0]


single, double = run(TensorProto.FLOAT, np.float32), run(TensorProto.DOUBLE, np.float64)
print("x      ", x[0])
print("true   ", true[0])
print("f32    ", single[0])
print("f64    ", double[0])
assert np.allclose(double, true, rtol=2e-3, atol=0), "the f64 Sigmoid has changed"
assert abs(single[0, 1] / true[0, 1] - 1) > 0.3, "the f32 Sigmoid has changed at -16"
assert (single[0, 3:] == 0).all(), "the f32 Sigmoid is no longer 0 from -18 down"
PYTHON
