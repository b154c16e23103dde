//! One way to all data: the format is told by the content, and every format gives rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::array::Array;
use crate::data::Data;
use crate::element::Element;
use crate::formats::matrix::Matrix;
use crate::formats::raw::Raw;
use crate::formats::{bags, csv, idx, mat4, mat5, mtx, npy, npz, ratings, safetensors, scipy};
use crate::guard::guarded;
use crate::packing::{Bytes, Content};
use crate::source::Source;
use crate::stacked::Stacked;
use crate::{ByteValues, Error, Format, Labels, Missing, Options, Result, gaps, sniff};

/// An array, tensor or variable that a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The type of its numbers; nothing if it holds none that are real.
    pub element: Option<Element>,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl Entry {
    /// What it is, in a few words.
    pub fn describe(&self) -> String {
        let shape = self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        format!("`{}` ({shape} {})", self.name, self.element.map_or("no real numbers", Element::name))
    }
}

/// Opens a file or folder of any format that is known, and refuses what training would refuse of its columns. `-` is
/// the standard input. Values are checked when they are read.
///
/// ```
/// use strait_data::{Options, open};
/// let path = std::env::temp_dir().join(format!("strait-open-{}.csv", std::process::id()));
/// std::fs::write(&path, "height,weight\n1.5,60\n1.75,72.5\n")?;
/// let data = open(&path, &Options::default())?;
/// assert_eq!(data.names.as_deref(), Some(&["height".to_owned(), "weight".to_owned()][..]));
/// assert_eq!(data.rows()?.to_numbers(), [1.5, 60.0, 1.75, 72.5]);
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is of no format that is known or damaged, holds several arrays of which the options name
/// none, or has columns that are text and that the options do not say what to do with.
pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Data> {
    let path = path.as_ref();
    let data = match &options.time {
        Some(time) => timed(path, time, options)?,
        None => survey(path, options)?,
    };
    data.usable()?;
    let data = cut(data.completed(options)?, options)?;
    let (rows, width, format, mapped) = (data.count(), data.width(), data.format, data.is_mapped());
    tracing::debug!(path = %path.display(), ?format, rows, width, mapped, "opened data");
    Ok(data)
}

/// The steps of a series, and in a note what the column of their times says of steps that are missing.
fn timed(path: &Path, time: &str, options: &Options) -> Result<Data> {
    let wrong = |message: String| Error::format(path, message);
    let Some(window) = options.window else {
        return Err(wrong(format!("--time {time} needs --window")));
    };
    if options.labels.is_some() || options.labels_file.is_some() {
        return Err(wrong("windows of a series have no labels: leave --labels out".to_owned()));
    }
    // Like labels, times are text of any kind, and no input.
    let mut data = survey(path, &Options { labels: Some(time.to_owned()), ..options.clone() })?;
    if let Some(times) = data.labels.take() {
        data.notes.extend(gaps::told(time, &times, window).map_err(wrong)?);
    }
    Ok(data)
}

/// The windows of a series, where the options want some, of its test set, too.
pub(crate) fn cut(mut data: Data, options: &Options) -> Result<Data> {
    let Some(length) = options.window else {
        return match options.stride {
            Some(stride) => Err(Error::format(data.path(), format!("--stride {stride} needs --window"))),
            None => Ok(data),
        };
    };
    let stride = options.stride.unwrap_or(length);
    let test = data.test.take().map(|test| test.cut(length, stride)).transpose()?;
    let mut windows = data.cut(length, stride)?;
    windows.test = test.map(Box::new);
    Ok(windows)
}

/// Opens a file or folder to describe it: what training would refuse is not refused.
///
/// # Errors
/// If the file cannot be read, is of no format that is known, or damaged.
pub fn survey(path: impl AsRef<Path>, options: &Options) -> Result<Data> {
    let path = path.as_ref();
    let is_folder = path != Path::new("-") && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let mut data = if is_folder { folder(path, options)? } else { file(path, options)? };
    data.fills = options.missing == Missing::Mean;
    if let Some(file) = &options.labels_file {
        data.labels = Some(labels(file, options)?);
    }
    if let Some(labels) = &data.labels
        && labels.classes.len() != data.count()
    {
        let message = format!("{} rows, but {} labels", data.count(), labels.classes.len());
        return Err(Error::format(path, message));
    }
    Ok(data)
}

