//! Files that are wrong in one way each: every one is refused within seconds, by a message that names the file and says what is wrong.
//!
//! What the tests of single formats have is not repeated here.

mod common;
#[path = "common/gzip.rs"]
mod gzip;

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::write;
use gzip::gzip;
use strait_data::{ByteValues, Categories, Error, Format, Missing, Options, open, survey};

/// Longer than this no file takes.
const HANG: Duration = Duration::from_secs(10);

/// A folder of files that are wrong, and what was not as it should be.
struct Faults {
    folder: tempfile::TempDir,
    wrong: Vec<String>,
}

impl Faults {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), wrong: Vec::new() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        write(self.folder.path(), name, bytes.as_ref())
    }

    /// A file of this name and content is refused, by a message that says `expected`.
    fn refused(&mut self, name: &str, bytes: impl AsRef<[u8]>, expected: &str) {
        self.refused_with(name, bytes, &Options::default(), expected);
    }

    fn refused_with(&mut self, name: &str, bytes: impl AsRef<[u8]>, options: &Options, expected: &str) {
        let path = self.file(name, bytes);
        self.refused_path(&path, name, options, expected);
    }

    /// A file or folder is refused, by a message that names the file `name` and says `expected`.
    fn refused_path(&mut self, path: &Path, name: &str, options: &Options, expected: &str) {
        let started = Instant::now();
        let message = catch_unwind(AssertUnwindSafe(|| read(path, options).err().map(|error| error.to_string())));
        let complaint = match message {
            Err(panic) => format!("it panics: {}", said(&*panic)),
            Ok(None) => "it is read".to_owned(),
            Ok(Some(message)) if !message.contains(name) => {
                format!("the message does not name the file: {message:.300}")
            }
            Ok(Some(message)) if !message.contains(expected) => format!("`{expected}` is not in: {message:.300}"),
            Ok(Some(message)) if message.len() > 1000 => {
                format!("a message of {} bytes: {message:.60}...", message.len())
            }
            Ok(Some(_)) if started.elapsed() > HANG => format!("it takes {:?}", started.elapsed()),
            Ok(Some(_)) => return,
        };
        self.wrong.push(format!("{}: {complaint}", path.file_name().unwrap_or_default().display()));
    }

    /// A file of this name and content is read: rows of this width with these numbers.
    fn read(&mut self, name: &str, bytes: impl AsRef<[u8]>, width: usize, expected: &[f32]) {
        let path = self.file(name, bytes);
        let options = Options { bytes: ByteValues::Numbers, ..Options::default() };
        match catch_unwind(AssertUnwindSafe(|| read(&path, &options))) {
            Ok(Ok(found)) if found.0 == width && found.1 == expected => {}
            Ok(found) => self.wrong.push(format!("{name}: {found:?}")),
            Err(panic) => self.wrong.push(format!("{name}: it panics: {}", said(&*panic))),
        }
    }

    /// A damaged file is refused by name, or its damage does no harm: the values are those of the file that is whole.
    fn refused_or_same(&mut self, name: &str, bytes: &[u8], whole: &(usize, Vec<f32>)) {
        let path = self.file(name, bytes);
        let complaint = match catch_unwind(AssertUnwindSafe(|| read(&path, &Options::default()))) {
            Err(panic) => format!("it panics: {}", said(&*panic)),
            Ok(Ok(found)) if found != *whole => "other values are read".to_owned(),
            Ok(Err(error)) if !error.to_string().contains(name) => {
                format!("the message does not name the file: {error}")
            }
            Ok(_) => return,
        };
        self.wrong.push(format!("{name} of {} bytes: {complaint}", bytes.len()));
    }

    fn end(self) {
        assert!(self.wrong.is_empty(), "{} faults:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

/// Reads a file as `strait inspect` does and then as training does: the width of its rows and all their numbers. What training refuses,
/// a check has said before.
fn read(path: &Path, options: &Options) -> Result<(usize, Vec<f32>), Error> {
    let seen = survey(path, options)?;
    seen.head(5)?;
    let check = seen.check()?;
    let trained = open(path, options).and_then(|data| {
        let rows = data.rows()?;
        Ok((rows.width, rows.to_numbers()))
    });
    if let Err(error) = &trained {
        assert!(!check.refused.is_empty(), "a check lets pass what training refuses: {error}");
    }
    trained
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(file)
}

/// A file that another tool wrote.
fn good(file: &str) -> Vec<u8> {
    std::fs::read(data(file)).expect("it is part of the repository")
}

/// Options that read a file as of a format, whatever it looks like.
fn of(format: Format) -> Options {
    Options { format: Some(format), ..Options::default() }
}

fn idx(kind: u8, dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, dimensions.len() as u8];
    dimensions.iter().for_each(|dimension| file.extend(dimension.to_be_bytes()));
    file.extend(bytes);
    file
}

/// A file of version 1 with this header.
fn npy_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
}

fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    npy_of(&format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"), data)
}

/// A zip archive.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("memory takes all");
        archive.write_all(bytes).expect("memory takes all");
    }
    archive.finish().expect("memory takes all").into_inner()
}

// 1. Headers of IDX.

#[test]
fn idx_headers_that_are_wrong() {
    let mut faults = Faults::new();
    let body = [7; 6];
    for (name, bytes, expected) in [
        ("magic-alone", vec![0, 0, 8, 3], "ends within its dimensions"),
        ("no-dimensions", vec![0, 0, 8, 0], "0 dimensions"),
        ("rank-255", idx(8, &[2; 255], &body), "more than can be counted"),
        ("zero-at-the-end", idx(8, &[2, 3, 0], &body), "is 0"),
        ("4-gib", idx(8, &[1 << 16, 1 << 16], &body), "claims 4294967296 bytes, but 6 follow"),
        ("1-tib", idx(8, &[1 << 20, 1 << 20], &body), "claims 1099511627776 bytes, but 6 follow"),
        ("2^65-doubles", idx(14, &[1 << 31, 1 << 31], &body), "more than can be counted"),
        ("one-double-too-many", idx(14, &[2], &[0; 8]), "claims 16 bytes, but 8 follow"),
        ("half-a-number", idx(13, &[1, 1], &[0; 2]), "claims 4 bytes, but 2 follow"),
    ] {
        faults.refused(name, &bytes, expected);
        faults.refused(&format!("{name}.gz"), gzip(&bytes), expected);
    }
    let little: [u8; 22] = [3, 8, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7, 7, 7, 7, 7, 7];
    faults.refused("little-endian", little, "no format that is known");
    faults.refused_with("little-endian", little, &of(Format::Idx), "not an IDX file");
    faults.refused_with("text", "1,2\n3,4\n", &of(Format::Idx), "not an IDX file");
    faults.refused_with("magic-cut", [0u8, 0, 8], &of(Format::Idx), "ends within its magic number");
    faults.end();
}

