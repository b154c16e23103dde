//! How probable rows are under a restricted Boltzmann machine: free energies, the partition function summed or estimated,
//! the pseudo-likelihood.

use strait_compute::philox::{Stream, uniform};
use strait_compute::{
    Activation, Device, Execution, Factors, Kind, Op, Program, Routine, Sample, Sampling, Step, Tensor, go_on,
};
use strait_data::Rows;

use crate::network::{EVALUATION_BATCH, declare_rows, minibatches, parts, upload};
use crate::{Error, Rbm, Result, Units};

/// Hidden states that are summed at once.
const STATES: usize = 1 << 16;

/// The recipe of annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Annealing {
    /// Distributions between that of independent pixels and the machine's.
    pub temperatures: usize,
    /// Chains, each of which gives one estimate.
    pub chains: usize,
    /// Seed of what is drawn.
    pub seed: u64,
}

impl Default for Annealing {
    fn default() -> Self {
        Self { temperatures: 10_000, chains: 100, seed: 2006 }
    }
}

impl Annealing {
    /// β after so many of the steps: as Salakhutdinov & Murray space them, ever closer towards 1.
    fn inverse_temperature(&self, step: usize) -> f64 {
        let x = step as f64 / self.temperatures as f64;
        // 500 of 14,500 up to 0.5, 4000 more up to 0.9, 10,000 up to 1.
        let (first, second) = (1.0 / 29.0, 9.0 / 29.0);
        match x {
            x if x < first => 0.5 * x / first,
            x if x < second => 0.5 + 0.4 * (x - first) / (second - first),
            x => 0.9 + 0.1 * (x - second) / (1.0 - second),
        }
    }
}

