//! Programs: tensors, and routines recorded over them.

use std::collections::HashSet;
use std::fmt;

use crate::op::access::Access;
use crate::{Error, Kind, Op, Precision, Result, Role, Tensor};

/// A sequence of operations that is replayed for every row of a table of [`Step`](crate::Step)s.
#[derive(Clone, Debug)]
pub struct Routine {
    name: String,
    precision: Precision,
    independent_rows: bool,
    ops: Vec<Op>,
    /// What each operation does with its tensors.
    accesses: Vec<Access>,
}

impl Routine {
    /// An empty routine of that name, whose products are f32.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            precision: Precision::F32,
            independent_rows: false,
            ops: Vec::new(),
            accesses: Vec::new(),
        }
    }

    /// The same routine with its products in another precision.
    pub fn in_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same routine with bitwise identical results for a row whatever the other rows of the batch are, and however many. The CPU then
    /// skips its faster kernel for batches of zeros and ones, which sums in another order. On a GPU this holds within one tile shape.
    pub fn with_independent_rows(self) -> Self {
        Self { independent_rows: true, ..self }
    }

    /// Whether a row's results are independent of the other rows of the batch.
    pub(crate) fn has_independent_rows(&self) -> bool {
        self.independent_rows
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

    /// What each of them does with its tensors.
    pub(crate) fn accesses(&self) -> &[Access] {
        &self.accesses
    }

    /// Puts operations that a pass has rewritten in the place of its own.
    pub(crate) fn rewrite(&mut self, ops: Vec<Op>) {
        self.accesses = ops.iter().map(Op::access).collect();
        self.ops = ops;
    }

    /// Appends an operation.
    ///
    /// # Errors
    /// [`Error::Shape`] if the operands do not fit together.
    pub fn push(&mut self, op: Op) -> Result<()> {
        let access = op.access();
        access.check().map_err(|message| Error::Shape { op: access.name, message })?;
        self.accesses.push(access);
        self.ops.push(op);
        Ok(())
    }

    /// Multiplications and additions of one step.
    pub fn flops(&self) -> u64 {
        self.accesses.iter().map(Access::flops).sum()
    }

    /// Bytes read and written by one step.
    pub fn bytes(&self) -> u64 {
        self.accesses.iter().map(Access::bytes).sum()
    }

    /// Numbers that one step adds to the metrics.
    pub(crate) fn metrics(&self) -> usize {
        self.accesses.iter().map(Access::metrics).sum()
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

    pub(crate) fn declare(&mut self, name: String, role: Role, rows: usize, cols: usize, kind: Kind) -> Tensor {
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

    /// The error of a tensor that is used as something that it is not.
    pub(crate) fn misused(&self, tensor: Tensor, message: impl Into<String>) -> Error {
        Error::Tensor { tensor: self.name(tensor).to_owned(), message: message.into() }
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
        self.tensors.iter().filter(|declared| !declared.absent).map(|declared| declared.tensor.bytes()).sum()
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
            for access in &routine.accesses {
                let named = |tensor: Tensor| format!("{} {}", self.name(tensor), tensor.shape());
                let [reads, writes] = [access.read().map(named).collect(), access.written().map(named).collect()]
                    .map(|named: Vec<String>| named.join(", "));
                let target = if writes.is_empty() { "metrics" } else { &writes };
                write!(f, "  {target} = {}({reads})", access.name)?;
                writeln!(f, "  {:.2} MFLOP, {:.2} MB", access.flops() as f64 / 1e6, access.bytes() as f64 / 1e6)?;
            }
        }
        Ok(())
    }
}