#[test]
fn folders_of_mnist_that_are_wrong() {
    let mut faults = Faults::new();
    let (images, labels) = (idx(8, &[2, 2, 3], &[5; 12]), idx(8, &[2], &[0, 9]));
    let halves = idx(13, &[2], &[0.0f32, 0.5].map(f32::to_be_bytes).concat());
    let none = Vec::new();
    for (folder, images, labels, named, expected) in [
        ("swapped", &labels, &images, "train-images-idx3-ubyte", "images have 3"),
        ("labels-twice", &labels, &labels, "train-images-idx3-ubyte", "images have 3"),
        ("images-twice", &images, &images, "train-labels-idx1-ubyte", "labels have 1"),
        ("halves", &images, &halves, "train-labels-idx1-ubyte", "the label 0.5 is not a whole number"),
        ("labels-empty", &images, &none, "train-labels-idx1-ubyte", "cut short"),
    ] {
        let path = faults.folder.path().join(folder);
        std::fs::create_dir(&path).expect("it is new");
        for part in ["train", "t10k"] {
            write(&path, &format!("{part}-images-idx3-ubyte"), images);
            write(&path, &format!("{part}-labels-idx1-ubyte"), labels);
        }
        faults.refused_path(&path, named, &Options::default(), expected);
    }
    let path = faults.folder.path().join("half-of-it");
    std::fs::create_dir(&path).expect("it is new");
    write(&path, "train-images-idx3-ubyte", &images);
    faults.refused_path(&path, "half-of-it", &Options::default(), "train-labels-idx1-ubyte");
    let path = faults.folder.path().join("nothing");
    std::fs::create_dir(&path).expect("it is new");
    faults.refused_path(&path, "nothing", &of(Format::Mnist), "train-images-idx3-ubyte");
    let path = faults.file("a-file", &images);
    faults.refused_path(&path, "a-file", &of(Format::Mnist), "folder of four files");
    faults.end();
}

// 2. Files that were cut or lengthened.

/// Cut anywhere, or with bytes behind its end, a file is refused, or what is lost has no part in its values.
#[test]
fn cut_and_lengthened_files_are_refused_or_read_right() {
    let mut faults = Faults::new();
    let pictures =
        ["l.png", "rgb.jpg", "progressive.jpg", "l.gif", "rgb.tiff", "lzw.tiff", "l.pgm", "l.bmp", "lossless.webp"];
    let files = ["npz/savez-one.npz", "safetensors/f32.safetensors", "safetensors/numbered.safetensors"];
    let tables = ["parquet/duckdb-default.parquet", "parquet/pyarrow-list.parquet"];
    let packed = ["rows.csv.gz", "program.csv.zst", "rows.csv.zst", "rows.csv.xz", "rows.csv.bz2"];
    let all = files.map(str::to_owned).into_iter().chain(packed.map(|name| format!("packed/{name}")));
    let all = all.chain(tables.map(str::to_owned).into_iter().filter(|_| cfg!(feature = "parquet")));
    let all =
        all.chain(pictures.map(|name| format!("pictures/{name}")).into_iter().filter(|_| cfg!(feature = "pictures")));
    for file in all {
        let whole = read(&data(&file), &Options::default()).expect("a good file");
        let (bytes, name) = (good(&file), file.replace('/', "-"));
        // Each byte of the start and of the end, and some between.
        let (start, end) = (bytes.len().min(64), bytes.len().saturating_sub(64));
        for cut in (0..start).chain((start..end).step_by(7)).chain(end.max(start)..bytes.len()) {
            faults.refused_or_same(&name, &bytes[..cut], &whole);
        }
        for extra in [1, 4096] {
            for byte in [0, b'x'] {
                faults.refused_or_same(&name, &[&bytes[..], &vec![byte; extra]].concat(), &whole);
            }
        }
    }
    faults.end();
}

// 3. gzip.

