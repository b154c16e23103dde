//! The options of a program that say how a data file is read.

use std::path::PathBuf;

use crate::{ByteValues, Categories, Fit, Format, Missing, Options, Repeated, Scale, WordBase};
use clap::Args;

/// Options of the command line that say how a data file is read.
#[derive(Args, Debug, Default)]
pub struct DataArgs {
    /// The format, where the content does not tell: idx, npy, npz, safetensors, csv, parquet, matlab, svmlight, lda-c, uci,
    /// matrix-market, ratings, pictures or mnist
    #[arg(long)]
    format: Option<Format>,
    /// The array, tensor or variable of a file that has several
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// From what the columns of SVMlight are numbered; without it the whole file tells
    #[arg(long, value_name = "0|1", value_parser = word_base)]
    word_base: Option<WordBase>,
    /// The column that holds the labels, by name, or by number from 0 where columns have no names
    #[arg(long, value_name = "COLUMN")]
    labels: Option<String>,
    /// A file of labels: an array of one dimension, or text with one on each line
    #[arg(long, value_name = "FILE")]
    labels_file: Option<PathBuf>,
    /// The columns that are used, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// What becomes of missing values
    #[arg(long, value_enum, default_value_t)]
    missing: Missing,
    /// What becomes of columns that are text
    #[arg(long, value_enum, default_value_t)]
    categories: Categories,
    /// Whether a table of text has a header; without it the first rows tell
    #[arg(long, value_name = "yes|no", value_parser = yes)]
    header: Option<bool>,
    /// What separates the cells of a table of text: a character, `tab` or `blank`
    #[arg(long, value_name = "SEPARATOR", value_parser = separator)]
    separator: Option<u8>,
    /// What becomes of several ratings of an item by a user
    #[arg(long, value_enum, default_value_t)]
    repeated: Repeated,
    /// What unsigned bytes stand for: pixels from 0 to 1 or numbers from 0 to 255
    #[arg(long, value_enum, default_value_t)]
    bytes: ByteValues,
    /// Height and width to which pictures are scaled
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = size)]
    size: Option<[u32; 2]>,
    /// Cut the middle out of pictures before they are scaled, instead of stretching them
    #[arg(long, requires = "size")]
    crop: bool,
    /// Keep the colours of pictures
    #[arg(long)]
    color: bool,
    /// Leave pictures out that cannot be read; they are counted and named
    #[arg(long)]
    skip_bad: bool,
    /// How columns are scaled before a model sees them, in double precision
    #[arg(long, value_enum, default_value_t)]
    pub scale: Scale,
    /// The most bytes that a packed file may unpack to
    #[arg(long, value_name = "BYTES", default_value_t = crate::MAX_BYTES)]
    max_bytes: u64,
}

/// Reads the numbering of words from an option.
///
/// # Errors
/// If it is neither 0 nor 1.
pub fn word_base(text: &str) -> Result<WordBase, String> {
    match text {
        "0" => Ok(WordBase::Zero),
        "1" => Ok(WordBase::One),
        _ => Err("words are numbered from 0 or from 1".to_owned()),
    }
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

fn separator(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        ("blank", _) => Ok(b' '),
        (_, [byte]) if byte.is_ascii() && !byte.is_ascii_alphanumeric() => Ok(*byte),
        _ => Err("expected one character, `tab` or `blank`".to_owned()),
    }
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=4096).contains(side)))
        .ok_or_else(|| "expected HEIGHTxWIDTH, each from 1 to 4096, such as 28x28".to_owned())
}

impl DataArgs {
    /// The options as the library takes them.
    pub fn options(&self) -> Options {
        Options {
            format: self.format,
            array: self.tensor.clone(),
            word_base: self.word_base,
            labels: self.labels.clone(),
            labels_file: self.labels_file.clone(),
            columns: self.columns.clone(),
            missing: self.missing,
            categories: self.categories,
            header: self.header,
            separator: self.separator,
            repeated: self.repeated,
            bytes: self.bytes,
            size: self.size,
            fit: if self.crop { Fit::Crop } else { Fit::Stretch },
            color: self.color,
            skip_bad: self.skip_bad,
            max_bytes: self.max_bytes,
        }
    }
}
