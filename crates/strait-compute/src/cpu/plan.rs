//! What the workers do for a step of a routine, in order, and where they meet.

use super::binary::{FEWEST, Lookups};
use super::halves::Layout;
use super::workers::Counters;
use crate::op::Op;
use crate::{Precision, Program, Result, Routine, Sampling, Tensor};

/// A piece of work that the workers share.
pub(super) enum Work {
    /// Making copies in 16 bits.
    Pack(Vec<Copied>),
    /// The operation of this number, with room for the look-ups of its product if that may be one of zeros and ones.
    Operation(usize, Option<Lookups>),
}

/// A piece of work with what the workers need to share it.
pub(super) struct Planned {
    pub(super) work: Work,
    /// Whether they meet before it.
    pub(super) meet: bool,
    /// What they tell each other in the course of it, in two sets: one for steps of even number, one for odd ones.
    pub(super) counters: [Counters; 2],
}

impl Planned {
    /// Numbers that it adds to the metrics of a step.
    pub(super) fn metrics(&self, routine: &Routine) -> usize {
        match self.work {
            Work::Operation(number, _) => routine.ops()[number].metrics(),
            Work::Pack(_) => 0,
        }
    }
}

/// A routine, planned.
pub(super) struct Plan {
    pub(super) works: Vec<Planned>,
}

/// A copy of a tensor in 16 bits.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Copied {
    pub(super) tensor: Tensor,
    pub(super) layout: Layout,
    /// Rows of the tensor for each row of the minibatch, where sums go over them.
    pub(super) positions: usize,
}

/// The copies that a product multiplies, left and right.
pub(super) type Factors = (Copied, Copied);

/// The products of copies, left and right, that an operation sums in a routine of this precision; none where it multiplies
/// the tensors themselves.
pub(super) fn products(op: &Op, precision: Precision) -> [Option<Factors>; 2] {
    let factors = |left: (Tensor, Layout), right: (Tensor, Layout), positions: usize| {
        let copied = |(tensor, layout): (Tensor, Layout)| Copied { tensor, layout, positions };
        Some((copied(left), copied(right)))
    };
    match op {
        _ if precision == Precision::F32 => [None; 2],
        Op::Linear { input, weight, transposed, .. } => {
            let layout = if *transposed { Layout::RightTurned } else { Layout::Right };
            [factors((*input, Layout::Left), (*weight, layout), 1), None]
        }
        Op::Backprop { delta, weight, transposed, .. } => {
            let layout = if *transposed { Layout::Right } else { Layout::RightTurned };
            [factors((*delta, Layout::Left), (*weight, layout), 1), None]
        }
        Op::Gradient { positive: (x, d), negative, positions, .. } => {
            let layout = if negative.is_some() { Layout::MinusLeftTurned } else { Layout::LeftTurned };
            let negative = negative.and_then(|(v, h)| factors((v, Layout::LeftTurned), (h, Layout::Right), *positions));
            [factors((*x, layout), (*d, Layout::Right), *positions), negative]
        }
        _ => [None; 2],
    }
}

/// The weight whose copies an operation reads. They are there already, because who writes a weight renews them.
pub(super) fn weight(op: &Op) -> Option<Tensor> {
    match op {
        Op::Linear { weight, .. } | Op::Backprop { weight, .. } => Some(*weight),
        _ => None,
    }
}

/// The copies that an operation reads and that each step makes anew.
fn packed(op: &Op, precision: Precision) -> impl Iterator<Item = Copied> {
    let kept = weight(op);
    let copies = products(op, precision).into_iter().flatten().flat_map(|(left, right)| [left, right]);
    copies.filter(move |copied| copied.layout == Layout::Left || Some(copied.tensor) != kept)
}

/// Something that one piece of work writes and another reads: a tensor, or one of its copies.
type Place = (Tensor, Option<Layout>);

impl Plan {
    /// Copies are made as late as possible, and then all that the step still needs of a tensor as it is.
    ///
    /// # Errors
    /// [`Error::HostMemory`](crate::Error::HostMemory) if there is no room for look-ups.
    pub(super) fn new(program: &Program, routine: &Routine) -> Result<Self> {
        let mut plan = Self { works: Vec::new() };
        let (mut read, mut written): (Vec<Place>, Vec<Place>) = (Vec::new(), Vec::new());
        let mut fresh: Vec<Copied> = Vec::new();
        let mut add = |work: Work, reads: Vec<Place>, writes: Vec<Place>| {
            let meet = reads.iter().any(|place| written.contains(place))
                || writes.iter().any(|place| written.contains(place) || read.contains(place));
            if meet {
                read.clear();
                written.clear();
            }
            read.extend(reads);
            written.extend(writes);
            plan.works.push(Planned { work, meet, counters: Default::default() });
        };
        let copy = |copied: &Copied| (copied.tensor, Some(copied.layout));
        for (number, op) in routine.ops().iter().enumerate() {
            let wanted: Vec<Copied> = packed(op, routine.precision()).collect();
            let mut packs: Vec<Copied> = Vec::new();
            for copied in wanted.iter().filter(|copied| !fresh.contains(copied)) {
                for copy in needed(&routine.ops()[number..], copied.tensor, routine.precision()) {
                    if !fresh.contains(&copy) && !packs.contains(&copy) {
                        packs.push(copy);
                    }
                }
            }
            if !packs.is_empty() {
                fresh.extend(&packs);
                let reads = packs.iter().map(|copied| (copied.tensor, None)).collect();
                let writes = packs.iter().map(copy).collect();
                add(Work::Pack(packs), reads, writes);
            }
            let (reads, writes) = op.tensors();
            fresh.retain(|copied| !writes.contains(&copied.tensor));
            let tensors = |tensors: Vec<Tensor>| tensors.into_iter().map(|tensor| (tensor, None));
            let reads = tensors(reads).chain(wanted.iter().map(copy)).collect();
            let lookups =
                may_be_binary(routine, op).map(|x| Lookups::new(x.rows, x.cols, program.name(x))).transpose()?;
            add(Work::Operation(number, lookups), reads, tensors(writes).collect());
        }
        Ok(plan)
    }

    /// Clears what the workers tell each other in a step, while another one with the other set may be under way.
    pub(super) fn reset(&self, step: usize) {
        self.works.iter().for_each(|planned| planned.counters[step % 2].reset());
    }
}

/// The copies of a tensor that operations read until one writes it.
fn needed(ops: &[Op], tensor: Tensor, precision: Precision) -> Vec<Copied> {
    let mut copies = Vec::new();
    for op in ops {
        copies.extend(packed(op, precision).filter(|copied| copied.tensor == tensor));
        if op.tensors().1.contains(&tensor) {
            break;
        }
    }
    copies
}

/// The left operand of a product if it may hold nothing but zeros and ones, and has rows enough for that to be of use:
/// states that the routine draws, and data that it gathers.
fn may_be_binary(routine: &Routine, op: &Op) -> Option<Tensor> {
    let Op::Linear { input, .. } = *op else {
        return None;
    };
    let mut writers = routine.ops().iter().filter(|op| op.tensors().1.contains(&input)).peekable();
    let draws = |op: &Op| match op {
        Op::Linear { sample: Some(sample), .. } => sample.out == input && sample.sampling == Sampling::Bernoulli,
        Op::Softmax { states, .. } => states.is_some_and(|states| states.out == input),
        Op::Gather { .. } | Op::Exchange { .. } => true,
        _ => false,
    };
    let binary = writers.peek().is_some() && writers.all(draws);
    (routine.precision() == Precision::F32 && input.rows >= FEWEST && binary).then_some(input)
}
