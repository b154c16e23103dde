//! Parquet, by the crate parquet.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{ColumnKind, OutputColumn, Rows};

pub(super) struct Parquet<W: Write + Send> {
    to: ArrowWriter<W>,
    schema: Arc<Schema>,
    kinds: Vec<ColumnKind>,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(to: W, columns: &[OutputColumn]) -> std::io::Result<Self> {
        let kind = |kind: &ColumnKind| match kind {
            ColumnKind::Single => DataType::Float32,
            ColumnKind::Double => DataType::Float64,
            ColumnKind::Whole => DataType::Int64,
            ColumnKind::Boolean => DataType::Boolean,
            ColumnKind::Named(_) => DataType::Utf8,
        };
        let fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, kind(&column.kind), false)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let to = ArrowWriter::try_new(to, schema.clone(), Some(properties))?;
        Ok(Self { to, schema, kinds: columns.iter().map(|column| column.kind.clone()).collect() })
    }
}

impl<W: Write + Send> Rows for Parquet<W> {
    fn push(&mut self, rows: &[f64]) -> std::io::Result<()> {
        let width = self.kinds.len();
        let column = |(place, kind): (usize, &ColumnKind)| -> ArrayRef {
            let values = rows.iter().skip(place).step_by(width).copied();
            match kind {
                ColumnKind::Single => Arc::new(values.map(|x| x as f32).collect::<Float32Array>()),
                ColumnKind::Double => Arc::new(values.collect::<Float64Array>()),
                ColumnKind::Whole => Arc::new(values.map(|x| x as i64).collect::<Int64Array>()),
                ColumnKind::Boolean => Arc::new(values.map(|x| Some(x != 0.0)).collect::<BooleanArray>()),
                ColumnKind::Named(names) => {
                    let name = |x: f64| names.get(x as usize).map_or("", String::as_str);
                    Arc::new(values.map(|x| Some(name(x))).collect::<StringArray>())
                }
            }
        };
        let columns = self.kinds.iter().enumerate().map(column).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(std::io::Error::other)?;
        Ok(self.to.write(&batch)?)
    }

    fn finish(self: Box<Self>) -> std::io::Result<()> {
        self.to.into_inner()?.flush()
    }
}
