// The K largest positive numbers of each row in the order of their columns, with these: a workgroup for each row.
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> columns: array<f32>;
// How many of the row's numbers so far, and of those in the places of lower lanes, exceed the K-th largest, and how many equal it.
var<workgroup> above: array<u32, LANES>;
var<workgroup> equal: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    // Only positive numbers are listed.
    let threshold = max(kth_key(row, lane), NOTHING);
    let exceeding = count(row, lane, threshold + 1u);
    var before_above = 0u;
    var before_equal = 0u;
    for (var start = 0u; start < size.cols; start += LANES) {
        let col = start + lane;
        var own = NOTHING;
        if col < size.cols { own = key(input[row * size.cols + col]); }
        workgroupBarrier();
        above[lane] = select(0u, 1u, own > threshold);
        equal[lane] = select(0u, 1u, own == threshold && own > NOTHING);
        workgroupBarrier();
        var more = before_above;
        var same = before_equal;
        for (var i = 0u; i < lane; i += 1u) {
            more += above[i];
            same += equal[i];
        }
        let kept = own > threshold || own == threshold && own > NOTHING && same < K - exceeding;
        if kept {
            let place = row * K + more + min(same, K - exceeding);
            values[place] = input[row * size.cols + col];
            columns[place] = f32(col);
        }
        for (var i = 0u; i < LANES; i += 1u) {
            before_above += above[i];
            before_equal += equal[i];
        }
    }
    for (var j = before_above + min(before_equal, K - exceeding) + lane; j < K; j += LANES) {
        values[row * K + j] = 0.0;
        columns[row * K + j] = 0.0;
    }
}