#[test]
fn gzip_that_is_wrong() {
    let mut faults = Faults::new();
    let file = idx(8, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let packed = gzip(&file);
    let changed = |place: usize, byte: u8| {
        let mut bytes = packed.clone();
        bytes[place] = byte;
        bytes
    };
    let end = packed.len();
    let empty = gzip(b"");
    for (name, bytes) in [
        ("empty-member-first", [&empty[..], &packed].concat()),
        ("empty-member-between", [gzip(&file[..7]), empty.clone(), gzip(&file[7..])].concat()),
        ("empty-member-last", [&packed[..], &empty].concat()),
    ] {
        faults.read(name, bytes, 3, &values);
    }
    for (name, bytes, expected) in [
        ("crc", changed(end - 8, !packed[end - 8]), "damaged gzip data"),
        ("length", changed(end - 4, 13), "damaged gzip data"),
        ("high-byte-of-the-length", changed(end - 1, 1), "damaged gzip data"),
        ("method", changed(2, 7), "damaged gzip data"),
        ("reserved-flags", changed(3, 0xe0), "damaged gzip data"),
        ("only-the-magic", packed[..2].to_vec(), "cut short"),
        ("second-member-cut", [&packed[..], &packed[..end - 1]].concat(), "cut short"),
        ("something-behind", [&packed[..], b"no member at all"].concat(), "damaged gzip data"),
        ("only-an-empty-member", empty.clone(), "the file is empty"),
        ("nested", gzip(&packed), "packed twice"),
        ("bad-table", gzip(b"a,b\n1,2\n3\n"), "line 3: 1 cells"),
    ] {
        faults.refused(name, bytes, expected);
    }
    faults.end();
}

/// A megabyte that unpacks to a gigabyte, behind a header that claims a few bytes or within a limit that the options set.
#[test]
fn bombs_are_refused_at_once() {
    let mut faults = Faults::new();
    let zeros = vec![0; 1 << 20];
    let rest = gzip(&zeros).repeat(1023);
    let bomb = |header: &[u8]| [gzip(&[header, &zeros].concat()), rest.clone()].concat();
    let small = Options { max_bytes: 1 << 20, ..Options::default() };
    for (name, bytes, options, expected) in [
        ("bomb-of-idx", bomb(&idx(8, &[4], b"1234")), Options::default(), "more bytes follow"),
        ("bomb-of-npy", bomb(&npy("|u1", false, "(1, 4)", b"1234")), Options::default(), "more bytes follow"),
        ("bomb-of-text", gzip(&b"1,2\n".repeat(1 << 18)).repeat(1024), small, "more than the 1048576 bytes"),
    ] {
        assert!((1 << 19..8 << 20).contains(&bytes.len()), "{name} has {} bytes", bytes.len());
        let started = Instant::now();
        faults.refused_with(name, bytes, &options, expected);
        assert!(started.elapsed() < Duration::from_secs(2), "{name} takes {:?}", started.elapsed());
    }
    faults.end();
}

// 4. npy and npz.

#[test]
fn npy_headers_that_are_wrong() {
    let mut faults = Faults::new();
    let spaces = [b' '; 1 << 16];
    let start = |version: u8, rest: &[u8]| [&b"\x93NUMPY"[..], &[version, 0], rest].concat();
    for (name, bytes, expected) in [
        ("version-0.npy", start(0, &[0; 99]), "version 0"),
        ("version-4.npy", start(4, &[0; 99]), "version 4"),
        ("version-2-cut.npy", start(2, &[9, 0, 0]), "cut off"),
        ("version-3-cut.npy", start(3, &[9, 0, 0, 0]), "cut off"),
        ("length-0.npy", start(1, &[0; 26]), "header cannot be read"),
        ("length-0-version-3.npy", start(3, &[0; 28]), "header cannot be read"),
        ("length-65535-cut.npy", start(1, &[&[255, 255][..], &spaces[..99]].concat()), "cut off"),
        ("length-65535.npy", start(1, &[&[255, 255][..], &spaces[1..]].concat()), "header cannot be read"),
        ("length-70000.npy", start(2, &[&70000u32.to_le_bytes()[..], &spaces, &spaces].concat()), "takes 70000 bytes"),
        ("length-4-gib.npy", start(3, &[255; 99]), "takes 4294967295 bytes"),
    ] {
        faults.refused(name, bytes, expected);
    }
    let order = "'fortran_order': False";
    for (name, header, expected) in [
        ("no-dictionary.npy", "(2, 3)\n".to_owned(), "header cannot be read"),
        ("no-shape.npy", format!("{{'descr': '<f4', {order}, }}\n"), "shape"),
        ("no-order.npy", "{'descr': '<f4', 'shape': (2, 3), }\n".to_owned(), "fortran_order"),
        ("no-type.npy", format!("{{{order}, 'shape': (2, 3), }}\n"), "descr"),
        ("shape-of-text.npy", format!("{{'descr': '<f4', {order}, 'shape': '(2, 3)', }}\n"), "shape"),
        ("shape-of-reals.npy", format!("{{'descr': '<f4', {order}, 'shape': (2.0, 3), }}\n"), "shape"),
        ("one-field.npy", format!("{{'descr': [('a', '<f4')], {order}, 'shape': (6,), }}\n"), "records"),
        ("two-fields.npy", format!("{{'descr': [('a', '<f4'), ('b', '<f4')], {order}, 'shape': (3,), }}\n"), "records"),
        // The product of the sizes overflows, but the first brackets do not hold them.
        ("list.npy", format!("{{'descr': '<f4', {order}, 'shape': [4294967296, 4294967296, 4294967296], }}\n"), ""),
        (
            "other-brackets.npy",
            format!("{{'a': '()', 'descr': '<f4', {order}, 'shape': (4294967296, 4294967296, 4294967296), }}\n"),
            "",
        ),
    ] {
        faults.refused(name, npy_of(&header, &[0; 24]), expected);
    }
    faults.end();
}

#[test]
fn npy_arrays_that_are_no_tables_of_real_numbers() {
    let mut faults = Faults::new();
    for (name, bytes, expected) in [
        ("complex-16.npy", npy("<c16", false, "(1, 2)", &[0; 32]), "complex"),
        ("record.npy", npy("|V8", false, "(1, 2)", &[0; 16]), "`|V8`, not real numbers"),
        ("bytes.npy", npy("|S8", false, "(1, 2)", &[0; 16]), "`|S8`, not real numbers"),
        ("text.npy", npy("<U2", false, "(1, 2)", &[0; 16]), "`<U2`, not real numbers"),
        ("date.npy", npy("<M8[ns]", false, "(1, 2)", &[0; 16]), "`<M8[ns]`, not real numbers"),
        ("duration.npy", npy("<m8[s]", false, "(1, 2)", &[0; 16]), "`<m8[s]`, not real numbers"),
        ("long-double.npy", npy("<f16", false, "(1, 2)", &[0; 32]), "`<f16`, not real numbers"),
        ("3-bytes.npy", npy("<f3", false, "(1, 2)", &[0; 6]), "header cannot be read"),
        ("negative.npy", npy("<f4", false, "(2, -3)", &[0; 24]), "not a shape that a file can hold"),
        ("4-gib.npy", npy("<f4", false, "(32768, 32768)", &[0; 24]), "claims 4294967296 bytes, but 24 follow"),
        ("1-tib.npy", npy("<f8", false, "(131072, 1048576)", &[0; 24]), "claims 1099511627776 bytes, but 24 follow"),
        (
            "2^64-and-more.npy",
            npy("<f8", false, "(99999999999999999999, 3)", &[0; 24]),
            "not a shape that a file can hold",
        ),
        ("no-columns.npy", npy("<f8", true, "(2, 0, 2)", &[]), "holds no numbers"),
        ("no-dimension-fortran.npy", npy("<f8", true, "()", &[0; 8]), "reshape(1, -1)"),
        ("fortran-cut.npy", npy("<f8", true, "(2, 2, 2)", &[0; 63]), "claims 64 bytes, but 63 follow"),
        ("fortran-long.npy", npy("<f8", true, "(2, 2, 2)", &[0; 65]), "claims 64 bytes, but 65 follow"),
    ] {
        faults.refused(name, bytes, expected);
    }
    faults.end();
}

#[test]
fn npz_archives_that_are_wrong() {
    let mut faults = Faults::new();
    let table = npy("<f4", false, "(2, 3)", &[0; 24]);
    let labels = |numbers: [f32; 2]| npy("<f4", false, "(2,)", &numbers.map(f32::to_le_bytes).concat());
    let (whole, halves, three) = (labels([0.0, 1.0]), labels([0.0, 0.5]), npy("|u1", false, "(3,)", &[0; 3]));
    let torch: &[(&str, &[u8])] = &[("archive/data.pkl", b"\x80\x02.")];
    for (name, members, expected) in [
        ("no-member.npz", &[][..], "no array of numbers"),
        ("no-array.npz", &[("readme.txt", &b"hello"[..])][..], "no array of numbers"),
        ("text.npz", &[("a.npy", &npy("<U2", false, "(1, 2)", &[0; 16])[..])], "no array of numbers"),
        ("cut.npz", &[("a.npy", &table[..table.len() - 1])], "but 23 follow"),
        ("two.npz", &[("a.npy", &table[..]), ("b.npy", &table)], "one of which must be named"),
        ("torch.npz", torch, "torch.save"),
        // The names of Keras' data sets.
        ("labels.npz", &[("x_train.npy", &table[..]), ("y_train.npy", &halves)], "the label 0.5 is not a whole number"),
        ("labels-too-many.npz", &[("x_train.npy", &table[..]), ("y_train.npy", &three)], "has 2 rows, but"),
        (
            "test-labels-too-many.npz",
            &[("x_train.npy", &table[..]), ("y_train.npy", &whole), ("x_test.npy", &table), ("y_test.npy", &three)],
            "has 2 rows, but",
        ),
    ] {
        faults.refused(name, archive(members), expected);
    }
    let chosen = |name: &str| Options { array: Some(name.to_owned()), ..Options::default() };
    let two = archive(&[("a.npy", &table), ("b.npy", &whole)]);
    faults.refused_with("no-such-array.npz", &two, &chosen("c"), "it has no array `c`, but `a` (2 x 3 float32), `b`");
    faults.refused_with("flat.npz", &two, &chosen("b"), "reshape(1, -1)");
    let limited = Options { max_bytes: 50, ..Options::default() };
    faults.refused_with("limited.npz", archive(&[("a.npy", &table)]), &limited, "more than the 50 bytes");
    faults.end();
}

// 5. Text.

#[test]
fn tables_of_text_that_are_wrong() {
    let mut faults = Faults::new();
    let cell = "x".repeat(1 << 20);
    for (name, text, expected) in [
        ("empty.csv", "", "the file is empty"),
        ("blank.csv", " \n\r\n\t\n", "nothing but blanks"),
        ("comments.csv", "# one\n# two\n", "no rows"),
        ("only-header.csv", "a,b\n", "it holds a header, but no rows"),
        ("long-row.csv", "a,b\n1,2\n3,4,5\n", "line 3: 3 cells, but the lines before have 2"),
        ("short-row.csv", "1,2\n\n# a comment\n3\n", "line 4: 1 cells"),
        ("short-row.txt", "1 2 3\n4 5 6\n7 8\n", "line 3: 2 cells"),
        ("quoted-row.csv", "a,b\n\"1\n\",2\n3\n", "line 4: 1 cells"),
        ("bom.csv", "\u{feff}a,b\n1,2\n3\n", "line 3: 1 cells"),
        ("crlf.csv", "a,b\r\n1,2\r\n3\r\n", "line 3: 1 cells"),
        ("bom-crlf.csv", "\u{feff}a;b\r\n1;2\r\n3;x\r\n", "row 1, column `b`: `x` is not a number"),
        ("quote.csv", "a,b\n1,2\n3,\"4\n5,6\n", "line 3: a quote is opened here and never closed"),
        ("quote-in-the-first-cell.csv", "1,2\n\"3,4\n5,6\n", "line 2: a quote is opened here and never closed"),
        ("quote-in-the-last-line.csv", "1,2\n3,\"4", "line 2: a quote is opened here and never closed"),
        ("quote.txt", "1 2\n3 \"4\n", "`1 2` is not a number"),
        ("nan.csv", "a,b\n1,2\n3,NaN\n", "row 1, column `b`: the value is NaN"),
        ("inf.csv", "a,b\n1,2\n-inf,4\n", "row 1, column `a`: the value is -inf"),
        ("1e400.csv", "a,b\n1,2\n3,1e400\n", "row 1, column `b`: the value is inf"),
        (
            "1e39.csv",
            "a,b\n1,2\n3,1e39\n",
            "row 1, column `b`: 1000000000000000000000000000000000000000 is too large for single precision",
        ),
        ("hex.csv", "a,b\n1,2\n3,0x10\n", "row 1, column `b`: `0x10` is not a number"),
        ("decimal-commas.csv", "a,b\n1,5,2,5\n3,5,4,5\n", "line 2: 4 cells"),
        ("some-decimal-commas.csv", "1,2\n3,4,5\n", "line 2: 3 cells"),
        ("two-commas.csv", "a;b\n1;2\n3;1,2,3\n", "row 1, column `b`: `1,2,3` is not a number"),
        ("missing.csv", "a,b\n1,2\n3,\n", "row 1, column `b`: the value is missing"),
        ("missing-word.csv", "a,b\nNA,2\n3,4\n", "row 0, column `a`: the value is missing"),
        ("times.csv", "time\n2020-01-01 12:30\n2020-01-02 13:30\n", "is not a number"),
        ("same-names.csv", "a,a\n1,2\n", "two columns are named `a`"),
        ("long-cell.csv", &format!("a,b\n1,{cell}\n3,4\n"), "`xxx"),
        ("long-line.csv", &format!("1,2\n{}\n", vec!["1"; 1 << 19].join(",")), "line 2: 524288 cells"),
        ("no-lines.csv", &"1 x ".repeat(1 << 14), "row 0, column 1: `x` is not a number"),
    ] {
        faults.refused(name, text, expected);
    }
    let header = Options { header: Some(true), ..Options::default() };
    faults.refused_with("header.csv", "a,b\n", &header, "a header, but no rows");
    let csv = of(Format::Csv);
    faults.refused("nul.csv", "a,b\n1,2\n3,\0\n", "");
    faults.refused_with("nul-in-text.csv", "a,b\n1,2\n3,\0\n", &csv, "line 3: it holds a zero byte");
    faults.refused("latin-1.csv", b"a,b\n1,2\n3,caf\xe9\n", "line 3: it is not UTF-8 text");
    faults.refused("latin-1.txt", b"1 2\n3 \xe9\n", "line 2: it is not UTF-8 text");
    faults.refused("utf-16.csv", b"\xff\xfe1\0,\0\x00\xd82\0", "UTF-16");
    let far = [&"1,2\n".repeat(1 << 16).into_bytes()[..], b"3,\xff\n"].concat();
    faults.refused("far.csv", far, "line 65537: it is not UTF-8 text");
    faults.end();
}

/// Sparse files that claim rows but have no columns.
#[test]
fn matrices_without_columns_are_refused() {
    let mut faults = Faults::new();
    let mtx = "%%MatrixMarket matrix coordinate real general\n3 0 0\n";
    faults.refused("no-columns.mtx", mtx, "no columns");
    faults.refused("no-rows.mtx", mtx.replace("3 0", "0 3"), "no entries");
    faults.refused_with("no-pairs.svmlight", "1\n-1\n", &of(Format::Svmlight), "no columns");
    faults.refused_with("no-words.lda-c", "0\n0\n", &of(Format::LdaC), "no columns");
    faults.end();
}

// 6. Parquet.

#[cfg(feature = "parquet")]
#[test]
fn parquet_files_that_are_wrong() {
    let mut faults = Faults::new();
    let good = good("parquet/pyarrow-none.parquet");
    let size = good.len();
    let length = u32::from_le_bytes(*good[size - 8..].first_chunk().expect("four bytes"));
    let footer = |claim: u32, magic: &[u8]| [&good[..size - 8], &claim.to_le_bytes(), magic].concat();
    for (name, bytes, expected) in [
        ("magic-alone.parquet", b"PAR1".to_vec(), "damaged Parquet file"),
        ("magics-alone.parquet", b"PAR1PAR1".to_vec(), "damaged Parquet file"),
        ("no-footer.parquet", b"PAR1\0\0\0\0PAR1".to_vec(), "damaged Parquet file"),
        ("magic.parquet", footer(length, b"PAR2"), "damaged Parquet file"),
        ("encrypted.parquet", footer(length, b"PARE"), "encrypted"),
        ("footer-of-nothing.parquet", footer(0, b"PAR1"), "damaged Parquet file"),
        ("footer-of-one-byte.parquet", footer(1, b"PAR1"), "damaged Parquet file"),
        ("footer-too-short.parquet", footer(length - 1, b"PAR1"), "damaged Parquet file"),
        ("footer-too-long.parquet", footer(length + 1, b"PAR1"), "damaged Parquet file"),
        ("footer-of-the-file.parquet", footer(size as u32 - 8, b"PAR1"), "damaged Parquet file"),
        ("footer-of-more.parquet", footer(size as u32 - 7, b"PAR1"), "damaged Parquet file"),
        ("footer-of-2-gib.parquet", footer(i32::MAX as u32, b"PAR1"), "damaged Parquet file"),
        ("footer-of-4-gib.parquet", footer(u32::MAX, b"PAR1"), "damaged Parquet file"),
    ] {
        faults.refused(name, bytes, expected);
    }
    for cut in [size / 4, size / 2, size - length as usize - 8, size - 8, size - 4, size - 1] {
        faults.refused(&format!("cut-at-{cut}.parquet"), &good[..cut], "damaged Parquet file");
    }
    // Bytes that are lost in the data: the footer is whole, but what it points at has moved.
    for hole in [4..20, 100..116, 400..500, 700..720] {
        let bytes = [&good[..hole.start], &good[hole.end..]].concat();
        faults.refused(&format!("hole-at-{}.parquet", hole.start), bytes, "damaged Parquet file");
    }
    faults.end();
}

/// The one place of these bytes.
#[cfg(feature = "parquet")]
fn place(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut places = bytes.windows(wanted.len()).enumerate().filter(|(_, window)| *window == wanted).map(|(i, _)| i);
    match (places.next(), places.next()) {
        (Some(place), None) => place,
        found => panic!("{wanted:02x?} is at {found:?}"),
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_footers_that_lie() {
    let mut faults = Faults::new();
    let good = good("parquet/pyarrow-none.parquet");
    // The path of column `a`, a list of one name, and behind it the codec.
    let codec = place(&good, b"\x19\x18\x01a\x15\x00") + 5;
    for (name, byte) in
        [("snappy", 2), ("gzip", 4), ("lzo", 6), ("brotli", 8), ("lz4", 10), ("zstd", 12), ("lz4-raw", 14)]
    {
        let mut bytes = good.clone();
        bytes[codec] = byte;
        faults.refused(&format!("not-{name}.parquet"), bytes, "damaged Parquet file");
    }
    for byte in [16, 126] {
        let mut bytes = good.clone();
        bytes[codec] = byte;
        faults.refused(&format!("unknown-codec-{byte}.parquet"), bytes, "CompressionCodec");
    }
    // The number of rows, before the list of one row group, and that of the row group, before its place in the file.
    let (file, group) = (place(&good, b"\x16\x0e\x19\x1c") + 1, place(&good, b"\x16\x0e\x26\x08") + 1);
    for (name, rows, of_group, expected) in [
        ("8-rows-of-7.parquet", 16, 14, "its footer claims 8 rows, but its row groups hold 7"),
        ("7-rows-of-8.parquet", 14, 16, "its footer claims 7 rows, but its row groups hold 8"),
        ("8-rows.parquet", 16, 16, "damaged Parquet file"),
        // The columns have one number more.
        ("6-rows.parquet", 12, 12, ""),
        ("63-rows.parquet", 126, 126, "damaged Parquet file"),
        ("no-rows.parquet", 0, 0, "no rows"),
        ("minus-7-rows.parquet", 13, 13, "more rows than can be counted"),
    ] {
        let mut bytes = good.clone();
        (bytes[file], bytes[group]) = (rows, of_group);
        faults.refused(name, bytes, expected);
    }
    faults.end();
}

// 7. Pictures.

#[cfg(feature = "pictures")]
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let content = [&kind[..], data].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    [&(data.len() as u32).to_be_bytes()[..], &content, &crc.sum().to_be_bytes()].concat()
}

/// A grey PNG of this size and no pixels.
#[cfg(feature = "pictures")]
fn png(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    // An empty zlib stream.
    let pixels = [0x78, 0x9c, 0x03, 0, 0, 0, 0, 1];
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header), &chunk(b"IDAT", &pixels), &chunk(b"IEND", b"")].concat()
}

