//! Fantasies of a restricted Boltzmann machine.

use strait_compute::philox::{Stream, streams, uniform};
use strait_compute::{Device, Groups, Kind, Program, Routine, Step, go_on};
use strait_data::Rows;

use crate::{Error, Rbm, Result, TotalInput, Units, Wanted, forward};

impl Rbm {
    /// What the machine makes of these rows when its units are drawn in turn, hidden ones and visible ones, so many times: the
    /// means of the visible units in the end, row after row. After many steps they are samples of what it believes in. Groups of
    /// visible units take as many draws as the rows have there.
    ///
    /// ```
    /// use strait_compute::philox::{Stream, streams};
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
        self.check()?;
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        if rows.width != visible {
            return Err(Error::Width { expected: visible, found: rows.width });
        }
        if steps == 0 || steps > 1 << 30 {
            return Err(Error::Shape(format!("{steps} steps of Gibbs sampling: there must be 1 to 2^30")));
        }
        let mut program = Program::default();
        let weight = program.parameter("weight", visible, hidden);
        let (a, b) = (program.parameter("visible_bias", 1, visible), program.parameter("hidden_bias", 1, hidden));
        let (v, v_mean) = (program.state("v", rows.count, visible), program.value("v.mean", rows.count, visible));
        let given = program.data("given", rows.count, visible, Kind::Values);
        let [h, h_mean] = ["h", "h.mean"].map(|name| program.value(name, rows.count, hidden));
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
        self.unscale(&mut means);
        Ok(means)
    }

    /// So many fantasies from random starts, row after row: the means of the visible units after that many steps of Gibbs
    /// sampling. Chains start from fair coins of binary units, the noise of Gaussian and rectified ones around their biases, and one
    /// draw in each group. They need enough steps to forget that, and may still not have mixed.
    ///
    /// ```
    /// use strait_compute::philox::{Stream, streams};
    /// use strait_models::{Rbm, Units};
    /// let mut rbm = Rbm::new((2, Units::Bernoulli), (3, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// rbm.visible_bias = vec![9.0, -9.0];
    /// let drawn = rbm.sample(&strait_compute::Device::cpu()?, 5, 100, 1)?;
    /// assert!(drawn.chunks(2).all(|row| row[0] > 0.9 && row[1] < 0.1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If all of them at once do not fit on the device, there are no steps, or the device fails.
    pub fn sample(&self, device: &Device, count: usize, steps: usize, seed: u64) -> Result<Vec<f32>> {
        self.check()?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut stream = Stream::new(seed, streams::FANTASIES);
        let starts: Vec<f32> = (0..count).flat_map(|_| self.random_row(&mut stream)).collect();
        self.fantasies(device, Rows::numbers(&starts, self.visible_bias.len())?, steps, seed)
    }

    /// Random states of the visible units, whatever the weights are.
    fn random_row(&self, stream: &mut Stream) -> Vec<f32> {
        let units = self.visible_bias.len();
        let noisy = |bias: &f32, stream: &mut Stream| bias + stream.next_normal();
        let coin = |stream: &mut Stream| if uniform(stream.next_word()) < 0.5 { 1.0 } else { 0.0 };
        match self.visible {
            Units::Bernoulli => (0..units).map(|_| coin(stream)).collect(),
            Units::Rectified => self.visible_bias.iter().map(|bias| noisy(bias, stream).max(0.0)).collect(),
            Units::Gaussian => {
                let mut row: Vec<f32> = self.visible_bias.iter().map(|bias| noisy(bias, stream)).collect();
                self.unscale(&mut row);
                row
            }
            Units::Softmax(Groups { first, classes }) => {
                let mut row: Vec<f32> = (0..first).map(|_| coin(stream)).collect();
                row.resize(units, 0.0);
                for group in row[first..].chunks_exact_mut(classes) {
                    group[(uniform(stream.next_word()) * classes as f32) as usize % classes] = 1.0;
                }
                row
            }
        }
    }

    /// Rows of visible units from what the energy takes for them: v from v / σ.
    fn unscale(&self, rows: &mut [f32]) {
        if let Some(deviation) = &self.deviation {
            let rows = rows.chunks_exact_mut(self.visible_bias.len());
            rows.for_each(|row| row.iter_mut().zip(deviation).for_each(|(v, deviation)| *v *= deviation));
        }
    }

    /// What the machine expects of its visible units, by the means of the hidden ones given these rows: their reconstruction, row
    /// after row. Of a group that is missing it tells as much as of one that is there, namely the probabilities of its units.
    ///
    /// ```
    /// use strait_compute::{Groups, philox::Stream};
    /// use strait_models::{Rbm, Units};
    /// // Two ratings from 1 to 3, of which the second is missing.
    /// let ratings = Units::Softmax(Groups { first: 0, classes: 3 });
    /// let rbm = Rbm::new((6, ratings), (4, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// let rows = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    /// let rows = strait_data::Rows::numbers(&rows, 6)?;
    /// let expected = rbm.expected(&strait_compute::Device::cpu()?, rows)?;
    /// assert!((expected[3..].iter().sum::<f32>() - 1.0).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn expected(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        let code = self.hidden_means(device, rows)?;
        let mut means = forward(device, &[self.down()], None, &Rows::numbers(&code, self.hidden_bias.len())?)?;
        self.visible.finish(&mut means, rows.width);
        Ok(means)
    }

    /// The means of the hidden units given these rows, row after row: the features that a machine above sees.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn hidden_means(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        let mut means = forward(device, &[self.up()], None, &rows)?;
        self.hidden.finish(&mut means, self.hidden_bias.len());
        Ok(means)
    }
}
