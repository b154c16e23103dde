// The K largest values of each row stay, the others become 0; of equal ones those in lower columns stay.
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    let threshold = kth_key(row, lane);
    let equal = K - count(row, lane, threshold + 1u);
    for (var col = lane; col < size.cols; col += LANES) {
        let value = input[row * size.cols + col];
        var kept = key(value) > threshold;
        if key(value) == threshold {
            var before = 0u;
            for (var other = 0u; other < col; other += 1u) {
                before += select(0u, 1u, key(input[row * size.cols + other]) == threshold);
            }
            kept = before < equal;
        }
        out[row * size.cols + col] = select(0.0, value, kept);
    }
}
