// The K-th largest number of a row of `input`, by a workgroup of LANES invocations.
var<workgroup> counts: array<u32, LANES>;

// Numbers that are ordered as the values are, with NaN as the largest.
fn key(value: f32) -> u32 {
    let bits = select(bitcast<u32>(value), 0u, value == 0.0);
    if (bits & 0x7fffffffu) > 0x7f800000u { return 0xffc00000u; }
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

// The key of the K-th largest value, bit by bit.
fn kth_key(row: u32, lane: u32) -> u32 {
    var threshold = 0u;
    for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
        if count(row, lane, threshold | bit) >= K { threshold |= bit; }
    }
    return threshold;
}
