// The sum of each row, each value times the number of its column, goes to the metrics.
@group(1) @binding(1) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    var part = 0.0;
    for (var col = lane; col < size.cols; col += LANES) {
        part += input[row * size.cols + col] * column_of(col);
    }
    let sum = sum_of_parts(lane, part);
    if lane == 0u {
        let at = step.number * size.width + size.start + 2u * row;
        metrics[at] = select(0.0, sum, row < step.rows);
        metrics[at + 1u] = 0.0;
    }
}
