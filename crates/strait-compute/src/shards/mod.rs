//! Training on several processes at once, and the same bits whatever their number.
//!
//! The rows of each batch are cut in parts, the shards. A process, a *rank*, has one or more of them: it holds all parameters, computes what its own rows
//! need, and adds up with the others what is a sum over all rows. A program is recorded for the whole batch, as for one process; which of its tensors
//! have rows and which are sums follows from the operations ([`layout`]), so that no way of training knows of ranks.

mod cut;
mod execution;
mod layout;
mod metrics;
mod ranks;
mod reducer;
mod stages;
mod sums;

pub use cut::Cut;
pub use ranks::Spent;
pub use reducer::{Alone, Order, Reducer, Summed, Summing};

pub(crate) use execution::Sharded;
pub(crate) use ranks::Ranks;
