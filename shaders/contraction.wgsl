// What the contractive penalty needs of a layer, for each column of W: its squared length, and the cost that
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

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    for (var first = group.x * COLUMNS; first < size.units; first += COLUMNS_APART) {
        let col = first + lane % COLUMNS;
        var square = 0.0;
        var cost = 0.0;
        if col < size.units {
            for (var row = lane / COLUMNS; row < size.inputs; row += ROWS_APART) {
                let w = weights[row * size.units + col];
                square += w * w;
            }
            for (var row = lane / COLUMNS; row < step.rows; row += ROWS_APART) {
                let slope = derivative(vec4<f32>(outputs[row * size.units + col])).x;
                cost += slope * slope;
            }
        }
        square = sum_of_column(lane, square);
        cost = sum_of_column(lane, cost);
        if lane < COLUMNS && col < size.units {
            squares[col] = square;
            costs[col] = 2.0 * bitcast<f32>(WEIGHT) * cost / all_rows();
        }
    }
}