/// A BMP of this size, in 24 bits, and one pixel.
#[cfg(feature = "pictures")]
fn bmp(width: i32, height: i32) -> Vec<u8> {
    let sizes = [54, 0, 54, 40].map(u32::to_le_bytes).concat();
    let rest = [[1u8, 0, 24, 0], [0; 4], [0; 4], [0; 4], [0; 4], [0; 4], [0; 4]].concat();
    [&b"BM"[..], &sizes, &width.to_le_bytes(), &height.to_le_bytes(), &rest, &[1, 2, 3, 0]].concat()
}

#[cfg(feature = "pictures")]
#[test]
fn pictures_that_are_wrong() {
    let mut faults = Faults::new();
    for (name, bytes, expected) in [
        ("empty.png", Vec::new(), "the file is empty"),
        ("text.png", b"hello".to_vec(), "it holds a header, but no rows"),
        ("65535.png", png(65535, 65535), "not a readable picture"),
        ("32768.png", png(32768, 32768), "not a readable picture"),
        ("2^31.png", png(i32::MAX as u32, i32::MAX as u32), "not a readable picture"),
        ("no-width.png", png(0, 5), "not a readable picture"),
        ("no-pixels.png", png(5, 5), "not a readable picture"),
        ("65535.bmp", bmp(65535, 65535), "not a readable picture"),
        ("2^31.bmp", bmp(i32::MAX, i32::MAX), "not a readable picture"),
        ("upside-down.bmp", bmp(5, i32::MIN), "not a readable picture"),
        ("no-pixels.bmp", bmp(5, 5), "not a readable picture"),
        ("65535.pgm", b"P5 65535 65535 255\n0".to_vec(), "not a readable picture"),
        ("2^32.pgm", b"P5 4294967296 1 255\n0".to_vec(), "not a readable picture"),
        ("nothing.gif", b"GIF89a\0\0\0\0\0\0\0;".to_vec(), "not a readable picture"),
        ("nothing.jpg", b"\xff\xd8\xff\xd9".to_vec(), "not a readable picture"),
        ("nothing.tiff", b"II*\0\x08\0\0\0\0\0\0\0\0\0".to_vec(), "not a readable picture"),
        ("endless.tiff", b"II*\0\x08\0\0\0\0\0\x08\0\0\0".to_vec(), "not a readable picture"),
        ("nothing.webp", b"RIFF\x04\0\0\0WEBP".to_vec(), "not a readable picture"),
    ] {
        faults.refused(name, bytes, expected);
    }
    faults.refused("cut.png", &good("pictures/l.png")[..50], "not a readable picture");
    faults.end();
}

