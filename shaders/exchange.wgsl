// Row by row, the hidden states of two chains change places with the probability that their energies give, if the number whose
// bits are DIFFERENCE is that of their inverse temperatures; in steps whose counters are PARITY modulo 2.
struct Size {
    rows: u32,
    visible: u32,
    hidden: u32,
    // The stream of random numbers.
    stream: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> visible_one: array<f32>;
@group(0) @binding(2) var<storage, read> inputs_one: array<f32>;
@group(0) @binding(3) var<storage, read_write> hidden_one: array<f32>;
@group(0) @binding(4) var<storage, read> visible_two: array<f32>;
@group(0) @binding(5) var<storage, read> inputs_two: array<f32>;
@group(0) @binding(6) var<storage, read_write> hidden_two: array<f32>;
@group(0) @binding(7) var<storage, read> bias: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    if step.counter % 2u != PARITY { return; }
    let row = workgroup.x;
    // The energy of the first less that of the second.
    var part = 0.0;
    for (var c = lane; c < size.visible; c += 64u) {
        let i = row * size.visible + c;
        part += bias[c] * (visible_two[i] - visible_one[i]);
    }
    for (var c = lane; c < size.hidden; c += 64u) {
        let i = row * size.hidden + c;
        part += inputs_two[i] * hidden_two[i] - inputs_one[i] * hidden_one[i];
    }
    parts[lane] = part;
    workgroupBarrier();
    var difference = 0.0;
    for (var i = 0u; i < 64u; i += 1u) {
        difference += parts[i];
    }
    let words = philox(vec4<u32>(0u, step.first + row, step.counter, step.seed_high), vec2<u32>(step.seed_low, size.stream));
    if uniform4(words).x >= exp(min(bitcast<f32>(DIFFERENCE) * difference, 80.0)) { return; }
    for (var c = lane; c < size.hidden; c += 64u) {
        let i = row * size.hidden + c;
        let other = hidden_two[i];
        hidden_two[i] = hidden_one[i];
        hidden_one[i] = other;
    }
}
