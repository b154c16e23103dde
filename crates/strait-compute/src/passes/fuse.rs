//! Moves updates into the tails of the gradients that they follow.
//!
//! A recording says `gradient(x, δ) → g` and `update(g) → θ`. Devices do both in one go, so that a gradient never goes
//! through memory: where nothing between the two touches g, θ or what the rule keeps of it, and g is not read again.

use crate::op::{Op, Update};
use crate::{Program, Role, Routine, Tensor};

impl Program {
    /// The program as devices run it: updates are moved into the tails of gradients. Gradients that are gone then
    /// take no memory, and cannot be read.
    pub fn fused(&self) -> Self {
        let mut fused = self.clone();
        let mut gone = Vec::new();
        for number in 0..self.routines.len() {
            let wanted_elsewhere = |tensor: Tensor| {
                let mut others = self.routines.iter().enumerate().filter(|(other, _)| *other != number);
                others.any(|(_, routine)| reads_first(routine, tensor))
            };
            let local = |tensor: Tensor| self.role(tensor) == Role::Value && !wanted_elsewhere(tensor);
            gone.extend(fuse(&mut fused.routines[number], local));
        }
        for gradient in gone {
            let touched = fused.routines.iter().flat_map(Routine::accesses).any(|access| access.touches(gradient));
            fused.tensors[gradient.id].absent |= !touched;
        }
        fused
    }
}

/// Whether a routine reads a tensor before it writes it.
fn reads_first(routine: &Routine, tensor: Tensor) -> bool {
    let mut uses = routine.accesses().iter();
    uses.find(|access| access.touches(tensor)).is_some_and(|access| access.read().any(|read| read == tensor))
}

/// Fuses what can be fused in a routine. `local` tells whether a tensor is of no use to anybody outside of the routine. Gives the gradients
/// that are not stored any more.
fn fuse(routine: &mut Routine, local: impl Fn(Tensor) -> bool) -> Vec<Tensor> {
    let (mut ops, mut gone) = (routine.ops().to_vec(), Vec::new());
    let mut at = 0;
    while at < ops.len() {
        match fusible(&ops, at, &local) {
            Some((place, gradient, update)) => {
                ops.remove(at);
                if let Some(tail) =
                    ops[place].tails().into_iter().map(|(tail, _)| tail).find(|tail| stores(tail, gradient))
                {
                    *tail = update;
                }
                gone.push(gradient);
            }
            None => at += 1,
        }
    }
    routine.rewrite(ops);
    gone
}

/// The gradient whose tail the operation of this number can become, if it is an update that can be fused, with the gradient's tensor
/// and the rule.
fn fusible(ops: &[Op], at: usize, local: &impl Fn(Tensor) -> bool) -> Option<(usize, Tensor, Update)> {
    let Op::Update { gradient, update, decays } = ops[at] else {
        return None;
    };
    let place = ops[..at].iter().rposition(|op| op.access().written().any(|written| written == gradient))?;
    let mut writer = ops[place].clone();
    let fits = writer.tails().into_iter().any(|(tail, weight)| stores(tail, gradient) && weight == decays);
    let moved = std::iter::once(gradient).chain(update.tensors());
    let apart = |op: &Op| !moved.clone().any(|tensor| op.access().touches(tensor));
    // Whoever reads the gradient afterwards must find it.
    let next = ops[at + 1..].iter().map(Op::access).find(|access| access.touches(gradient));
    let dead = next.is_none_or(|access| access.read().all(|read| read != gradient));
    // An update must not change what the rest of the same operation reads.
    let own = writer.access().reads.iter().all(|read| read.in_place || !update.tensors().contains(&read.tensor));
    (fits && own && dead && local(gradient) && ops[place + 1..at].iter().all(apart))
        .then_some((place, gradient, update))
}

fn stores(tail: &Update, tensor: Tensor) -> bool {
    matches!(tail, Update::Store { gradient } if *gradient == tensor)
}
