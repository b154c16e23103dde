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
pub(super) struct Shape {
    pub(super) cell: Cell,
    pub(super) steps: usize,
    pub(super) batch: usize,
    pub(super) units: usize,
}

impl Shape {
    pub(super) fn of(cell: Cell, steps: usize, work: Tensor, weight: Tensor) -> Result<Self, String> {
        let (units, gates) = (weight.rows, cell.gates());
        same("the weight", weight, units, gates * units)?;
        if steps == 0 {
            return Err("a sequence has no step".to_owned());
        }
        let shape = Self { cell, steps, batch: work.rows, units };
        same("the working memory", work, work.rows, (cell.states() + gates) * units)?;
        Ok(shape)
    }

    pub(super) fn lengths(&self, lengths: Option<Tensor>) -> Fits {
        lengths.map_or(Ok(()), |lengths| same("the lengths", lengths, self.batch, 1))
    }

    pub(super) fn stacked(&self, what: &str, tensor: Tensor, each: usize) -> Fits {
        same(what, tensor, self.batch * self.steps, each * self.units)
    }

    pub(super) fn trace(&self, trace: Trace) -> Fits {
        self.stacked("the gates", trace.gates, self.cell.gates())?;
        self.stacked("the cells", trace.cells, 1)?;
        self.stacked("the states before each step", trace.previous, 1)
    }

    /// What comes from below in each step, and what in all of them.
    pub(super) fn below(&self, inputs: Option<Tensor>, constant: Option<Tensor>) -> Fits {
        let gates = self.cell.gates();
        inputs.map_or(Ok(()), |inputs| self.stacked("the input", inputs, gates))?;
        constant.map_or(Ok(()), |constant| same("the constant input", constant, self.batch, gates * self.units))
    }
}

/// The product of the state, or of the derivatives, with the weights in each step.
pub(super) fn work(steps: usize, memory: Tensor, weight: Tensor, transposed: bool) -> Work {
    let flops = 2 * steps as u64 * memory.rows as u64 * weight.len() as u64;
    Work::Recurrent { weight, transposed, flops }
}

/// A layer's way through sequences.
pub(super) fn access(op: &Op) -> Access {
    let Op::Recurrence { cell, steps, reversed: _, start, inputs, constant, weight, bias, lengths, memory, trace, out } =
        *op
    else {
        unreachable!("only recurrent layers come here");
    };
    let fits = || {
        let shape = Shape::of(cell, steps, memory, weight)?;
        shape.below(inputs, constant)?;
        if inputs.is_none() && constant.is_none() {
            return Err("a recurrent layer needs inputs, a constant input or both, found neither".to_owned());
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