/// A folder with these files in it.
#[cfg(feature = "pictures")]
fn pictures(faults: &Faults, folder: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let path = faults.folder.path().join(folder);
    std::fs::create_dir(&path).expect("it is new");
    for (name, bytes) in files {
        write(&path, name, bytes);
    }
    path
}

#[cfg(feature = "pictures")]
#[test]
fn folders_of_pictures_that_are_wrong() {
    let mut faults = Faults::new();
    let (one, other) = (good("pictures/l.png"), b"P5 2 2 255\n0123");
    let skipping = Options { skip_bad: true, ..Options::default() };
    for (folder, files, options, named, expected) in [
        ("nothing", &[][..], Options::default(), "nothing", "no pictures"),
        ("only-text", &[("readme.txt", &b"hello"[..])][..], Options::default(), "only-text", "no pictures"),
        ("empty", &[("a.png", &one[..]), ("b.png", b"")], Options::default(), "b.png", "the file is empty"),
        ("text", &[("a.png", &one[..]), ("b.png", b"hello")], Options::default(), "b.png", "not a readable picture"),
        ("cut", &[("a.png", &one[..]), ("b.png", &one[..40])], Options::default(), "b.png", "not a readable picture"),
        ("mixed", &[("a.png", &one[..]), ("b.pgm", other)], Options::default(), "b.pgm", "choose a size by --size"),
        ("mixed-skipping", &[("a.png", &one[..]), ("b.pgm", other)], skipping.clone(), "b.pgm", "choose a size"),
        ("all-bad", &[("a.png", &b""[..]), ("b.png", b"hello")], skipping, "all-bad", "none of its 2 pictures"),
    ] {
        let path = pictures(&faults, folder, files);
        faults.refused_path(&path, named, &options, expected);
    }
    // A size makes one of two.
    let path = pictures(&faults, "sized", &[("a.png", &one), ("b.pgm", other)]);
    let sized = open(&path, &Options { size: Some([4, 3]), ..Options::default() }).expect("pictures of any size");
    assert_eq!((sized.count(), &sized.shape[..]), (2, &[4, 3][..]));
    assert_eq!(sized.rows().expect("they are read").width, 12);
    faults.end();
}

