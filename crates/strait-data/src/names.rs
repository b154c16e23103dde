//! Names that are numbered.

use std::collections::HashMap;
use std::path::Path;

use crate::Result;
use crate::lines::no_memory;

/// Names, numbered from 0 in the order in which they appear.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, u32>);

impl Names {
    /// The number of a name. The path is that of the file that it comes from.
    pub(crate) fn number(&mut self, path: &Path, name: &str) -> Result<u32> {
        if let Some(&number) = self.0.get(name) {
            return Ok(number);
        }
        // A file of MAX_BYTES has not as many lines with names as a u32 can number.
        let number = self.0.len() as u32;
        self.0.try_reserve(1).map_err(|_| no_memory(path))?;
        self.0.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The names in the order of their numbers.
    pub(crate) fn into_vec(self) -> Vec<String> {
        let mut names: Vec<(u32, String)> = self.0.into_iter().map(|(name, number)| (number, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// The names in alphabetical order; `numbers` of them become their places in it.
    pub(crate) fn into_sorted(self, numbers: &mut [u32]) -> Vec<String> {
        let mut names: Vec<(String, u32)> = self.0.into_iter().collect();
        names.sort_unstable();
        let mut places = vec![0; names.len()];
        names.iter().zip(0..).for_each(|(&(_, number), place)| places[number as usize] = place);
        numbers.iter_mut().for_each(|number| *number = places[*number as usize]);
        names.into_iter().map(|(name, _)| name).collect()
    }
}
