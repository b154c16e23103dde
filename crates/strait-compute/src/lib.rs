//! Recorded training programs and the devices that replay them.
//!
//! A training step is a fixed sequence of a few kinds of operation on buffers that never change place. A
//! [`Program`] records it once, as data; a [`Backend`] loads the program and replays it for every minibatch of an
//! epoch, with one uploaded table of per-step numbers ([`Step`]) and one small block of [`Metrics`] read back.
//!
//! * [`Cpu`]: packed layouts, vector instructions, long-lived worker threads;
//! * `Gpu`, with the feature `gpu`, which is on by default: WGSL kernels through wgpu;
//! * [`Oracle`]: plain loops in double precision, against which the other two are tested.

mod activation;
mod backend;
mod ceilings;
mod cpu;
mod device;
mod error;
#[cfg(feature = "gpu")]
mod gpu;
mod groups;
mod noise;
mod op;
mod oracle;
mod passes;
pub mod philox;
mod planner;
mod precision;
mod program;
mod roles;
mod shards;
mod shift;
mod step;
mod tensor;
mod window;

pub use activation::{Activation, Sampling};
pub use backend::{Backend, Buffer, Control, Execution, Hardware, Metrics, Uploader, go_on};
pub use ceilings::Ceilings;
pub use cpu::{Cpu, Isa};
pub use device::Device;
pub use error::{Error, Result};
#[cfg(feature = "gpu")]
pub use gpu::{Gpu, Tiles, kernels};
pub use groups::Groups;
pub use noise::{Missing, Noise};
pub use op::{
    Addend, Along, ByColumn, Cell, Draw, EveryRow, Factors, FoldTail, LossKind, Op, PenaltyKind, Replica, Sample,
    Shrinkage, SparseRows, Start, StraightThrough, Trace, Update,
};
pub use oracle::Oracle;
pub use planner::Planner;
pub use precision::{Operands, Precision};
pub use program::{Program, Routine, RoutineId};
pub use roles::Role;
pub use shards::{Alone, Cut, Order, Reducer, Spent, Summed, Summing};
pub use shift::Shift;
pub use step::Step;
#[cfg(feature = "gpu")]
pub use strait_device::Matrices;
#[cfg(feature = "gpu")]
pub use strait_shaders::{Fragments, Shape, Tile};
pub use tensor::{Kind, Tensor};
pub use window::Window;
