//! strait trains deep autoencoders and restricted Boltzmann machines on any GPU that wgpu reaches (Vulkan, Metal,
//! DX12), and on the CPU.
//!
//! ```
//! use strait::prelude::*;
//!
//! let device = Device::cpu()?; // or Device::best()
//! let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(100);
//! let rows = Rows::bytes(&pixels, 4)?;
//!
//! let pretrained = Pretrain { epochs: 5, ..Pretrain::default() }.fit(&device, &[4, 8, 1], rows)?;
//! let mut net = pretrained.stack.unroll();
//! FineTune { epochs: 40, ..FineTune::default() }.fit(&device, &mut net, rows)?;
//!
//! let codes = net.encode(&device, rows)?; // one number for each row
//! assert_eq!(codes.len(), rows.count);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A training step is recorded once as a [`Program`] and replayed by a device for every minibatch of an epoch; see
//! [`compute`] for how, and `ARCHITECTURE.md` in the repository for why.

pub mod corpus;
pub mod curves;
#[cfg(feature = "experiment")]
pub mod exchange;
#[cfg(feature = "experiment")]
pub mod experiment;
#[cfg(feature = "pictures")]
pub mod faces;
#[cfg(doctest)]
mod guide;
pub mod hinton2006;
#[cfg(feature = "experiment")]
pub mod job;
#[cfg(feature = "experiment")]
pub mod metrics;
#[cfg(feature = "experiment")]
pub mod onnx;
#[cfg(feature = "pictures")]
pub mod picture;
pub mod plant;
#[cfg(feature = "plots")]
pub mod plot;
#[cfg(feature = "experiment")]
pub mod report;
mod say;
pub mod tastes;
#[cfg(feature = "terminal")]
pub mod terminal;

pub use say::{is_quiet, set_quiet};
pub use strait_compute as compute;
pub use strait_compute::{Activation, Device, Groups, Missing, Noise, Operands, Precision, Program, Window};
pub use strait_data as data;
pub use strait_data::{Labelled, Mnist, Rows};
#[cfg(feature = "gpu")]
pub use strait_device as gpu;
pub use strait_models as models;
pub use strait_models::{
    Affine, Autoencoder, Classifier, Convolution, Dbn, Dtype, Elbo, LoadedModel, Model, ModelKind, Pca, Rbm,
    SaveOptions, Stack, Units, Vae,
};
pub use strait_train as train;
pub use strait_train::{
    Event, FineTune, Inference, KSparse, Member, MemberRecipe, Objective, Optimizer, Penalty, PredictiveSparse,
    Pretrain, Schedule, Sparsity, Stacked, Tape, UpDown, Value,
};

/// What most programs want in scope.
pub mod prelude {
    #[cfg(feature = "experiment")]
    pub use crate::experiment::{self, ExitCode, Experiment, MemberOptions, Training};
    #[cfg(feature = "pictures")]
    pub use crate::picture;
    #[cfg(feature = "plots")]
    pub use crate::plot;
    #[cfg(feature = "terminal")]
    pub use crate::terminal::{progress, stopping};

    pub use crate::{say, warn};

    pub use crate::compute::philox::Stream;
    pub use crate::data::{Data, Documents, Images, Options as DataOptions, Ratings, open};
    pub use crate::models;
    pub use crate::train::{Chain, ImageShift, SparsityTarget};
    pub use crate::{
        Activation, Autoencoder, Classifier, Dbn, Device, Dtype, Event, FineTune, Groups, Inference, KSparse, Labelled,
        Member, MemberRecipe, Missing, Mnist, Model, Noise, Objective, Optimizer, Pca, Penalty, Precision,
        PredictiveSparse, Pretrain, Rbm, Rows, SaveOptions, Schedule, Sparsity, Stack, Stacked, Units, UpDown, Vae,
    };
}
