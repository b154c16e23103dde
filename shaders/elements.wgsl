// For kernels whose invocations take the elements of a tensor in turn and make each in `element`: how many there are of either.
struct Size {
    count: u32,
    invocations: u32,
}
@group(0) @binding(0) var<uniform> size: Size;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < size.count; i += size.invocations) {
        element(i);
    }
}
