// A data set of bytes, four to a word; a byte stands for a 255th.
@group(0) @binding(2) var<storage, read> data: array<u32>;

fn data_at(i: u32) -> f32 {
    return f32((data[i / 4u] >> (i % 4u * 8u)) & 0xffu) / 255.0;
}