/// Opens a training file and files that go with it: sparse ones are read with one numbering of columns, and all have the width of
/// the widest; others must have the same width, and the same names.
///
/// # Errors
/// As [`open`], or if the files do not fit each other.
pub fn open_together(paths: &[PathBuf], options: &Options) -> Result<Vec<Data>> {
    let mut all = paths.iter().map(|path| open(path, options)).collect::<Result<Vec<_>>>()?;
    let based = |data: &Data| data.word_base.filter(|(_, certain)| *certain).map(|(base, _)| base);
    // A file in which word 0 occurs tells how all are numbered.
    if options.word_base.is_none()
        && let Some(base) = all.iter().find_map(based)
        && all.iter().any(|data| data.word_base.is_some_and(|(other, _)| other != base))
    {
        if all.iter().any(|data| based(data).is_some_and(|other| other != base)) {
            let message = "its columns are numbered from another number than those of the other files".to_owned();
            return Err(Error::format(&paths[0], message));
        }
        return open_together(paths, &Options { word_base: Some(base), ..options.clone() });
    }
    let widest = all.iter().filter(|data| data.sparse().is_some()).map(Data::width).max();
    if let Some(width) = widest {
        all.iter_mut().for_each(|data| data.widen(width));
    }
    let mut all = all.into_iter();
    let first = all.next().ok_or_else(|| Error::Labels("no file is named".to_owned()))?;
    let mut together = vec![first];
    for (data, path) in all.zip(&paths[1..]) {
        let data = data.in_order_of(&together[0])?;
        together[0].fits(&data, path)?;
        together.push(data);
    }
    Ok(together)
}

fn file(path: &Path, options: &Options) -> Result<Data> {
    let content = Content::open(path, options.max_bytes)?;
    let format = match options.format {
        Some(format) => format,
        None => sniff::format(path, &content.bytes)?,
    };
    let bytes = Arc::new(content.bytes);
    let mut data = guarded(path, || of(path, format, bytes, options))?;
    data.packing = content.packing;
    Ok(data)
}

/// Reads a file's content as of a format.
fn of(path: &Path, format: Format, bytes: Arc<Bytes>, options: &Options) -> Result<Data> {
    let wrong = |message: String| Error::format(path, message);
    if options.array.is_some() && !matches!(format, Format::Npz | Format::Safetensors | Format::Matlab) {
        return Err(wrong(format!("a file of the format {} holds one table, which has no name", format.name())));
    }
    match format {
        Format::Idx => dense(path, format, vec![idx::array(path, bytes)?], options),
        Format::Npy => dense(path, format, vec![npy::array(path, bytes)?], options),
        Format::Npz => npz(path, &bytes, options),
        Format::Safetensors => {
            let tensors = match sniff::is_index(&bytes) {
                true => safetensors::indexed(path, &bytes, options.max_bytes)?,
                false => safetensors::one(path, &bytes)?,
            };
            let entries = tensors.entries.clone();
            match tensors.chosen(path, options.array.as_deref()) {
                Ok(arrays) => Ok(dense(path, format, arrays, options)?.with_entries(entries)),
                Err(error) if options.array.is_none() => Ok(Data::undecided(path, format, entries, error)),
                Err(error) => Err(error),
            }
        }
        Format::Matlab => matlab(path, &bytes, options),
        Format::Csv => Data::table(path, format, csv::table(path, &bytes, options)?, options),
        Format::Ratings => Ok(Data::rated(path, ratings::parse(path, &bytes, options)?)),
        Format::Svmlight | Format::LdaC => {
            let bags = bags::pairs(path, &bytes, options.format, options.word_base)?;
            Ok(Data::bags(path, bags))
        }
        Format::Uci => Ok(Data::bags(path, bags::triples(path, &bytes)?)),
        Format::MatrixMarket => matrix(path, format, mtx::matrix(path, &bytes)?, options),
        #[cfg(feature = "parquet")]
        Format::Parquet => {
            let raw = crate::formats::parquet::table(path, bytes, options)?;
            Data::table(path, format, raw, options)
        }
        #[cfg(feature = "pictures")]
        Format::Pictures => {
            let raw = crate::formats::pictures::one(path, &bytes, options)?;
            Data::table(path, format, raw, options)
        }
        Format::Mnist => Err(wrong("the format `mnist` is a folder of four files, but this is a file".to_owned())),
        #[allow(unreachable_patterns, reason = "formats that this build leaves out")]
        other => Err(wrong(format!("this build reads no file of the format {}", other.name()))),
    }
}

