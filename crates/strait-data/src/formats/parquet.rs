//! Parquet files: columns of numbers, or of lists of one length.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::names::Names;
use super::raw::{Raw, Text};
use crate::element::Number;
use crate::guard::guarded;
use crate::packing::Bytes;
use crate::source::{MISSING, Source};
use crate::{Error, Labels, Options, Result};

/// Rows that are decoded at a time.
const BATCH: usize = 1024;

/// Rows of a batch that are put in order at a time, so that they stay in the cache.
const BLOCK: usize = 32;

/// The widest list that is read.
const MAX_LIST: usize = 1 << 24;

/// Columns of the data that come from one column of the file.
#[derive(Clone)]
struct Piece {
    /// The column of the file.
    column: usize,
    name: String,
    /// The first column of the data.
    first: usize,
    width: usize,
    list: bool,
}

/// The rows of a file, decoded from where the last ones ended.
struct Columns {
    path: PathBuf,
    bytes: bytes::Bytes,
    metadata: ArrowReaderMetadata,
    pieces: Vec<Piece>,
    /// Whether single precision holds all numbers.
    single: bool,
    width: usize,
    /// The first row of each row group, and the number of rows.
    groups: Vec<usize>,
    cursor: Mutex<Option<Cursor>>,
}

/// Where decoding is.
struct Cursor {
    reader: ParquetRecordBatchReader,
    /// The next row that is given.
    row: usize,
    /// What is decoded and not yet given.
    rest: Option<RecordBatch>,
}

/// The bytes of a file as the crate takes them.
struct Owner(Arc<Bytes>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Opens a file's columns.
pub(crate) fn table(path: &Path, bytes: Arc<Bytes>, options: &Options) -> Result<Raw> {
    let wrong = |message: String| Error::format(path, message);
    let bytes = bytes::Bytes::from_owner(Owner(bytes));
    // Without Arrow's own schema, categories are text and lists are of any length, whoever wrote them.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata =
        ArrowReaderMetadata::load(&bytes, plain).map_err(|error| wrong(format!("damaged Parquet file ({error})")))?;
    let mut groups: Vec<usize> = vec![0];
    for group in metadata.metadata().row_groups() {
        let rows = usize::try_from(group.num_rows()).ok().and_then(|rows| groups[groups.len() - 1].checked_add(rows));
        groups.push(rows.ok_or_else(|| wrong("its row groups claim more rows than can be counted".to_owned()))?);
    }
    let rows = groups[groups.len() - 1];
    if rows == 0 {
        return Err(wrong("it holds no rows".to_owned()));
    }
    let claimed = metadata.metadata().file_metadata().num_rows();
    if usize::try_from(claimed) != Ok(rows) {
        return Err(wrong(format!("its footer claims {claimed} rows, but its row groups hold {rows}")));
    }
    for group in metadata.metadata().row_groups() {
        for column in group.columns() {
            let flat = column.column_descr().max_rep_level() == 0;
            if flat && column.num_values() != group.num_rows() {
                let (name, values, rows) = (column.column_path().string(), column.num_values(), group.num_rows());
                let message = format!("a row group of {rows} rows holds {values} values of column `{name}`");
                return Err(wrong(format!("damaged Parquet file ({message})")));
            }
        }
    }
    let file = Columns {
        path: path.to_owned(),
        bytes,
        metadata,
        pieces: Vec::new(),
        single: false,
        width: 0,
        groups,
        cursor: Mutex::default(),
    };
    let (mut pieces, mut texts, mut types, mut names) = (Vec::new(), BTreeMap::new(), Vec::new(), Vec::new());
    let (mut notes, mut booleans, mut first) = (Vec::new(), Vec::new(), 0);
    let fields = file.metadata.schema().fields().clone();
    for (column, field) in fields.iter().enumerate() {
        let name = field.name().clone();
        if name == "__index_level_0__" {
            notes.push("pandas' index, which has no name, is left out".to_owned());
            continue;
        }
        let list = list_of(field.data_type());
        let width = match list {
            Some(item) if is_number(item) => file.list_width(column, &name)?,
            _ => 1,
        };
        let number = is_number(list.unwrap_or(field.data_type()));
        if !number {
            let sample = format!("a value of the type {}", type_name(field.data_type()));
            texts.insert(first, Text { row: 0, sample, labels: None });
        }
        if *field.data_type() == DataType::Boolean {
            booleans.push(first);
        }
        types.extend(std::iter::repeat_n(type_name(list.unwrap_or(field.data_type())), width));
        names.extend((0..width).map(|i| if list.is_some() { format!("{name}.{i}") } else { name.clone() }));
        pieces.push(Piece { column, name, first, width, list: list.is_some() });
        first += width;
    }
    if pieces.is_empty() {
        return Err(wrong("it holds no columns".to_owned()));
    }
    // A file of one list has columns without names.
    let anonymous = pieces.iter().all(|piece| piece.list);
    let single =
        types.iter().all(|name| ["bool", "int8", "int16", "uint8", "uint16", "float16", "float32"].contains(name));
    let file = Columns { pieces, single, width: first, ..file };
    let mut raw = Raw::new(Arc::new(()), rows, vec![first]);
    if !anonymous {
        raw.name(path, names)?;
    }
    (raw.types, raw.booleans, raw.notes, raw.texts) = (types, booleans, notes, texts);
    // The first piece begins with column 0, each other where the one before ends.
    let piece = |column| &file.pieces[file.pieces.partition_point(|piece| piece.first <= column) - 1];
    raw.read_labels(options, |column| file.labels(piece(column)))?;
    raw.source = Arc::new(file);
    Ok(raw)
}

/// The type of a list's items.
fn list_of(kind: &DataType) -> Option<&DataType> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

fn is_number(kind: &DataType) -> bool {
    kind.is_numeric() && !matches!(kind, DataType::Decimal256(..)) || *kind == DataType::Boolean
}

fn type_name(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "bool",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float16 => "float16",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "decimal"
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) | DataType::Interval(_) => "time",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "binary",
        DataType::Struct(_) => "struct",
        DataType::Map(..) => "map",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "list",
        _ => "unknown",
    }
}

