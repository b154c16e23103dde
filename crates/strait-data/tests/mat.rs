//! Matrices from MATLAB files: what scipy wrote and what the format allows is read, and files that lie are refused.

mod common;
#[path = "common/table.rs"]
mod tables;

use std::io::Write;

use common::write;
use tables::{Table, table};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use strait_data::Error;

fn read(bytes: &[u8], tensor: Option<&str>) -> Result<Table, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    table(write(folder.path(), "some.mat", bytes), tensor)
}

/// The message of the error that reading these bytes gives.
fn refusal(bytes: &[u8], tensor: Option<&str>) -> String {
    let error = read(bytes, tensor).expect_err("a bad file is refused").to_string();
    assert!(error.contains("some.mat"), "the message names the file: {error}");
    error
}

/// The rows of every matrix here: a matrix of 2 rows and 3 columns, as MATLAB shows it, and stored column after column.
const ROWS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
const COLUMNS: [u8; 6] = [1, 4, 2, 5, 3, 6];

/// A writer of such files in one byte order.
#[derive(Clone, Copy)]
struct Writer {
    big: bool,
}

impl Writer {
    fn word(self, word: u32) -> [u8; 4] {
        if self.big { word.to_be_bytes() } else { word.to_le_bytes() }
    }

    /// A number of this type and size.
    fn number(self, kind: u32, x: u8) -> Vec<u8> {
        let mut bytes = match kind {
            1 | 2 => vec![x],
            3 | 4 => u16::from(x).to_le_bytes().to_vec(),
            5 | 6 => u32::from(x).to_le_bytes().to_vec(),
            7 => f32::from(x).to_le_bytes().to_vec(),
            9 => f64::from(x).to_le_bytes().to_vec(),
            12 | 13 => u64::from(x).to_le_bytes().to_vec(),
            _ => vec![0; 8],
        };
        if self.big {
            bytes.reverse();
        }
        bytes
    }

    fn numbers(self, kind: u32, values: &[u8]) -> Vec<u8> {
        self.element(kind, &values.iter().flat_map(|&x| self.number(kind, x)).collect::<Vec<_>>())
    }

