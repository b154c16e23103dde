//! How probable rows are under a restricted Boltzmann machine: free energies, the partition function summed or estimated,
//! the pseudo-likelihood.

use strait_compute::philox::{Stream, streams, uniform};
use strait_compute::{Activation, Device, Execution, Factors, Groups, Kind, Op, Program, Routine, Step, Tensor, go_on};
use strait_data::Rows;

use crate::network::{EVALUATION_BATCH, declare_rows, minibatches, parts, upload};
use crate::units::log_sum_exp;
use crate::{Error, Rbm, Result, TotalInput, Units, Wanted};

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
        self.check()?;
        let expected = self.visible_bias.len();
        if rows.width != expected {
            return Err(Error::Width { expected, found: rows.width });
        }
        if self.hidden != Units::Bernoulli || self.visible == Units::Rectified {
            let row = |r: usize| (0..rows.width).map(|c| rows.at(r, c)).collect::<Vec<_>>();
            return (0..rows.count).map(|r| self.free_energy(&row(r))).collect();
        }
        let mut energies = Vec::with_capacity(rows.count);
        for part in parts(device, rows, 0) {
            if self.visible != Units::Gaussian {
                energies.extend(self.side(true).sums(device, part)?.into_iter().map(|[soft, bias]| -soft - bias));
                continue;
            }
            let values: Vec<f32> =
                part.to_numbers().chunks_exact(part.width).flat_map(|row| self.scaled(row)).collect();
            let sums = self.side(true).sums(device, Rows::numbers(&values, part.width)?)?;
            let rows = values.chunks_exact(part.width).zip(sums);
            energies.extend(rows.map(|(row, [soft, _])| self.visible_energy(row) - soft));
        }
        Ok(energies)
    }

    /// ln Z = ln Σᵥ Σₕ e^−E(v, h), summed exactly over the states of one layer: the hidden one, or the visible one where the
    /// hidden one has infinitely many. Groups of visible units take as many draws as `given` has there; without it one each.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Rbm, Units};
    /// let mut rbm = Rbm::new((3, Units::Bernoulli), (2, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// rbm.weight.fill(0.0);
    /// let found = rbm.log_partition(&strait_compute::Device::cpu()?, None)?;
    /// assert!((found - 5.0 * 2f64.ln()).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the layers have too many states to sum (more than 2²⁵ of binary units beside binary ones, more than 2²⁰ of others), the
    /// visible units are rectified, or the device fails.
    pub fn log_partition(&self, device: &Device, given: Option<&[f32]>) -> Result<f64> {
        self.check()?;
        let hidden = self.hidden_bias.len();
        if self.visible != Units::Bernoulli || self.hidden != Units::Bernoulli || hidden > 25 {
            return self.log_partition_of_few(given);
        }
        let mut terms = Vec::with_capacity(1 << hidden);
        for start in (0..1usize << hidden).step_by(STATES) {
            let states = start..(start + STATES).min(1 << hidden);
            let bits = states.flat_map(|state| (0..hidden).map(move |j| if state >> j & 1 == 1 { 255 } else { 0 }));
            let bits: Vec<u8> = bits.collect();
            for part in parts(device, Rows::bytes(&bits, hidden)?, 0) {
                terms.extend(self.side(false).sums(device, part)?.into_iter().map(|[soft, bias]| soft + bias));
            }
        }
        Ok(log_sum_exp(&terms))
    }

    /// The same on the host, state by state.
    fn log_partition_of_few(&self, given: Option<&[f32]>) -> Result<f64> {
        /// States that take seconds.
        const MOST: u64 = 1 << 20;
        let fitting = |units: Units, count: usize| units.states(count).filter(|states| *states <= MOST);
        if given.is_some_and(|given| given.len() != self.visible_bias.len()) || self.visible == Units::Rectified {
            return Err(Error::Shape(
                "what is given is no visible vector, or the visible units are rectified".to_owned(),
            ));
        }
        let of_visible = self.deviation.iter().flatten().map(|deviation| f64::from(*deviation).ln()).sum::<f64>();
        let log = if fitting(self.hidden, self.hidden_bias.len()).is_some() {
            log_sum_over_states(&self.mirrored(), given) - self.visible_constant()
        } else if fitting(self.visible, self.visible_bias.len()).is_some() && given.is_none() {
            log_sum_over_states(self, None)
        } else {
            let message = "neither layer has so few states that the partition function can be summed (2^25 of binary units, \
                           2^20 of others)";
            return Err(Error::Shape(message.to_owned()));
        };
        let of_hidden = self.mirrored().visible_constant();
        Ok(log + of_visible - of_hidden)
    }

    /// ln Z by annealed importance sampling, from the distribution of independent visible units that have the means of these
    /// rows. Groups of visible units take as many draws as `given` has there; without it one each.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Annealing, Rbm, Units};
    /// let device = strait_compute::Device::cpu()?;
    /// let rbm = Rbm::new((6, Units::Bernoulli), (4, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0], 6)?;
    /// let annealing = Annealing { temperatures: 200, ..Annealing::default() };
    /// let found = rbm.annealed_partition(&device, rows, None, &annealing)?;
    /// assert!((found.log - rbm.log_partition(&device, None)?).abs() < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the hidden units are not binary or the visible ones are rectified, the rows do not fit or are not what such units can
    /// be, there are too few or too many chains or temperatures, the result is not finite, or the device fails.
    pub fn annealed_partition(
        &self,
        device: &Device,
        rows: Rows<'_>,
        given: Option<&[f32]>,
        annealing: &Annealing,
    ) -> Result<Partition> {
        self.check()?;
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        if self.visible == Units::Rectified || self.hidden != Units::Bernoulli {
            let message =
                "annealed importance sampling takes binary hidden units, and visible ones that are not rectified";
            return Err(Error::Shape(message.to_owned()));
        }
        if let Some(found) = given.map(<[f32]>::len).filter(|found| *found != visible) {
            return Err(Error::Width { expected: visible, found });
        }
        if annealing.temperatures == 0 || annealing.temperatures > 1 << 30 || !(2..=65_535).contains(&annealing.chains)
        {
            let message = format!("{annealing:?}: there must be 1 to 2^30 temperatures, and 2 to 65,535 chains");
            return Err(Error::Shape(message));
        }
        if rows.width != visible {
            return Err(Error::Width { expected: visible, found: rows.width });
        }
        let base = self.independent(&rows)?;
        let mut chain = Annealed::load(self, device, &base, given, annealing.chains)?;
        let logs = chain.weights(annealing)?;
        let inputs: Vec<f64> = base.iter().map(|&bias| f64::from(bias)).collect();
        let of_units = self.visible.log_normaliser(&inputs, given) - self.visible_constant();
        let of_scale = self.deviation.iter().flatten().map(|deviation| f64::from(*deviation).ln()).sum::<f64>();
        let of_base = hidden as f64 * 2f64.ln() + of_units + of_scale;
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

    /// The biases of independent visible units with the means of these rows.
    fn independent(&self, rows: &Rows<'_>) -> Result<Vec<f32>> {
        let (means, count) = (rows.mean(), rows.count as f64);
        let Groups { first, classes } = match self.visible {
            Units::Gaussian => return Ok(self.scaled(&means.into_iter().map(|mean| mean as f32).collect::<Vec<_>>())),
            Units::Softmax(groups) => groups,
            _ => Groups::none(means.len()),
        };
        let (binary, grouped) = means.split_at(first);
        if let Some(mean) = binary.iter().find(|mean| !(0.0..=1.0).contains(*mean)) {
            let message = format!("a column of the rows has the mean {mean}, but binary units are from 0 to 1");
            return Err(Error::Shape(message));
        }
        if let Some(mean) = grouped.iter().find(|mean| **mean < 0.0) {
            return Err(Error::Shape(format!(
                "a column of the rows has the mean {mean}, but units of groups are counted"
            )));
        }
        // One more row of each kind keeps the logarithms finite.
        let odds = |&mean: &f64| ((mean * count + 1.0) / ((1.0 - mean) * count + 1.0)).ln() as f32;
        let shares = |group: &[f64]| {
            let sum: f64 = group.iter().map(|mean| mean * count + 1.0).sum();
            group.iter().map(|mean| ((mean * count + 1.0) / sum).ln() as f32).collect::<Vec<_>>()
        };
        Ok(binary.iter().map(odds).chain(grouped.chunks_exact(classes).flat_map(shares)).collect())
    }

    /// The mean over the rows of ln Π p(unit | all others) over binary units and groups, estimated with one of them in each row
    /// that is chosen at random (Besag 1975). Binary units should be 0 or 1; of a group one is 1, or none where it is missing.
    ///
    /// # Errors
    /// If the visible units are of another kind, a group has more than one unit, the rows do not fit, or the device fails.
    pub fn pseudo_log_likelihood(&self, device: &Device, rows: Rows<'_>, seed: u64) -> Result<f64> {
        let groups = match self.visible {
            Units::Bernoulli => Groups::none(rows.width),
            Units::Softmax(groups) => groups,
            _ => return Err(Error::Shape("the pseudo-likelihood is that of binary units and of groups".to_owned())),
        };
        let Some(count) = groups.count(rows.width) else {
            return Err(Error::Width { expected: self.visible_bias.len(), found: rows.width });
        };
        let sites = groups.first + count;
        let others = if count > 0 { groups.classes.max(2) } else { 2 };
        let mut stream = Stream::new(seed, streams::PSEUDO_LIKELIHOOD);
        let values = rows.to_numbers();
        // Of each row the unit or group that was chosen: where it starts, what it is, and how many things it can be.
        let mut chosen = Vec::with_capacity(rows.count);
        for row in 0..rows.count {
            let site = (f64::from(uniform(stream.next_word())) * sites as f64) as usize;
            if site < groups.first {
                chosen.push((row * rows.width + site, 0, 2));
                continue;
            }
            let start = row * rows.width + groups.first + (site - groups.first) * groups.classes;
            let own = &values[start..start + groups.classes];
            match own.iter().position(|&x| x != 0.0) {
                None => chosen.push((start, 0, 1)),
                Some(is) if own[is] == 1.0 && own[is + 1..].iter().all(|&x| x == 0.0) => {
                    chosen.push((start, is, groups.classes));
                }
                Some(_) => return Err(Error::Shape(format!("row {row}: a group has more than one unit"))),
            }
        }
        let mut energies = vec![self.free_energies(device, rows)?];
        for by in 1..others {
            let mut variant = values.clone();
            for (row, &(start, is, _)) in
                chosen.iter().enumerate().filter(|(_, (_, _, alternatives))| by < *alternatives)
            {
                if start - row * rows.width < groups.first {
                    variant[start] = 1.0 - variant[start];
                } else {
                    variant[start + is] = 0.0;
                    variant[start + (is + by) % groups.classes] = 1.0;
                }
            }
            energies.push(self.free_energies(device, Rows::numbers(&variant, rows.width)?)?);
        }
        let term = |row: usize| {
            let logs: Vec<f64> = energies[..chosen[row].2].iter().map(|energies| -energies[row]).collect();
            logs[0] - log_sum_exp(&logs)
        };
        Ok(sites as f64 * (0..rows.count).map(term).sum::<f64>() / rows.count as f64)
    }

    fn side(&self, of_visible: bool) -> Side<'_> {
        let (own, other) =
            if of_visible { (&self.visible_bias, &self.hidden_bias) } else { (&self.hidden_bias, &self.visible_bias) };
        let shape = (self.visible_bias.len(), self.hidden_bias.len());
        Side { weight: &self.weight, shape, transposed: !of_visible, own, other }
    }
}

