//! Rows held out of training.

use strait_compute::philox::{Stream, streams};
use strait_data::Data;

use crate::Result;

/// Draws a share of the rows to hold out of training; where there are labels, the same share of each class. The choice depends on
/// the seed, the number of rows and the labels alone.
///
/// ```
/// use strait_data::{Options, open};
/// let path = std::env::temp_dir().join(format!("strait-held-out-{}.csv", std::process::id()));
/// std::fs::write(&path, (0..100).map(|i| format!("{i},{}\n", i * i)).collect::<String>())?;
/// let (train, test) = strait_train::hold_out(&open(&path, &Options::default())?, 0.2, 1)?;
/// assert_eq!((train.count(), test.count()), (80, 20));
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If one of the parts would be empty.
pub fn hold_out(data: &Data, share: f64, seed: u64) -> Result<(Data, Data)> {
    let mut held = vec![false; data.count()];
    let order = Stream::new(seed, streams::HELD_OUT).permutation(data.count());
    let (classes, count) = match &data.labels {
        Some(labels) => (&labels.classes[..], labels.names.len()),
        None => (&[][..], 1),
    };
    let class = |row: u32| classes.get(row as usize).map_or(0, |&class| class as usize);
    let mut sizes = vec![0usize; count];
    order.iter().for_each(|&row| sizes[class(row)] += 1);
    // What rounding leaves of one class goes to the next, so that the share of all is met.
    let mut owed = 0.0;
    let mut wanted: Vec<usize> = sizes
        .iter()
        .map(|&size| {
            owed += share * size as f64;
            let wanted = (owed.round().max(0.0) as usize).min(size);
            owed -= wanted as f64;
            wanted
        })
        .collect();
    for &row in &order {
        let wanted = &mut wanted[class(row)];
        if *wanted > 0 {
            *wanted -= 1;
            held[row as usize] = true;
        }
    }
    Ok(data.hold_out(&held)?)
}