impl Columns {
    fn damaged(&self, error: impl std::fmt::Display) -> Error {
        Error::format(&self.path, format!("damaged Parquet file ({error})"))
    }

    /// Batches of these columns of the file from a row on.
    fn reader(&self, columns: impl IntoIterator<Item = usize>, row: usize) -> Result<ParquetRecordBatchReader> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
        let group = self.groups.partition_point(|&start| start <= row) - 1;
        let groups = (group..self.groups.len() - 1).collect();
        let builder = builder.with_projection(mask).with_batch_size(BATCH).with_row_groups(groups);
        builder.with_offset(row - self.groups[group]).build().map_err(|error| self.damaged(error))
    }

    /// The length of the first list of a column; all others must have it, too.
    fn list_width(&self, column: usize, name: &str) -> Result<usize> {
        let mut reader = self.reader([column], 0)?;
        let batch = reader.next().ok_or_else(|| self.damaged("no rows"))?.map_err(|error| self.damaged(error))?;
        let (_, ends) = items(batch.column(0));
        let width = ends.first().copied().flatten().map_or(0, |[start, end]| end - start);
        if width == 0 || width > MAX_LIST {
            let message = format!("row 0, column `{name}`: a list of {width} numbers; lists need one length from 1 on");
            return Err(Error::format(&self.path, message));
        }
        Ok(width)
    }

    /// The classes of a column that is text.
    fn labels(&self, piece: &Piece) -> Result<Labels> {
        let wrong = |row: usize, message: &str| {
            Error::format(&self.path, format!("row {row}, column `{}`: {message}", piece.name))
        };
        let (mut names, mut classes) = (Names::default(), Vec::new());
        for batch in self.reader([piece.column], 0)? {
            let batch = batch.map_err(|error| self.damaged(error))?;
            let column = batch.column(0);
            let text = column.as_string_opt::<i32>();
            let Some(text) = text else {
                return Err(wrong(
                    0,
                    &format!("values of the type {} are not categories", type_name(column.data_type())),
                ));
            };
            for value in text {
                let value = value.ok_or_else(|| wrong(classes.len(), "a missing value names no category"))?;
                classes.push(names.number(value));
            }
        }
        Ok(Labels::ordered(names, classes))
    }

    fn fill<T: Number>(&self, first: usize, out: &mut [T]) -> Result<()> {
        let mut slot = self.cursor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut cursor = match slot.take() {
            Some(cursor) if cursor.row == first => cursor,
            _ => Cursor {
                reader: self.reader(self.pieces.iter().map(|piece| piece.column), first)?,
                row: first,
                rest: None,
            },
        };
        let mut done = 0;
        while done < out.len() {
            let batch = match cursor.rest.take() {
                Some(batch) => batch,
                None => match cursor.reader.next() {
                    Some(batch) => batch.map_err(|error| self.damaged(error))?,
                    None => return Err(self.damaged(format!("its rows end at row {}", cursor.row))),
                },
            };
            let wanted = ((out.len() - done) / self.width).min(batch.num_rows());
            if wanted < batch.num_rows() {
                cursor.rest = Some(batch.slice(wanted, batch.num_rows() - wanted));
            }
            self.convert(&batch.slice(0, wanted), cursor.row, &mut out[done..done + wanted * self.width])?;
            done += wanted * self.width;
            cursor.row += wanted;
        }
        *slot = Some(cursor);
        Ok(())
    }

    /// Puts the columns of a batch, which begins at row `row`, in the order of rows.
    fn convert<T: Number>(&self, batch: &RecordBatch, row: usize, out: &mut [T]) -> Result<()> {
        // Pieces are in the order of the file's columns, as those of a batch are.
        let columns: Vec<(&Piece, Cells<T>)> = self
            .pieces
            .iter()
            .zip(batch.columns())
            .map(|(piece, column)| Ok((piece, self.cells(piece, column, row)?)))
            .collect::<Result<_>>()?;
        for (block, out) in out.chunks_mut(BLOCK * self.width).enumerate() {
            for (piece, cells) in &columns {
                for (i, out) in out.chunks_exact_mut(self.width).enumerate() {
                    let at = (block * BLOCK + i) * piece.width;
                    match cells {
                        Cells::Numbers(numbers) => {
                            out[piece.first..][..piece.width].copy_from_slice(&numbers[at..at + piece.width]);
                        }
                        Cells::Missing => out[piece.first] = T::double(MISSING),
                    }
                }
            }
        }
        Ok(())
    }

    /// The numbers of a column of a batch, row after row.
    fn cells<T: Number>(&self, piece: &Piece, column: &ArrayRef, row: usize) -> Result<Cells<T>> {
        if !piece.list {
            return Ok(numbers(column).map_or(Cells::Missing, Cells::Numbers));
        }
        let (items, ends) = items(column);
        let wrong = |i: usize, message: String| {
            Error::format(&self.path, format!("row {}, column `{}`: {message}", row + i, piece.name))
        };
        let Some(mut values) = numbers::<T>(items) else { return Ok(Cells::Missing) };
        // Mostly all lists are there and lie behind each other.
        let mut next = ends.first().copied().flatten().map_or(0, |[start, _]| start);
        let first = next;
        let dense = ends.iter().all(|ends| {
            let follows = matches!(ends, Some([start, end]) if *start == next && end - start == piece.width);
            next += piece.width;
            follows
        });
        if dense {
            values.truncate(first + ends.len() * piece.width);
            values.drain(..first);
            return Ok(Cells::Numbers(values));
        }
        let mut out = Vec::with_capacity(column.len() * piece.width);
        for (i, ends) in ends.into_iter().enumerate() {
            match ends {
                None => out.extend(std::iter::repeat_n(T::double(MISSING), piece.width)),
                Some([start, end]) if end - start == piece.width => out.extend_from_slice(&values[start..end]),
                Some([start, end]) => {
                    let message = format!("a list of {} numbers, but the first has {}", end - start, piece.width);
                    return Err(wrong(i, message));
                }
            }
        }
        Ok(Cells::Numbers(out))
    }
}

