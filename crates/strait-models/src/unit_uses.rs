//! How the units of a sparse code are used.

use crate::SparseCodes;

/// How often each unit of a sparse code is active, and which rows activate it most.
///
/// ```
/// use strait_models::{SparseCodes, UnitUses};
/// let codes = SparseCodes { k: 1, units: 3, values: vec![0.5, 2.0, 0.1], columns: vec![1, 1, 0] };
/// let mut uses = UnitUses::new(3, 1);
/// uses.take(&codes);
/// assert_eq!((uses.dead(), uses.l0()), (1, 1.0));
/// assert_eq!(uses.units[1].top, [(2.0, 1)]);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct UnitUses {
    /// The units, in their order.
    pub units: Vec<UnitUse>,
    /// Rows that were looked at.
    pub rows: usize,
    /// Rows that are kept for each unit.
    most: usize,
}

/// How a unit is used.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UnitUse {
    /// Rows in whose codes it is active.
    pub uses: usize,
    /// Its largest numbers and their rows, from the largest on.
    pub top: Vec<(f32, usize)>,
}

impl UnitUses {
    /// For a code of `units` units; keeps the `most` rows that activate each unit most.
    pub fn new(units: usize, most: usize) -> Self {
        Self { units: vec![UnitUse::default(); units], rows: 0, most }
    }

    /// Looks at the codes of the next rows.
    pub fn take(&mut self, codes: &SparseCodes) {
        for entries in codes.rows() {
            for (unit, value) in entries {
                let UnitUse { uses, top } = &mut self.units[unit];
                *uses += 1;
                let place = top.partition_point(|&(other, _)| other >= value);
                if place < self.most {
                    top.insert(place, (value, self.rows));
                    top.truncate(self.most);
                }
            }
            self.rows += 1;
        }
    }

    /// Active units of a row on average.
    pub fn l0(&self) -> f64 {
        self.units.iter().map(|unit| unit.uses).sum::<usize>() as f64 / self.rows.max(1) as f64
    }

    /// Units that no row uses.
    pub fn dead(&self) -> usize {
        self.units.iter().filter(|unit| unit.uses == 0).count()
    }

    /// The share of the rows that use a unit.
    pub fn density(&self, unit: usize) -> f64 {
        self.units[unit].uses as f64 / self.rows.max(1) as f64
    }

    /// How many units have a density up to each power of ten, from 10⁻⁶ on; those that no row uses are left out.
    pub fn densities(&self) -> Vec<(i32, usize)> {
        const LEAST: i32 = -6;
        let power = |unit: usize| self.density(unit).log10().ceil().max(f64::from(LEAST)) as i32;
        let used: Vec<i32> = (0..self.units.len()).filter(|&unit| self.units[unit].uses > 0).map(power).collect();
        let counts = (LEAST..=0).map(|exponent| (exponent, used.iter().filter(|other| **other == exponent).count()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The used units, from the one that most rows use.
    pub fn most_used(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.units.len()).filter(|&unit| self.units[unit].uses > 0).collect();
        order.sort_by_key(|&unit| std::cmp::Reverse(self.units[unit].uses));
        order
    }
}
