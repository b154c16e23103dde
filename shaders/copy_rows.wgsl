// out[to_first + i to_every, :] = input[from_first + i from_every, :] for so many rows i.
struct Size {
    rows: u32,
    cols: u32,
    // The first row that is read, and the distance to the next; then those that are written.
    from_first: u32,
    from_every: u32,
    to_first: u32,
    to_every: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= size.cols || id.y >= size.rows { return; }
    let read = size.from_first + id.y * size.from_every;
    let written = size.to_first + id.y * size.to_every;
    out[written * size.cols + id.x] = input[read * size.cols + id.x];
}
