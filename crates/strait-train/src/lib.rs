//! What learns.
//!
//! * [`Pretrain`]: greedy layer-wise pretraining of a stack of RBMs by contrastive divergence;
//! * [`FineTune`]: back-propagation through the unrolled autoencoder, by Adam, by stochastic gradient descent with
//!   momentum, by nonlinear conjugate gradients or by L-BFGS;
//! * [`minimize`]: those last two for any differentiable function.

mod backward;
mod error;
mod feed;
mod finetune;
pub mod minimize;
mod net_problem;
mod optimizer;
mod pretrain;
mod profile;
mod progress;
mod schedule;
mod test_set;

pub use backward::Objective;
pub use error::{Error, Result};
pub use finetune::{FineTune, FineTuneEpoch, FineTuned, ImageShift};
pub use net_problem::NetProblem;
pub use optimizer::Optimizer;
pub use pretrain::{Pretrain, PretrainEpoch, Pretrained};
pub use profile::{OpTime, Profile};
pub use progress::{Event, HostCost, Observer, silent};
pub use schedule::Schedule;
