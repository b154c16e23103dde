//! What the tensors of a program are to shards, and the program of one rank.

use std::collections::{HashMap, HashSet};

use super::cut::Cut;
use crate::op::access::Rows;
use crate::program::Declared;
use crate::{ByColumn, Error, Kind, Op, Program, Result, Role, Routine, Tensor};

/// What a tensor is to shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spread {
    /// The same in all of them.
    Whole,
    /// Each has rows of its own; the minibatch has this many in all.
    Rows(usize),
    /// The sum of what each of them computes.
    Sum,
}

/// The tensors of a program on one rank. Its first shard has tensors of their own numbers; those of the other shards follow behind.
pub(super) struct Layout {
    spreads: Vec<Spread>,
    /// Entries of rows by their columns, which lie side by side in one row.
    listed: HashSet<usize>,
    /// For each of this rank's shards, its own tensors by the numbers of those that they stand for.
    copies: Vec<HashMap<usize, Tensor>>,
    /// Where the entries of columns start, summed over the shards: which columns have any.
    counts: HashMap<usize, Tensor>,
    /// By the entries of [`Op::BatchLargest`], the tensors for those of all rows.
    together: HashMap<usize, Together>,
}

/// The entries of the rows of all shards, and those that stay.
#[derive(Clone, Copy)]
pub(super) struct Together {
    pub(super) entries: Tensor,
    pub(super) out: Tensor,
}

impl Layout {
    /// Finds out what the tensors are, and declares those of this rank's shards.
    pub(super) fn new(program: &Program, cut: &Cut) -> Result<(Self, Program)> {
        let spreads = spreads(program)?;
        let ops = || program.routines().iter().flat_map(Routine::ops);
        let listed = ops().filter_map(|op| match op {
            Op::ByColumn { out, .. } => Some(out.entries.id),
            _ => None,
        });
        let (listed, shards) = (listed.collect(), cut.of_rank());
        let copies = vec![HashMap::new(); shards];
        let mut layout = Self { spreads, listed, copies, counts: HashMap::new(), together: HashMap::new() };
        let (mut own, _) = program.clone().without_routines();
        for (id, declared) in program.tensors.iter().enumerate() {
            if layout.spreads[id] == Spread::Whole {
                continue;
            }
            own.tensors[id].tensor = layout.shape(declared.tensor, cut);
            layout.declare_copies(&mut own, id);
        }
        // Places of a feed have routines of their own with the same tensors.
        for op in ops() {
            match *op {
                Op::UnusedBias { order: ByColumn { starts, .. }, .. }
                    if layout.has_rows(starts) && !layout.counts.contains_key(&starts.id) =>
                {
                    let count = own.value(format!("{}.all", program.name(starts)), starts.rows, starts.cols);
                    layout.declare_copies(&mut own, count.id);
                    layout.spreads[count.id] = Spread::Sum;
                    layout.counts.insert(starts.id, count);
                }
                Op::BatchLargest { input, out, .. } if !layout.together.contains_key(&input.id) => {
                    let name = |tensor: Tensor| format!("{}.all", program.name(tensor));
                    let entries = own.data(name(input), input.rows, input.cols, Kind::Values);
                    let together = Together { entries, out: own.value(name(out), out.rows, out.cols) };
                    layout.spreads.resize(own.tensors.len(), Spread::Whole);
                    layout.together.insert(input.id, together);
                    // The host writes to each shard what stays of its own.
                    layout.copies.iter().for_each(|copies| own.redeclare(copies[&out.id], Role::Data));
                }
                _ => {}
            }
        }
        Ok((layout, own))
    }

    /// Declares what the shards of this rank have in the place of a tensor, which is the first one's.
    fn declare_copies(&mut self, own: &mut Program, id: usize) {
        let Declared { name, role, tensor, .. } = own.tensors[id].clone();
        self.copies[0].insert(id, tensor);
        for (shard, copies) in self.copies.iter_mut().enumerate().skip(1) {
            let copy = own.declare(format!("{name}.shard.{shard}"), role, tensor.rows, tensor.cols, tensor.kind);
            copies.insert(id, copy);
        }
        self.spreads.resize(own.tensors.len(), Spread::Whole);
    }

