//! Fantasies of a restricted Boltzmann machine.

use strait_compute::{Device, Kind, Program, Routine, Step, go_on};
use strait_data::Rows;

use crate::{Error, Rbm, Result, TotalInput, Wanted};

impl Rbm {
    /// What the machine makes of these rows when its units are drawn in turn, hidden ones and visible ones, so many times: the
    /// means of the visible units in the end, row after row. After many steps they are samples of what it believes in. Groups of
    /// visible units take as many draws as the rows have there.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Rbm, Units};
    /// let mut rbm = Rbm::new((4, Units::Bernoulli), (3, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// rbm.visible_bias = vec![9.0, -9.0, 9.0, -9.0];
    /// let rows = strait_data::Rows::bytes(&[0, 255, 0, 255], 4)?;
    /// let fantasy = rbm.fantasies(&strait_compute::Device::cpu()?, rows, 10, 1)?;
    /// assert!(fantasy[0] > 0.9 && fantasy[1] < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the rows do not fit, also all at once on the device, there are no steps, or the device fails.
    pub fn fantasies(&self, device: &Device, rows: Rows<'_>, steps: usize, seed: u64) -> Result<Vec<f32>> {
        /// Steps whose numbers go to the device together.
        const RUN: usize = 1000;
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        if rows.width != visible {
            return Err(Error::Width { expected: visible, found: rows.width });
        }
        if steps == 0 || steps > 1 << 30 {
            return Err(Error::Shape(format!("{steps} steps of Gibbs sampling: there must be 1 to 2^30")));
        }
        let mut program = Program::default();
        let mut values = |name: &str, rows: usize, cols: usize| program.tensor(name, rows, cols, Kind::Values);
        let (weight, a, b) = (values("w", visible, hidden), values("a", 1, visible), values("b", 1, hidden));
        let [v, v_mean, given] = ["v", "v mean", "given"].map(|name| values(name, rows.count, visible));
        let [h, h_mean] = ["h", "h mean"].map(|name| values(name, rows.count, hidden));
        let mut routine = Routine::new("Gibbs");
        let up = TotalInput { input: v, weight, transposed: false, bias: b };
        let down = TotalInput { input: h, weight, transposed: true, bias: a };
        self.hidden.record(&mut program, &mut routine, up, Wanted::mean(h_mean).drawn(h, 1))?;
        self.visible.record(&mut program, &mut routine, down, Wanted::mean(v_mean).drawn(v, 2).given(Some(given)))?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        execution.write(weight, &self.weight)?;
        execution.write(a, &self.visible_bias)?;
        execution.write(b, &self.hidden_bias)?;
        let starts: Vec<f32> = rows.to_numbers().chunks_exact(visible).flat_map(|row| self.scaled(row)).collect();
        execution.write(v, &starts)?;
        execution.write(given, &starts)?;
        let step = |counter: usize| Step { rows: rows.count as u32, counter: counter as u32, ..Step::seeded(seed) };
        for first in (0..steps).step_by(RUN) {
            execution.run(routine, &(first..steps).take(RUN).map(step).collect::<Vec<_>>(), &mut go_on)?;
        }
        let mut means = execution.read(v_mean)?;
        if let Some(deviation) = &self.deviation {
            let rows = means.chunks_exact_mut(visible);
            rows.for_each(|row| row.iter_mut().zip(deviation).for_each(|(mean, deviation)| *mean *= deviation));
        }
        Ok(means)
    }
}
