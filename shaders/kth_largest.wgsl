// The K-th largest number of a row of `input`, by a workgroup of LANES invocations.
var<workgroup> counts: array<u32, LANES>;

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
