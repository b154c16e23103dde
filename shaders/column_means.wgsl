// out = the means of the columns over the active rows, each value times `factor_at` it.
struct Size {
    cols: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    for (var first = group.x * COLUMNS; first < size.cols; first += COLUMNS_APART) {
        let col = first + lane % COLUMNS;
        var part = 0.0;
        if col < size.cols {
            for (var row = lane / COLUMNS; row < step.rows; row += ROWS_APART) {
                let i = row * size.cols + col;
                part += input[i] * factor_at(i);
            }
        }
        let sum = sum_of_column(lane, part);
        if lane < COLUMNS && col < size.cols { out[col] = sum / all_rows(); }
    }
}
