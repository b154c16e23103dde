//! Files with one wrong bit, and headers that lie: whatever is wrong, nothing panics, no memory is taken for what is not there, and
//! what has a checksum is refused or read right.
//!
//! A damaged file is removed once it was read. Should one of them ever abort this test, it is what lies in the temporary folder.

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use strait_data::{Error, Format, Missing, Options, Values, open, survey};

/// Bits that are flipped in each file, one at a time.
const FLIPS: usize = 200;

/// Memory that a reader may take besides four times the file: the windows and buffers of the decompressors.
const SLACK: usize = 64 << 20;

/// Memory that a reader may take before it refuses a header.
const REFUSING: usize = 1 << 20;

/// Larger allocations fail, so that a lie does not drive the machine out of memory.
const ABSURD: usize = 2 << 30;

/// Values that are looked at; a sparse matrix may have any number of them.
const MOST: usize = 1 << 20;

/// Files of `tests/data`, the array that is read of those with several, and whether a checksum covers the values.
const FILES: [(&str, &str, bool); 68] = [
    ("idx/rank3.idx3-ubyte", "", false),
    ("idx/f8.idx2-f8", "", false),
    ("idx/train-images-idx3-ubyte.gz", "", true),
    ("npy/f4.npy", "", false),
    ("npy/f8.npy", "", false),
    ("npy/fortran-3d.npy", "", false),
    ("npz/savez-one.npz", "", true),
    ("npz/savez-compressed.npz", "rows", true),
    ("npz/scipy-csr.npz", "", true),
    ("safetensors/f32.safetensors", "", false),
    ("safetensors/numbered.safetensors", "", false),
    ("csv/pandas-header.csv", "", false),
    ("csv/pandas-utf16.csv", "", false),
    ("csv/pandas-semicolon-comma.csv", "", false),
    ("csv/numpy-default.txt", "", false),
    ("parquet/duckdb-types-v2.parquet", "", false),
    ("parquet/duckdb-v2.parquet", "", false),
    ("parquet/polars-list.parquet", "", false),
    ("parquet/pyarrow-brotli.parquet", "", false),
    ("parquet/pyarrow-delta.parquet", "", false),
    ("parquet/pyarrow-dictionary-of-numbers.parquet", "", false),
    ("parquet/pyarrow-fixed-list.parquet", "", false),
    ("parquet/pyarrow-groups.parquet", "", false),
    ("parquet/pyarrow-gzip.parquet", "", false),
    ("parquet/pyarrow-lz4.parquet", "", false),
    ("parquet/pyarrow-none.parquet", "", false),
    ("parquet/pyarrow-rle-bool.parquet", "", false),
    ("parquet/pyarrow-snappy.parquet", "", false),
    ("parquet/pyarrow-types-v2.parquet", "", false),
    ("parquet/pyarrow-zstd.parquet", "", false),
    ("matlab/scipy-v4.mat", "double", false),
    ("matlab/scipy-v4.mat", "sparse", false),
    ("matlab/scipy-v5.mat", "double", false),
    ("matlab/scipy-v5.mat", "sparse", false),
    ("matlab/scipy-v5-compressed.mat", "double", false),
    ("matlab/scipy-v5-compressed.mat", "sparse", false),
    ("svmlight/sklearn-zero-based.svmlight", "", false),
    ("lda-c/gensim.lda-c", "", false),
    ("uci/docword.handmade.txt", "", false),
    ("mtx/scipy-real.mtx", "", false),
    ("mtx/scipy-array.mtx", "", false),
    ("ratings/ratings.dat", "", false),
    ("ratings/ratings.csv", "", false),
    ("pictures/l.png", "", true),
    ("pictures/16.png", "", true),
    ("pictures/rgb.png", "", true),
    ("pictures/rgb.jpg", "", false),
    ("pictures/progressive.jpg", "", false),
    ("pictures/l.gif", "", false),
    ("pictures/two.gif", "", false),
    ("pictures/rgb.tiff", "", false),
    ("pictures/lzw.tiff", "", false),
    ("pictures/deflate.tiff", "", false),
    ("pictures/packbits.tiff", "", false),
    ("pictures/1-group4.tiff", "", false),
    ("pictures/1.pbm", "", false),
    ("pictures/l.pgm", "", false),
    ("pictures/plain.pgm", "", false),
    ("pictures/rgb.ppm", "", false),
    ("pictures/l.bmp", "", false),
    ("pictures/rgb.bmp", "", false),
    ("pictures/lossless.webp", "", false),
    ("pictures/lossy.webp", "", false),
    ("packed/rows.csv.gz", "", true),
    ("packed/two-members.csv.gz", "", true),
    ("packed/program.csv.zst", "", true),
    ("packed/two-streams.csv.xz", "", true),
    ("packed/rows.csv.bz2", "", true),
];

