// out = the input with noise; rows behind the active ones become 0. NOISE: 0 masking, 1 salt and pepper, 2 Gaussian, of
// the share or deviation whose bits are LEVEL; 3 the first FIRST values or the others missing, each with that share.
struct Size {
    rows: u32,
    cols: u32,
    // The stream of random numbers.
    stream: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// Each invocation takes four neighbouring elements of a row.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = 4u * id.x;
    let row = id.y;
    if col >= size.cols || row >= size.rows { return; }
    let level = bitcast<f32>(LEVEL);
    let words = philox(vec4<u32>(id.x, step.first + row, step.counter, step.seed_high), vec2<u32>(step.seed_low, size.stream));
    let u = uniform4(words);
    var normal = vec4<f32>(0.0);
    if NOISE == 2u { normal = vec4<f32>(normal2(words.xy), normal2(words.zw)); }
    // Which part of the row is missing: 0 none, 1 the first, 2 the second.
    var part = 0u;
    if NOISE == 3u {
        let drawn = philox(vec4<u32>(0xffffffffu, step.first + row, step.counter, step.seed_high), vec2<u32>(step.seed_low, size.stream));
        let u = uniform4(drawn).x;
        part = select(select(0u, 2u, u < 2.0 * level), 1u, u < level);
    }
    for (var i = 0u; i < min(4u, size.cols - col); i += 1u) {
        let at = row * size.cols + col + i;
        var value = input[at];
        if NOISE == 3u {
            let own = select(1u, 2u, col + i >= FIRST);
            value = select(value, 0.0, part == own);
        } else if NOISE == 2u {
            value += level * normal[i];
        } else if u[i] < level {
            value = select(0.0, 1.0, NOISE == 1u && u[i] >= 0.5 * level);
        }
        out[at] = select(0.0, value, row < step.rows);
    }
}
