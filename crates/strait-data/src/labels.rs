//! The classes of rows.

use crate::formats::names::Names;
use crate::{Error, Result};

/// For each row its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The class of each row, a place in [`names`](Self::names).
    pub classes: Vec<u32>,
    /// The classes as the data call them: numbers ascending, other names in alphabetical order.
    pub names: Vec<String>,
}

impl Labels {
    /// Classes that are named by text. Where all of them are numbers, they are ordered as such.
    ///
    /// ```
    /// use strait_data::Labels;
    /// let labels = Labels::of(["10", "9", "10"]);
    /// assert_eq!((labels.classes, labels.names), (vec![1, 0, 1], vec!["9".to_owned(), "10".to_owned()]));
    /// ```
    pub fn of<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let mut known = Names::default();
        let classes = names.into_iter().map(|name| known.number(name.as_ref())).collect();
        Self::ordered(known, classes)
    }

    /// Classes that are whole numbers.
    ///
    /// # Errors
    /// [`Error::Labels`] if a number is none.
    pub(crate) fn numbered(numbers: &[f64]) -> Result<Self> {
        if let Some(row) = numbers.iter().position(|x| x.fract() != 0.0 || x.abs() > 2f64.powi(53)) {
            return Err(Error::Labels(format!("row {row}: the label {} is not a whole number", numbers[row])));
        }
        Ok(Self::of(numbers.iter().map(|&x| (x as i64).to_string())))
    }

    /// Numbers the names anew in their order.
    pub(crate) fn ordered(names: Names, mut classes: Vec<u32>) -> Self {
        let mut names: Vec<(String, usize)> = names.into_vec().into_iter().zip(0..).collect();
        let number = |name: &str| name.parse::<f64>().ok().filter(|x| x.is_finite());
        if names.iter().all(|(name, _)| number(name).is_some()) {
            names.sort_by(|(one, _), (other, _)| number(one).unwrap_or(0.0).total_cmp(&number(other).unwrap_or(0.0)));
        } else {
            names.sort();
        }
        let mut places = vec![0; names.len()];
        names.iter().zip(0..).for_each(|(&(_, number), place)| places[number] = place);
        classes.iter_mut().for_each(|class| *class = places[*class as usize]);
        Self { classes, names: names.into_iter().map(|(name, _)| name).collect() }
    }

    /// For each row the number that its class has among other names; nothing where it is none of them. Files number their classes each for
    /// itself.
    ///
    /// ```
    /// use strait_data::Labels;
    /// let labels = Labels::of(["cat", "dog", "cat"]);
    /// let names = ["ant", "cat"].map(str::to_owned);
    /// assert_eq!(labels.numbers_in(&names), [Some(1), None, Some(1)]);
    /// ```
    pub fn numbers_in(&self, names: &[String]) -> Vec<Option<u32>> {
        let number = |name: &String| names.iter().position(|other| other == name).map(|place| place as u32);
        let numbers: Vec<Option<u32>> = self.names.iter().map(number).collect();
        self.classes.iter().map(|&class| numbers[class as usize]).collect()
    }

    /// The labels of these rows alone; the classes keep their numbers.
    pub(crate) fn select(&self, rows: &[u32]) -> Self {
        Self { classes: rows.iter().map(|&row| self.classes[row as usize]).collect(), names: self.names.clone() }
    }
}
