//! Ratings of items by users, as MovieLens files hold them.

use std::path::Path;

use crate::lines::{Lines, push, repeated, wrong};
use crate::names::Names;
use crate::{Error, Result};

/// The most different ratings that a file may have: stars are few, and each becomes a unit of its own.
const MAX_LEVELS: usize = 20;

/// What may stand between the fields, in the order in which they are tried; the last stands for any blanks.
const SEPARATORS: [&str; 5] = ["::", "\t", ";", ",", " "];

/// One rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rating {
    /// Who rated, a place in [`Ratings::user_names`].
    pub user: u32,
    /// What was rated, a place in [`Ratings::item_names`].
    pub item: u32,
    /// How, a place in [`Ratings::levels`].
    pub level: u8,
}

/// Ratings of items by users. No user rates an item twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratings {
    /// Number of users.
    pub users: usize,
    /// Number of items.
    pub items: usize,
    /// The ratings that occur, ascending; 20 at most.
    pub levels: Vec<f64>,
    /// All ratings in the order of the file.
    pub entries: Vec<Rating>,
    /// The users as the file calls them, in the order in which they appear.
    pub user_names: Vec<String>,
    /// The items as the file calls them, in the order in which they appear.
    pub item_names: Vec<String>,
}

impl Ratings {
    /// Reads a text file, plain or gzipped (told by its content, not by its name), with a rating on each line: the
    /// user, the item, the rating, and anything behind it, such as a time stamp, which is ignored. What separates them
    /// is found from the first line: `::`, tabs, semicolons, commas or blanks. The first line may be a header; it is
    /// one if its third field is no number. Users and items are any text, also in double quotes.
    ///
    /// ```
    /// use strait_data::{Rating, Ratings};
    /// let path = std::env::temp_dir().join(format!("strait-ratings-{}.csv", std::process::id()));
    /// std::fs::write(&path, "userId,movieId,rating,timestamp\n7,31,2.5,1260759144\n9,31,4.0,1260759179\n")?;
    /// let ratings = Ratings::read(&path)?;
    /// assert_eq!((ratings.users, ratings.items), (2, 1));
    /// assert_eq!(ratings.levels, [2.5, 4.0]);
    /// assert_eq!(ratings.entries[1], Rating { user: 1, item: 0, level: 1 });
    /// assert_eq!(ratings.user_names, ["7", "9"]);
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is larger than [`MAX_BYTES`](crate::MAX_BYTES), holds no ratings or more than 20
    /// different ones, or if a line, which the error names, is no rating or repeats one. A separator inside of quotes
    /// is not read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut lines = Lines::open(path)?;
        let (mut users, mut items) = (Names::default(), Names::default());
        let (mut levels, mut entries, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let mut separator = None;
        while let Some((number, line)) = lines.next_line()? {
            let first = separator.is_none();
            let separator = *separator.get_or_insert_with(|| separator_of(line));
            let [user, item, rating] = fields(line, separator).map_err(|message| wrong(path, number, message))?;
            let rating = match rating.parse::<f64>() {
                Err(_) if first => continue,
                Ok(rating) if rating.is_finite() => rating,
                _ => return Err(wrong(path, number, format!("the rating `{rating}` is no finite number"))),
            };
            let level = levels.iter().position(|&level| level == rating).unwrap_or(levels.len());
            if level == MAX_LEVELS {
                return Err(wrong(path, number, format!("{rating} is one more than {MAX_LEVELS} different ratings")));
            }
            if level == levels.len() {
                levels.push(rating);
            }
            let (user, item) = (users.number(path, user)?, items.number(path, item)?);
            push(path, &mut places, [user, item, number as u32])?;
            push(path, &mut entries, Rating { user, item, level: level as u8 })?;
        }
        if entries.is_empty() {
            return Err(Error::format(path, "it holds no ratings"));
        }
        places.sort_unstable();
        if let Some([earlier, line]) = repeated(&places) {
            return Err(wrong(path, line, format!("its user has rated its item in line {earlier} already")));
        }
        // So far the levels are numbered as they appear.
        let ranks: Vec<usize> = levels.iter().map(|x| levels.iter().filter(|&y| y < x).count()).collect();
        entries.iter_mut().for_each(|entry| entry.level = ranks[usize::from(entry.level)] as u8);
        levels.sort_unstable_by(f64::total_cmp);
        let (user_names, item_names) = (users.into_vec(), items.into_vec());
        Ok(Self { users: user_names.len(), items: item_names.len(), levels, entries, user_names, item_names })
    }