#[cfg(feature = "pictures")]
#[test]
fn bad_pictures_are_left_out_counted_and_named() {
    let faults = Faults::new();
    let picture = good("pictures/l.png");
    let names: Vec<String> = (0..100).map(|i| format!("{i:02}.png")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (&name[..], if name == "41.png" { &b"x"[..] } else { &picture[..] })).collect();
    let path = pictures(&faults, "many", &files);
    let data = open(&path, &Options { skip_bad: true, ..Options::default() }).expect("most are good");
    assert_eq!((data.count(), data.width()), (99, 30));
    assert!(data.notes[0].contains("1 of 100 pictures"), "{:?}", data.notes);
    assert!(data.notes.iter().any(|note| note.contains("41.png")), "{:?}", data.notes);
}

#[cfg(all(unix, feature = "pictures"))]
#[test]
fn links_in_a_circle_and_links_to_nothing() {
    use std::os::unix::fs::symlink;
    let mut faults = Faults::new();
    let picture = good("pictures/l.png");
    let path = pictures(&faults, "loop", &[("a.png", &picture)]);
    symlink(&path, path.join("again")).expect("a link");
    symlink("..", path.join("up")).expect("a link");
    symlink("itself", path.join("itself")).expect("a link");
    let data = open(&path, &Options::default()).expect("one picture");
    assert_eq!(data.count(), 1, "a picture is read once, however many ways lead to it");
    symlink("gone.png", path.join("dangling.png")).expect("a link");
    faults.refused_path(&path, "dangling.png", &Options::default(), "");
    faults.end();
}

/// Opening a pipe would wait for its writer.
#[cfg(all(unix, feature = "pictures"))]
#[test]
fn pipes_in_a_folder_are_not_waited_for() {
    let faults = Faults::new();
    let path = pictures(&faults, "pipe", &[("a.png", &good("pictures/l.png"))]);
    let made = std::process::Command::new("mkfifo").arg(path.join("pipe")).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let found = open(&path, &Options::default());
        let _ = send.send(found.map(|data| data.count()).map_err(|error| error.to_string()));
    });
    assert_eq!(receive.recv_timeout(HANG).expect("nothing is waited for"), Ok(1));
}

// 8. Values.

#[test]
fn values_that_no_model_takes_are_named_by_their_place() {
    let mut faults = Faults::new();
    for (row, column) in [(0, 0), (1, 1), (2, 2)] {
        for (x, expected) in [
            (f64::NAN, "the value is NaN".to_owned()),
            (f64::INFINITY, "the value is inf".to_owned()),
            (f64::NEG_INFINITY, "the value is -inf".to_owned()),
            (-1e300, format!("{} is too large for single precision", -1e300)),
        ] {
            let at = |r: usize, c: usize| if (r, c) == (row, column) { x } else { (3 * r + c) as f64 };
            let rows: Vec<f64> = (0..9).map(|i| at(i / 3, i % 3)).collect();
            let columns: Vec<f64> = (0..9).map(|i| at(i % 3, i / 3)).collect();
            let single: Vec<u8> = rows.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
            let big: Vec<u8> = rows.iter().flat_map(|&x| (x as f32).to_be_bytes()).collect();
            let half: Vec<u8> = rows.iter().flat_map(|&x| half::f16::from_f64(x).to_le_bytes()).collect();
            let double: Vec<u8> = rows.iter().flat_map(|x| x.to_le_bytes()).collect();
            let turned: Vec<u8> = columns.iter().flat_map(|x| x.to_le_bytes()).collect();
            let lines: Vec<String> =
                rows.chunks(3).map(|row| format!("{:e},{:e},{:e}\n", row[0], row[1], row[2])).collect();
            let tensor = tensors(&[("x", "F32", "[3,3]", [0, 36])], &single);
            let stored = npy("<f8", false, "(3, 3)", &double);
            // In fewer bits it is infinite.
            let narrow = if x == -1e300 { "the value is -inf" } else { &expected };
            for (name, bytes, expected) in [
                ("f2.npy", npy("<f2", false, "(3, 3)", &half), narrow),
                ("f4.npy", npy("<f4", false, "(3, 3)", &single), narrow),
                ("big-f4.npy", npy(">f4", false, "(3, 3)", &big), narrow),
                ("f4.idx", idx(13, &[3, 3], &big), narrow),
                ("f4.safetensors", tensor, narrow),
                ("f8.npz", archive(&[("x.npy", &stored)]), &expected),
                ("f8.npy", stored, &expected),
                ("fortran-f8.npy", npy("<f8", true, "(3, 3)", &turned), &expected),
                ("text.csv", lines.concat().into_bytes(), &expected),
                ("text.csv.gz", gzip(lines.concat().as_bytes()), &expected),
            ] {
                faults.refused(name, bytes, &format!("row {row}, column {column}: {expected}"));
            }
        }
    }
    let mean = Options { missing: Missing::Mean, ..Options::default() };
    faults.refused_with("inf.csv", "1,2\n,inf\n", &mean, "row 1, column 1: the value is inf");
    faults.refused_with("gap.csv", "a,b\n1,\n2,\n", &mean, "column `b` has no value");
    faults.end();
}