    fn element(self, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = [self.word(kind), self.word(data.len() as u32)].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// An element of up to four bytes within its tag.
    fn short(self, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.word((data.len() as u32) << 16 | kind).to_vec();
        bytes.extend(data);
        bytes.resize(8, 0);
        bytes
    }

    fn head(self, class: u32, sizes: &[i32], name: &str) -> Vec<u8> {
        let flags = self.element(6, &[self.word(class), [0; 4]].concat());
        let sizes = self.element(5, &sizes.iter().flat_map(|&size| self.word(size as u32)).collect::<Vec<_>>());
        [flags, sizes, self.element(1, name.as_bytes())].concat()
    }

    /// A variable that holds a matrix of doubles.
    fn doubles(self, name: &str) -> Vec<u8> {
        self.element(14, &[self.head(6, &[2, 3], name), self.numbers(9, &COLUMNS)].concat())
    }

    fn compressed(self, variable: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(variable).expect("memory takes all");
        let packed = encoder.finish().expect("memory takes all");
        // Unlike others, these elements are not filled up.
        [&self.word(15), &self.word(packed.len() as u32), &packed[..]].concat()
    }

    fn file(self, variables: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"MATLAB 5.0 MAT-file, written by a test".to_vec();
        bytes.resize(124, b' ');
        bytes.extend(if self.big { b"\x01\x00MI" } else { b"\x00\x01IM" });
        bytes.extend(variables.concat());
        bytes
    }
}

const LITTLE: Writer = Writer { big: false };

/// What `scipy.io.savemat` 1.17 writes of `{'ab': np.array([[1, 2, 3], [4, 5, -6]], dtype=np.int16)}` behind the
/// header, plain and compressed.
#[rustfmt::skip]
const SCIPY: [&[u8]; 2] = [
    &[
        0x0e, 0, 0, 0, 0x40, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0,
        0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 2, 0, b'a', b'b', 0, 0, 3, 0, 0, 0, 0x0c, 0, 0, 0, 1, 0, 4, 0, 2, 0,
        5, 0, 3, 0, 0xfa, 0xff, 0, 0, 0, 0,
    ],
    &[
        0x0f, 0, 0, 0, 0x32, 0, 0, 0, 0x78, 0x9c, 0xe3, 0x63, 0x60, 0x60, 0x70, 0x00, 0x62, 0x36, 0x20, 0xe6,
        0x00, 0x62, 0x2e, 0x06, 0x08, 0x60, 0x85, 0xf2, 0x99, 0x80, 0x98, 0x19, 0x88, 0x19, 0x81, 0xac, 0xc4,
        0x24, 0x08, 0x9b, 0x07, 0xcc, 0x67, 0x01, 0x8a, 0xb0, 0x02, 0xf9, 0xbf, 0xfe, 0x83, 0xd4, 0x03, 0x00,
        0x3f, 0xdb, 0x03, 0x56,
    ],
];

#[test]
fn what_scipy_writes_is_read() {
    for variable in SCIPY {
        let table = read(&LITTLE.file(&[variable.to_vec()]), None).expect("a good file");
        assert_eq!((table.width, table.values), (3, vec![1.0, 2.0, 3.0, 4.0, 5.0, -6.0]));
    }
}

#[test]
fn all_classes_types_and_byte_orders_are_read() {
    for big in [false, true] {
        let writer = Writer { big };
        for (class, kind) in (6..=15).flat_map(|class| [1, 2, 3, 4, 5, 6, 7, 9, 12, 13].map(|kind| (class, kind))) {
            let content = [writer.head(class, &[2, 3], "x"), writer.numbers(kind, &COLUMNS)].concat();
            let variable = writer.element(14, &content);
            for variable in [writer.compressed(&variable), variable] {
                let table = read(&writer.file(&[variable]), None).expect("a good file");
                assert_eq!((table.width, &table.values[..]), (3, &ROWS[..]), "class {class}, type {kind}, big: {big}");
            }
        }
        // Names and numbers that stand in their tags.
        let head = writer.head(9, &[1, 3], "");
        let short = [&head[..head.len() - 8], &writer.short(1, b"abc"), &writer.short(2, &[9, 8, 255])].concat();
        let table = read(&writer.file(&[writer.element(14, &short)]), Some("abc")).expect("a good file");
        assert_eq!(table.values, [9.0, 8.0, 255.0]);
    }
    for (kind, bytes, expected) in [
        (1, vec![0x80], -128.0),
        (3, i16::MIN.to_le_bytes().to_vec(), -32768.0),
        (5, i32::MIN.to_le_bytes().to_vec(), -2_147_483_648.0),
        (6, u32::MAX.to_le_bytes().to_vec(), 4_294_967_296.0),
        (7, (-0.125f32).to_le_bytes().to_vec(), -0.125),
        (9, 1e-3f64.to_le_bytes().to_vec(), 1e-3),
        (12, (-3i64).to_le_bytes().to_vec(), -3.0),
    ] {
        let content = [LITTLE.head(6, &[1, 1], "x"), LITTLE.element(kind, &bytes)].concat();
        let table = read(&LITTLE.file(&[LITTLE.element(14, &content)]), None).expect("a good file");
        assert_eq!(table.values, [expected], "type {kind}");
    }
}

#[test]
fn one_of_several_variables_is_named() {
    let ones = LITTLE.element(14, &[LITTLE.head(9, &[1, 2], "ones"), LITTLE.numbers(2, &[1, 1])].concat());
    let text = LITTLE.element(14, &[LITTLE.head(4, &[1, 2], "note"), LITTLE.numbers(4, b"hi")].concat());
    // MATLAB's own: functions in a variable without a name, and an object, which has no sizes.
    let own = LITTLE.element(14, &[LITTLE.head(9, &[1, 1], ""), LITTLE.numbers(2, &[1])].concat());
    let flags = LITTLE.element(6, &[LITTLE.word(17), [0; 4]].concat());
    let object = LITTLE.element(14, &[flags, LITTLE.short(1, b"obj"), LITTLE.element(1, b"MCOS")].concat());
    let several = LITTLE.file(&[LITTLE.doubles("x"), LITTLE.compressed(&ones), text, object, own.clone()]);
    assert_eq!(read(&several, Some("x")).expect("it is there").values, ROWS);
    assert_eq!(read(&several, Some("ones")).expect("it is there").values, [1.0, 1.0]);
    for (wanted, expected) in [
        (
            None,
            "it holds several variables, one of which must be named by --tensor: `x` (2 x 3 float64), `ones` (1 x 2 uint8), `note`",
        ),
        (Some("y"), "it has no variable `y`, but `x` (2 x 3 float64)"),
        (Some("note"), "variable `note`: it is text"),
        (Some("obj"), "variable `obj`: it is a function or an object"),
    ] {
        let message = refusal(&several, wanted);
        assert!(message.contains(expected), "{expected} is not in: {message}");
    }
    assert_eq!(
        read(&LITTLE.file(&[LITTLE.doubles("x"), own.clone()]), None).expect("only one has a name").values,
        ROWS
    );
    assert!(refusal(&LITTLE.file(&[own]), None).contains("it holds no variable"));
    let twice = LITTLE.file(&[LITTLE.doubles("x"), LITTLE.doubles("x")]);
    assert!(refusal(&twice, Some("x")).contains("several variables `x`"));
}

#[test]
fn what_is_no_matrix_of_real_numbers_is_refused() {
    let variable = |class: u32, sizes: &[i32], numbers: Vec<u8>| {
        LITTLE.file(&[LITTLE.element(14, &[LITTLE.head(class, sizes, "x"), numbers].concat())])
    };
    let six = || LITTLE.numbers(2, &COLUMNS);
    let mut other = LITTLE.file(&[LITTLE.doubles("x")]);
    other[124..126].copy_from_slice(&[0, 2]);
    let mut older = other.clone();
    older[124..].fill(0);
    for (bytes, expected) in [
        (variable(1, &[2, 3], six()), "it is a cell array"),
        (variable(2, &[2, 3], six()), "it is a structure"),
        (variable(4, &[2, 3], six()), "it is text"),
        (variable(5, &[2, 3], six()), "cut short"),
        (variable(200, &[2, 3], six()), "it is a function or an object"),
        (variable(0x806, &[2, 3], [six(), six()].concat()), "it is complex"),
        (variable(6, &[6], six()), "in one dimension"),
        (variable(6, &[0, 3], LITTLE.numbers(2, &[])), "0 x 3"),
        (variable(6, &[2, 4], six()), "2 x 4 numbers of 1 bytes is not what its 6 bytes"),
        (variable(6, &[2, 3], LITTLE.numbers(2, &[1; 7])), "not what its 7 bytes"),
        (variable(6, &[-2, -3], six()), "not what its 6 bytes"),
        (variable(6, &[i32::MAX, i32::MAX], six()), "not what its 6 bytes"),
        (variable(6, &[i32::MIN, i32::MIN], six()), "not what its 6 bytes"),
        (variable(6, &[2, 3], LITTLE.numbers(8, &COLUMNS)), "its numbers are of type 8"),
        (variable(6, &[2, 3], [six(), six()].concat()), "its size is not that of its elements"),
        (variable(6, &[1, 1], LITTLE.element(9, &f64::NAN.to_le_bytes())), "row 0, column 0: the value is NaN"),
        (variable(6, &[1, 1], LITTLE.element(9, &1e300f64.to_le_bytes())), "too large for single precision"),
        (other, "version 7.3"),
        (older, "no format that is known"),
        (LITTLE.file(&[]), "it holds no variable"),
    ] {
        let message = refusal(&bytes, None);
        assert!(message.contains(expected), "{expected} is not in: {message}");
    }
}

#[test]
fn cut_and_lengthened_files_are_refused() {
    for variable in [LITTLE.doubles("x"), LITTLE.compressed(&LITTLE.doubles("x"))] {
        let good = LITTLE.file(&[variable]);
        (0..good.len()).for_each(|cut| drop(refusal(&good[..cut], None)));
        for extra in [1, 7, 8, 4096] {
            refusal(&[&good[..], &vec![0; extra]].concat(), None);
        }
    }
}

#[test]
fn sizes_that_lie_are_refused_unread() {
    let head = LITTLE.head(6, &[2, 3], "x");
    let zeros = vec![0; 64 << 20];
    let claim = |kind: u32, size: u32| [LITTLE.word(kind), LITTLE.word(size)].concat();
    let compressed = |content: &[u8]| LITTLE.compressed(&LITTLE.element(14, content));
    for (variable, expected) in [
        (claim(14, u32::MAX), "cut short"),
        (claim(15, u32::MAX), "cut short"),
        (claim(7, 0), "an element is of type 7"),
        (LITTLE.compressed(&LITTLE.compressed(&LITTLE.doubles("x"))), "a compressed element is of type 15"),
        (compressed(&LITTLE.element(14, &head)), "an element of a variable is of type 14, not 6"),
        (compressed(&claim(6, u32::MAX)), "take 4294967295 bytes"),
        (compressed(&LITTLE.element(6, &zeros)), "take 67108864 bytes"),
        (compressed(&LITTLE.word(9 << 16 | 6).repeat(2)), "a short element claims 9 bytes"),
        (
            compressed(&[LITTLE.head(6, &[1 << 16, (1 << 16) - 1], "x"), claim(2, u32::MAX - 65535)].concat()),
            "can hold",
        ),
        (compressed(&[LITTLE.head(6, &[1 << 10, 1 << 10], "x"), claim(2, 1 << 20)].concat()), "can hold"),
        (compressed(&[&head[..], &LITTLE.numbers(2, &COLUMNS), &zeros].concat()), "not that of its elements"),
        (LITTLE.compressed(&[&LITTLE.doubles("x")[..], &zeros].concat()), "not that of its elements"),
        (LITTLE.compressed(&[claim(14, 40), head.clone()].concat()), "cut short"),
    ] {
        let message = refusal(&LITTLE.file(&[variable]), None);
        assert!(message.contains(expected), "{expected} is not in: {message}");
    }
}

/// Whatever bit is wrong, nothing panics, and in compressed data nothing wrong is believed.
#[test]
fn single_bits_that_are_wrong_do_no_harm() {
    for (variable, checked) in [(LITTLE.doubles("x"), false), (LITTLE.compressed(&LITTLE.doubles("x")), true)] {
        let good = LITTLE.file(&[variable]);
        for bit in 8 * 124..8 * good.len() {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            match read(&bytes, None) {
                Ok(table) if checked => assert_eq!((table.width, &table.values[..]), (3, &ROWS[..]), "bit {bit}"),
                Ok(table) => assert_eq!(table.values.len(), 6, "bit {bit}"),
                Err(error) => assert!(error.to_string().contains("some.mat"), "bit {bit}: {error}"),
            }
        }
    }
}
