// A layer: act(s + b), with a bias for each channel.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

fn finish(i: u32, sum: f32) -> f32 {
    return activate(vec4<f32>(sum + bias[i % CHANNELS])).x;
}
