//! TensorBoard's event files: records of Protocol Buffers, each with its length and checksums.
//!
//! TensorBoard 2.21 has two loaders, which disagree about steps that go back: one forgets what was told beyond them, the other shows
//! both. So a run that goes on from a checkpoint cuts its files back to that and begins a new one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost::Message;

use crate::models::{Affine, write_atomically};

/// The folder that `tensorboard --logdir` is pointed at.
pub(super) const FOLDER: &str = "tensorboard";

/// What a file begins with.
const VERSION: &str = "brain.Event:2";

/// `tensorflow.Event`, as far as it is used.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
    #[prost(message, optional, tag = "5")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 1 is grey, 3 is colour.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(double, tag = "1")]
    min: f64,
    #[prost(double, tag = "2")]
    max: f64,
    #[prost(double, tag = "3")]
    num: f64,
    #[prost(double, tag = "4")]
    sum: f64,
    #[prost(double, tag = "5")]
    sum_squares: f64,
    #[prost(double, repeated, tag = "6")]
    bucket_limit: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    bucket: Vec<f64>,
}

/// An event file that is being written.
///
/// ```
/// use strait::metrics::EventFile;
/// # let folder = tempfile::tempdir()?;
/// let mut file = EventFile::create(folder.path())?;
/// file.scalar("training/error", 1, 0.25)?;
/// file.histogram("layer 0/weights", 1, &[0.5, -0.25, 0.125])?;
/// file.flush()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct EventFile {
    file: BufWriter<File>,
}

impl EventFile {
    /// Makes a file in this folder that no other has the name of.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let seconds = seconds() as u64;
        let mut number = files(folder)?.len();
        let file = loop {
            // The number makes a later file the last one by name, whatever the clock says.
            let path = folder.join(format!("events.out.tfevents.{number:06}.{seconds:010}.strait"));
            match File::create_new(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                made => break made?,
            }
        };
        let mut events = Self { file: BufWriter::new(file) };
        events.put(&Record {
            wall_time: self::seconds(),
            step: 0,
            file_version: Some(VERSION.to_owned()),
            summary: None,
        })?;
        Ok(events)
    }

    /// The folder inside that of a run which `tensorboard --logdir` is pointed at.
    pub fn folder(out: &Path) -> PathBuf {
        out.join(FOLDER)
    }

    /// Writes a number.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: usize, value: f64) -> io::Result<()> {
        self.value(step, Value { tag: tag.to_owned(), simple_value: Some(value as f32), ..Value::default() })
    }

    /// Writes a picture, encoded as PNG.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn image(&mut self, tag: &str, step: usize, (width, height): (u32, u32), png: Vec<u8>) -> io::Result<()> {
        let image = Image { height: height as i32, width: width as i32, colorspace: 3, encoded: png };
        self.value(step, Value { tag: tag.to_owned(), image: Some(image), ..Value::default() })
    }

    /// Writes a picture that lies in a PNG file.
    ///
    /// # Errors
    /// If that cannot be read or is no PNG file, or this one cannot be written.
    pub fn picture(&mut self, tag: &str, step: usize, path: &Path) -> io::Result<()> {
        let png = std::fs::read(path)?;
        // Its first chunk begins with width and height.
        let size = png
            .get(16..24)
            .filter(|_| png.starts_with(b"\x89PNG"))
            .and_then(|size| size.as_chunks::<4>().0.try_into().ok());
        let Some([width, height]): Option<[[u8; 4]; 2]> = size else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: this is not a PNG file", path.display()),
            ));
        };
        self.image(tag, step, (u32::from_be_bytes(width), u32::from_be_bytes(height)), png)
    }

    /// Writes the distributions of the weights and the biases of layers.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn layers(&mut self, stage: &str, step: usize, layers: &[Affine]) -> io::Result<()> {
        for (number, layer) in layers.iter().enumerate() {
            for (what, values) in [("weights", &layer.weight), ("biases", &layer.bias)] {
                self.histogram(&format!("{stage}/{what} of layer {number}"), step, values)?;
            }
        }
        self.flush()
    }

    /// Writes how these numbers are distributed; those that are not finite are left out.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram(&mut self, tag: &str, step: usize, values: &[f32]) -> io::Result<()> {
        self.value(step, Value { tag: tag.to_owned(), histogram: Some(Histogram::of(values)), ..Value::default() })
    }

    /// Brings to the file what was written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn value(&mut self, step: usize, value: Value) -> io::Result<()> {
        let summary = Some(Summary { value: vec![value] });
        self.put(&Record { wall_time: seconds(), step: step as i64, file_version: None, summary })
    }

    fn put(&mut self, record: &Record) -> io::Result<()> {
        self.file.write_all(&framed(&record.encode_to_vec()))
    }
}

