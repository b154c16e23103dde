// Rows in a given order.
@group(0) @binding(3) var<storage, read> index: array<u32>;

fn row_of(position: u32) -> u32 {
    return index[position];
}
