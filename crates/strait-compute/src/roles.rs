//! What the tensors of a program are for, and whether its routines use them so.

use crate::op::access::Write;
use crate::{Error, Program, Result, Routine, Tensor};

/// What a tensor of a [`Program`] is for.
///
/// A checkpoint of a training run is its parameters and its state; data come from the host again, and values are computed
/// again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// What the host brings: data sets, orders, constants. Also the rows of results, which [`Op::Scatter`](crate::Op::Scatter) writes.
    Data,
    /// What is learned. Updates write it, and the vector operations that follow them.
    Parameter,
    /// What one step leaves to the next: moments, velocities, chains. A step reads it before it writes it.
    State,
    /// What a step computes before it reads it: activities, derivatives, gradients.
    Value,
}

impl Role {
    /// Its name in printouts and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Parameter => "parameter",
            Self::State => "state",
            Self::Value => "value",
        }
    }
}

/// How a routine uses a tensor.
#[derive(Clone, Copy, Default)]
struct Use {
    /// The operation that reads it before any writes it.
    reads_first: Option<&'static str>,
    /// The first operation that writes it.
    writes: Option<&'static str>,
    /// The first operation that writes it and is neither an update nor one of the vector operations that follow updates.
    computes: Option<&'static str>,
    /// The first operation but for scattering that writes it.
    overwrites: Option<&'static str>,
}

/// How a routine uses each of the program's tensors.
fn uses(program: &Program, routine: &Routine) -> Vec<Use> {
    let mut uses = vec![Use::default(); program.tensors.len()];
    for access in routine.accesses() {
        let name = access.name;
        for tensor in access.read() {
            let used = &mut uses[tensor.id];
            if used.writes.is_none() {
                used.reads_first.get_or_insert(name);
            }
        }
        for write in &access.writes {
            let used = &mut uses[write.tensor().id];
            used.writes.get_or_insert(name);
            if !write.renews() {
                used.computes.get_or_insert(name);
            }
            if !matches!(write, Write::Scattered(_)) {
                used.overwrites.get_or_insert(name);
            }
        }
    }
    uses
}

/// Checks that every tensor has a name of its own, and that the routines use each as its role says.
pub(crate) fn check(program: &Program) -> Result<()> {
    if let Some(twice) = program.twice.first() {
        return Err(Error::Tensor { tensor: twice.clone(), message: "two tensors have this name".to_owned() });
    }
    let uses: Vec<Vec<Use>> = program.routines.iter().map(|routine| uses(program, routine)).collect();
    for declared in &program.tensors {
        let of = |routine: usize| uses[routine][declared.tensor.id];
        let routines = 0..program.routines.len();
        let name = |routine: usize| program.routines[routine].name();
        let wrong = |routine: usize, message: String| {
            let (tensor, role) = (declared.name.clone(), declared.role.name());
            let message = format!("it is declared as {role}, but in the routine `{}` {message}", name(routine));
            Err(Error::Tensor { tensor, message })
        };
        match declared.role {
            Role::Data => {
                if let Some((routine, op)) = routines.clone().find_map(|i| of(i).overwrites.map(|op| (i, op))) {
                    return wrong(routine, format!("{op} writes it"));
                }
            }
            Role::Parameter => {
                if let Some((routine, op)) = routines.clone().find_map(|i| of(i).computes.map(|op| (i, op))) {
                    let message =
                        format!("{op} writes it; updates, combinations, max norms and thresholds may write parameters");
                    return wrong(routine, message);
                }
            }
            Role::State => {
                let carried = routines.clone().any(|i| of(i).reads_first.is_some());
                let written = routines.clone().any(|i| of(i).writes.is_some());
                let touched = routines.clone().find(|&i| of(i).reads_first.is_some() || of(i).writes.is_some());
                match touched {
                    Some(routine) if !written => {
                        return wrong(routine, "nothing writes it: declare it as data".to_owned());
                    }
                    Some(routine) if !carried => {
                        return wrong(routine, "it is written before it is read: declare it as a value".to_owned());
                    }
                    _ => {}
                }
            }
            Role::Value => {
                let elsewhere = |i: usize| routines.clone().any(|other| other != i && of(other).writes.is_some());
                let early =
                    routines.clone().find_map(|i| of(i).reads_first.filter(|_| !elsewhere(i)).map(|op| (i, op)));
                if let Some((routine, op)) = early {
                    let message = format!("{op} reads it before anything writes it: declare it as data or state");
                    return wrong(routine, message);
                }
            }
        }
    }
    Ok(())
}

impl Program {
    /// What a tensor is for.
    ///
    /// # Panics
    /// If the tensor is that of another program.
    pub fn role(&self, tensor: Tensor) -> Role {
        self.tensors[tensor.id].role
    }

    /// Changes what a tensor is for: for programs whose routines are recorded after their tensors.
    ///
    /// # Panics
    /// If the tensor is that of another program.
    pub fn redeclare(&mut self, tensor: Tensor, role: Role) {
        self.tensors[tensor.id].role = role;
    }

    /// The roles that a routine's use of its tensors implies: what it writes only after reading it is state, what it only
    /// reads data, what updates write a parameter, and the rest values. For tests and tools that make up programs.
    ///
    /// ```
    /// use strait_compute::{Factors, Kind, Op, Program, Role, Routine};
    /// let mut program = Program::default();
    /// let [x, sum] = ["x", "sum"].map(|name| program.value(name, 2, 3));
    /// let mut routine = Routine::new("add up");
    /// routine.push(Op::Combine { x: sum, y: x, factors: Factors::Fixed(1.0, 1.0), out: sum })?;
    /// program.infer_roles(&routine);
    /// assert_eq!((program.role(x), program.role(sum)), (Role::Data, Role::State));
    /// # Ok::<(), strait_compute::Error>(())
    /// ```
    pub fn infer_roles(&mut self, routine: &Routine) {
        for (id, used) in uses(self, routine).into_iter().enumerate() {
            self.tensors[id].role = match used {
                Use { writes: None, .. } | Use { overwrites: None, .. } => Role::Data,
                Use { reads_first: Some(_), .. } => Role::State,
                _ => Role::Value,
            };
        }
    }
}
