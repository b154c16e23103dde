// The gradient of thresholds, and the derivatives with respect to outputs, of which those below the thresholds become 0: an invocation
// for each column.
struct Size {
    columns: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<f32>;
@group(0) @binding(3) var<storage, read> entries: array<f32>;
@group(0) @binding(4) var<storage, read> threshold: array<f32>;
@group(0) @binding(5) var<storage, read> mean: array<f32>;
@group(0) @binding(6) var<storage, read_write> derivatives: array<f32>;
@group(0) @binding(7) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if column >= size.columns { return; }
    let bandwidth = bitcast<f32>(BANDWIDTH);
    let wanted = bitcast<f32>(MEAN);
    let pull = 2.0 * bitcast<f32>(WEIGHT) * (mean[0] / wanted - 1.0) / wanted;
    let least = max(threshold[column], 0.0);
    let last = u32(starts[column + 1u]);
    var sum = 0.0;
    for (var place = u32(starts[column]); place < last; place += 1u) {
        let entry = u32(entries[place]);
        let v = values[entry];
        if v < bandwidth { sum -= (least * derivatives[entry] + pull) / bandwidth; }
        if v <= 0.5 * bandwidth { derivatives[entry] = 0.0; }
    }
    gradient[column] = sum / all_rows();
}
