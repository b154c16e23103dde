//! Columns shifted and scaled.

use super::Replay;
use super::matrix::Matrix;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn standardize(&self, input: Tensor, shift: Option<Tensor>, scale: Option<Tensor>, out: Tensor) {
        let (x, shift, scale) = (self.get(input), shift.map(|m| self.get(m)), scale.map(|s| self.get(s)));
        let column = |numbers: &Option<Matrix>, c: usize, none: f64| numbers.as_ref().map_or(none, |x| x.at(0, c));
        let element = |r: usize, c: usize| (x.at(r, c) - column(&shift, c, 0.0)) * column(&scale, c, 1.0);
        self.put(out, element);
    }
}
