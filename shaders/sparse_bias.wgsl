// The gradient of the bias of the columns of rows of few numbers, and what becomes of it: an invocation for each column.
struct Size {
    columns: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<f32>;
@group(0) @binding(3) var<storage, read> entries: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if column >= size.columns { return; }
    let last = u32(starts[column + 1u]);
    var sum = 0.0;
    for (var place = u32(starts[column]); place < last; place += 1u) {
        sum += values[u32(entries[place])];
    }
    apply_bias(column, sum / all_rows(), 0.0);
}
