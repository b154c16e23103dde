//! How files are read.

use std::path::PathBuf;
use std::str::FromStr;

use crate::packing::MAX_BYTES;

/// The format of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordBase {
    /// From 0, as scikit-learn writes by default.
    Zero,
    /// From 1, as the format was made.
    One,
}

/// What becomes of missing values and of NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum Missing {
    /// An error names the first.
    #[default]
    Refuse,
    /// The mean of the column's other values stands for them.
    Mean,
}

/// What becomes of columns that are text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Height and width are scaled each for itself.
    #[default]
    Stretch,
    /// The middle of the picture is cut out in the wanted shape, then scaled.
    Crop,
}

/// What unsigned bytes stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
pub struct Options {
    /// The format, where the content does not tell.
    pub format: Option<Format>,
    /// The array, tensor or variable of a file that has several.
    pub array: Option<String>,
    /// How SVMlight's columns are numbered; the whole file tells by default.
    pub word_base: Option<WordBase>,
    /// The name of the column that holds the labels, or its number from 0 where columns have no names.
    pub labels: Option<String>,
    /// A file of labels: an array of one dimension, or text with one on each line.
    pub labels_file: Option<PathBuf>,
    /// The columns that are used, by name or number; all by default.
    pub columns: Option<Vec<String>>,
    /// What becomes of missing values.
    pub missing: Missing,
    /// What becomes of columns that are text.
    pub categories: Categories,
    /// Whether a table of text has a header; the first rows tell by default.
    pub header: Option<bool>,
    /// What separates the cells of a table of text, a blank for any number of them; the first rows tell by default.
    pub separator: Option<u8>,
    /// What becomes of several ratings of an item by a user.
    pub repeated: Repeated,
    /// What unsigned bytes stand for.
    pub bytes: ByteValues,
    /// Height and width of pictures; without it all must have one size.
    pub size: Option<[u32; 2]>,
    /// How pictures are brought to that size.
    pub fit: Fit,
    /// Whether pictures keep their colours, as three numbers a pixel.
    pub color: bool,
    /// Whether pictures that cannot be read are left out, counted and named.
    pub skip_bad: bool,
    /// The most bytes that a packed file may unpack to.
    pub max_bytes: u64,
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
            max_bytes: MAX_BYTES,
        }
    }
}
