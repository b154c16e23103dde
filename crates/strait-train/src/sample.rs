//! A random sample of rows.

use strait_compute::philox::Stream;
use strait_data::Rows;

/// That many rows as numbers, in their order, drawn from all of them, which may be sorted by what they show; all where there are no
/// more.
pub(crate) fn sample(rows: Rows<'_>, count: usize, mut stream: Stream) -> Vec<f32> {
    let mut order = stream.permutation(rows.count);
    order.truncate(count);
    order.sort_unstable();
    order.iter().flat_map(|&row| rows.range(row as usize..row as usize + 1).to_numbers()).collect()
}
