// Makes of the numbers of entries of each column, which stand behind the first place, where those of each start: one workgroup.
struct Size {
    columns: u32,
    entries: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read_write> starts: array<f32>;
@group(0) @binding(2) var<storage, read_write> entries: array<f32>;
var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    // Each invocation takes neighbouring columns.
    let each = (size.columns + 255u) / 256u;
    let first = min(lane * each, size.columns);
    let end = min(first + each, size.columns);
    var sum = 0.0;
    for (var column = first; column < end; column += 1u) {
        sum += starts[column + 1u];
    }
    sums[lane] = sum;
    workgroupBarrier();
    var before = 0.0;
    var all = 0.0;
    for (var i = 0u; i < 256u; i += 1u) {
        if i < lane { before += sums[i]; }
        all += sums[i];
    }
    for (var column = first; column < end; column += 1u) {
        before += starts[column + 1u];
        starts[column + 1u] = before;
    }
    if lane == 0u { starts[0] = 0.0; }
    for (var place = u32(all) + lane; place < size.entries; place += 256u) {
        entries[place] = 0.0;
    }
}
