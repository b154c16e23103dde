//! What the kernels of all operations use.

pub(super) use super::compile::{compile_for_each_isa, compile_for_each_multiplier};
pub(super) use super::isa::{Target, multiply_add, row_by_row};
pub(super) use super::lanes::{Lanes, WIDTH};
pub(super) use super::panels::{Panels, Shared, StepMetrics};
pub(super) use super::storage::Values;
pub(super) use super::workers::Taking;
pub(super) use crate::Step;