/// ln Z, and the range of three standard errors of the mean of the chains' estimates of Z: an estimate itself, which knows
/// nothing of what no chain has met.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Partition {
    /// ln Z
    pub log: f64,
    /// The lower end of the range; −∞ where the error is as large as the estimate.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Rbm {
    /// For each row its free energy; see [`Rbm::free_energy`]. Sums over binary hidden units are formed on the device.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn free_energies(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f64>> {
        let expected = self.visible_bias.len();
        if rows.width != expected {
            return Err(Error::Width { expected, found: rows.width });
        }
        if self.hidden != Units::Bernoulli {
            let row = |r: usize| (0..rows.width).map(|c| rows.at(r, c)).collect::<Vec<_>>();
            return (0..rows.count).map(|r| self.free_energy(&row(r))).collect();
        }
        let mut energies = Vec::with_capacity(rows.count);
        for part in parts(device, rows, 0) {
            let sums = self.side(true).sums(device, part)?;
            let visible = |r: usize| match self.visible {
                Units::Bernoulli => 0.0,
                // ½ ‖v − a‖² in place of −aᵀv.
                Units::Gaussian => (0..part.width)
                    .map(|c| {
                        let (v, a) = (f64::from(part.at(r, c)), f64::from(self.visible_bias[c]));
                        0.5 * (v - a).powi(2) + a * v
                    })
                    .sum(),
            };
            energies.extend(sums.into_iter().enumerate().map(|(r, sum)| visible(r) - sum));
        }
        Ok(energies)
    }

    /// ln Z = ln Σᵥ Σₕ e^−E(v, h), summed exactly over the 2ᴴ states of the hidden units.
    ///
    /// ```
    /// use strait_models::{Rbm, Units};
    /// let rbm = Rbm {
    ///     visible: Units::Bernoulli,
    ///     hidden: Units::Bernoulli,
    ///     weight: vec![0.0; 6],
    ///     visible_bias: vec![0.0; 3],
    ///     hidden_bias: vec![0.0; 2],
    /// };
    /// let found = rbm.log_partition(&strait_compute::Device::cpu()?)?;
    /// assert!((found - 5.0 * 2f64.ln()).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If not all units are binary, there are more than 25 hidden ones, or the device fails.
    pub fn log_partition(&self, device: &Device) -> Result<f64> {
        let hidden = self.hidden_bias.len();
        if self.visible != Units::Bernoulli || self.hidden != Units::Bernoulli || hidden > 25 {
            let message = "the partition function is summed for binary units and at most 25 hidden ones";
            return Err(Error::Shape(message.to_owned()));
        }
        let mut terms = Vec::with_capacity(1 << hidden);
        for start in (0..1usize << hidden).step_by(STATES) {
            let states = start..(start + STATES).min(1 << hidden);
            let bits = states.flat_map(|state| (0..hidden).map(move |j| if state >> j & 1 == 1 { 255 } else { 0 }));
            let bits: Vec<u8> = bits.collect();
            for part in parts(device, Rows::bytes(&bits, hidden)?, 0) {
                terms.extend(self.side(false).sums(device, part)?);
            }
        }
        Ok(log_sum_exp(&terms))
    }

    /// ln Z by annealed importance sampling, from the distribution of independent pixels that have the means of these rows.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Annealing, Rbm, Units};
    /// let device = strait_compute::Device::cpu()?;
    /// let rbm = Rbm::new((6, Units::Bernoulli), (4, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0], 6)?;
    /// let annealing = Annealing { temperatures: 200, ..Annealing::default() };
    /// let found = rbm.annealed_partition(&device, rows, &annealing)?;
    /// assert!((found.log - rbm.log_partition(&device)?).abs() < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If not all units are binary, the rows do not fit or are not from 0 to 1, there are too few or too many chains or
    /// temperatures, the result is not finite, or the device fails.
    pub fn annealed_partition(&self, device: &Device, rows: Rows<'_>, annealing: &Annealing) -> Result<Partition> {
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        if self.visible != Units::Bernoulli || self.hidden != Units::Bernoulli {
            return Err(Error::Shape("annealed importance sampling takes binary units".to_owned()));
        }
        if annealing.temperatures == 0 || annealing.temperatures > 1 << 30 || !(2..=65_535).contains(&annealing.chains)
        {
            let message = format!("{annealing:?}: there must be 1 to 2^30 temperatures, and 2 to 65,535 chains");
            return Err(Error::Shape(message));
        }
        if rows.width != visible {
            return Err(Error::Width { expected: visible, found: rows.width });
        }
        // One more row of either kind keeps the logarithms finite.
        let count = rows.count as f64;
        let means = rows.mean();
        if let Some(mean) = means.iter().find(|mean| !(0.0..=1.0).contains(*mean)) {
            let message = format!("a column of the rows has the mean {mean}, but binary units are from 0 to 1");
            return Err(Error::Shape(message));
        }
        let odds = |mean: f64| ((mean * count + 1.0) / ((1.0 - mean) * count + 1.0)).ln() as f32;
        let base: Vec<f32> = means.into_iter().map(odds).collect();
        let mut chain = Annealed::load(self, device, &base, annealing.chains)?;
        let logs = chain.weights(annealing)?;
        let softplus = |x: f32| Activation::Softplus.apply(f64::from(x));
        let of_base = hidden as f64 * 2f64.ln() + base.iter().map(|&a| softplus(a)).sum::<f64>();
        let n = logs.len() as f64;
        let log = log_sum_exp(&logs) - n.ln();
        let spread: f64 = logs.iter().map(|x| ((x - log).exp() - 1.0).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let error = 3.0 * (spread / n).sqrt();
        let total = of_base + log;
        if !total.is_finite() {
            return Err(Error::Shape(format!("ln Z is estimated as {total}; the machine's parameters are too large")));
        }
        let low = if error < 1.0 { total + (1.0 - error).ln() } else { f64::NEG_INFINITY };
        Ok(Partition { log: total, low, high: total + (1.0 + error).ln() })
    }

    /// The mean over the rows of ln Πᵢ p(vᵢ | all others), estimated with one unit of each row that is chosen at random
    /// (Besag 1975). Rows should be binary.
    ///
    /// # Errors
    /// If the visible units are not binary, the rows do not fit, or the device fails.
    pub fn pseudo_log_likelihood(&self, device: &Device, rows: Rows<'_>, seed: u64) -> Result<f64> {
        if self.visible != Units::Bernoulli {
            return Err(Error::Shape("the pseudo-likelihood is that of binary visible units".to_owned()));
        }
        let before = self.free_energies(device, rows)?;
        let mut flipped = rows.to_numbers();
        let mut stream = Stream::new(seed, 106);
        for row in flipped.chunks_exact_mut(rows.width) {
            let unit = (f64::from(uniform(stream.next_word())) * row.len() as f64) as usize;
            row[unit] = 1.0 - row[unit];
        }
        let after = self.free_energies(device, Rows::numbers(&flipped, rows.width)?)?;
        let terms = before.iter().zip(&after).map(|(before, after)| -Activation::Softplus.apply(before - after));
        Ok(rows.width as f64 * terms.sum::<f64>() / rows.count as f64)
    }

    fn side(&self, of_visible: bool) -> Side<'_> {
        let (own, other) =
            if of_visible { (&self.visible_bias, &self.hidden_bias) } else { (&self.hidden_bias, &self.visible_bias) };
        let shape = (self.visible_bias.len(), self.hidden_bias.len());
        Side { weight: &self.weight, shape, transposed: !of_visible, own, other }
    }
}

/// ln Σ eˣ
fn log_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + terms.iter().map(|term| (term - top).exp()).sum::<f64>().ln()
}

/// The states of one side of a machine, of which the other one is summed out.
struct Side<'a> {
    weight: &'a [f32],
    shape: (usize, usize),
    transposed: bool,
    own: &'a [f32],
    other: &'a [f32],
}

