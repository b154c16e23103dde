//! Ratings of items by users, as the files of MovieLens, KONECT and RecBole hold them.

use std::collections::HashMap;
use std::path::Path;

use super::csv::{Separator, records, separator};
use super::lines::{push, repeated, wrong};
use super::names::Names;
use crate::packing::Content;
use crate::{Error, Options, Repeated, Result};

/// The most different ratings that a machine can learn from: stars are few, and each becomes a unit of its own.
const MAX_LEVELS: usize = 20;

/// What columns of users, items and ratings are called, without signs and in lower case.
const USERS: [&str; 6] = ["user", "userid", "users", "username", "uid", "reviewerid"];
const ITEMS: [&str; 17] = [
    "item",
    "itemid",
    "items",
    "iid",
    "movie",
    "movieid",
    "isbn",
    "book",
    "bookid",
    "product",
    "productid",
    "artistid",
    "asin",
    "songid",
    "trackid",
    "businessid",
    "animeid",
];
const RATINGS: [&str; 7] = ["rating", "ratings", "bookrating", "score", "stars", "overall", "weight"];

/// One rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rating {
    /// Who rated, a place in [`Ratings::user_names`].
    pub user: u32,
    /// What was rated, a place in [`Ratings::item_names`].
    pub item: u32,
    /// How, a place in [`Ratings::levels`].
    pub level: u16,
}

/// Ratings of items by users. No user rates an item twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratings {
    /// Number of users.
    pub users: usize,
    /// Number of items.
    pub items: usize,
    /// The ratings that occur, ascending.
    pub levels: Vec<f64>,
    /// All ratings in the order of the file.
    pub entries: Vec<Rating>,
    /// The users as the file calls them, in the order in which they appear.
    pub user_names: Vec<String>,
    /// The items as the file calls them, in the order in which they appear.
    pub item_names: Vec<String>,
}

impl Ratings {
    /// Reads ratings with the options' defaults. See [`Ratings::read_with`].
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
    /// As [`Ratings::read_with`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_with(path, &Options::default())
    }

    /// Reads a text file, plain or packed, with a rating on each line: the user, the item, the rating, and anything
    /// behind it, such as a time stamp, which is ignored. What separates them is found from the first lines: `::`,
    /// tabs, semicolons, commas or blanks. A header of user, item and rating tells the columns, in any order; other
    /// headers are skipped. Lines that begin with `%` or `#` are comments. Users and items are any text, also in
    /// double quotes. Of KONECT's files, the line of sizes tells how many users and items there are; in those without
    /// ratings each line counts as a rating of 1.
    ///
    /// # Errors
    /// If the file cannot be read or holds no ratings or more than 20 different ones, or if a line, which the error names, is
    /// no rating or repeats one, unless the options say what a repetition means.
    pub fn read_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        let content = Content::open(path, options.max_bytes)?;
        let ratings = parse(path, &content.bytes, options)?;
        ratings.check().map_err(|message| Error::format(path, message))?;
        Ok(ratings)
    }

    /// What a machine cannot learn from.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        match self.levels.len() {
            0..=MAX_LEVELS => Ok(()),
            levels => Err(format!(
                "it has {levels} different ratings, but each becomes a unit, and {MAX_LEVELS} are allowed; round them"
            )),
        }
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

/// Whether a text is ratings: it says so by a header, by KONECT's first line or by `::` between its fields.
pub(crate) fn is(path: &Path, text: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&text[..text.len().min(4096)]);
    let first = start.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim_start_matches('\u{feff}');
    let konect = first
        .strip_prefix('%')
        .is_some_and(|rest| ["bip", "sym", "asym"].contains(&rest.split_whitespace().next().unwrap_or("")));
    let colons: Vec<&str> = first.split("::").collect();
    let stars = (3..=4).contains(&colons.len()) && colons[2].parse::<f64>().is_ok();
    konect || stars || header_of(path, text).is_some()
}

/// The columns of user, item and rating that a header names, and the separator. RecBole's files need not have a rating.
fn header_of(path: &Path, text: &[u8]) -> Option<(Separator, [Option<usize>; 3])> {
    let separator = separator(path, text).ok()?;
    let mut columns = None;
    records(path, text, separator, |_, cells| {
        let place = |names: &[&str]| cells.iter().position(|cell| names.contains(&plain(cell).as_str()));
        let recbole = cells.iter().any(|cell| cell.contains(":token"));
        columns = match (place(&USERS), place(&ITEMS), place(&RATINGS)) {
            (Some(user), Some(item), rating) if recbole || rating.is_some() => Some([Some(user), Some(item), rating]),
            _ => None,
        };
        Ok(false)
    })
    .ok()?;
    columns.map(|columns| (separator, columns))
}

