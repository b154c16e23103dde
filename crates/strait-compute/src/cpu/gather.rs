//! Minibatches out of a data set.

use super::kernel::*;
use crate::Shift;

/// A data set, row-major.
pub(super) enum Data<'a> {
    Bytes(&'a Shared<u8>),
    Rows(&'a Shared<f32>),
}

impl Data<'_> {
    /// Reads the values from `start` on.
    ///
    /// # Safety
    /// Nobody writes the data set meanwhile.
    #[inline(always)]
    unsafe fn read(&self, start: usize, to: &mut [f32]) {
        let range = start..start + to.len();
        match self {
            Self::Bytes(data) => {
                // SAFETY: the caller's promise.
                for (x, &byte) in to.iter_mut().zip(unsafe { data.slice(range) }) {
                    *x = f32::from(byte) / 255.0;
                }
            }
            // SAFETY: the caller's promise.
            Self::Rows(data) => to.copy_from_slice(unsafe { data.slice(range) }),
        }
    }
}

/// Which of a data set's columns are taken: those from `first` on.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) first: usize,
    /// Columns of the data set.
    pub(super) of: usize,
}

/// out\[r] = data\[index\[offset + r]], shifted where that is wanted; rows behind the active ones become 0.
pub(super) fn run(
    data: &Data<'_>,
    index: Option<&Shared<u32>>,
    columns: Columns,
    shift: Option<Shift>,
    out: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    for r in share.of(out.rows) {
        let position = step.offset as usize + r;
        let row = (r < step.rows as usize).then(|| {
            // SAFETY: the index is only read.
            index.map_or(position, |index| unsafe { index.slice(position..position + 1)[0] as usize })
        });
        let shift = shift.map(|shift| (shift, shift.of(step, r)));
        for panel in 0..out.count() {
            let mut lanes = Lanes::ZERO;
            if let Some(row) = row {
                let start = row * columns.of + columns.first;
                let lanes = &mut lanes.0[..out.width(panel)];
                match shift {
                    // SAFETY: the data set is only read.
                    None => unsafe { data.read(start + panel * WIDTH, lanes) },
                    Some((shift, by)) => {
                        for (c, x) in lanes.iter_mut().enumerate() {
                            if let Some(from) = shift.source(by, out.cols, panel * WIDTH + c) {
                                // SAFETY: the data set is only read.
                                unsafe { data.read(start + from, std::slice::from_mut(x)) };
                            }
                        }
                    }
                }
            }
            // SAFETY: this row is this worker's.
            unsafe { out.panel_mut(panel, r..r + 1)[0] = lanes };
        }
    }
}
