//! Names that are numbered.

use std::collections::HashMap;

/// Names, numbered from 0 in the order in which they appear.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, u32>);

impl Names {
    /// The number of a name.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.0.get(name) {
            return number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names in the order of their numbers.
    pub(crate) fn into_vec(self) -> Vec<String> {
        let mut names: Vec<(u32, String)> = self.0.into_iter().map(|(name, number)| (number, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }
}
