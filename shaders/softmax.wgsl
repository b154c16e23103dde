// out = softmax(input) over each row.
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let normaliser = log_sum_exp(group.x, lane);
    for (var col = lane; col < size.cols; col += 64u) {
        let i = group.x * size.cols + col;
        out[i] = exp(input[i] - normaliser);
    }
}
