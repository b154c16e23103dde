//! The same rows are the same bits from memory, from a mapped file and from Parquet, whatever its row groups and however many threads
//! read.
#![cfg(feature = "parquet")]

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use strait_data::{Error, Options, Scale, open};

const ROWS: usize = 3001;
const WIDTH: usize = 7;

fn number(i: usize) -> f32 {
    (i * 7919 % 10_007) as f32 / 10_007.0 - 0.3
}

fn npy(path: &Path) {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ROWS}, {WIDTH}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(text.as_bytes());
    bytes.resize(127, b' ');
    bytes.push(b'\n');
    bytes.extend((0..ROWS * WIDTH).flat_map(|i| number(i).to_le_bytes()));
    std::fs::write(path, bytes).expect("the folder is writable");
}

fn parquet(path: &Path, group: usize) {
    let column =
        |c: usize| Arc::new(Float32Array::from_iter_values((0..ROWS).map(|r| number(r * WIDTH + c)))) as ArrayRef;
    let batch =
        RecordBatch::try_from_iter((0..WIDTH).map(|c| (format!("c{c}"), column(c)))).expect("columns of one length");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let file = std::fs::File::create(path).expect("the folder is writable");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("it can be written");
    writer.write(&batch).expect("it is written");
    writer.close().expect("it is written");
}

#[test]
fn rows_are_the_same_bits_wherever_they_come_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory: Vec<u32> = (0..ROWS * WIDTH).map(|i| number(i).to_bits()).collect();
    let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
    let mut files = vec![folder.path().join("rows.npy")];
    npy(&files[0]);
    for group in [1, 7, 100_000] {
        let path = folder.path().join(format!("groups-of-{group}.parquet"));
        parquet(&path, group);
        files.push(path);
    }
    let mut scaled = Vec::new();
    for path in &files {
        let data = open(path, &Options::default()).expect("it is read");
        for threads in [1, 4] {
            std::thread::scope(|scope| {
                for window in [1000, 64, 3001, 777].into_iter().take(threads) {
                    let (data, memory) = (&data, &memory);
                    scope.spawn(move || {
                        let mut found = Vec::new();
                        let each = |first: usize, rows: strait_data::Rows<'_>| {
                            assert_eq!(first * WIDTH, found.len(), "windows follow each other");
                            found.extend(rows.to_numbers());
                            Ok::<(), Error>(())
                        };
                        data.windows(window, each).expect("they are read");
                        assert!(bits(&found) == *memory, "{data:?} in windows of {window}");
                    });
                }
            });
        }
        assert!(bits(&data.rows().expect("they are read").to_numbers()) == memory, "{data:?}");
        let preparation = strait_data::Preparation::fit(&data, Scale::Standard).expect("it is fitted");
        scaled.push(bits(
            &data.prepared(&preparation).and_then(|data| Ok(data.rows()?.to_numbers())).expect("it is scaled"),
        ));
    }
    assert!(scaled.windows(2).all(|pair| pair[0] == pair[1]), "scaled rows are the same, too");
}