#[test]
fn columns_and_labels_that_do_not_fit() {
    let mut faults = Faults::new();
    let table = "a,b,c\n1,2.5,x\n3,4,y\n5,,x\n";
    let labels = |name: &str| Options { labels: Some(name.to_owned()), ..Options::default() };
    let columns = |names: &[&str]| Options {
        columns: Some(names.iter().map(|&name| name.to_owned()).collect()),
        ..Options::default()
    };
    for (name, options, expected) in [
        ("text.csv", Options::default(), "row 0, column `c`: `x` is not a number"),
        ("no-such-label.csv", labels("d"), "it has no column `d`; its columns are a, b, c"),
        ("label-by-number.csv", labels("0"), "it has no column `0`"),
        ("label-of-halves.csv", labels("b"), "the label 2.5 is not a whole number"),
        ("no-such-column.csv", columns(&["a", "z"]), "it has no column `z`"),
        ("no-columns.csv", columns(&[]), "no column is left"),
        ("only-the-label.csv", Options { columns: columns(&["c"]).columns, ..labels("c") }, "no column is left"),
        ("text-chosen.csv", columns(&["c"]), "column `c`: `x` is not a number"),
        ("only-text.csv", Options { categories: Categories::Ignore, ..columns(&["c"]) }, "no column is left"),
        ("named.csv", Options { array: Some("x".to_owned()), ..Options::default() }, "one table, which has no name"),
    ] {
        faults.refused_with(name, table, &options, expected);
    }
    faults.refused_with(
        "no-such-number.csv",
        "1,2\n3,4\n",
        &labels("2"),
        "it has no column `2`; its columns are 0 to 1",
    );
    faults.refused_with("gap.csv", "a,b\n1,\n2,3\n", &labels("b"), "not a whole number");
    // A file of labels.
    let file = |path: PathBuf| Options { labels_file: Some(path), ..Options::default() };
    for (name, bytes, named, expected) in [
        ("labels-too-few.txt", &b"a\nb\n"[..], "table.csv", "3 rows, but 2 labels"),
        ("labels-too-many.txt", b"a\nb\na\nb\n", "table.csv", "3 rows, but 4 labels"),
        ("labels-empty.txt", b"", "labels-empty.txt", "the file is empty"),
        ("labels-in-a-table.idx", &idx(8, &[3, 2], &[0; 6]), "labels-in-a-table.idx", "labels have one dimension"),
        ("labels-of-halves.npy", &npy("<f8", false, "(3,)", &[0x3f; 24]), "labels-of-halves.npy", "not a whole number"),
    ] {
        let options = file(faults.file(name, bytes));
        let path = faults.file("table.csv", "1,2\n3,4\n5,6\n");
        faults.refused_path(&path, named, &options, expected);
    }
    let options = file(faults.folder.path().join("labels-missing.txt"));
    let path = faults.file("table.csv", "1,2\n3,4\n5,6\n");
    faults.refused_path(&path, "labels-missing.txt", &options, "");
    faults.refused_path(&faults.folder.path().join("none.csv"), "none.csv", &Options::default(), "");
    // The smallest table there is.
    faults.read("one.csv", "7\n", 1, &[7.0]);
    faults.read("one.npy", npy("|u1", false, "(1, 1)", &[7]), 1, &[7.0]);
    faults.end();
}

// 9. Headers of safetensors.

fn safetensors(header: impl AsRef<[u8]>, data: &[u8]) -> Vec<u8> {
    let header = header.as_ref();
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}

