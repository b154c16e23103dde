//! What learns.
//!
//! * [`Pretrain`]: greedy layer-wise pretraining of a stack of RBMs by contrastive divergence;
//! * [`UpDown`]: fine-tuning of deep belief nets;
//! * [`FineTune`]: back-propagation through any [`Trainable`] model, by Adam, by stochastic gradient descent with
//!   momentum, by nonlinear conjugate gradients or by L-BFGS;
//! * [`Stacked`]: stacks of denoising autoencoders;
//! * [`KSparse`]: dictionaries for vectors such as the activations of other nets;
//! * [`PredictiveSparse`]: sparse codes that an encoder foretells;
//! * [`Tape`]: what such a model is recorded on;
//! * [`minimize`]: conjugate gradients and L-BFGS for any differentiable function.

mod classify;
mod drawn;
mod error;
mod feed;
mod finetune;
mod ksparse;
mod machine;
mod minibatch;
pub mod minimize;
mod net_problem;
mod objective;
mod optimizer;
mod phases;
mod predictive;
mod pretrain;
mod profile;
mod progress;
mod schedule;
mod stacked;
mod tape;
mod test_set;
mod trainable;
mod tuning;
mod updown;
mod watch;

pub use error::{Error, Result};
pub use finetune::{FineTune, FineTuneEpoch, FineTuned, ImageShift};
pub use ksparse::{KSparse, KSparseTrained};
pub use net_problem::NetProblem;
pub use objective::{Objective, Penalty};
pub use optimizer::Optimizer;
pub use predictive::{Inference, PredictiveSparse};
pub use pretrain::{Chain, Pretrain, PretrainEpoch, Pretrained, SparsityTarget};
pub use profile::{OpTime, Profile};
pub use progress::{Event, HostCost, Observer, silent};
pub use schedule::Schedule;
pub use stacked::{Stacked, StackedLayers};
pub use tape::{Tape, Value};
pub use trainable::Trainable;
pub use updown::{UpDown, UpDownEpoch, UpDownTrained};
