// What the contractive penalty needs of a layer, one invocation for each column of W: its squared length, and the cost that
// the penalty, whose weight has the bits WEIGHT, puts on it.
struct Size {
    inputs: u32,
    units: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> outputs: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;
@group(0) @binding(4) var<storage, read_write> costs: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    if col >= size.units { return; }
    var square = 0.0;
    for (var row = 0u; row < size.inputs; row += 1u) {
        let w = weights[row * size.units + col];
        square += w * w;
    }
    var cost = 0.0;
    for (var row = 0u; row < step.rows; row += 1u) {
        let slope = derivative(vec4<f32>(outputs[row * size.units + col])).x;
        cost += slope * slope;
    }
    squares[col] = square;
    costs[col] = 2.0 * bitcast<f32>(WEIGHT) * cost / f32(step.rows);
}
