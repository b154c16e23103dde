//! Tensors: named places of fixed shape in a program.

/// What a tensor's elements are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// `f32` numbers that operations compute with: activations, parameters, optimiser state.
    Values,
    /// Rows of a data set as bytes; an operation reads a byte `b` as `b / 255`.
    Bytes,
    /// Rows of a data set as `f32`, read and written a minibatch at a time.
    Rows,
    /// Row numbers (`u32`): the order in which a data set is visited.
    Index,
}

/// A handle to a tensor of one [`Program`](crate::Program): a matrix of `rows` x `cols`, row-major to its users.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tensor {
    pub(crate) id: usize,
    /// Number of rows (the batch, the inputs of a weight matrix, 1 for a bias).
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// What its elements are.
    pub kind: Kind,
}

impl Tensor {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Whether it holds no element at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `[rows, cols]`, as error messages and printouts show it.
    pub(crate) fn shape(&self) -> String {
        format!("[{}, {}]", self.rows, self.cols)
    }

    /// Bytes of its elements.
    pub fn bytes(&self) -> usize {
        self.len() * if self.kind == Kind::Bytes { 1 } else { 4 }
    }
}
