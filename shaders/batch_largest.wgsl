// The K times active rows largest positive entries of all rows stay, of equal ones the first; thresholds move towards the smallest that stays at
// RATE: one workgroup, of whose invocations each takes neighbouring entries.
struct Size {
    entries: u32,
    each: u32,
    columns: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> threshold: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
var<workgroup> counts: array<u32, 256>;

// How many entries of an invocation have a key of at least that.
fn count(first: u32, end: u32, least: u32) -> u32 {
    var part = 0u;
    for (var i = first; i < end; i += 1u) {
        part += select(0u, 1u, key(input[i]) >= least);
    }
    return part;
}

// The sum over all invocations, or over those before this one.
fn sum(lane: u32, part: u32, end: u32) -> u32 {
    workgroupBarrier();
    counts[lane] = part;
    workgroupBarrier();
    var all = 0u;
    for (var i = 0u; i < end; i += 1u) {
        all += counts[i];
    }
    return all;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let there = min(step.rows * size.each, size.entries);
    let part = (there + 255u) / 256u;
    let first = min(lane * part, there);
    let end = min(first + part, there);
    let wanted = step.rows * K;
    // The key of the smallest that stays, bit by bit; that of the smallest positive number where all of these do.
    var least = 0u;
    for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
        if sum(lane, count(first, end, least | bit), 256u) >= wanted { least |= bit; }
    }
    least = max(least, NOTHING + 1u);
    let exceeding = sum(lane, count(first, end, least + 1u), 256u);
    let equal = count(first, end, least) - count(first, end, least + 1u);
    var before = sum(lane, equal, lane);
    var smallest = 0xffffffffu;
    for (var i = first; i < end; i += 1u) {
        let own = key(input[i]);
        var stays = own > least;
        if own == least {
            stays = exceeding + before < wanted;
            before += 1u;
        }
        if stays {
            out[i] = input[i];
            smallest = min(smallest, own);
        } else {
            out[i] = 0.0;
        }
    }
    for (var i = there + lane; i < size.entries; i += 256u) {
        out[i] = 0.0;
    }
    workgroupBarrier();
    counts[lane] = smallest;
    workgroupBarrier();
    for (var i = 0u; i < 256u; i += 1u) {
        smallest = min(smallest, counts[i]);
    }
    if smallest < 0xffffffffu {
        // The key of a positive number is its bits and the first one.
        let kept = bitcast<f32>(smallest ^ NOTHING);
        for (var column = lane; column < size.columns; column += 256u) {
            threshold[column] += bitcast<f32>(RATE) * (kept - threshold[column]);
        }
    }
}
