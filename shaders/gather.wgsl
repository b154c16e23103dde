// out[r] = data[index[offset + r]]; rows behind the active ones become 0.
struct Size {
    rows: u32,
    cols: u32,
    // Columns of the data set, and the first of those that are taken.
    stride: u32,
    first: u32,
    // The stream of random numbers by which images are shifted.
    stream: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
    if col >= size.cols || row >= size.rows { return; }
    var value = 0.0;
    if row < step.rows {
        let origin = source(row, col);
        if origin >= 0 { value = data_at(row_of(step.offset + row) * size.stride + size.first + u32(origin)); }
    }
    out[row * size.cols + col] = value;
}
