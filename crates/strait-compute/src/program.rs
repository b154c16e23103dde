//! Programs: tensors, and routines recorded over them.

use std::collections::HashSet;
use std::fmt;

use crate::op::{Addend, Factors, FoldTail, Op, PenaltyKind, Replica, Shrinkage, Update};
use crate::{Activation, Error, Kind, Missing, Noise, Precision, Result, Role, Sampling, Tensor};

/// A sequence of operations that is replayed for every row of a table of [`Step`](crate::Step)s.
#[derive(Clone, Debug)]
pub struct Routine {
    name: String,
    precision: Precision,
    ops: Vec<Op>,
}

impl Routine {
    /// An empty routine of that name, whose products are f32.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), precision: Precision::F32, ops: Vec::new() }
    }

    /// The same routine with its products in another precision.
    pub fn in_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The precision of its products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its operations in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The same, to be rewritten by a pass.
    pub(crate) fn ops_mut(&mut self) -> &mut Vec<Op> {
        &mut self.ops
    }

    /// Appends an operation.
    ///
    /// # Errors
    /// [`Error::Shape`] if the operands do not fit together.
    pub fn push(&mut self, op: Op) -> Result<()> {
        check(&op)?;
        self.ops.push(op);
        Ok(())
    }

    /// Multiplications and additions of one step.
    pub fn flops(&self) -> u64 {
        self.ops.iter().map(Op::flops).sum()
    }

    /// Bytes read and written by one step.
    pub fn bytes(&self) -> u64 {
        self.ops.iter().map(Op::bytes).sum()
    }

    /// Numbers that one step adds to the metrics.
    pub(crate) fn metrics(&self) -> usize {
        self.ops.iter().map(Op::metrics).sum()
    }
}

/// Refers to a routine of a loaded program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RoutineId(pub(crate) usize);

#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tensor: Tensor,
    /// Whether devices have no memory for it, because nothing is left that uses it.
    pub(crate) absent: bool,
}

/// Tensors by name and the routines over them: data, built without touching a device.
///
/// ```
/// use strait_compute::{Activation, Kind, Op, Program, Routine};
/// let mut program = Program::default();
/// let x = program.data("x", 2, 3, Kind::Values);
/// let w = program.parameter("w", 3, 4);
/// let b = program.parameter("b", 1, 4);
/// let y = program.value("y", 2, 4);
/// let mut forward = Routine::new("forward");
/// forward.push(Op::Linear {
///     input: x, weight: w, transposed: false, bias: b, activation: Activation::Logistic, out: y, sample: None,
/// })?;
/// program.add(forward);
/// let printed = program.to_string();
/// assert!(printed.contains("y [2, 4] = linear(x [2, 3], w [3, 4], b [1, 4])"));
/// assert!(printed.contains("parameter w [3, 4]"));
/// # Ok::<(), strait_compute::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub(crate) tensors: Vec<Declared>,
    pub(crate) routines: Vec<Routine>,
    names: HashSet<String>,
    /// Names that were given to two tensors.
    pub(crate) twice: Vec<String>,
}

impl Program {
    /// Declares what the host brings, or, of kind [`Kind::Rows`], the rows of a result. It starts at zero.
    pub fn data(&mut self, name: impl Into<String>, rows: usize, cols: usize, kind: Kind) -> Tensor {
        self.declare(name.into(), Role::Data, rows, cols, kind)
    }

    /// Declares what is learned. It starts at zero.
    pub fn parameter(&mut self, name: impl Into<String>, rows: usize, cols: usize) -> Tensor {
        self.declare(name.into(), Role::Parameter, rows, cols, Kind::Values)
    }

    /// Declares what a step leaves to the next. It starts at zero.
    pub fn state(&mut self, name: impl Into<String>, rows: usize, cols: usize) -> Tensor {
        self.declare(name.into(), Role::State, rows, cols, Kind::Values)
    }