/// What a column gives.
enum Cells<T> {
    Numbers(Vec<T>),
    /// It is text.
    Missing,
}

impl Source for Columns {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        guarded(&self.path, || self.fill(first, out))
    }

    fn read_single(&self, first: usize, out: &mut [f32]) -> Result<()> {
        guarded(&self.path, || self.fill(first, out))
    }

    fn is_single(&self) -> bool {
        self.single
    }
}

/// The items of a column of lists, and where each list begins and ends in them; nothing where it is null.
fn items(column: &ArrayRef) -> (&ArrayRef, Vec<Option<[usize; 2]>>) {
    fn ends<O: arrow_array::OffsetSizeTrait>(list: &arrow_array::GenericListArray<O>) -> Vec<Option<[usize; 2]>> {
        let offsets = list.value_offsets();
        let end = |i: usize| [offsets[i].as_usize(), offsets[i + 1].as_usize()];
        (0..list.len()).map(|i| list.is_valid(i).then(|| end(i))).collect()
    }
    if let Some(list) = column.as_list_opt::<i32>() {
        return (list.values(), ends(list));
    }
    if let Some(list) = column.as_list_opt::<i64>() {
        return (list.values(), ends(list));
    }
    let list = column.as_fixed_size_list();
    let width = list.value_length() as usize;
    let offset = list.value_offset_at(0);
    let end = |i: usize| [offset + i * width, offset + (i + 1) * width];
    (list.values(), (0..list.len()).map(|i| list.is_valid(i).then(|| end(i))).collect())
}

