//! A routine cut in stages: what shards do by themselves, what is summed, and what all rows have in common.

use super::cut::Cut;
use super::layout::{Layout, Spread, Together};
use crate::op::Factors;
use crate::op::access::Write;
use crate::{Error, Op, Program, Result, Routine, RoutineId, Tensor};

/// A stage of a routine.
pub(super) enum Stage {
    /// What each shard of this rank does, in a routine of its own.
    Shards(Vec<RoutineId>),
    /// What is done once.
    Whole(RoutineId),
    /// Sums begin.
    Begin(Sums),
    /// A sum is needed.
    End(Tensor),
    /// The largest entries of the rows of all shards.
    BatchLargest(BatchLargest),
}

/// Where the largest entries come from, and where they go.
#[derive(Clone, Copy)]
pub(super) struct BatchLargest {
    pub(super) input: Tensor,
    pub(super) out: Tensor,
    /// The same for the rows of all shards, which every rank has.
    pub(super) together: Together,
    pub(super) routine: RoutineId,
}

/// Sums that begin together.
pub(super) struct Sums {
    /// Where they will be.
    pub(super) tensors: Vec<Tensor>,
    /// What adds up the parts of this rank's shards, where it has several.
    pub(super) add: Option<RoutineId>,
}

/// A routine in stages.
pub(super) struct Staged {
    /// Rows of a full minibatch; none where a routine has no rows.
    pub(super) batch: Option<usize>,
    pub(super) stages: Vec<Stage>,
    /// Whether it writes rows of data, which every rank wants all of.
    pub(super) everywhere: bool,
}

/// Operations that belong together.
enum Group {
    /// With the sums that each gives a part of.
    Shards(Vec<(Op, Vec<Tensor>)>),
    Whole(Vec<Op>),
    Begin(Vec<Tensor>),
    End(Tensor),
    /// With its tensors for the rows of all shards.
    BatchLargest {
        input: Tensor,
        out: Tensor,
        together: Together,
        op: Box<Op>,
    },
}

/// Cuts a routine in stages and adds their routines to a program, by `add`. Where sums do not overlap with the work of shards, they begin when the first
/// of them is needed: stages are then few.
pub(super) fn stage(
    outer: &Program,
    routine: &Routine,
    layout: &Layout,
    cut: &Cut,
    overlap: bool,
    add: &mut dyn FnMut(Routine) -> Result<RoutineId>,
) -> Result<Staged> {
    let groups = groups(outer, routine, layout, overlap)?;
    let like = |name: &str| {
        let like = Routine::new(format!("{}{name}", routine.name())).in_precision(routine.precision());
        if routine.has_independent_rows() { like.with_independent_rows() } else { like }
    };
    let mut record = |name: &str, ops: Vec<Op>| {
        let mut recorded = like(name);
        ops.into_iter().try_for_each(|op| recorded.push(op))?;
        add(recorded)
    };
    let shards = 0..cut.of_rank();
    let mut stages = Vec::new();
    for group in groups {
        stages.push(match group {
            Group::Shards(ops) => {
                let of = |shard: usize| {
                    let own = ops.iter().map(|(op, parts)| layout.of_shard(op, parts, shard));
                    record("", own.collect())
                };
                Stage::Shards(shards.clone().map(of).collect::<Result<_>>()?)
            }
            Group::Whole(ops) => Stage::Whole(record(", all rows", ops.iter().map(|op| layout.of_all(op)).collect())?),
            Group::Begin(tensors) => {
                let combine = |x: Tensor, y: Tensor| Op::Combine { x, y, factors: Factors::Fixed(1.0, 1.0), out: x };
                let part = |tensor: &Tensor, shard: usize| layout.copy(*tensor, shard);
                let mut sums = Vec::new();
                let mut apart = 1;
                while apart < shards.len() {
                    for shard in shards.clone().step_by(2 * apart).filter(|shard| shard + apart < shards.end) {
                        sums.extend(tensors.iter().map(|t| combine(part(t, shard), part(t, shard + apart))));
                    }
                    apart *= 2;
                }
                let add = (!sums.is_empty()).then(|| record(", sum", sums)).transpose()?;
                Stage::Begin(Sums { tensors, add })
            }
            Group::End(tensor) => Stage::End(tensor),
            Group::BatchLargest { input, out, together, op } => {
                let routine = record(", entries of all rows", vec![*op])?;
                Stage::BatchLargest(BatchLargest { input, out, together, routine })
            }
        });
    }
    let scatters = |write: &Write| matches!(write, Write::Scattered(_));
    let everywhere = routine.accesses().iter().flat_map(|access| &access.writes).any(scatters);
    if everywhere && !matches!(stages[..], [Stage::Shards(_)]) {
        let message =
            format!("the routine `{}` writes rows of data, but also what all rows have in common", routine.name());
        return Err(Error::Shape { op: "scatter", message });
    }
    Ok(Staged { batch: batch(routine, layout), stages, everywhere })
}

