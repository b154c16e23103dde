//! What connects ranks.

use crate::Result;

/// In which order the ranks' numbers are added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// In pairs of neighbours, of these again, and so on: the sum has the same bits whatever part of the tree is computed by one rank. The ranks are a
    /// power of two.
    Tree,
    /// As it is fastest.
    Any,
}

/// A sum over the ranks that is on its way.
pub trait Summing {
    /// Lets it go on, if it does not by itself.
    ///
    /// # Errors
    /// When the connection fails.
    fn poll(&mut self) -> Result<()>;

    /// Waits for the sum.
    ///
    /// # Errors
    /// As [`Summing::poll`].
    fn wait(self: Box<Self>) -> Result<Vec<f32>>;
}

/// Connects the ranks of a training run, each of which calls the same methods in the same order.
pub trait Reducer: Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Begins to add these numbers to those of the other ranks. Those of the same tensor have the same number.
    ///
    /// # Errors
    /// When the connection fails.
    fn begin(&self, tensor: usize, values: Vec<f32>, order: Order) -> Result<Box<dyn Summing + '_>>;

    /// What each rank has given, by ranks.
    ///
    /// # Errors
    /// When the connection fails.
    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Whether `own` is true on at least one rank (a logical or over all ranks).
    ///
    /// # Errors
    /// When the connection fails.
    fn any(&self, own: bool) -> Result<bool> {
        Ok(self.gather(&[u8::from(own)])?.iter().any(|one| one == &[1]))
    }
}

/// A rank without others: all rows of each batch are its own.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Reducer for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn begin(&self, _tensor: usize, values: Vec<f32>, _order: Order) -> Result<Box<dyn Summing + '_>> {
        Ok(Box::new(Summed(values)))
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![own.to_vec()])
    }
}

/// A sum that is there.
#[derive(Clone, Debug)]
pub struct Summed(pub Vec<f32>);

impl Summing for Summed {
    fn poll(&mut self) -> Result<()> {
        Ok(())
    }

    fn wait(self: Box<Self>) -> Result<Vec<f32>> {
        Ok(self.0)
    }
}
