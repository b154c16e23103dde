//! How files are read.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::packing::MAX_BYTES;

/// The format of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// IDX, as MNIST's files.
    Idx,
    /// A NumPy array.
    Npy,
    /// Several NumPy arrays.
    Npz,
    /// Safetensors, one file or an index of several.
    Safetensors,
    /// Text separated by commas, semicolons, tabs or blanks.
    Csv,
    /// Parquet.
    Parquet,
    /// MATLAB 4 to 7.
    Matlab,
    /// SVMlight.
    Svmlight,
    /// LDA-C.
    LdaC,
    /// A bag of words of UCI, with or without its header.
    Uci,
    /// Matrix Market.
    MatrixMarket,
    /// Ratings of items by users.
    Ratings,
    /// A picture, or a folder of pictures.
    Pictures,
    /// A folder of MNIST's four files.
    Mnist,
}

/// The formats by the names that options give them.
const FORMATS: [(&str, Format); 14] = [
    ("idx", Format::Idx),
    ("npy", Format::Npy),
    ("npz", Format::Npz),
    ("safetensors", Format::Safetensors),
    ("csv", Format::Csv),
    ("parquet", Format::Parquet),
    ("matlab", Format::Matlab),
    ("svmlight", Format::Svmlight),
    ("lda-c", Format::LdaC),
    ("uci", Format::Uci),
    ("matrix-market", Format::MatrixMarket),
    ("ratings", Format::Ratings),
    ("pictures", Format::Pictures),
    ("mnist", Format::Mnist),
];

impl Format {
    /// Its name, as options take it.
    pub fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format);
        found.ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
            format!("no such format; it is one of {}", names.join(", "))
        })
    }
}

/// From what number the columns of SVMlight's files are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordBase {
    /// From 0, as scikit-learn writes by default.
    Zero,
    /// From 1, as the format was made.
    One,
}

/// What becomes of missing values and of NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum Missing {
    /// An error names the first.
    #[default]
    Refuse,
    /// The mean of the column's other values stands for them.
    Mean,
}

/// What becomes of columns that are text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum Categories {
    /// An error names the first.
    #[default]
    Refuse,
    /// Each category becomes a column that is 1 in its rows and 0 in the others.
    OneHot,
    /// They are left out.
    Ignore,
}

/// What becomes of several ratings of an item by a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum Repeated {
    /// An error names the first.
    #[default]
    Refuse,
    /// The last one counts.
    Last,
    /// Their mean counts.
    Mean,
}

/// How a picture is brought to another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Height and width are scaled each for itself.
    #[default]
    Stretch,
    /// The middle of the picture is cut out in the wanted shape, then scaled.
    Crop,
}

/// What unsigned bytes stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum ByteValues {
    /// Pixels in pictures, in IDX files, and in arrays of three and more dimensions; numbers in tables.
    #[default]
    Guess,
    /// Each byte stands for `byte / 255`.
    Pixels,
    /// Each byte stands for itself.
    Numbers,
}

/// How a file is read. The defaults suit most files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// The format, where the content does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The array, tensor or variable of a file that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "tensor")]
    pub array: Option<String>,
    /// How SVMlight's columns are numbered; the whole file tells by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_base: Option<WordBase>,
    /// The name of the column that holds the labels, or its number from 0 where columns have no names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// A file of labels: an array of one dimension, or text with one on each line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_file: Option<PathBuf>,
    /// The columns that are used, by name or number; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// What becomes of missing values.
    #[serde(skip_serializing_if = "is_default")]
    pub missing: Missing,
    /// What becomes of columns that are text.
    #[serde(skip_serializing_if = "is_default")]
    pub categories: Categories,
    /// Whether a table of text has a header; the first rows tell by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// What separates the cells of a table of text, a blank for any number of them; the first rows tell by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "separator")]
    pub separator: Option<u8>,
    /// What becomes of several ratings of an item by a user.
    #[serde(skip_serializing_if = "is_default")]
    pub repeated: Repeated,
    /// What unsigned bytes stand for.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: ByteValues,
    /// Height and width of pictures; without it all must have one size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// How pictures are brought to that size.
    #[serde(skip_serializing_if = "is_default")]
    pub fit: Fit,
    /// Whether pictures keep their colours, as three numbers a pixel.
    #[serde(skip_serializing_if = "is_default")]
    pub color: bool,
    /// Whether pictures that cannot be read are left out, counted and named.
    #[serde(skip_serializing_if = "is_default")]
    pub skip_bad: bool,
    /// The steps of a window, where the rows are steps of one long series that is cut into windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// The steps from a window's start to that of the next; a window's length by default, so that none overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// The column with the time of each step of a series, as a number or a date. It is not an input of the model; missing steps are reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The most bytes that a packed file may unpack to.
    #[serde(skip_serializing_if = "is_most")]
    pub max_bytes: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_most(bytes: &u64) -> bool {
    *bytes == MAX_BYTES
}

/// Reads a separator as options and files name it: a character, `tab` or `blank`.
///
/// # Errors
/// With what is expected, if it is none.
pub(crate) fn parse_separator(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        ("blank", _) => Ok(b' '),
        (_, [byte]) if byte.is_ascii() && !byte.is_ascii_alphanumeric() => Ok(*byte),
        _ => Err("expected one character, `tab` or `blank`".to_owned()),
    }
}

/// A separator by its name.
mod separator {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(separator: &Option<u8>, to: S) -> Result<S::Ok, S::Error> {
        match separator {
            None => to.serialize_none(),
            Some(b'\t') => to.serialize_str("tab"),
            Some(b' ') => to.serialize_str("blank"),
            Some(byte) => to.serialize_str(&char::from(*byte).to_string()),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<u8>, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_separator(&text).map(Some).map_err(D::Error::custom)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            array: None,
            word_base: None,
            labels: None,
            labels_file: None,
            columns: None,
            missing: Missing::Refuse,
            categories: Categories::Refuse,
            header: None,
            separator: None,
            repeated: Repeated::Refuse,
            bytes: ByteValues::Guess,
            size: None,
            fit: Fit::Stretch,
            color: false,
            skip_bad: false,
            window: None,
            stride: None,
            time: None,
            max_bytes: MAX_BYTES,
        }
    }
}
