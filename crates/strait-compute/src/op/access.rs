//! What an operation does with its tensors, as one value.
//!
//! Checks, passes and plans ask it alone, and it has no defaults: who adds an operation answers every question.

use super::Update;
use crate::{Kind, Tensor};

/// Whether operands fit together, or why not.
pub(crate) type Fits = Result<(), String>;

/// What there is to know of an operation but for what it computes.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Its name in printouts, profiles and errors.
    pub(crate) name: &'static str,
    /// What it reads, in the order in which it is printed.
    pub(crate) reads: Vec<Read>,
    /// What it writes.
    pub(crate) writes: Vec<Write>,
    /// The rows of the minibatch that it needs.
    pub(crate) rows: Rows,
    /// What it adds to the metrics of a step.
    pub(crate) report: Report,
    /// Its arithmetic.
    pub(crate) work: Work,
    /// Whether shapes and numbers make sense, beyond what holds for all operations.
    pub(crate) fits: Fits,
}

/// A tensor that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) tensor: Tensor,
    /// Whether the operation may write it as well.
    pub(crate) in_place: bool,
}

/// A tensor that is written, by what that means to others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// Numbers of any kind. Copies of the tensor are not renewed.
    Computed(Tensor),
    /// Numbers that may all be zeros and ones. Copies are not renewed.
    Bits(Tensor),
    /// A parameter or gradient, whose copies are renewed.
    Renewed(Tensor),
    /// The active rows of a data set.
    Scattered(Tensor),
}

/// The rows of a minibatch that an operation needs: a step has to have some, and no more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows {
    /// It can do without: what a step says of rows changes results at most.
    Any,
    /// The active rows; the minibatch has this many in all.
    Of(usize),
    /// The active ones of `minibatch`, from or to the rows of `data` behind the step's offset, or those that `index` has there.
    Data { data: Tensor, index: Option<Tensor>, minibatch: Tensor },
}

/// What an operation adds to the metrics of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Report {
    Nothing,
    /// A loss and an error for each row of a minibatch of this size.
    Losses(usize),
    /// A dot product in [`DOT_PARTS`] parts.
    Dot,
}

/// The arithmetic of an operation.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Too little to count.
    Little,
    /// So many multiplications and additions.
    Elements(u64),
    /// The sum of these products, which a routine's precision rounds.
    Matmuls(Vec<Matmul>),
    /// Products with a weight one after the other, each of what the one before gave: no precision rounds them.
    Recurrent { weight: Tensor, transposed: bool, flops: u64 },
}

/// A matrix product.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Matmul {
    /// X W, or X Wᵀ: rows of a minibatch times weights.
    Layer { input: Tensor, weight: Tensor, transposed: bool },
    /// Xᵀ D, or −Xᵀ D: a sum over the rows of a minibatch, each of which has `positions` rows of X and D.
    Statistics { left: Tensor, right: Tensor, negated: bool, positions: usize },
}

/// A dot product reaches the host as this many partial sums, which it adds in double precision. Which elements a part
/// holds is the back end's affair, but always the same.
pub(crate) const DOT_PARTS: usize = 64;

/// These operands, where there are any; none of them may be written.
pub(super) fn reads(tensors: impl IntoIterator<Item = impl Into<Option<Tensor>>>) -> Vec<Read> {
    tensors.into_iter().filter_map(Into::into).map(|tensor| Read { tensor, in_place: false }).collect()
}

/// These operands, any of which may be written.
pub(super) fn in_place(tensors: impl IntoIterator<Item = impl Into<Option<Tensor>>>) -> Vec<Read> {
    tensors.into_iter().filter_map(Into::into).map(|tensor| Read { tensor, in_place: true }).collect()
}

/// These results, where they are wanted.
pub(super) fn computed(tensors: impl IntoIterator<Item = impl Into<Option<Tensor>>>) -> Vec<Write> {
    tensors.into_iter().filter_map(Into::into).map(Write::Computed).collect()
}

/// What updates read and write.
pub(super) fn updated(updates: impl IntoIterator<Item = Update>) -> (Vec<Read>, Vec<Write>) {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for update in updates {
        let tensors = update.tensors();
        let write = |&it: &Tensor| if it == update.target() { Write::Renewed(it) } else { Write::Computed(it) };
        writes.extend(tensors.iter().map(write));
        if !matches!(update, Update::Store { .. }) {
            reads.extend(in_place(tensors));
        }
    }
    (reads, writes)
}