/// A name without its type, its signs and its capitals.
fn plain(name: &str) -> String {
    let name = name.split(':').next().unwrap_or("");
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// What the comments of a KONECT file say.
struct Konect {
    /// Whether users and items are one set.
    one_set: bool,
    /// Numbers of users and of items.
    sizes: Option<[usize; 2]>,
}

fn konect(text: &[u8]) -> Option<Konect> {
    let text = String::from_utf8_lossy(&text[..text.len().min(4096)]);
    let mut comments = text.trim_start_matches('\u{feff}').lines().map_while(|line| line.strip_prefix('%'));
    let kind = comments.next()?.split_whitespace().next()?.to_owned();
    let one_set = match kind.as_str() {
        "bip" => false,
        "sym" | "asym" => true,
        _ => return None,
    };
    let sizes: Option<Vec<usize>> = comments
        .next()
        .map_or(Some(Vec::new()), |line| line.split_whitespace().map(|size| size.parse().ok()).collect());
    let sizes = sizes.and_then(|sizes| sizes.get(1).copied().zip(sizes.get(2).copied())).map(|(a, b)| [a, b]);
    Some(Konect { one_set, sizes })
}

/// Users, items and ratings in the order of the file.
struct Reader<'a> {
    path: &'a Path,
    users: Names,
    items: Names,
    one_set: bool,
    numbers: HashMap<u64, usize>,
    levels: Vec<f64>,
    entries: Vec<Rating>,
    places: Vec<[u32; 3]>,
}

impl Reader<'_> {
    fn push(&mut self, line: u64, user: &str, item: &str, rating: f64) -> Result<()> {
        if user.is_empty() || item.is_empty() {
            return Err(wrong(self.path, line, "its user or its item has no name"));
        }
        let level = *self.numbers.entry((rating + 0.0).to_bits()).or_insert(self.levels.len());
        if level == self.levels.len() {
            self.levels.push(rating);
        }
        let level = u16::try_from(level)
            .map_err(|_| wrong(self.path, line, format!("{rating} is one more than 65536 different ratings")))?;
        let user = self.users.number(user);
        let item = if self.one_set { self.users.number(item) } else { self.items.number(item) };
        push(self.path, &mut self.places, [user, item, line as u32])?;
        push(self.path, &mut self.entries, Rating { user, item, level })
    }

    /// The ratings, their levels in ascending order.
    fn finish(mut self, repeats: Repeated, sizes: Option<[usize; 2]>) -> Result<Ratings> {
        if self.entries.is_empty() {
            return Err(Error::format(self.path, "it holds no ratings"));
        }
        let mut sorted = self.places.clone();
        sorted.sort_unstable();
        match (repeated(&sorted), repeats) {
            (None, _) => {}
            (Some([earlier, line]), Repeated::Refuse) => {
                let message = format!(
                    "its user has rated its item in line {earlier} already; choose what counts by --repeated last or mean"
                );
                return Err(wrong(self.path, line, message));
            }
            (Some(_), choice) => self.merge(choice)?,
        }
        let mut order: Vec<usize> = (0..self.levels.len()).collect();
        order.sort_by(|&one, &other| self.levels[one].total_cmp(&self.levels[other]));
        let mut ranks = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(&level, rank)| ranks[level] = rank);
        self.entries.iter_mut().for_each(|entry| entry.level = ranks[usize::from(entry.level)]);
        self.levels.sort_by(f64::total_cmp);
        if let Some(sizes) = sizes {
            // Users and items without a rating are numbered as KONECT numbers all: from 1.
            let believed = 1024 + 4 * self.entries.len();
            let lists = if self.one_set {
                vec![(&mut self.users, sizes[0])]
            } else {
                vec![(&mut self.users, sizes[0]), (&mut self.items, sizes[1])]
            };
            for (names, size) in lists {
                if size > believed || size < names.len() {
                    let (path, found) = (self.path, names.len());
                    let message = format!("its line of sizes claims {size} users or items, but {found} have ratings");
                    return Err(Error::format(path, message));
                }
                for number in (1..=size).map(|number| number.to_string()) {
                    if names.len() < size {
                        names.number(&number);
                    }
                }
            }
        }
        let user_names = self.users.into_vec();
        let item_names = if self.one_set { user_names.clone() } else { self.items.into_vec() };
        let (levels, entries) = (self.levels, self.entries);
        Ok(Ratings { users: user_names.len(), items: item_names.len(), levels, entries, user_names, item_names })
    }

    /// Leaves one rating of each user and item, at the place of the first: the last one or the mean.
    fn merge(&mut self, choice: Repeated) -> Result<()> {
        let mut found: HashMap<(u32, u32), (usize, f64, f64)> = HashMap::new();
        let mut kept: Vec<(u32, u32)> = Vec::new();
        for entry in &self.entries {
            let rating = self.levels[usize::from(entry.level)];
            let key = (entry.user, entry.item);
            let (_, sum, count) = found.entry(key).or_insert_with(|| {
                kept.push(key);
                (kept.len(), 0.0, 0.0)
            });
            match choice {
                Repeated::Mean => (*sum, *count) = (*sum + rating, *count + 1.0),
                _ => (*sum, *count) = (rating, 1.0),
            }
        }
        self.levels.clear();
        self.numbers.clear();
        self.entries.clear();
        for (user, item) in kept {
            let (_, sum, count) = found[&(user, item)];
            let rating = sum / count;
            let level = *self.numbers.entry(rating.to_bits()).or_insert(self.levels.len());
            if level == self.levels.len() {
                self.levels.push(rating);
            }
            let level = u16::try_from(level)
                .map_err(|_| Error::format(self.path, "the means are more than 65536 different ratings"))?;
            self.entries.push(Rating { user, item, level });
        }
        Ok(())
    }
}

