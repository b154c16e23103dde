//! What the workers do for a step of a routine, in order, and where they meet.

use super::bf16::Layout;
use super::binary::{FEWEST, Lookups};
use super::layers;
use super::workers::Counters;
use crate::op::access::{Access, Matmul, Write};
use crate::{Op, Precision, Program, Result, Routine, Tensor};

/// A piece of work that the workers share.
pub(super) enum Work {
    /// Making copies in 16 bits.
    Pack(Vec<Copy16>),
    /// The operation of this number.
    Operation {
        number: usize,
        /// The copies that its products multiply, left and right; none where it multiplies the tensors themselves.
        products: Vec<[Copy16; 2]>,
        /// Room for the look-ups of its product, if that may be one of zeros and ones.
        lookups: Option<Lookups>,
    },
}

/// A piece of work with what the workers need to share it.
pub(super) struct Planned {
    pub(super) work: Work,
    /// Whether they meet before it.
    pub(super) meet: bool,
    /// What they tell each other in the course of it, in two sets: one for steps of even number, one for odd ones.
    pub(super) counters: [Counters; 2],
    /// Numbers that it adds to the metrics of a step.
    pub(super) metrics: usize,
}

/// A routine, planned.
pub(super) struct Plan {
    pub(super) works: Vec<Planned>,
}

/// A copy of a tensor in 16 bits.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Copy16 {
    pub(super) tensor: Tensor,
    pub(super) layout: Layout,
    /// Rows of the tensor for each row of the minibatch, where sums go over them.
    pub(super) positions: usize,
}

/// The copies that a product of 16-bit operands multiplies, left and right.
pub(super) fn copies(product: Matmul) -> [Copy16; 2] {
    let copy = |tensor: Tensor, layout: Layout, positions: usize| Copy16 { tensor, layout, positions };
    match product {
        Matmul::Layer { input, weight, transposed } => {
            let layout = if transposed { Layout::RightTransposed } else { Layout::Right };
            [copy(input, Layout::Left, 1), copy(weight, layout, 1)]
        }
        Matmul::Statistics { left, right, negated, positions } => {
            let layout = if negated { Layout::MinusLeftTransposed } else { Layout::LeftTransposed };
            [copy(left, layout, positions), copy(right, Layout::Right, positions)]
        }
    }
}

/// The copies that an operation reads and that each step makes anew. Those of weights are there already, because who writes a
/// weight renews them.
fn packed(access: &Access, precision: Precision) -> impl Iterator<Item = Copy16> {
    let products = access.matmuls().iter().filter(move |_| precision != Precision::F32);
    products.flat_map(|&product| {
        let [left, right] = copies(product);
        let right = match product {
            Matmul::Layer { .. } => None,
            Matmul::Statistics { .. } => Some(right),
        };
        std::iter::once(left).chain(right)
    })
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
        let mut fresh: Vec<Copy16> = Vec::new();
        let mut add = |work: Work, reads: Vec<Place>, writes: Vec<Place>, metrics: usize| {
            let meet = reads.iter().any(|place| written.contains(place))
                || writes.iter().any(|place| written.contains(place) || read.contains(place));
            if meet {
                read.clear();
                written.clear();
            }
            read.extend(reads);
            written.extend(writes);
            plan.works.push(Planned { work, meet, counters: Default::default(), metrics });
        };
        let place = |copy: &Copy16| (copy.tensor, Some(copy.layout));
        let tensor = |tensor: Tensor| (tensor, None);
        let precision = routine.precision();
        let accesses = routine.accesses();
        // The layer whose largest outputs the next operation takes while it computes them.
        let mut layer: Option<&Access> = None;
        for (number, access) in accesses.iter().enumerate() {
            let wanted: Vec<Copy16> = packed(access, precision).collect();
            let mut packs: Vec<Copy16> = Vec::new();
            for copied in wanted.iter().filter(|copied| !fresh.contains(copied)) {
                for copy in needed(&accesses[number..], copied.tensor, precision) {
                    if !fresh.contains(&copy) && !packs.contains(&copy) {
                        packs.push(copy);
                    }
                }
            }
            if !packs.is_empty() {
                fresh.extend(&packs);
                let reads = packs.iter().map(|copy| tensor(copy.tensor)).collect();
                let writes = packs.iter().map(place).collect();
                add(Work::Pack(packs), reads, writes, 0);
            }
            fresh.retain(|copy| access.written().all(|written| written != copy.tensor));
            if layers::before(program, routine, number + 1).is_some() {
                layer = Some(access);
                continue;
            }
            let layer = layer.take();
            let of_layer = layer
                .into_iter()
                .flat_map(|access| packed(access, precision).map(|copy| place(&copy)).chain(access.read().map(tensor)));
            let reads = access.read().map(tensor).chain(wanted.iter().map(place)).chain(of_layer).collect();
            let products = layer.unwrap_or(access).matmuls().iter().filter(|_| precision != Precision::F32);
            let lookups =
                may_be_binary(routine, number).map(|x| Lookups::new(x.rows, x.cols, program.name(x))).transpose()?;
            let work = Work::Operation { number, products: products.map(|it| copies(*it)).collect(), lookups };
            add(work, reads, access.written().map(tensor).collect(), access.metrics());
        }
        Ok(plan)
    }

    /// Clears what the workers tell each other in a step, while another one with the other set may be under way.
    pub(super) fn reset(&self, step: usize) {
        self.works.iter().for_each(|planned| planned.counters[step % 2].reset());
    }
}

/// The copies of a tensor that operations read until one writes it.
fn needed(accesses: &[Access], tensor: Tensor, precision: Precision) -> Vec<Copy16> {
    let mut copies = Vec::new();
    for access in accesses {
        copies.extend(packed(access, precision).filter(|copy| copy.tensor == tensor));
        if access.written().any(|written| written == tensor) {
            break;
        }
    }
    copies
}

/// The left operand of a layer if it may hold nothing but zeros and ones, and has rows enough for that to be of use:
/// states that the routine draws, and data that it gathers.
fn may_be_binary(routine: &Routine, number: usize) -> Option<Tensor> {
    let Op::Linear { input, .. } = routine.ops()[number] else {
        return None;
    };
    let writes = routine.accesses().iter().flat_map(|access| &access.writes);
    let mut writes = writes.filter(|write| write.tensor() == input).peekable();
    let binary = writes.peek().is_some() && writes.all(|write| matches!(write, Write::Bits(_)));
    let of_use = input.rows >= FEWEST && !routine.has_independent_rows();
    (routine.precision() == Precision::F32 && of_use && binary).then_some(input)
}