/// The system's allocator, which remembers the largest allocation and the most memory in use.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LARGEST: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

impl Counting {
    /// Whether an allocation is tried at all.
    fn admits(size: usize) -> bool {
        LARGEST.fetch_max(size, Relaxed);
        size <= ABSURD
    }

    /// Counts an allocation that succeeded.
    fn counted(place: *mut u8, size: usize) -> *mut u8 {
        if !place.is_null() {
            let live = LIVE.fetch_add(size, Relaxed) + size;
            PEAK.fetch_max(live, Relaxed);
        }
        place
    }
}

// SAFETY: the memory is the system's, which keeps the contract; a null says that an allocation failed.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Self::admits(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller promises what the system asks for.
        Self::counted(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !Self::admits(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller promises what the system asks for.
        Self::counted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !Self::admits(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller promises what the system asks for, of memory that came from it.
        let place = Self::counted(unsafe { System.realloc(place, layout, size) }, size);
        if !place.is_null() {
            LIVE.fetch_sub(layout.size(), Relaxed);
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller promises what the system asks for, of memory that came from it.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Held by the test that measures, since all tests share the allocator.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What reading a file took and gave.
struct Outcome {
    /// The bits of the values, or an error; outside of it, a panic's message.
    found: Result<Result<Vec<u64>, Error>, String>,
    /// The largest allocation.
    largest: usize,
    /// By how much the memory in use grew.
    peak: usize,
}

fn outcome(path: &Path, options: &Options) -> Outcome {
    let before = LIVE.load(Relaxed);
    LARGEST.store(0, Relaxed);
    PEAK.store(before, Relaxed);
    let found = catch_unwind(AssertUnwindSafe(|| read(path, options)));
    let (largest, peak) = (LARGEST.load(Relaxed), PEAK.load(Relaxed).saturating_sub(before));
    Outcome { found: found.map_err(|panic| message(&*panic)), largest, peak }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Reads a file as `strait inspect` does and then as training does, and gives the bits of its values. What is found has one shape.
fn read(path: &Path, options: &Options) -> Result<Vec<u64>, Error> {
    let seen = survey(path, options)?;
    if let Some(ratings) = seen.ratings() {
        let known = |user: u32, item: u32| (user as usize) < ratings.users && (item as usize) < ratings.items;
        assert!(ratings.entries.iter().all(|entry| known(entry.user, entry.item)), "a rating of nobody or of nothing");
        return Ok(ratings.entries.iter().map(|entry| ratings.value(entry).to_bits()).collect());
    }
    let (count, width) = (seen.count(), seen.width());
    let rows = count.min(MOST / width.max(1));
    let bits: Vec<u64> = seen.head(rows)?.into_iter().map(f64::to_bits).collect();
    assert_eq!(bits.len(), rows * width, "values of {rows} rows of {width}");
    if seen.sparse().is_some() && count.saturating_mul(width) > MOST {
        return Ok(bits);
    }
    seen.check()?;
    let data = open(path, options)?;
    let rows = data.rows()?;
    assert_eq!([rows.count, rows.width], [count, width], "the shape of the rows, and of the file");
    let values = match rows.values {
        Values::Bytes(bytes) => bytes.len(),
        Values::Numbers(numbers) => numbers.len(),
        Values::Halves(numbers) => numbers.widened().count(),
    };
    assert_eq!(values, count * width, "values of {count} rows of {width}");
    if let Some(labels) = &data.labels {
        assert_eq!(labels.classes.len(), count, "labels of {count} rows");
    }
    Ok(bits)
}

/// Sebastiano Vigna's generator of 64 bits.
struct SplitMix64(u64);

impl SplitMix64 {
    /// A number below `most`.
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most as u64) as usize
    }
}

/// What is wrong with what was made of a damaged file.
fn complaint(outcome: &Outcome, name: &str, size: usize, undamaged: Option<&[u64]>) -> Option<String> {
    let most = 4 * size + SLACK;
    match &outcome.found {
        Err(panic) => Some(format!("it panics: {panic}")),
        Ok(Err(error)) if !error.to_string().contains(name) => {
            Some(format!("the message does not name the file: {error}"))
        }
        Ok(Ok(found)) if undamaged.is_some_and(|undamaged| found != undamaged) => {
            Some("its checksum fails, but other values are read".to_owned())
        }
        _ if outcome.largest > SLACK.max(4 * size) => Some(format!("{} bytes are taken at once", outcome.largest)),
        _ if outcome.peak > most => Some(format!("{} bytes are in use, more than {most}", outcome.peak)),
        _ => None,
    }
}

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(file)
}

#[test]
fn single_wrong_bits_do_no_harm() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = SplitMix64(1);
    let mut wrong = Vec::new();
    for (file, array, checked) in FILES {
        let left_out = (file.starts_with("pictures/") && !cfg!(feature = "pictures"))
            || (file.starts_with("parquet/") && !cfg!(feature = "parquet"));
        if left_out {
            continue;
        }
        let options = Options {
            format: file.starts_with("lda-c/").then_some(Format::LdaC),
            array: (!array.is_empty()).then(|| array.to_owned()),
            // Some of these have nulls.
            missing: if file.starts_with("parquet/") { Missing::Mean } else { Missing::Refuse },
            ..Options::default()
        };
        let undamaged = read(&data(file), &options).unwrap_or_else(|error| panic!("it is not damaged yet: {error}"));
        let good = std::fs::read(data(file)).expect("it was read just now");
        for flip in 0..FLIPS {
            let bit = random.below(8 * good.len());
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let name = format!("{}-{array}-flip-{flip}-bit-{bit}", file.replace('/', "-"));
            let path = folder.path().join(&name);
            std::fs::write(&path, bytes).expect("the temporary folder is writable");
            let outcome = outcome(&path, &options);
            std::fs::remove_file(&path).expect("it is there");
            let complaint = complaint(&outcome, &name, good.len(), checked.then_some(&undamaged[..]));
            wrong.extend(complaint.map(|complaint| format!("{file} {array}: flip {flip}, bit {bit}: {complaint}")));
        }
    }
    assert!(wrong.is_empty(), "{} flips:\n{}", wrong.len(), wrong.join("\n"));
}

/// An IDX file with these dimensions and next to nothing in it.
fn idx(kind: u8, dimensions: &[u32]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, dimensions.len() as u8];
    dimensions.iter().for_each(|dimension| file.extend(dimension.to_be_bytes()));
    file.extend([0; 24]);
    file
}

