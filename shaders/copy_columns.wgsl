// out[:, TO + c] = input[:, FIRST + c] for COLUMNS columns.
struct Size {
    rows: u32,
    input: u32,
    out: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= COLUMNS { return; }
    out[id.y * size.out + TO + id.x] = input[id.y * size.input + FIRST + id.x];
}