impl Histogram {
    /// Buckets between the smallest and the largest value, of equal width.
    fn of(values: &[f32]) -> Self {
        const BUCKETS: usize = 30;
        let finite = || values.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x));
        let (min, max) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let (min, max) = if min <= max { (min, max) } else { (0.0, 0.0) };
        let width = ((max - min) / BUCKETS as f64).max(f64::MIN_POSITIVE);
        let mut histogram = Self {
            min,
            max,
            bucket_limit: (1..=BUCKETS).map(|i| if i == BUCKETS { max } else { min + width * i as f64 }).collect(),
            bucket: vec![0.0; BUCKETS],
            ..Self::default()
        };
        for x in finite() {
            histogram.num += 1.0;
            histogram.sum += x;
            histogram.sum_squares += x * x;
            histogram.bucket[(((x - min) / width) as usize).min(BUCKETS - 1)] += 1.0;
        }
        histogram
    }
}

fn seconds() -> f64 {
    // A clock before 1970 is none to tell the time by.
    SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// CRC-32C as these files have it.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A record with its length, and a checksum of either.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), payload, &masked(payload).to_le_bytes()].concat()
}

/// The whole records at the start of a file.
fn records(mut bytes: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let Some((sum, rest)) = rest.split_first_chunk::<4>() else { break };
        let size = u64::from_le_bytes(*length) as usize;
        if u32::from_le_bytes(*sum) != masked(length) || rest.len() < size.saturating_add(4) {
            break;
        }
        let (payload, rest) = rest.split_at(size);
        let Some((sum, rest)) = rest.split_first_chunk::<4>() else { break };
        let (true, Ok(record)) = (u32::from_le_bytes(*sum) == masked(payload), Record::decode(payload)) else { break };
        found.push(record);
        bytes = rest;
    }
    found
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Takes away what is beyond these epochs of each stage: a tag begins with its stage.
pub(super) fn cut(out: &Path, run: &str, epochs: &BTreeMap<String, usize>) -> io::Result<()> {
    let stays = |record: &Record| {
        let tags = record.summary.iter().flat_map(|summary| &summary.value);
        let stages = tags.map(|value| value.tag.rsplit_once('/').map_or(value.tag.as_str(), |(stage, _)| stage));
        let mut done = stages.map(|stage| epochs.get(stage).copied().unwrap_or(0) as i64);
        done.all(|done| record.step <= done)
    };
    for path in files(&out.join(FOLDER).join(run))? {
        let bytes = std::fs::read(&path)?;
        let kept: Vec<u8> = records(&bytes)
            .iter()
            .filter(|record| stays(record))
            .flat_map(|record| framed(&record.encode_to_vec()))
            .collect();
        if kept != bytes {
            write_atomically(&path, &kept).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_it() {
        // What TensorBoard 2.21 writes for the version of a file at time 0: `EventFileWriter` of tensorboard.summary.writer.
        let record = Record { wall_time: 0.0, step: 0, file_version: Some(VERSION.to_owned()), summary: None };
        let payload = record.encode_to_vec();
        assert_eq!(payload, b"\x1a\x0dbrain.Event:2");
        let bytes = framed(&payload);
        assert_eq!(bytes.len(), 8 + 4 + payload.len() + 4);
        assert_eq!(records(&bytes), [record]);
        assert!(records(&bytes[..bytes.len() - 1]).is_empty(), "what a killed process leaves is no record");
    }

    #[test]
    fn a_run_that_goes_on_cuts_its_files_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join(FOLDER).join("net");
        let mut file = EventFile::create(&run).expect("the folder is writable");
        for (tag, step) in [("RBM 4-3/error", 1), ("RBM 4-3/error", 2), ("RBM 3-2/error", 1), ("RBM 3-2/error", 2)] {
            file.scalar(tag, step, 0.5).expect("the folder is writable");
        }
        file.flush().expect("the folder is writable");
        let epochs = BTreeMap::from([("RBM 4-3".to_owned(), 2), ("RBM 3-2".to_owned(), 1)]);
        cut(folder.path(), "net", &epochs).expect("the folder is writable");
        let [path] = &files(&run).expect("it is there")[..] else { panic!("there is one file") };
        let kept = records(&std::fs::read(path).expect("it is there"));
        let steps: Vec<i64> = kept.iter().map(|record| record.step).collect();
        assert_eq!(steps, [0, 1, 2, 1]);
    }

    #[test]
    fn a_histogram_counts_every_finite_value() {
        let Histogram { min, max, num, sum, bucket, bucket_limit, .. } = Histogram::of(&[1.0, -1.0, 3.0, f32::NAN]);
        assert_eq!((min, max, num, sum), (-1.0, 3.0, 3.0, 3.0));
        assert_eq!((bucket.iter().sum::<f64>(), bucket_limit.len(), bucket_limit[29]), (3.0, 30, 3.0));
        assert_eq!(Histogram::of(&[]).num, 0.0);
    }
}