/// Whether a tensor has the shape that others ask of it.
pub(super) fn same(what: &str, found: Tensor, rows: usize, cols: usize) -> Fits {
    match (found.rows, found.cols) == (rows, cols) {
        true => Ok(()),
        false => Err(format!("{what} is {} but must be [{rows}, {cols}]", found.shape())),
    }
}

impl Write {
    /// Whether copies of the tensor that back ends keep are renewed.
    pub(crate) fn renews(self) -> bool {
        matches!(self, Self::Renewed(_))
    }

    pub(crate) fn tensor(self) -> Tensor {
        match self {
            Self::Computed(tensor) | Self::Bits(tensor) | Self::Renewed(tensor) | Self::Scattered(tensor) => tensor,
        }
    }
}

impl Matmul {
    /// Multiplications and additions.
    fn flops(self) -> u64 {
        let [rows, inner, cols] = match self {
            Self::Layer { input, weight, transposed } => {
                [input.rows, input.cols, if transposed { weight.rows } else { weight.cols }]
            }
            Self::Statistics { left, right, .. } => [left.cols, left.rows, right.cols],
        };
        2 * rows as u64 * inner as u64 * cols as u64
    }
}

impl Access {
    /// What it reads.
    pub(crate) fn read(&self) -> impl Iterator<Item = Tensor> {
        self.reads.iter().map(|read| read.tensor)
    }

    /// What it writes.
    pub(crate) fn written(&self) -> impl Iterator<Item = Tensor> {
        self.writes.iter().map(|write| write.tensor())
    }

    /// Whether it reads or writes a tensor.
    pub(crate) fn touches(&self, tensor: Tensor) -> bool {
        self.read().chain(self.written()).any(|touched| touched == tensor)
    }

    /// Its products, which a routine's precision rounds.
    pub(crate) fn matmuls(&self) -> &[Matmul] {
        match &self.work {
            Work::Matmuls(products) => products,
            Work::Little | Work::Elements(_) | Work::Recurrent { .. } => &[],
        }
    }

    /// The weight that it multiplies with transposed in single precision, whatever the routine's.
    pub(crate) fn turned(&self) -> Option<Tensor> {
        match self.work {
            Work::Recurrent { weight, transposed: true, .. } => Some(weight),
            Work::Little | Work::Elements(_) | Work::Matmuls(_) | Work::Recurrent { .. } => None,
        }
    }

    /// Multiplications and additions of its products. Fused tails are small in comparison and not counted.
    pub(crate) fn flops(&self) -> u64 {
        match &self.work {
            Work::Little => 0,
            Work::Elements(flops) | Work::Recurrent { flops, .. } => *flops,
            Work::Matmuls(products) => products.iter().map(|product| product.flops()).sum(),
        }
    }

    /// Bytes of the tensors that it reads and writes; of a data set, those of one minibatch.
    pub(crate) fn bytes(&self) -> u64 {
        let of = |tensor: Tensor| match self.rows {
            Rows::Data { data, minibatch, .. } if tensor == data => minibatch.len() * (data.bytes() / data.len()),
            Rows::Data { index, minibatch, .. } if Some(tensor) == index => 4 * minibatch.rows,
            _ => tensor.bytes(),
        };
        self.read().chain(self.written()).map(|tensor| of(tensor) as u64).sum()
    }

    /// Numbers that it adds to the metrics of a step.
    pub(crate) fn metrics(&self) -> usize {
        match self.report {
            Report::Nothing => 0,
            Report::Losses(rows) => 2 * rows,
            Report::Dot => DOT_PARTS,
        }
    }

    /// Whether the operation can be recorded, or why not.
    pub(crate) fn check(&self) -> Fits {
        if let Some(empty) = self.read().chain(self.written()).find(Tensor::is_empty) {
            return Err(format!("a tensor of shape {} has no elements", empty.shape()));
        }
        let written: Vec<Tensor> = self.written().collect();
        if self.reads.iter().any(|read| !read.in_place && written.contains(&read.tensor)) {
            return Err("it writes a tensor that it reads".to_owned());
        }
        if (1..written.len()).any(|i| written[..i].contains(&written[i])) {
            return Err("it writes a tensor twice".to_owned());
        }
        let of_data = |tensor: Tensor| match self.rows {
            Rows::Data { data, index, .. } => tensor == data || Some(tensor) == index,
            Rows::Any | Rows::Of(_) => false,
        };
        let mut numbers = self.read().chain(self.written()).filter(|tensor| !of_data(*tensor));
        if let Some(other) = numbers.find(|tensor| tensor.kind != Kind::Values) {
            return Err(format!("a tensor of kind {:?} stands where numbers are needed", other.kind));
        }
        self.fits.clone()
    }
}