    /// Only the ratings at these places, of the same users and items.
    ///
    /// # Panics
    /// If there is no rating at one of them.
    pub fn select(&self, places: &[u32]) -> Self {
        let entries = places.iter().map(|&place| self.entries[place as usize]).collect();
        Self { entries, ..self.clone() }
    }

    /// Only the ratings of the first users.
    pub fn first_users(mut self, users: usize) -> Self {
        self.users = self.users.min(users);
        self.user_names.truncate(users);
        self.entries.retain(|rating| (rating.user as usize) < users);
        self
    }

    /// What a rating says.
    ///
    /// # Panics
    /// If it has none of the levels.
    pub fn value(&self, rating: &Rating) -> f64 {
        self.levels[usize::from(rating.level)]
    }

    /// A row of bytes for each user, with a group of units for each item, of which that of the rating is 255: what a machine with
    /// softmax units is trained on. Groups without a rating are 0.
    pub fn units(&self) -> Vec<u8> {
        let levels = self.levels.len();
        let mut units = vec![0; self.users * self.items * levels];
        for Rating { user, item, level } in &self.entries {
            units[(*user as usize * self.items + *item as usize) * levels + usize::from(*level)] = 255;
        }
        units
    }

    /// The root mean squared error of predictions of all ratings.
    ///
    /// ```
    /// use strait_data::{Rating, Ratings};
    /// let entries = vec![Rating { user: 0, item: 0, level: 0 }, Rating { user: 1, item: 0, level: 1 }];
    /// let (user_names, item_names) = (vec!["a".into(), "b".into()], vec!["c".into()]);
    /// let ratings = Ratings { users: 2, items: 1, levels: vec![1.0, 5.0], entries, user_names, item_names };
    /// assert_eq!(ratings.rmse(&[3.0, 3.0]), 2.0);
    /// assert_eq!(ratings.units(), [255, 0, 0, 255]);
    /// ```
    pub fn rmse(&self, predicted: &[f64]) -> f64 {
        let squares = self.entries.iter().zip(predicted).map(|(rating, x)| (self.value(rating) - x).powi(2));
        (squares.sum::<f64>() / self.entries.len() as f64).sqrt()
    }
}

/// The separator that makes a rating of the first line, or else, if that is a header, three fields.
fn separator_of(line: &str) -> &'static str {
    let rating = |separator: &&str| fields(line, separator).is_ok_and(|[_, _, rating]| rating.parse::<f64>().is_ok());
    let header = |separator: &&str| fields(line, separator).is_ok();
    SEPARATORS.into_iter().find(rating).or_else(|| SEPARATORS.into_iter().find(header)).unwrap_or(" ")
}

/// User, item and rating of a line.
fn fields<'a>(line: &'a str, separator: &str) -> std::result::Result<[&'a str; 3], String> {
    fn three<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<[&'a str; 3]> {
        Some([parts.next()?, parts.next()?, parts.next()?])
    }
    let found = if separator == " " { three(line.split_whitespace()) } else { three(line.split(separator)) };
    let [user, item, rating] = found.ok_or_else(|| {
        format!("it does not hold a user, an item and a rating, separated by `{}`", separator.escape_default())
    })?;
    let [user, item, rating] = [bare(user)?, bare(item)?, bare(rating)?];
    if user.is_empty() || item.is_empty() {
        return Err("its user or its item has no name".to_owned());
    }
    Ok([user, item, rating])
}

/// A field without the blanks and the quotes around it.
fn bare(field: &str) -> std::result::Result<&str, String> {
    let field = field.trim();
    match field.strip_prefix('"') {
        Some(quoted) => {
            quoted.strip_suffix('"').ok_or_else(|| "a separator inside of quotes, which is not read".to_owned())
        }
        None => Ok(field),
    }
}
