// Counts the entries of each column (COUNTS: 1), or lists them where those of each column start: an invocation for each column, which looks
// at all entries.
struct Size {
    columns: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> columns: array<f32>;
@group(0) @binding(3) var<storage, read_write> starts: array<f32>;
@group(0) @binding(4) var<storage, read_write> entries: array<f32>;
// The columns of some entries; of those that are 0 there is none.
var<workgroup> seen: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let own = id.x;
    let count = step.rows * size.k;
    var found = 0u;
    if COUNTS == 0u && own < size.columns { found = u32(starts[own]); }
    for (var start = 0u; start < count; start += 64u) {
        workgroupBarrier();
        seen[lane] = size.columns;
        if start + lane < count && values[start + lane] != 0.0 { seen[lane] = u32(columns[start + lane]); }
        workgroupBarrier();
        for (var i = 0u; i < 64u; i += 1u) {
            if seen[i] == own && own < size.columns {
                if COUNTS == 0u { entries[found] = f32(start + i); }
                found += 1u;
            }
        }
    }
    if COUNTS == 1u && own < size.columns { starts[own + 1u] = f32(found); }
}
