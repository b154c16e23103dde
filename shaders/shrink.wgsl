// A step of iterative shrinkage. RATE, SPARSITY and PULL are the bits of numbers.
@group(0) @binding(1) var<storage, read> code: array<f32>;
@group(0) @binding(2) var<storage, read> overlap: array<f32>;
@group(0) @binding(3) var<storage, read> correlation: array<f32>;
@group(0) @binding(4) var<storage, read> prediction: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    let rate = bitcast<f32>(RATE);
    let z = code[i];
    let slope = 2.0 * (overlap[i] - correlation[i]) + 2.0 * bitcast<f32>(PULL) * (z - prediction[i]);
    let v = z - rate * slope;
    out[i] = sign(v) * max(abs(v) - rate * bitcast<f32>(SPARSITY), 0.0);
}