fn npy(shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(text.len() as u16).to_le_bytes(), text.as_bytes(), &[0; 24]].concat()
}

fn safetensors(length: u64, header: &str) -> Vec<u8> {
    [&length.to_le_bytes()[..], header.as_bytes(), &[0; 24]].concat()
}

/// A sparse matrix of MATLAB's level 4 with one entry, 5 in the first row and column.
fn sparse(rows: f64) -> Vec<u8> {
    let words = [2, 2, 3, 0, 2].map(u32::to_le_bytes).concat();
    let numbers = [1.0, rows, 1.0, 3.0, 5.0, 0.0].map(f64::to_le_bytes).concat();
    [words, b"x\0".to_vec(), numbers].concat()
}

#[test]
fn claims_are_checked_before_memory_is_taken_for_them() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensor = r#"{"x":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}"#;
    let mtx = |layout: &str, sizes: &str| {
        format!("%%MatrixMarket matrix {layout} real general\n{sizes}\n1 1 1\n").into_bytes()
    };
    let mut cases = vec![
        ("4-gib.idx", idx(8, &[1 << 16, 1 << 16])),
        ("1-tib.idx", idx(8, &[1 << 20, 1 << 20])),
        ("2^65.idx", idx(14, &[1 << 31, 1 << 31])),
        ("4-gib.npy", npy("(16384, 32768)")),
        ("1-tib.npy", npy("(131072, 1048576)")),
        ("1-tib-of-columns.npy", npy("(1, 137438953472)")),
        ("header-of-4-gib.npy", [&b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..], &[b' '; 99]].concat()),
        ("1-tib.safetensors", safetensors(tensor.len() as u64, tensor)),
        ("header-of-4-gib.safetensors", safetensors(u64::from(u32::MAX), tensor)),
        ("array.mtx", mtx("array", "1000000 1000000")),
        ("coordinate.mtx", mtx("coordinate", "4000000000 3 1")),
        ("33-million-empty-rows.mat", sparse(33_554_432.0)),
    ];
    if cfg!(feature = "parquet") {
        cases.push(("footer-of-2-gib.parquet", b"PAR1\xff\xff\xff\x7fPAR1".to_vec()));
        cases.push(("footer-of-4-gib.parquet", b"PAR1\xff\xff\xff\xffPAR1".to_vec()));
    }
    let mut wrong = Vec::new();
    for (name, bytes) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).expect("the temporary folder is writable");
        let outcome = outcome(&path, &Options::default());
        let complaint = match &outcome.found {
            Ok(Ok(_)) => Some("it is read".to_owned()),
            _ if outcome.largest > REFUSING => Some(format!("{} bytes are taken at once", outcome.largest)),
            _ => complaint(&outcome, name, bytes.len(), None),
        };
        wrong.extend(complaint.map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(wrong.is_empty(), "{} claims:\n{}", wrong.len(), wrong.join("\n"));
}
