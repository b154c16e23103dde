// data[offset + r] = input[r] for the active rows.
struct Size {
    rows: u32,
    cols: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> data: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
    if col >= size.cols || row >= step.rows { return; }
    data[(step.offset + row) * size.cols + col] = input[row * size.cols + col];
}
