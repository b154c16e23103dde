//! The free energies of rows that a machine is trained on and of rows that it is not: their gap tells of overfitting (Hinton
//! 2012, section 6).

use strait_compute::philox::{Stream, streams};
use strait_compute::{Activation, Device, Execution, Kind, Op, Program, Routine, RoutineId, Step, Tensor, go_on};
use strait_data::Rows;
use strait_models::{Rbm, Units, declare_rows, upload};

use crate::Result;
use crate::machine_tensors::{MachineTensors, Recording, squared_error};
use crate::sample::sample;

/// Rows of either kind that are watched: so many at most, and of small data a twentieth, so that watching takes little time; but
/// not fewer than the second number, where there are as many.
const ROWS: (usize, usize) = (1000, 100);

/// The rows, as many that are known as unknown ones.
pub(crate) struct Watched {
    width: usize,
    known: Vec<f32>,
    unknown: Vec<f32>,
}

impl Watched {
    pub(crate) fn new(known: Rows<'_>, unknown: Rows<'_>, seed: u64) -> Self {
        let (most, least) = ROWS;
        let count = most.min((known.count / 20).max(least)).min(known.count).min(unknown.count);
        let [known, unknown] = [(known, streams::WATCHED_KNOWN), (unknown, streams::WATCHED_UNKNOWN)]
            .map(|(rows, stream)| sample(rows, count, Stream::new(seed, stream)));
        Self { width: unknown.len() / count, known, unknown }
    }

    /// The same rows as the next machine sees them.
    pub(crate) fn above(&self, device: &Device, rbm: &Rbm) -> Result<Self> {
        let up = |values: &[f32]| {
            let rows = Rows::numbers(values, self.width).map_err(strait_models::Error::from)?;
            rbm.hidden_means(device, rows)
        };
        Ok(Self { width: rbm.hidden_bias.len(), known: up(&self.known)?, unknown: up(&self.unknown)? })
    }

    fn rows(&self) -> [Rows<'_>; 2] {
        let rows = |values| Rows { count: self.known.len() / self.width, width: self.width, values };
        [&self.known, &self.unknown].map(|values| rows(strait_data::Values::Numbers(values)))
    }
}

/// What computes the gap on a device.
pub(crate) struct Watch {
    data: [Tensor; 2],
    routines: [RoutineId; 2],
    /// Whether there are offsets of hidden units.
    centred: bool,
    gaussian: bool,
}

impl Watch {
    /// Records, for a machine with the offsets μ and λ, F(v) = −(v − μ)·a + (t − b)·λ − Σ ln(1 + eᵗ) with t = b + (v − μ) W, up
    /// to a constant; ½ ‖v‖² is added for Gaussian visible units.
    pub(crate) fn record(
        program: &mut Program,
        layers: &MachineTensors,
        precision: Option<Tensor>,
        watched: &Watched,
    ) -> Result<Self> {
        let rows = watched.rows();
        let data = [("watched.known", rows[0]), ("watched.unknown", rows[1])]
            .map(|(name, rows)| declare_rows(program, name, &rows));
        let (count, width) = (rows[0].count, rows[0].width);
        let [gathered, scaled] = ["watched.data", "watched.v"].map(|name| program.value(name, count, width));
        let [total, soft] = ["watched.total_input", "watched.softplus"];
        let [total, soft] = [total, soft].map(|name| program.value(name, count, layers.weight.cols));
        // Nobody writes these, so that they stay zero.
        let origin = program.data("watched.origin", count, width, Kind::Values);
        let zero = program.data("watched.no_bias", 1, layers.weight.cols, Kind::Values);
        let gaussian = layers.units.0 == Units::Gaussian;
        let mut routines = Vec::new();
        for data in data {
            let mut step = Routine::new("free energy");
            step.push(Op::Gather { data, index: None, first: 0, shift: None, out: gathered })?;
            if precision.is_some() {
                step.push(Op::Standardize { input: gathered, shift: None, scale: precision, out: scaled })?;
            }
            let v = if precision.is_some() { scaled } else { gathered };
            let input = Recording { program, step: &mut step }.centred(v, layers.offsets.0)?;
            let (weight, transposed, sample) = (layers.weight, false, None);
            let linear =
                |bias, activation, out| Op::Linear { input, weight, transposed, bias, activation, out, sample };
            step.push(linear(layers.biases.1, Activation::Softplus, soft))?;
            step.push(Op::RowSums { input: soft, columns: None })?;
            step.push(Op::RowSums { input, columns: Some(layers.biases.0) })?;
            if let Some(offset) = layers.offsets.1 {
                step.push(linear(zero, Activation::Linear, total))?;
                step.push(Op::RowSums { input: total, columns: Some(offset) })?;
            }
            if gaussian {
                step.push(squared_error(v, origin))?;
            }
            routines.push(program.add(step));
        }
        Ok(Self { data, routines: [routines[0], routines[1]], centred: layers.offsets.1.is_some(), gaussian })
    }

    /// Brings the rows to the device.
    pub(crate) fn write(&self, execution: &mut dyn Execution, watched: &Watched) -> Result<()> {
        for (data, rows) in self.data.into_iter().zip(watched.rows()) {
            upload(execution, data, &rows)?;
        }
        Ok(())
    }

    /// The mean free energy of unknown rows less that of known ones.
    pub(crate) fn gap(&self, execution: &mut dyn Execution) -> Result<f64> {
        let mut means = [0.0; 2];
        for (mean, routine) in means.iter_mut().zip(self.routines) {
            let rows = self.data[0].rows as u32;
            let metrics = execution.run(routine, &[Step { rows, ..Step::default() }], &mut go_on)?;
            let sum = |i: usize| metrics.losses[i].iter().map(|&x| f64::from(x)).sum::<f64>();
            let offset = if self.centred { sum(2) } else { 0.0 };
            let squares = if self.gaussian { 0.5 * sum(metrics.losses.len() - 1) } else { 0.0 };
            *mean = (squares + offset - sum(1) - sum(0)) / f64::from(rows);
        }
        Ok(means[1] - means[0])
    }
}