/// Arrays of one width, one below the other.
fn dense(path: &Path, format: Format, arrays: Vec<Array>, options: &Options) -> Result<Data> {
    let pixels = |array: &Array| match options.bytes {
        ByteValues::Pixels => true,
        ByteValues::Numbers => false,
        ByteValues::Guess => format == Format::Idx || array.shape().len() > 2,
    };
    let arrays: Vec<Array> = arrays
        .into_iter()
        .map(|array| if pixels(&array) { array.into_pixels() } else { array.into_numbers() })
        .collect();
    let first = &arrays[0];
    let (element, shape) = (first.element(), first.shape().to_vec());
    let rows = arrays.iter().map(Array::rows).sum();
    if rows == 0 || first.width() == 0 {
        return Err(Error::format(path, format!("an array of the shape {shape:?} holds no numbers")));
    }
    let source: Arc<dyn Source> = match <[Array; 1]>::try_from(arrays) {
        Ok([array]) => Arc::new(array),
        Err(arrays) => Arc::new(Stacked::new(arrays)),
    };
    let mut raw = Raw::new(source, rows, shape.get(1..).unwrap_or(&[]).to_vec());
    raw.element = Some(element);
    let mut data = Data::table(path, format, raw, options)?;
    if shape.len() < 2 {
        let message = format!(
            "it holds {rows} numbers in one dimension; rows need two: save it by `reshape(1, -1)` if it is one row, by \
             `reshape(-1, 1)` if it is one column"
        );
        data.refusal = Some(message);
    }
    Ok(data)
}

fn matrix(path: &Path, format: Format, matrix: Matrix, options: &Options) -> Result<Data> {
    match matrix {
        Matrix::Full(array) => dense(path, format, vec![array], options),
        Matrix::Sparse(matrix) => Ok(Data::sparse_matrix(path, format, matrix)),
    }
}

fn matlab(path: &Path, bytes: &Arc<Bytes>, options: &Options) -> Result<Data> {
    let wrong = |message: String| Error::format(path, message);
    if mat4::is(bytes) {
        let variables = mat4::Variables::open(bytes).map_err(wrong)?;
        let read =
            |name: &str| matrix(path, Format::Matlab, variables.matrix(path, bytes, name).map_err(wrong)?, options);
        return one_of(path, Format::Matlab, "variable", variables.entries(), options, read);
    }
    let variables = mat5::Variables::open(bytes).map_err(wrong)?;
    let read = |name: &str| matrix(path, Format::Matlab, variables.matrix(path, name).map_err(wrong)?, options);
    one_of(path, Format::Matlab, "variable", variables.entries(), options, read)
}

fn npz(path: &Path, bytes: &[u8], options: &Options) -> Result<Data> {
    let archive = npz::Archive::open(path, bytes)?;
    let table = |name: &str| dense(path, Format::Npz, vec![archive.array(name, options.max_bytes)?], options);
    if options.array.is_none() && archive.has("shape") && archive.has("data") && archive.text("format").is_some() {
        let matrix = scipy::sparse(path, &archive, options.max_bytes)?;
        return Ok(Data::sparse_matrix(path, Format::Npz, matrix).with_entries(archive.entries.clone()));
    }
    // The names of Keras' data sets.
    if options.array.is_none() && archive.has("x_train") {
        let part = |x: &str, y: &str| -> Result<Data> {
            let mut data = table(x)?;
            if archive.has(y) {
                let labels = Labels::numbered(&archive.array(y, options.max_bytes)?.to_doubles());
                let labels = labels.map_err(|error| Error::format(path, format!("array `{y}`: {error}")))?;
                if labels.classes.len() != data.count() {
                    let message = format!("`{x}` has {} rows, but `{y}` {} labels", data.count(), labels.classes.len());
                    return Err(Error::format(path, message));
                }
                data.labels = Some(labels);
            }
            Ok(data)
        };
        let mut train = part("x_train", "y_train")?.with_entries(archive.entries.clone());
        if archive.has("x_test") {
            train.test = Some(Box::new(part("x_test", "y_test")?));
        }
        return Ok(train);
    }
    one_of(path, Format::Npz, "array", archive.entries.clone(), options, table)
}

