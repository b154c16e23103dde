//! Groups of units that exclude each other, and how they are drawn.

use serde::{Deserialize, Serialize};

use crate::Step;
use crate::philox::philox;

/// Units of which those of a group exclude each other: each `classes` neighbouring ones from `first` on. Those before are
/// binary units of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// Binary units before the first group.
    pub first: usize,
    /// Units of a group.
    pub classes: usize,
}

impl Groups {
    /// That many binary units and no group.
    pub fn none(units: usize) -> Self {
        Self { first: units, classes: 1 }
    }

    /// One group.
    pub fn one(classes: usize) -> Self {
        Self { first: 0, classes }
    }

    /// How many groups that many units form; nothing if they are no whole groups.
    ///
    /// ```
    /// use strait_compute::Groups;
    /// let labels = Groups { first: 500, classes: 10 };
    /// assert_eq!((labels.count(510), labels.count(512), Groups::none(7).count(7)), (Some(1), None, Some(0)));
    /// ```
    pub fn count(self, units: usize) -> Option<usize> {
        let Self { first, classes } = self;
        let grouped = units.checked_sub(first).filter(|grouped| classes > 0 && grouped.is_multiple_of(classes))?;
        Some(grouped / classes)
    }
}

/// How many units a group draws of which so many were given.
pub(crate) fn draws(given: f32) -> u32 {
    (given + 0.5) as u32
}

/// The random words of which one decides the `number`-th draw of a group in a row, at a counter that no binary unit has.
pub(crate) fn draw_words((row, group, number): (usize, usize, usize), stream: u32, step: &Step) -> [u32; 4] {
    let counter =
        [(number as u32 / 4) | (1 << 31), step.row(row) | ((group as u32) << 16), step.counter, step.seed_high];
    philox(counter, [step.seed_low, stream])
}