    /// Declares what a step computes. Where another tensor has the name already, a number is put behind it.
    pub fn value(&mut self, name: impl Into<String>, rows: usize, cols: usize) -> Tensor {
        let mut name = name.into();
        if self.names.contains(&name) {
            let numbered = (2..).map(|number| format!("{name}.{number}"));
            name = numbered.into_iter().find(|name| !self.names.contains(name)).unwrap_or_default();
        }
        self.declare(name, Role::Value, rows, cols, Kind::Values)
    }

    fn declare(&mut self, name: String, role: Role, rows: usize, cols: usize, kind: Kind) -> Tensor {
        let tensor = Tensor { id: self.tensors.len(), rows, cols, kind };
        if !self.names.insert(name.clone()) {
            self.twice.push(name.clone());
        }
        self.tensors.push(Declared { name, role, tensor, absent: false });
        tensor
    }

    /// The tensors with their names and roles, in the order in which they were declared.
    pub fn tensors(&self) -> impl Iterator<Item = (Tensor, &str, Role)> {
        self.tensors.iter().map(|Declared { name, role, tensor, .. }| (*tensor, name.as_str(), *role))
    }

    /// The tensor of that name.
    pub fn named(&self, name: &str) -> Option<Tensor> {
        self.tensors.iter().find(|declared| declared.name == name).map(|declared| declared.tensor)
    }

    /// Adds a recorded routine.
    pub fn add(&mut self, routine: Routine) -> RoutineId {
        self.routines.push(routine);
        RoutineId(self.routines.len() - 1)
    }

    /// The name of a tensor.
    pub fn name(&self, tensor: Tensor) -> &str {
        self.tensors.get(tensor.id).map_or("(unknown)", |declared| &declared.name)
    }

    /// A routine by its id.
    ///
    /// # Panics
    /// If the id is that of another program.
    pub fn routine(&self, id: RoutineId) -> &Routine {
        &self.routines[id.0]
    }

    /// The tensors alone, and the routines.
    pub(crate) fn without_routines(mut self) -> (Self, Vec<Routine>) {
        let routines = std::mem::take(&mut self.routines);
        (self, routines)
    }

    /// The routines in the order in which they were added.
    pub fn routines(&self) -> &[Routine] {
        &self.routines
    }

    /// Bytes of all tensors: what the program needs on a device, without padding.
    pub fn bytes(&self) -> usize {
        self.tensors.iter().map(|declared| declared.tensor.bytes()).sum()
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} tensors, {:.1} MB", self.tensors.len(), self.bytes() as f64 / 1e6)?;
        for Declared { name, role, tensor, .. } in &self.tensors {
            writeln!(f, "  {} {name} {}", role.name(), tensor.shape())?;
        }
        for routine in &self.routines {
            writeln!(
                f,
                "routine `{}`, {}: {} operations, {:.1} MFLOP and {:.1} MB a step",
                routine.name,
                routine.precision.name(),
                routine.ops.len(),
                routine.flops() as f64 / 1e6,
                routine.bytes() as f64 / 1e6
            )?;
            for op in &routine.ops {
                let list = |tensors: &[Tensor]| {
                    let named = tensors.iter().map(|t| format!("{} {}", self.name(*t), t.shape()));
                    named.collect::<Vec<_>>().join(", ")
                };
                let (reads, writes) = op.tensors();
                let target = if writes.is_empty() { "metrics".to_owned() } else { list(&writes) };
                write!(f, "  {target} = {}({})", op.name(), list(&reads))?;
                writeln!(f, "  {:.2} MFLOP, {:.2} MB", op.flops() as f64 / 1e6, op.bytes() as f64 / 1e6)?;
            }
        }
        Ok(())
    }
}

