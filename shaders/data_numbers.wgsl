// A data set of numbers.
@group(0) @binding(2) var<storage, read> data: array<f32>;

fn data_at(i: u32) -> f32 {
    return data[i];
}
