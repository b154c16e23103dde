use super::*;

/// The cell of a recurrent layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Long short-term memory (Hochreiter & Schmidhuber 1997; forget gates of Gers et al. 2000): with the gates i, f, g, o,
    /// c = f c′ + i g and h = o tanh c.
    #[default]
    Lstm,
    /// The gated recurrent unit (Cho et al. 2014) as cuDNN and PyTorch have it: with the gates r, z, n, of which
    /// n = tanh(a + r b) has a from the input and b from the state before, h = (1 − z) n + z h′.
    Gru,
}

impl Cell {
    /// Both of them, for tables and tests.
    pub const ALL: [Self; 2] = [Self::Lstm, Self::Gru];

    /// The name under which it is stored in files and printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }

    /// The cell of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cell| cell.name() == name)
    }

    /// Gates of a unit.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Numbers of a unit that go from step to step: h, and c of an LSTM.
    pub fn states(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru => 1,
        }
    }
}

/// What a recurrent layer starts from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Start {
    /// h and c are 0.
    Nothing,
    /// These h, [B, H]; c is 0.
    States(Tensor),
    /// The h and c in its working memory.
    Memory,
}

/// What a recurrent layer leaves behind for its way back.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trace {
    /// The gates, [B T, G H]; may be the tensor of the inputs, if that has as many rows. The way back replaces them by the derivatives of the
    /// loss with respect to what the state adds to their total inputs.
    pub gates: Tensor,
    /// Of an LSTM c; of a GRU what the state adds to the total input of n, with its bias. [B T, H].
    pub cells: Tensor,
    /// The h before each step, [B T, H].
    pub previous: Tensor,
}

/// The operands that there and back have in common.
struct Shape {
    cell: Cell,
    steps: usize,
    batch: usize,
    units: usize,
}

impl Shape {
    fn of(cell: Cell, steps: usize, work: Tensor, weight: Tensor) -> Result<Self, String> {
        let (units, gates) = (weight.rows, cell.gates());
        same("the weight", weight, units, gates * units)?;
        if steps == 0 {
            return Err("a sequence has no step".to_owned());
        }
        let shape = Self { cell, steps, batch: work.rows, units };
        same("the working memory", work, work.rows, (cell.states() + gates) * units)?;
        Ok(shape)
    }

    fn lengths(&self, lengths: Option<Tensor>) -> Fits {
        lengths.map_or(Ok(()), |lengths| same("the lengths", lengths, self.batch, 1))
    }

    fn stacked(&self, what: &str, tensor: Tensor, each: usize) -> Fits {
        same(what, tensor, self.batch * self.steps, each * self.units)
    }

    fn trace(&self, trace: Trace) -> Fits {
        self.stacked("the gates", trace.gates, self.cell.gates())?;
        self.stacked("the cells", trace.cells, 1)?;
        self.stacked("the states before each step", trace.previous, 1)
    }

    /// What comes from below in each step, and what in all of them.
    fn below(&self, inputs: Option<Tensor>, constant: Option<Tensor>) -> Fits {
        let gates = self.cell.gates();
        inputs.map_or(Ok(()), |inputs| self.stacked("the input", inputs, gates))?;
        constant.map_or(Ok(()), |constant| same("the constant input", constant, self.batch, gates * self.units))
    }
}

/// The product of the state, or of the derivatives, with the weights in each step.
fn work(steps: usize, memory: Tensor, weight: Tensor, transposed: bool) -> Work {
    let flops = 2 * steps as u64 * memory.rows as u64 * weight.len() as u64;
    Work::Recurrent { weight, transposed, flops }
}

/// A layer's way through a sequence.
#[expect(clippy::too_many_arguments, reason = "they are the operands of one operation")]
pub(super) fn access(
    (cell, steps): (Cell, usize),
    start: Start,
    (inputs, constant): (Option<Tensor>, Option<Tensor>),
    weight: Tensor,
    bias: Tensor,
    lengths: Option<Tensor>,
    memory: Tensor,
    trace: Option<Trace>,
    out: Option<Tensor>,
) -> Access {
    let fits = || {
        let shape = Shape::of(cell, steps, memory, weight)?;
        shape.below(inputs, constant)?;
        if inputs.is_none() && constant.is_none() {
            return Err("nothing comes from below".to_owned());
        }
        same("the bias", bias, 1, weight.cols)?;
        shape.lengths(lengths)?;
        if let Start::States(states) = start {
            same("the first states", states, shape.batch, shape.units)?;
        }
        trace.map_or(Ok(()), |trace| shape.trace(trace))?;
        out.map_or(Ok(()), |out| shape.stacked("the output", out, 1))
    };
    let within = trace.is_some_and(|trace| inputs == Some(trace.gates));
    let inputs = if within { in_place([inputs]) } else { reads([inputs]) };
    let state = match start {
        Start::Nothing => Vec::new(),
        Start::States(states) => reads([states]),
        Start::Memory => in_place([memory]),
    };
    let reads = [inputs, reads([constant, Some(weight), Some(bias), lengths]), state].concat();
    let kept = trace.map(|Trace { gates, cells, previous }| [gates, cells, previous]);
    let writes = computed(kept.into_iter().flatten().chain(out).chain([memory]));
    let (work, fits) = (work(steps, memory, weight, false), fits());
    Access { name: "recurrence", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}

/// Its way back.
pub(super) fn back(
    (cell, steps): (Cell, usize),
    delta: Tensor,
    weight: Tensor,
    lengths: Option<Tensor>,
    memory: Tensor,
    trace: Trace,
    (inputs, constant): (Option<Tensor>, Option<Tensor>),
) -> Access {
    let fits = || {
        let shape = Shape::of(cell, steps, memory, weight)?;
        match delta.rows == shape.batch {
            true => same("δ", delta, shape.batch, shape.units)?,
            false => shape.stacked("δ", delta, 1)?,
        }
        shape.lengths(lengths)?;
        shape.trace(trace)?;
        shape.below(inputs, constant)
    };
    let Trace { gates, cells, previous } = trace;
    let read = reads([Some(delta), Some(weight), lengths, Some(cells), Some(previous)]);
    let reads = [read, in_place([gates])].concat();
    let writes = computed([Some(gates), inputs, constant, Some(memory)]);
    let (work, fits) = (work(steps, memory, weight, true), fits());
    Access { name: "recurrence backward", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