/// Rows of a routine's minibatch.
fn batch(routine: &Routine, layout: &Layout) -> Option<usize> {
    let mut tensors = routine.ops().iter().flat_map(Op::per_row);
    tensors.find_map(|tensor| match layout.spread(tensor) {
        Spread::Rows(batch) => Some(batch),
        Spread::Whole | Spread::Sum => None,
    })
}

/// An operation, with what it is to shards.
struct Item {
    op: Op,
    /// Whether shards do it for their own rows.
    rows: bool,
    /// Sums that it gives a part of, or takes up in another.
    parts: Vec<Tensor>,
}

/// The operations of a routine. Before one that asks which columns have entries, these are counted for the rows of all shards.
fn items(routine: &Routine, layout: &Layout) -> Vec<Item> {
    let mut items = Vec::new();
    for op in routine.ops() {
        let mut op = op.clone();
        if let Op::UnusedBias { order, .. } = &mut op
            && let Some(counts) = layout.counts(order.starts)
        {
            let copy = Op::Combine { x: order.starts, y: order.starts, factors: Factors::Fixed(1.0, 0.0), out: counts };
            items.push(Item { op: copy, rows: true, parts: vec![counts] });
            order.starts = counts;
        }
        let rows = op.per_row().iter().any(|tensor| layout.has_rows(*tensor));
        let parts = op.sums().into_iter().chain(op.adds_to()).collect();
        items.push(Item { op, rows, parts });
    }
    items
}

/// The operations of a routine in groups, with the sums between them.
fn groups(outer: &Program, routine: &Routine, layout: &Layout, overlap: bool) -> Result<Vec<Group>> {
    let items = items(routine, layout);
    let last_part = |sum: &Tensor| items.iter().rposition(|item| item.parts.contains(sum)).unwrap_or(0);
    let mut groups: Vec<Group> = Vec::new();
    // Sums that have parts, those that have begun, and those that are there.
    let [mut open, mut begun, mut done]: [Vec<Tensor>; 3] = Default::default();
    let begin = |ready: Vec<Tensor>, groups: &mut Vec<Group>, begun: &mut Vec<Tensor>| {
        if !ready.is_empty() {
            begun.extend(&ready);
            groups.push(Group::Begin(ready));
        }
    };
    for (number, Item { op, rows, parts }) in items.iter().enumerate() {
        let wrong = |message: &str| Err(Error::Shape { op: op.name(), message: message.to_owned() });
        if let Some(late) = parts.iter().find(|tensor| done.contains(tensor)) {
            return Err(outer.misused(*late, "a part is added to it after it was summed over the ranks"));
        }
        let (read, _) = op.tensors();
        let needs = |tensor: &Tensor| !parts.contains(tensor) && read.contains(tensor);
        if open.iter().any(needs) {
            let (ready, later) = std::mem::take(&mut open).into_iter().partition(|sum| last_part(sum) < number);
            open = later;
            begin(ready, &mut groups, &mut begun);
        }
        if open.iter().any(needs) {
            return wrong("it reads a sum that is not whole yet");
        }
        let (needed, others): (Vec<Tensor>, Vec<Tensor>) = std::mem::take(&mut begun).into_iter().partition(needs);
        begun = others;
        done.extend(&needed);
        groups.extend(needed.into_iter().map(Group::End));
        match (op, rows, groups.last_mut()) {
            (Op::Dot { .. }, true, _) => return wrong("dot products of rows are not summed over ranks"),
            (&Op::BatchLargest { input, threshold, k, rate, out }, true, _) => {
                let Some(together) = layout.together(input) else {
                    return wrong("record it before the program is loaded");
                };
                let (entries, stay) = (together.entries, together.out);
                let op = Box::new(Op::BatchLargest { input: entries, threshold, k, rate, out: stay });
                groups.push(Group::BatchLargest { input, out, together, op });
            }
            (_, true, Some(Group::Shards(group))) => group.push((op.clone(), parts.clone())),
            (_, true, _) => groups.push(Group::Shards(vec![(op.clone(), parts.clone())])),
            (_, false, Some(Group::Whole(group))) => group.push(op.clone()),
            (_, false, _) => groups.push(Group::Whole(vec![op.clone()])),
        }
        open.extend(parts.iter().filter(|sum| !open.contains(sum)).copied().collect::<Vec<_>>());
        if overlap {
            let (ready, later) = std::mem::take(&mut open).into_iter().partition(|sum| last_part(sum) <= number);
            open = later;
            begin(ready, &mut groups, &mut begun);
        }
    }
    begin(open, &mut groups, &mut begun);
    groups.extend(begun.into_iter().map(Group::End));
    Ok(groups)
}