    /// The shape that a tensor has in a shard.
    fn shape(&self, tensor: Tensor, cut: &Cut) -> Tensor {
        let Spread::Rows(batch) = self.spreads[tensor.id] else { return tensor };
        let scaled = |size: usize| size / batch * cut.longest(batch);
        match () {
            () if self.listed.contains(&tensor.id) => Tensor { cols: scaled(tensor.cols), ..tensor },
            () if tensor.rows.is_multiple_of(batch) => Tensor { rows: scaled(tensor.rows), ..tensor },
            () => tensor,
        }
    }

    pub(super) fn spread(&self, tensor: Tensor) -> Spread {
        self.spreads[tensor.id]
    }

    pub(super) fn has_rows(&self, tensor: Tensor) -> bool {
        matches!(self.spread(tensor), Spread::Rows(_))
    }

    /// One of this rank's shards' own tensor in the place of this one.
    pub(super) fn copy(&self, tensor: Tensor, shard: usize) -> Tensor {
        self.copies[shard].get(&tensor.id).copied().unwrap_or(tensor)
    }

    /// The tensors of [`Op::BatchLargest`] for the entries of all rows.
    pub(super) fn together(&self, entries: Tensor) -> Option<Together> {
        self.together.get(&entries.id).copied()
    }

    /// Where the entries of columns start, summed over the shards.
    pub(super) fn counts(&self, starts: Tensor) -> Option<Tensor> {
        self.counts.get(&starts.id).copied()
    }

    /// An operation as one of this rank's shards does it: on its own rows, and to its own part of a sum.
    pub(super) fn of_shard(&self, op: &Op, parts: &[Tensor], shard: usize) -> Op {
        op.on(|tensor| match self.spread(tensor) {
            Spread::Rows(_) => self.copy(tensor, shard),
            Spread::Sum if parts.contains(&tensor) => self.copy(tensor, shard),
            Spread::Sum | Spread::Whole => tensor,
        })
    }

    /// An operation that all rows have in common.
    pub(super) fn of_all(&self, op: &Op) -> Op {
        op.on(|tensor| self.copy(tensor, 0))
    }
}

/// What each tensor of a program is.
fn spreads(program: &Program) -> Result<Vec<Spread>> {
    // Tensors that have rows if one of them has, as a forest.
    let mut parent: Vec<usize> = (0..program.tensors.len()).collect();
    fn root(parent: &mut [usize], mut id: usize) -> usize {
        while parent[id] != id {
            parent[id] = parent[parent[id]];
            id = parent[id];
        }
        id
    }
    let ops = || program.routines().iter().flat_map(|routine| routine.ops().iter().zip(routine.accesses()));
    for (op, _) in ops() {
        for pair in op.per_row().windows(2) {
            let [one, two] = [pair[0], pair[1]].map(|tensor| root(&mut parent, tensor.id));
            parent[one] = two;
        }
    }
    let mut batches: HashMap<usize, usize> = HashMap::new();
    for (op, access) in ops() {
        let batch = match access.rows {
            Rows::Any => continue,
            Rows::Of(rows) => rows,
            Rows::Data { minibatch, .. } => minibatch.rows,
        };
        for tensor in op.per_row() {
            let known = *batches.entry(root(&mut parent, tensor.id)).or_insert(batch);
            if known != batch {
                let message = format!("it has rows of minibatches of {known} and of {batch} rows");
                return Err(program.misused(tensor, message));
            }
        }
    }
    let mut spreads: Vec<Spread> = (0..parent.len())
        .map(|id| batches.get(&root(&mut parent, id)).map_or(Spread::Whole, |batch| Spread::Rows(*batch)))
        .collect();
    for (op, access) in ops() {
        for sum in op.sums() {
            let wrong = |message: &str| Err(program.misused(sum, message));
            match (spreads[sum.id], program.role(sum)) {
                (Spread::Rows(_), _) => {
                    return wrong("it is a sum over the rows of minibatches, but has rows of its own");
                }
                (_, Role::Value) => spreads[sum.id] = Spread::Sum,
                _ => {
                    let message = format!("an update follows in the tail of {}: record it by itself", access.name);
                    return Err(Error::Shape { op: "sum over ranks", message });
                }
            }
        }
    }
    Ok(spreads)
}