/// A file of tensors: their names, types, shapes and offsets.
fn tensors(tensors: &[(&str, &str, &str, [u64; 2])], data: &[u8]) -> Vec<u8> {
    let entries: Vec<String> = tensors
        .iter()
        .map(|(name, kind, shape, offsets)| {
            format!(r#""{name}":{{"dtype":"{kind}","shape":{shape},"data_offsets":[{},{}]}}"#, offsets[0], offsets[1])
        })
        .collect();
    safetensors(format!("{{{}}}", entries.join(",")), data)
}

#[test]
fn safetensors_headers_that_are_wrong() {
    let mut faults = Faults::new();
    let one = r#"{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}"#;
    // Each size is sound, but their sum and the header are more than 64 bits count.
    let huge = (1u64 << 61) - 1;
    let shape = format!("[{huge}]");
    let names: Vec<String> = (0..8).map(|i| format!("x.{i}")).collect();
    let many: Vec<(&str, &str, &str, [u64; 2])> =
        names.iter().zip(0..).map(|(name, i)| (&name[..], "U8", &shape[..], [i * huge, (i + 1) * huge])).collect();
    for (name, bytes, expected) in [
        ("hole", tensors(&[("x", "F32", "[1]", [0, 4]), ("y", "F32", "[1]", [8, 12])], &[0; 12]), "`y`"),
        ("hole-at-the-start", tensors(&[("x", "F32", "[1]", [4, 8])], &[0; 8]), "`x`"),
        ("overlap", tensors(&[("x", "F32", "[2]", [0, 8]), ("y", "F32", "[2]", [4, 12])], &[0; 12]), "`y`"),
        (
            "twice-the-same",
            tensors(&[("x", "F32", "[1]", [0, 4]), ("y", "F32", "[1]", [0, 4])], &[0; 4]),
            "invalid offset",
        ),
        ("reversed", tensors(&[("x", "F32", "[1]", [4, 0])], &[0; 4]), "`x`"),
        ("trailing", tensors(&[("x", "F32", "[1,1]", [0, 4])], &[0; 5]), "not fully covered"),
        (
            "zip-tail",
            tensors(&[("x", "F32", "[1,1]", [0, 4])], &[&[0u8; 4][..], &archive(&[])].concat()),
            "not fully covered",
        ),
        ("cut", tensors(&[("x", "F32", "[1,2]", [0, 8])], &[0; 7]), "not fully covered"),
        ("wrong-size", tensors(&[("x", "F32", "[1,2]", [0, 4])], &[0; 4]), "invalid shape"),
        ("wrong-type", tensors(&[("x", "F64", "[1,1]", [0, 4])], &[0; 4]), "invalid shape"),
        ("negative", tensors(&[("x", "F32", "[-1,-1]", [0, 4])], &[0; 4]), "`-1`"),
        ("overflow", tensors(&[("x", "F32", "[4294967296,4294967296]", [0, 4])], &[0; 4]), "overflow"),
        ("1-tib", tensors(&[("x", "U8", "[1,1099511627776]", [0, 1 << 40])], &[0; 4]), "not fully covered"),
        ("more-than-64-bits", tensors(&many, &[0; 4]), ""),
        ("unknown-type", tensors(&[("x", "F31", "[1,1]", [0, 4])], &[0; 4]), "F31"),
        ("complex", tensors(&[("x", "C64", "[1,1]", [0, 8])], &[0; 8]), "`x` is of a type other than real numbers"),
        ("no-rows", tensors(&[("x", "F32", "[0,3]", [0, 0])], &[]), "holds no numbers"),
        ("flat", tensors(&[("x", "F32", "[2]", [0, 8])], &[0; 8]), "reshape(1, -1)"),
        ("nothing", safetensors("{}", &[]), "no tensor"),
        ("only-metadata", safetensors(r#"{"__metadata__":{"a":"b"}}"#, &[]), "no tensor"),
        ("metadata-of-numbers", safetensors(format!(r#"{{"__metadata__":{{"a":1}},"x":{one}}}"#), &[0; 4]), "string"),
        ("metadata-twice", safetensors(r#"{"__metadata__":{},"__metadata__":{}}"#, &[]), "__metadata__"),
        ("duplicate", safetensors(format!(r#"{{"x":{one},"x":{one}}}"#), &[0; 4]), "`x`"),
        (
            "duplicate-of-another-type",
            safetensors(format!(r#"{{"x":{one},"x":{}}}"#, one.replace("F32", "U8").replace("1,1", "2,2")), &[0; 4]),
            "`x`",
        ),
        ("no-offsets", safetensors(r#"{"x":{"dtype":"F32","shape":[1]}}"#, &[0; 4]), "data_offsets"),
        ("no-json", safetensors(r#"{"x":"#, &[]), "not a valid safetensors file"),
        ("no-text", safetensors(b"{\"\xff\":1}", &[]), "UTF-8"),
        ("nested", safetensors(format!("{}1", r#"{"x":"#.repeat(10_000)), &[]), "not a valid safetensors file"),
        ("header-longer-than-the-file", [&99u64.to_le_bytes()[..], b"{}"].concat(), "not a valid safetensors file"),
        ("header-of-4-gib", [&u64::from(u32::MAX).to_le_bytes()[..], b"{}"].concat(), "not a valid safetensors file"),
        ("header-of-no-bytes", [&0u64.to_le_bytes()[..], b"{}"].concat(), "not a valid safetensors file"),
    ] {
        let name = format!("{name}.safetensors");
        faults.refused(&name, &bytes, expected);
        faults.refused_with(&name, &bytes, &of(Format::Safetensors), expected);
    }
    let blank = safetensors(format!(r#" {{"x":{one}}}"#), &[0; 4]);
    faults.refused("blank.safetensors", &blank, "");
    faults.refused_with("blank.safetensors", &blank, &of(Format::Safetensors), "");
    // What is something else under that name.
    for (name, bytes, expected) in [
        ("empty.safetensors", Vec::new(), "the file is empty"),
        ("pickle.safetensors", b"\x80\x04\x95\x05\0\0\0\0\0\0\0K\x01.".to_vec(), "pickle"),
        ("torch.safetensors", archive(&[("archive/data.pkl", b"\x80\x02.")]), "torch.save"),
        ("onnx.safetensors", b"\x08\x07\x12\x07pytorch\x1a\x01\0".to_vec(), "no format that is known"),
        ("hdf5.safetensors", b"\x89HDF\r\n\x1a\n\0\0".to_vec(), "HDF5"),
    ] {
        faults.refused(name, bytes, expected);
    }
    let folder = faults.folder.path().join("folder.safetensors");
    std::fs::create_dir(&folder).expect("it is new");
    faults.refused_path(&folder, "folder.safetensors", &Options::default(), "");
    // A header whose length begins as JSON does: 123 is `{`.
    let header = format!("{:<123}", format!(r#"{{"x":{one}}}"#));
    faults.read("123.safetensors", safetensors(header, &2.5f32.to_le_bytes()), 1, &[2.5]);
    faults.end();
}

#[test]
fn safetensors_indices_that_are_wrong() {
    let mut faults = Faults::new();
    faults.file("a.safetensors", tensors(&[("x", "F32", "[1,1]", [0, 4])], &[0; 4]));
    faults.file("cut.safetensors", &tensors(&[("x", "F32", "[1,1]", [0, 4])], &[0; 4])[..60]);
    for (name, map, named, expected) in [
        ("no-map.json", "3", "no-map.json", "not an index"),
        ("numbers.json", r#"{"x":1}"#, "numbers.json", "not an index"),
        ("empty-map.json", "{}", "empty-map.json", "no tensor"),
        ("elsewhere.json", r#"{"x":"../a.safetensors"}"#, "elsewhere.json", "does not lie beside it"),
        ("absolute.json", r#"{"x":"/a.safetensors"}"#, "absolute.json", "does not lie beside it"),
        ("no-name.json", r#"{"x":""}"#, "no-name.json", "does not lie beside it"),
        ("missing.json", r#"{"x":"none.safetensors"}"#, "none.safetensors", ""),
        ("itself.json", r#"{"x":"itself.json"}"#, "itself.json", "not a valid safetensors file"),
        ("cut.json", r#"{"x":"cut.safetensors"}"#, "cut.safetensors", "not a valid safetensors file"),
        ("too-few.json", r#"{"y":"a.safetensors"}"#, "too-few.json", "it does not name `x`"),
        ("too-many.json", r#"{"x":"a.safetensors","y":"a.safetensors"}"#, "too-many.json", "no such tensor"),
    ] {
        let path = faults.file(name, format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#));
        faults.refused_path(&path, named, &Options::default(), expected);
    }
    faults.end();
}
