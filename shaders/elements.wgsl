// For kernels whose invocations take the elements of a tensor in turn: how many there are of either.
struct Size {
    count: u32,
    invocations: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