impl Side<'_> {
    /// For each row x the sum of its biases c·x and of ln(1 + e^(b + xW)) over the other side.
    fn sums(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f64>> {
        let widest = rows.width.max(self.other.len());
        let fitting = device.largest_tensor().map_or(rows.count, |limit| limit as usize / (4 * widest));
        let batch = EVALUATION_BATCH.min(rows.count).min(fitting.max(1));
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", &rows);
        let mut values = |name: &str, rows: usize, cols: usize| program.tensor(name, rows, cols, Kind::Values);
        let x = values("x", batch, rows.width);
        let weight = values("w", self.shape.0, self.shape.1);
        let (own, other) = (values("own bias", 1, self.own.len()), values("other bias", 1, self.other.len()));
        let soft = values("softplus", batch, self.other.len());
        let mut routine = Routine::new("free energy");
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
        record_sums(&mut routine, (weight, self.transposed, other, own), x, soft)?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        execution.write(weight, self.weight)?;
        execution.write(own, self.own)?;
        execution.write(other, self.other)?;
        upload(&mut *execution, data, &rows)?;
        let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
        let steps: Vec<Step> = minibatches(rows.count, batch).map(step).collect();
        let metrics = execution.run(routine, &steps, &mut go_on)?;
        let pairs = metrics.losses[0].iter().zip(&metrics.losses[1]);
        Ok(pairs.map(|(&soft, &bias)| f64::from(soft) + f64::from(bias)).collect())
    }
}

/// Records Σ ln(1 + e^(b + xW)), then c·x, as losses.
fn record_sums(
    routine: &mut Routine,
    (weight, transposed, bias, own): (Tensor, bool, Tensor, Tensor),
    input: Tensor,
    out: Tensor,
) -> Result<()> {
    let activation = Activation::Softplus;
    routine.push(Op::Linear { input, weight, transposed, bias, activation, out, sample: None })?;
    routine.push(Op::RowSums { input: out, columns: None })?;
    Ok(routine.push(Op::RowSums { input, columns: Some(own) })?)
}

/// Chains on a device that go from independent pixels to a machine.
struct Annealed {
    execution: Box<dyn Execution>,
    routine: strait_compute::RoutineId,
    chains: usize,
}

impl Annealed {
    fn load(rbm: &Rbm, device: &Device, base: &[f32], chains: usize) -> Result<Self> {
        let (visible, hidden) = (base.len(), rbm.hidden_bias.len());
        let mut program = Program::default();
        let mut values = |name: &str, rows: usize, cols: usize| program.tensor(name, rows, cols, Kind::Values);
        // The machine, the base, which has no weights, and what lies between them.
        let mut three = |name: &str, rows: usize, cols: usize| {
            ["", " of the base", " between"].map(|which| values(&format!("{name}{which}"), rows, cols))
        };
        let (w, b, a) = (three("w", visible, hidden), three("b", 1, hidden), three("a", 1, visible));
        let [v, v_mean] = ["v", "v mean"].map(|name| values(name, chains, visible));
        let [h, h_mean, soft] = ["h", "h mean", "softplus"].map(|name| values(name, chains, hidden));
        let mut routine = Routine::new("annealing");
        for [x, y, out] in [w, b, a] {
            routine.push(Op::Combine { x, y, factors: Factors::Step, out })?;
        }
        let sums = (w[2], false, b[2], a[2]);
        record_sums(&mut routine, sums, v, soft)?;
        let activation = Activation::Logistic;
        let draw = |input, transposed, bias, out, state, stream| {
            let sample = Some(Sample { sampling: Sampling::Bernoulli, out: state, stream });
            Op::Linear { input, weight: w[2], transposed, bias, activation, out, sample }
        };
        routine.push(draw(v, false, b[2], h_mean, h, 1))?;
        routine.push(draw(h, true, a[2], v_mean, v, 2))?;
        record_sums(&mut routine, sums, v, soft)?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        execution.write(w[0], &rbm.weight)?;
        execution.write(b[0], &rbm.hidden_bias)?;
        execution.write(a[0], &rbm.visible_bias)?;
        execution.write(a[1], base)?;
        Ok(Self { execution, routine, chains })
    }

    /// For each chain the logarithm of its importance weight: the sum over the steps of −F at the new temperature less −F
    /// at the old one, both of the state that the old one left.
    fn weights(&mut self, annealing: &Annealing) -> Result<Vec<f64>> {
        /// Steps of a run, whose sums come to the host together.
        const RUN: usize = 1000;
        let mut logs = vec![0.0; self.chains];
        let mut before: Option<Vec<f64>> = None;
        let step = |number: usize| {
            let beta = annealing.inverse_temperature(number);
            let (alpha, beta, counter) = (beta as f32, (1.0 - beta) as f32, number as u32);
            Step { rows: self.chains as u32, counter, alpha, beta, ..Step::seeded(annealing.seed) }
        };
        // Eight numbers for each chain and step come to the host, at most some megabytes of them.
        let run = ((1 << 20) / self.chains).clamp(1, RUN);
        for first in (0..=annealing.temperatures).step_by(run) {
            let steps: Vec<Step> = (first..=annealing.temperatures).take(run).map(step).collect();
            let metrics = self.execution.run(self.routine, &steps, &mut go_on)?;
            let sum = |first: usize, step: usize, chain: usize| {
                let i = step * self.chains + chain;
                f64::from(metrics.losses[first][i]) + f64::from(metrics.losses[first + 1][i])
            };
            for number in 0..steps.len() {
                if let Some(before) = before {
                    (0..self.chains).for_each(|chain| logs[chain] += sum(0, number, chain) - before[chain]);
                }
                before = Some((0..self.chains).map(|chain| sum(2, number, chain)).collect());
            }
        }
        Ok(logs)
    }
}
