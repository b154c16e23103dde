//! The largest entries of the rows of all ranks together.

use std::cmp::Reverse;

/// Which of the entries stay: of those above 0, or that are no numbers, the `most` largest ones; of equal ones the first. With the smallest of them.
pub(super) fn largest(entries: &[f32], most: usize) -> (Vec<f32>, Option<f32>) {
    // Bits of positive numbers are ordered as these are, those of NaN above.
    let order = |&place: &u32| (Reverse(entries[place as usize].abs().to_bits()), place);
    let above =
        (0..entries.len() as u32).filter(|&place| entries[place as usize] > 0.0 || entries[place as usize].is_nan());
    let mut stay: Vec<u32> = above.collect();
    if stay.len() > most {
        stay.select_nth_unstable_by_key(most, order);
        stay.truncate(most);
    }
    let mut out = vec![0.0; entries.len()];
    stay.iter().for_each(|&place| out[place as usize] = entries[place as usize]);
    let smallest = stay.iter().max_by_key(|place| order(place)).map(|&place| entries[place as usize]);
    (out, smallest)
}