/// Reads the entry that is wanted, or the only one with numbers. Where none is wanted and there are several, the data set is undecided.
fn one_of(
    path: &Path,
    format: Format,
    what: &str,
    entries: Vec<Entry>,
    options: &Options,
    read: impl Fn(&str) -> Result<Data>,
) -> Result<Data> {
    let mut numeric = entries.iter().filter(|entry| entry.element.is_some());
    let name = match (&options.array, numeric.next(), numeric.next()) {
        // Reading it tells what it is instead.
        (None, None, _) if entries.len() == 1 => &entries[0].name,
        (Some(wanted), ..) if entries.iter().any(|entry| entry.name == *wanted) => wanted,
        (None, Some(only), None) => &only.name,
        (Some(wanted), ..) => return Err(unchosen(path, what, Some(wanted), &entries)),
        (None, ..) => {
            let error = unchosen(path, what, None, &entries);
            return Ok(Data::undecided(path, format, entries, error));
        }
    };
    Ok(read(name)?.with_entries(entries.clone()))
}

/// The error of a file whose arrays none is chosen of.
pub(crate) fn unchosen(path: &Path, what: &str, wanted: Option<&str>, entries: &[Entry]) -> Error {
    let listed: Vec<String> = entries.iter().take(20).map(Entry::describe).collect();
    let more = if entries.len() > listed.len() { ", ..." } else { "" };
    let list = format!("{}{more}", listed.join(", "));
    let message = match wanted {
        _ if entries.is_empty() => format!("it holds no {what}"),
        Some(wanted) => format!("it has no {what} `{wanted}`, but {list}"),
        None => format!("it holds several {what}s, one of which must be named by --tensor: {list}"),
    };
    Error::format(path, message)
}

fn folder(path: &Path, options: &Options) -> Result<Data> {
    if matches!(options.format, None | Some(Format::Mnist))
        && let Some(data) = crate::formats::mnist::folder(path, options)?
    {
        return Ok(data);
    }
    #[cfg(feature = "pictures")]
    return Data::table(path, Format::Pictures, crate::formats::pictures::folder(path, options)?, options);
    #[cfg(not(feature = "pictures"))]
    Err(Error::format(path, "it holds no data set that is known"))
}

/// Opens pictures that are listed one by one, in this order.
///
/// # Errors
/// As [`open`].
#[cfg(feature = "pictures")]
pub fn open_pictures(paths: &[PathBuf], options: &Options) -> Result<Data> {
    let path = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let (raw, _) = crate::formats::pictures::list(path, paths, options)?;
    Data::table(path, Format::Pictures, raw, options)
}

/// The labels of a file: an array of one dimension, or text with one on each line.
pub(crate) fn labels(path: &Path, options: &Options) -> Result<Labels> {
    let content = Content::open(path, options.max_bytes)?;
    let format = sniff::format(path, &content.bytes)?;
    let bytes = Arc::new(content.bytes);
    let array = match format {
        Format::Idx => idx::array(path, bytes)?,
        Format::Npy => npy::array(path, bytes)?,
        _ => {
            let mut lines = crate::formats::lines::Lines::new(path, &bytes);
            let mut names = Vec::new();
            while let Some((_, line)) = lines.next_line()? {
                names.push(line.trim().to_owned());
            }
            return Ok(Labels::of(names));
        }
    };
    if array.width() != 1 {
        return Err(Error::format(
            path,
            format!("labels have one dimension, but it has the shape {:?}", array.shape()),
        ));
    }
    Labels::numbered(&array.to_doubles()).map_err(|error| Error::format(path, error.to_string()))
}
