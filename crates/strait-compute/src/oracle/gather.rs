//! Minibatches out of a data set.

use super::Replay;
use crate::{Kind, Shift, Tensor};

impl Replay<'_> {
    pub(super) fn gather(&self, data: Tensor, index: Option<Tensor>, first: usize, shift: Option<Shift>, out: Tensor) {
        let active = self.active();
        let source = self.get(data);
        let scale = if data.kind == Kind::Bytes { 1.0 / 255.0 } else { 1.0 };
        let order = index.map(|index| self.get(index));
        let row_of = |r: usize| {
            let position = self.step.offset as usize + r;
            order.as_ref().map_or(position, |order| order.at(0, position) as usize)
        };
        let element = |r: usize, c: usize| {
            let from = shift.map_or(Some(c), |shift| shift.source(shift.of(self.step, r), out.cols, c));
            from.filter(|_| r < active).map_or(0.0, |from| source.at(row_of(r), first + from) * scale)
        };
        self.put(out, element);
    }
}
