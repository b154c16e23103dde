// Reductions over a row by one workgroup of LANES invocations, a power of two, in a fixed order.
struct Size {
    rows: u32,
    cols: u32,
    // Numbers of a step's metrics, and where those of this operation start.
    width: u32,
    start: u32,
    // The stream of random numbers of an operation that draws.
    stream: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
var<workgroup> parts: array<f32, LANES>;

fn sum_of_parts(lane: u32, part: f32) -> f32 {
    workgroupBarrier();
    parts[lane] = part;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half { parts[lane] = parts[lane] + parts[lane + half]; }
    }
    workgroupBarrier();
    return parts[0];
}

// ln of the sum of e^z over a row.
fn log_sum_exp(row: u32, lane: u32) -> f32 {
    var top = input[row * size.cols];
    for (var col = 0u; col < size.cols; col += 1u) {
        top = max(top, input[row * size.cols + col]);
    }
    var part = 0.0;
    for (var col = lane; col < size.cols; col += LANES) {
        part += exp(input[row * size.cols + col] - top);
    }
    return top + log(sum_of_parts(lane, part));
}