/// The numbers of an array; nothing if it is text.
fn numbers<T: Number>(array: &ArrayRef) -> Option<Vec<T>> {
    fn of<P: ArrowPrimitiveType, T: Number>(array: &ArrayRef, number: impl Fn(P::Native) -> T) -> Option<Vec<T>> {
        let array = array.as_primitive::<P>();
        if array.null_count() == 0 {
            return Some(array.values().iter().map(|&x| number(x)).collect());
        }
        Some(array.iter().map(|x| x.map_or(T::double(MISSING), &number)).collect())
    }
    match array.data_type() {
        DataType::Int8 => of::<Int8Type, T>(array, |x| T::single(f32::from(x))),
        DataType::Int16 => of::<Int16Type, T>(array, |x| T::single(f32::from(x))),
        DataType::Int32 => of::<Int32Type, T>(array, |x| T::double(f64::from(x))),
        DataType::Int64 => of::<Int64Type, T>(array, |x| T::double(x as f64)),
        DataType::UInt8 => of::<UInt8Type, T>(array, |x| T::single(f32::from(x))),
        DataType::UInt16 => of::<UInt16Type, T>(array, |x| T::single(f32::from(x))),
        DataType::UInt32 => of::<UInt32Type, T>(array, |x| T::double(f64::from(x))),
        DataType::UInt64 => of::<UInt64Type, T>(array, |x| T::double(x as f64)),
        DataType::Float16 => of::<Float16Type, T>(array, |x| T::single(x.to_f32())),
        DataType::Float32 => of::<Float32Type, T>(array, T::single),
        DataType::Float64 => of::<Float64Type, T>(array, T::double),
        DataType::Decimal32(_, scale) => of::<Decimal32Type, T>(array, |x| decimal(i128::from(x), *scale)),
        DataType::Decimal64(_, scale) => of::<Decimal64Type, T>(array, |x| decimal(i128::from(x), *scale)),
        DataType::Decimal128(_, scale) => of::<Decimal128Type, T>(array, |x| decimal(x, *scale)),
        DataType::Boolean => {
            let truth = |x: Option<bool>| x.map_or(T::double(MISSING), |x| T::single(f32::from(u8::from(x))));
            Some(array.as_boolean().iter().map(truth).collect())
        }
        _ => None,
    }
}

/// A decimal number: its digits without the point, and how many stand behind it.
fn decimal<T: Number>(digits: i128, scale: i8) -> T {
    T::double(digits as f64 / 10f64.powi(i32::from(scale)))
}
