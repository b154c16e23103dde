// Sequences of steps of EACH values up to their ends. BEYOND: the bits of what stands behind these.
struct Size {
    rows: u32,
    cols: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> lengths: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
    if col >= size.cols || row >= size.rows { return; }
    let i = row * size.cols + col;
    if f32(col / EACH) < lengths[row] {
        out[i] = input[i];
    } else {
        out[i] = bitcast<f32>(BEYOND);
    }
}