/// Reads ratings of any number of levels.
pub(crate) fn parse(path: &Path, text: &[u8], options: &Options) -> Result<Ratings> {
    let konect = konect(text);
    let mut reader = Reader {
        path,
        users: Names::default(),
        items: Names::default(),
        one_set: konect.as_ref().is_some_and(|konect| konect.one_set),
        numbers: HashMap::new(),
        levels: Vec::new(),
        entries: Vec::new(),
        places: Vec::new(),
    };
    let header = header_of(path, text);
    let colons = header.is_none() && konect.is_none() && has_colons(text);
    let (separator, columns) = match (&header, &konect) {
        (Some((separator, columns)), _) => (*separator, *columns),
        (None, Some(_)) => (Separator::Blanks, [Some(0), Some(1), Some(2)]),
        (None, None) => (separator(path, text)?, [Some(0), Some(1), Some(2)]),
    };
    let [Some(user), Some(item), rating] = columns else {
        return Err(Error::format(path, "its header names no user or no item"));
    };
    let mut first = true;
    let each = |line: u64, cells: &[&str]| {
        let begins = std::mem::take(&mut first);
        if begins && header.is_some() {
            return Ok(true);
        }
        let cell = |place: usize| {
            cells.get(place).map(|cell| cell.trim()).ok_or_else(|| {
                wrong(path, line, format!("{} cells, too few for a user, an item and a rating", cells.len()))
            })
        };
        let (user, item) = (cell(user)?, cell(item)?);
        let rating = match rating {
            // A network without weights has edges only.
            Some(place) if konect.is_none() || cells.len() > place => {
                let rating = cell(place)?;
                match rating.parse::<f64>() {
                    Ok(rating) if rating.is_finite() => rating,
                    // A header that names other things.
                    Err(_) if begins => return Ok(true),
                    _ => return Err(wrong(path, line, format!("the rating `{rating}` is not a finite number"))),
                }
            }
            _ => 1.0,
        };
        reader.push(line, user, item, rating)?;
        Ok(true)
    };
    if colons {
        let mut each = each;
        let mut lines = super::lines::Lines::new(path, text);
        while let Some((number, line)) = lines.next_line()? {
            let cells: Vec<&str> = line.split("::").collect();
            each(number, &cells)?;
        }
    } else {
        records(path, text, separator, each)?;
    }
    reader.finish(options.repeated, konect.and_then(|konect| konect.sizes))
}

/// Whether the fields of the first line are separated by two colons.
fn has_colons(text: &[u8]) -> bool {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let line = text.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or(&[]);
    String::from_utf8_lossy(line).split("::").count() >= 3
}
