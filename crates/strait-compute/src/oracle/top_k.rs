//! The largest values of rows.

use super::Replay;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn top_k(&self, input: Tensor, k: usize, out: Tensor) {
        let x = self.get(input);
        let element = |r: usize, c: usize| {
            let before = |other: usize| x.at(r, other) > x.at(r, c) || other < c && x.at(r, other) == x.at(r, c);
            if (0..x.cols).filter(|&other| before(other)).count() < k { x.at(r, c) } else { 0.0 }
        };
        self.put(out, element);
    }
}
