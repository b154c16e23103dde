// The K largest values of each row stay, the others become 0; of equal ones those in lower columns stay.
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
var<workgroup> counts: array<u32, LANES>;

// Numbers that are ordered as the values are.
fn key(value: f32) -> u32 {
    let bits = select(bitcast<u32>(value), 0u, value == 0.0);
    return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}

// How many values of the row have a key of at least that.
fn count(row: u32, lane: u32, least: u32) -> u32 {
    var part = 0u;
    for (var col = lane; col < size.cols; col += LANES) {
        part += select(0u, 1u, key(input[row * size.cols + col]) >= least);
    }
    workgroupBarrier();
    counts[lane] = part;
    workgroupBarrier();
    var sum = 0u;
    for (var i = 0u; i < LANES; i += 1u) {
        sum += counts[i];
    }
    return sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    // The key of the K-th largest value, bit by bit.
    var threshold = 0u;
    for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
        if count(row, lane, threshold | bit) >= K { threshold |= bit; }
    }
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
