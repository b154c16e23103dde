//! The options of a program that say how a data file is read.

use std::path::PathBuf;

use crate::{ByteValues, Categories, Fit, Format, Missing, Options, Repeated, Scale, WordBase};
use clap::Args;

use crate::options::parse_separator;

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
    #[arg(long, value_enum)]
    missing: Option<Missing>,
    /// What becomes of columns that are text
    #[arg(long, value_enum)]
    categories: Option<Categories>,
    /// Whether a table of text has a header; without it the first rows tell
    #[arg(long, value_name = "yes|no", value_parser = yes)]
    header: Option<bool>,
    /// What separates the cells of a table of text: a character, `tab` or `blank`
    #[arg(long, value_name = "SEPARATOR", value_parser = parse_separator)]
    separator: Option<u8>,
    /// What becomes of several ratings of an item by a user
    #[arg(long, value_enum)]
    repeated: Option<Repeated>,
    /// What unsigned bytes stand for: pixels from 0 to 1 or numbers from 0 to 255
    #[arg(long, value_enum)]
    bytes: Option<ByteValues>,
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
    /// Treat the rows as steps of one long series and cut it into windows of this many steps
    #[arg(long, value_name = "STEPS")]
    window: Option<usize>,
    /// Steps between the starts of two windows; by default windows do not overlap
    #[arg(long, value_name = "STEPS")]
    stride: Option<usize>,
    /// The column with the time of each step of a series: not an input; missing steps are reported
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// How columns are scaled before a model sees them, in double precision
    #[arg(long, value_enum)]
    scale: Option<Scale>,
    /// The most bytes that a packed file may unpack to; 4 GiB without it
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
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

fn size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=4096).contains(side)))
        .ok_or_else(|| "expected HEIGHTxWIDTH, each from 1 to 4096, such as 28x28".to_owned())
}

impl DataArgs {
    /// The options as the library takes them.
    pub fn options(&self) -> Options {
        self.over(&Options::default())
    }

    /// Other options with what the command line says in their place.
    pub fn over(&self, base: &Options) -> Options {
        let base = base.clone();
        Options {
            format: self.format.or(base.format),
            array: self.tensor.clone().or(base.array),
            word_base: self.word_base.or(base.word_base),
            labels: self.labels.clone().or(base.labels),
            labels_file: self.labels_file.clone().or(base.labels_file),
            columns: self.columns.clone().or(base.columns),
            missing: self.missing.unwrap_or(base.missing),
            categories: self.categories.unwrap_or(base.categories),
            header: self.header.or(base.header),
            separator: self.separator.or(base.separator),
            repeated: self.repeated.unwrap_or(base.repeated),
            bytes: self.bytes.unwrap_or(base.bytes),
            size: self.size.or(base.size),
            fit: if self.crop { Fit::Crop } else { base.fit },
            color: self.color || base.color,
            skip_bad: self.skip_bad || base.skip_bad,
            window: self.window.or(base.window),
            stride: self.stride.or(base.stride),
            time: self.time.clone().or(base.time),
            max_bytes: self.max_bytes.unwrap_or(base.max_bytes),
        }
    }

    /// How columns are scaled, where the command line says so.
    pub fn scale(&self) -> Option<Scale> {
        self.scale
    }
}