/// Whether the operands of an operation fit together.
fn check(op: &Op) -> Result<()> {
    let unfit = |message: String| Error::Shape { op: op.name(), message };
    let fail = |message: String| Err(unfit(message));
    let same = |what: &str, found: Tensor, rows: usize, cols: usize| {
        if (found.rows, found.cols) == (rows, cols) {
            Ok(())
        } else {
            fail(format!("{what} is {} but must be [{rows}, {cols}]", found.shape()))
        }
    };
    let (reads, writes) = op.tensors();
    if let Some(empty) = reads.iter().chain(&writes).find(|tensor| tensor.is_empty()) {
        return fail(format!("a tensor of shape {} has no elements", empty.shape()));
    }
    let operands = match op {
        // An update, a sum over processes and a max norm read what they write, a combination may.
        Op::Update { gradient, .. } => vec![*gradient],
        Op::Reduce { .. } => Vec::new(),
        Op::SharedBias { delta, .. } => vec![*delta],
        Op::Gradient { positive, negative, plus, weight, .. } => {
            let added = match plus {
                Some(Addend::Decay { costs, .. }) => Some(*costs),
                // A gradient may be added to in place.
                Some(Addend::Gradient(added)) if *weight != (Update::Store { gradient: *added }) => Some(*added),
                _ => None,
            };
            let statistics = [Some(*positive), *negative].into_iter().flatten().flat_map(|(x, d)| [x, d]);
            statistics.chain(added).collect()
        }
        Op::Combine { .. } | Op::MaxNorm { .. } | Op::Threshold { .. } => Vec::new(),
        // Their hidden states change places.
        Op::Exchange { chains, bias, .. } => {
            chains.iter().flat_map(|chain| [chain.visible, chain.inputs]).chain([*bias]).collect()
        }
        // The derivative is added to what is there.
        Op::Penalty { output, .. } => vec![*output],
        _ => reads.clone(),
    };
    if writes.iter().any(|tensor| operands.contains(tensor)) {
        return fail("it writes a tensor that it reads".to_owned());
    }
    if (1..writes.len()).any(|i| writes[..i].contains(&writes[i])) {
        return fail("it writes a tensor twice".to_owned());
    }
    let numbers = |tensors: &[Tensor]| match tensors.iter().find(|tensor| tensor.kind != Kind::Values) {
        Some(other) => fail(format!("a tensor of kind {:?} stands where numbers are needed", other.kind)),
        None => Ok(()),
    };
    match op {
        Op::Gather { data, index, first, shift, out } => {
            numbers(&[*out])?;
            if !matches!(data.kind, Kind::Bytes | Kind::Rows) {
                return fail(format!("the data set is of kind {:?}, not Bytes or Rows", data.kind));
            }
            if let Some(index) = index.filter(|index| index.kind != Kind::Index || index.rows != 1) {
                return fail(format!("the index is a {:?} of shape {}", index.kind, index.shape()));
            }
            if let Some(shift) = shift.filter(|shift| !shift.fits(out.cols)) {
                let (width, pixels) = (shift.width, shift.pixels);
                return fail(format!("rows of {} are no images {width} wide to shift by {pixels}", out.cols));
            }
            if first.checked_add(out.cols).is_none_or(|end| end > data.cols) {
                return fail(format!("rows of {} have no {} columns from {first} on", data.cols, out.cols));
            }
            Ok(())
        }
        Op::Scatter { input, data } => {
            numbers(&[*input])?;
            if data.kind != Kind::Rows {
                return fail(format!("the data set is of kind {:?}, not Rows", data.kind));
            }
            same("the minibatch", *input, input.rows, data.cols)
        }
        Op::CopyColumns { input, first, out, to, columns } => {
            numbers(&[*input, *out])?;
            let fits = |start: usize, cols: usize| start.checked_add(*columns).is_some_and(|end| end <= cols);
            if *columns == 0 || !fits(*first, input.cols) || !fits(*to, out.cols) {
                let (from, into) = (input.shape(), out.shape());
                return fail(format!("{columns} columns from {first} of {from} do not fit from {to} of {into}"));
            }
            same("the result", *out, input.rows, out.cols)
        }
        Op::Linear { input: x, weight: w, transposed, bias, out, sample, activation } => {
            numbers(&reads)?;
            numbers(&writes)?;
            let (inner, cols) = if *transposed { (w.cols, w.rows) } else { (w.rows, w.cols) };
            if x.cols != inner {
                let turned = if *transposed { " transposed" } else { "" };
                return fail(format!("X is {} but W is {}{turned}", x.shape(), w.shape()));
            }
            same("the bias", *bias, 1, cols)?;
            same("the output", *out, x.rows, cols)?;
            if sample.is_some_and(|sample| sample.sampling == Sampling::Rectified)
                && *activation != Activation::Softplus
            {
                return fail(format!("rectified states have softplus means, not {} ones", activation.name()));
            }
            sample.map_or(Ok(()), |sample| same("the sample", sample.out, x.rows, cols))
        }
        Op::Backprop { delta, weight: w, transposed, output, out, .. } => {
            numbers(&reads)?;
            numbers(&writes)?;
            let (inner, cols) = if *transposed { (w.rows, w.cols) } else { (w.cols, w.rows) };
            if delta.cols != inner {
                let turned = if *transposed { ", used transposed" } else { "" };
                return fail(format!("δ is {} but W is {}{turned}", delta.shape(), w.shape()));
            }
            same("the layer's output", *output, delta.rows, cols)?;
            same("the result", *out, delta.rows, cols)
        }
        Op::Gradient { positive: (x, d), negative, weight, bias, input_bias, plus, positions, scale } => {
            numbers(&reads)?;
            numbers(&writes)?;
            if x.rows != d.rows {
                return fail(format!("X is {} but D is {}", x.shape(), d.shape()));
            }
            if let Some((v, h)) = negative {
                same("V of the negative phase", *v, x.rows, x.cols)?;
                same("H of the negative phase", *h, d.rows, d.cols)?;
            }
            let each = |what: &str, update: &Update, rows: usize, cols: usize| {
                update.tensors().into_iter().try_for_each(|tensor| same(what, tensor, rows, cols))
            };
            each("the weight or its optimiser state", weight, x.cols, d.cols)?;
            if *positions == 0 || !x.rows.is_multiple_of(*positions) {
                return fail(format!("{} rows cannot be {positions} for each row of a minibatch", x.rows));
            }
            if !scale.is_finite() {
                return fail(format!("a gradient cannot be multiplied with {scale}"));
            }
            match plus {
                None => {}
                Some(Addend::Decay { weight, costs }) => {
                    same("the weight that decays", *weight, x.cols, d.cols)?;
                    same("the costs", *costs, 1, d.cols)?;
                }
                Some(Addend::Gradient(gradient)) => {
                    same("the gradient that is added", *gradient, x.cols, d.cols)?;
                }
            }
            bias.iter().try_for_each(|update| each("the bias", update, 1, d.cols))?;
            input_bias.iter().try_for_each(|update| each("the input bias", update, 1, x.cols))
        }
        Op::Update { gradient, update, .. } => {
            numbers(&reads)?;
            if matches!(update, Update::Store { .. }) {
                return fail("a gradient that is stored already is not stored again: use momentum or Adam".to_owned());
            }
            let [rows, cols] = [gradient.rows, gradient.cols];
            update.tensors().into_iter().try_for_each(|tensor| same("the parameter or its state", tensor, rows, cols))
        }
        Op::Reduce { tensors } => {
            numbers(tensors)?;
            if tensors.is_empty() {
                return fail("there is no tensor to sum".to_owned());
            }
            Ok(())
        }
        Op::Loss { input, target, output, delta, .. } => {
            numbers(&reads)?;
            numbers(&writes)?;
            same("the target", *target, input.rows, input.cols)?;
            let mut outs = [*output, *delta].into_iter().flatten();
            outs.try_for_each(|tensor| same("the result", tensor, input.rows, input.cols))
        }
        Op::Unfold { input, window, out } => {
            numbers(&[*input, *out])?;
            let batch = window.check(out.rows).map_err(unfit)?;
            same("the windows", *out, batch * window.positions(), window.taps())?;
            same("the map", *input, batch, window.values())
        }
        Op::Fold { input, window, tail, out } => {
            numbers(&reads)?;
            numbers(&writes)?;
            let batch = window.check(input.rows).map_err(unfit)?;
            same("the windows", *input, batch * window.positions(), window.taps())?;
            same("the map", *out, batch, window.values())?;
            match tail {
                FoldTail::Sum => Ok(()),
                FoldTail::Layer { bias, .. } => same("the bias", *bias, 1, window.channels),
                FoldTail::Backprop { output, .. } => same("the layer's output", *output, out.rows, out.cols),
            }
        }
        Op::SharedBias { delta, bias } => {
            numbers(&reads)?;
            numbers(&writes)?;
            let channels = bias.target().cols;
            if !delta.cols.is_multiple_of(channels) {
                return fail(format!("δ is {}, not a map of {channels} channels", delta.shape()));
            }
            bias.tensors().into_iter().try_for_each(|tensor| same("the bias", tensor, 1, channels))
        }
        Op::Softmax { input, groups, scale, given, out, states } => {
            numbers(&reads)?;
            numbers(&writes)?;
            match groups.count(input.cols) {
                None => return fail(format!("{} units are no {groups:?}", input.cols)),
                // A draw's counter holds the row and the group.
                Some(count) if count.max(input.rows) > 1 << 16 => {
                    return fail(format!("{count} groups in {} rows are more than 65,536 of either", input.rows));
                }
                Some(_) => {}
            }
            if !scale.is_finite() {
                return fail(format!("{scale} is no inverse temperature"));
            }
            let states = states.map(|states| states.out);
            let others = [*given, Some(*out), states].into_iter().flatten();
            others.into_iter().try_for_each(|tensor| same("each operand", tensor, input.rows, input.cols))
        }
        Op::Threshold { weight, threshold } => {
            numbers(&[*weight])?;
            if !threshold.is_finite() || *threshold < 0.0 {
                return fail(format!("a threshold of {threshold} is none"));
            }
            Ok(())
        }
        Op::Standardize { input, shift, scale, out } => {
            numbers(&reads)?;
            numbers(&writes)?;
            let mut columns = [*shift, *scale].into_iter().flatten();
            columns.try_for_each(|tensor| same("the numbers of the columns", tensor, 1, input.cols))?;
            same("the result", *out, input.rows, input.cols)
        }
        Op::ClassEnergies { inputs, weight, bias, out } => {
            numbers(&reads)?;
            numbers(&writes)?;
            same("the hidden inputs", *inputs, out.rows, weight.cols)?;
            same("the visible bias", *bias, 1, weight.rows)?;
            if out.cols > weight.rows {
                return fail(format!("{} classes are more than the {} visible units", out.cols, weight.rows));
            }
            Ok(())
        }
        Op::Exchange { chains, bias, difference, .. } => {
            numbers(&reads)?;
            if !difference.is_finite() {
                return fail(format!("{difference} is no difference of inverse temperatures"));
            }
            let Replica { visible, hidden, .. } = chains[0];
            for chain in chains {
                same("the visible states", chain.visible, visible.rows, visible.cols)?;
                same("the hidden states", chain.hidden, visible.rows, hidden.cols)?;
                same("the hidden inputs", chain.inputs, visible.rows, hidden.cols)?;
            }
            same("the visible bias", *bias, 1, visible.cols)
        }
        Op::Corrupt { input, noise, out, .. } => {
            numbers(&[*input, *out])?;
            if !noise.is_sensible() {
                return fail(format!("{noise:?} is no noise: a share lies between 0 and 1, a deviation above 0"));
            }
            if let Noise::Missing(Missing { first, .. }) = *noise
                && !(1..input.cols as u32).contains(&first)
            {
                return fail(format!("rows of {} cannot be parted behind value {first}", input.cols));
            }
            same("the result", *out, input.rows, input.cols)
        }
        Op::TopK { input, k, out } => {
            numbers(&[*input, *out])?;
            if *k == 0 || *k > input.cols {
                return fail(format!("the {k} largest of {} values cannot be taken", input.cols));
            }
            same("the result", *out, input.rows, input.cols)
        }
        Op::ColumnMeans { input, times, out } => {
            numbers(&reads)?;
            numbers(&writes)?;
            times.map_or(Ok(()), |times| same("the factors", times, input.rows, input.cols))?;
            same("the means", *out, 1, input.cols)
        }
        Op::Penalty { kind, output, delta, activation } => {
            numbers(&reads)?;
            same("δ", *delta, output.rows, output.cols)?;
            match kind {
                PenaltyKind::L1 { weight } if weight.is_finite() && *weight >= 0.0 => Ok(()),
                PenaltyKind::Sparsity { weight, target, means } if weight.is_finite() && *weight >= 0.0 => {
                    if !(0.0 < *target && *target < 1.0) || *activation != Activation::Logistic {
                        return fail(format!("a mean output of {target} is no target for {} units", activation.name()));
                    }
                    same("the means", *means, 1, output.cols)
                }
                PenaltyKind::Contractive { weight, squares } if weight.is_finite() && *weight >= 0.0 => {
                    if *activation == Activation::Softplus {
                        return fail("softplus units have no contractive penalty here".to_owned());
                    }
                    same("the squares", *squares, 1, output.cols)
                }
                _ => fail("the weight of a penalty must be a number from 0 on".to_owned()),
            }
        }
        Op::Contraction { weight, output, squares, costs, .. } => {
            numbers(&[*weight, *output, *squares, *costs])?;
            same("the layer's output", *output, output.rows, weight.cols)?;
            same("the squares", *squares, 1, weight.cols)?;
            same("the costs", *costs, 1, weight.cols)
        }
        Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
            numbers(&reads)?;
            numbers(&writes)?;
            let Shrinkage { rate, sparsity, pull } = *shrinkage;
            if [rate, sparsity, pull].iter().any(|x| !x.is_finite() || *x < 0.0) {
                return fail(format!("{shrinkage:?} must be numbers from 0 on"));
            }
            let mut others = [*overlap, *correlation, *prediction, *out].into_iter();
            others.try_for_each(|tensor| same("each operand", tensor, code.rows, code.cols))
        }
        Op::RowSums { input, columns } => {
            numbers(&reads)?;
            columns.map_or(Ok(()), |columns| same("the numbers of the columns", columns, 1, input.cols))
        }
        Op::MaxNorm { weight, norm, .. } => {
            numbers(&[*weight])?;
            if !norm.is_finite() || *norm <= 0.0 {
                return fail(format!("a norm of {norm} leaves nothing of the weights"));
            }
            Ok(())
        }
        Op::Reparameterize { moments, noise, out, .. } => {
            numbers(&[*moments, *noise, *out])?;
            same("the noise", *noise, moments.rows, moments.cols / 2)?;
            same("the means and variances", *moments, out.rows, 2 * out.cols)?;
            same("the code", *out, moments.rows, moments.cols / 2)
        }
        Op::ReparameterizeBackward { delta, moments, noise, out, .. } => {
            numbers(&[*delta, *moments, *noise, *out])?;
            same("the noise", *noise, delta.rows, delta.cols)?;
            same("the means and variances", *moments, delta.rows, 2 * delta.cols)?;
            same("the result", *out, delta.rows, 2 * delta.cols)
        }
        Op::Combine { x, y, factors, out } => {
            if let Factors::Fixed(alpha, beta) = factors
                && !(alpha.is_finite() && beta.is_finite())
            {
                return fail(format!("{alpha} and {beta} are no factors"));
            }
            numbers(&[*x, *y, *out])?;
            same("y", *y, x.rows, x.cols)?;
            same("the result", *out, x.rows, x.cols)
        }
        Op::Dot { x, y } => {
            numbers(&[*x, *y])?;
            same("y", *y, x.rows, x.cols)
        }
    }
}