/// ln Σ over the states of the visible units, whose groups draw one each, of e^aᵀv times what is left of the hidden units.
fn log_sum_over_states(rbm: &Rbm, given: Option<&[f32]>) -> f64 {
    /// The choices from which a unit, or a group, takes one: rows of W with their biases.
    fn walk(rbm: &Rbm, unit: usize, (log, inputs): (f64, &[f64]), given: Option<&[f32]>, terms: &mut Vec<f64>) {
        let count = rbm.visible_bias.len();
        if unit == count {
            terms.push(log + rbm.hidden.log_normaliser(inputs, given));
            return;
        }
        let choose = |chosen: usize| {
            let row = &rbm.weight[chosen * inputs.len()..][..inputs.len()];
            let inputs: Vec<f64> = inputs.iter().zip(row).map(|(x, &w)| x + f64::from(w)).collect();
            (log + f64::from(rbm.visible_bias[chosen]), inputs)
        };
        match rbm.visible {
            Units::Softmax(Groups { first, classes }) if unit >= first => {
                for chosen in unit..unit + classes {
                    let (log, inputs) = choose(chosen);
                    walk(rbm, unit + classes, (log, &inputs), given, terms);
                }
            }
            _ => {
                walk(rbm, unit + 1, (log, inputs), given, terms);
                let (log, inputs) = choose(unit);
                walk(rbm, unit + 1, (log, &inputs), given, terms);
            }
        }
    }
    let mut terms = Vec::new();
    let inputs: Vec<f64> = rbm.hidden_bias.iter().map(|&bias| f64::from(bias)).collect();
    walk(rbm, 0, (0.0, &inputs), given, &mut terms);
    log_sum_exp(&terms)
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
    /// For each row x the sum of ln(1 + e^(b + xW)) over the other side, and that of its biases, c·x.
    fn sums(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<[f64; 2]>> {
        let widest = rows.width.max(self.other.len());
        let fitting = device.largest_tensor().map_or(rows.count, |limit| limit as usize / (4 * widest));
        let batch = EVALUATION_BATCH.min(rows.count).min(fitting.max(1));
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", &rows);
        let weight = program.parameter("weight", self.shape.0, self.shape.1);
        let own = program.parameter("own_bias", 1, self.own.len());
        let other = program.parameter("other_bias", 1, self.other.len());
        let (x, soft) = (program.value("x", batch, rows.width), program.value("softplus", batch, self.other.len()));
        let mut routine = Routine::new("free energy").with_independent_rows();
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
        Ok(pairs.map(|(&soft, &bias)| [f64::from(soft), f64::from(bias)]).collect())
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
    fn load(rbm: &Rbm, device: &Device, base: &[f32], given: Option<&[f32]>, chains: usize) -> Result<Self> {
        let (visible, hidden) = (base.len(), rbm.hidden_bias.len());
        let mut program = Program::default();
        // The machine, the base, which has no weights, and what lies between them.
        let mut three = |name: &str, rows: usize, cols: usize| {
            let [machine, base] =
                ["machine", "base"].map(|which| program.data(format!("{which}.{name}"), rows, cols, Kind::Values));
            [machine, base, program.value(format!("between.{name}"), rows, cols)]
        };
        let (w, b, a) =
            (three("weight", visible, hidden), three("hidden_bias", 1, hidden), three("visible_bias", 1, visible));
        let (v, v_mean) = (program.state("v", chains, visible), program.value("v.mean", chains, visible));
        let [h, h_mean, soft] = ["h", "h.mean", "softplus"].map(|name| program.value(name, chains, hidden));
        let mut routine = Routine::new("annealing");
        for [x, y, out] in [w, b, a] {
            routine.push(Op::Combine { x, y, factors: Factors::Step, out })?;
        }
        let sums = (w[2], false, b[2], a[2]);
        record_sums(&mut routine, sums, v, soft)?;
        let up = TotalInput { input: v, weight: w[2], transposed: false, bias: b[2] };
        let down = TotalInput { input: h, weight: w[2], transposed: true, bias: a[2] };
        let drawn = Wanted::mean(v_mean).drawn(v, 2);
        let counts = given.map(|_| program.data("given", chains, visible, Kind::Values));
        rbm.hidden.record(&mut program, &mut routine, up, Wanted::mean(h_mean).drawn(h, 1))?;
        rbm.visible.record(&mut program, &mut routine, down, drawn.given(counts))?;
        record_sums(&mut routine, sums, v, soft)?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        execution.write(w[0], &rbm.weight)?;
        execution.write(b[0], &rbm.hidden_bias)?;
        execution.write(a[0], &rbm.visible_bias)?;
        execution.write(a[1], base)?;
        if let (Some(counts), Some(given)) = (counts, given) {
            execution.write(counts, &given.repeat(chains))?;
        }
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
