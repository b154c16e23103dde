@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<storage, read_write> delta: array<f32>;
fn emit(i: u32, p: f32, d: f32) {
    output[i] = p;
    delta[i] = d;
}
