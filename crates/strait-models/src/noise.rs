//! Rows with noise, to be looked at or reconstructed.

use strait_compute::{Device, Kind, Noise, Op, Program, Routine, Step, go_on};
use strait_data::Rows;

use crate::Result;
use crate::network::{EVALUATION_BATCH, declare_rows, minibatches, parts, upload};

/// The rows with noise, row after row: other noise for each row and each seed.
///
/// ```
/// use strait_compute::{Device, Noise};
/// let rows = strait_data::Rows::bytes(&[255; 100], 10)?;
/// let noisy = strait_models::corrupt(&Device::cpu()?, rows, Noise::Masking(0.5), 1)?;
/// assert!(noisy.contains(&0.0) && noisy.contains(&1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the noise makes no sense, or the device fails.
pub fn corrupt(device: &Device, rows: Rows<'_>, noise: Noise, seed: u64) -> Result<Vec<f32>> {
    let batch = parts(device, rows, rows.width).next().map_or(1, |part| part.count).min(EVALUATION_BATCH);
    let mut corrupted = Vec::with_capacity(rows.count * rows.width);
    let mut done = 0;
    for part in parts(device, rows, rows.width) {
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", &part);
        let [x, noisy] = ["x", "noisy"].map(|name| program.value(name, batch, rows.width));
        let result = program.data("result", part.count, rows.width, Kind::Rows);
        let mut routine = Routine::new("corruption");
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
        routine.push(Op::Corrupt { input: x, noise, stream: 0, out: noisy })?;
        routine.push(Op::Scatter { input: noisy, data: result })?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        upload(&mut *execution, data, &part)?;
        let step = |(offset, rows)| Step { offset, rows, counter: done + offset, ..Step::seeded(seed) };
        let steps: Vec<Step> = minibatches(part.count, batch).map(step).collect();
        execution.run(routine, &steps, &mut go_on)?;
        corrupted.extend(execution.read(result)?);
        done += part.count as u32;
    }
    Ok(corrupted)
}
