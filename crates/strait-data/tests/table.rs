//! Tables from .npy and .safetensors files: all that is promised is read, and files that lie are refused.

mod common;
#[path = "common/gzip.rs"]
mod gzip;
#[path = "common/table.rs"]
mod tables;

use std::path::PathBuf;

use common::write;
use gzip::gzip;
use tables::table;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        write(self.0.path(), name, bytes)
    }

    /// What reading this file complains of; it names the file.
    fn refusal(&self, name: &str, bytes: &[u8]) -> String {
        let error = table(self.file(name, bytes), None).expect_err("it is refused").to_string();
        assert!(error.contains(name), "{error}");
        error
    }
}

/// A file of version 1 with this description.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn matrices_of_every_kind_are_read() {
    let folder = Folder::new();
    let rows = [[1.0f32, 2.0, 3.0], [4.0, 5.5, 6.0]];
    let flat = || rows.iter().flatten().copied();
    let turned = || (0..6).map(|i| rows[i % 2][i / 2]);
    let little = |values: Vec<f32>| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let cases = [
        npy("<f4", false, "(2, 3)", &little(flat().collect())),
        npy("<f4", true, "(2, 3)", &little(turned().collect())),
        npy(">f4", false, "(2, 3)", &flat().flat_map(f32::to_be_bytes).collect::<Vec<_>>()),
        npy("<f8", false, "(2, 3)", &flat().flat_map(|x| f64::from(x).to_le_bytes()).collect::<Vec<_>>()),
        npy("<f2", false, "(2, 3)", &flat().flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect::<Vec<_>>()),
    ];
    for bytes in cases {
        let found = table(folder.file("a.npy", &bytes), None).expect("it is read");
        assert_eq!((found.width, found.values), (3, flat().collect()));
    }
    let bytes = table(folder.file("a.npy", &npy("|u1", false, "(1, 2)", &[7, 255])), None).expect("it is read");
    assert_eq!(bytes.values, [7.0, 255.0]);
    let data = little(flat().collect());
    let view = || TensorView::new(Dtype::F32, vec![2, 3], &data).expect("the shape fits");
    let one = safetensors::serialize([("x", view())], None).expect("it is written");
    let found = table(folder.file("a.safetensors", &one), None).expect("it is read");
    assert_eq!((found.width, found.values), (3, flat().collect()));
    let two = safetensors::serialize([("x", view()), ("y", view())], None).expect("it is written");
    let path = folder.file("a.safetensors", &two);
    table(&path, Some("y")).expect("it is read");
    let error = table(&path, Some("z")).expect_err("there is no such tensor").to_string();
    assert!(error.contains("it has no tensor `z`"), "{error}");
    assert!(folder.refusal("a.safetensors", &two).contains("one of which must be named"));
}

#[test]
fn files_that_lie_are_refused() {
    let folder = Folder::new();
    let good = npy("<f4", false, "(2, 3)", &[0; 24]);
    for length in 0..good.len() {
        folder.refusal("cut.npy", &good[..length]);
    }
    let nested = "(".repeat(2000) + &")".repeat(2000);
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend([255; 40]);
    for (bytes, expected) in [
        (npy("<f4", false, "(2, 3)", &[0; 25]), "24 bytes, but 25 follow"),
        (npy("<f4", false, "(2,)", &[0; 8]), "reshape(1, -1)"),
        (npy("<f4", false, "()", &[0; 4]), "reshape(1, -1)"),
        (npy("<f4", false, "(0, 3)", &[]), "[0, 3] holds no numbers"),
        (npy("<f4", false, "(-2, 3)", &[0; 24]), "not a shape that a file can hold"),
        (npy("<f4", false, "(4294967296, 429496729)", &[0; 24]), "not a shape that a file can hold"),
        (npy("<f4", false, "(99999999, 99999999)", &[0; 24]), "but 24 follow"),
        (npy("<f4", false, &nested, &[0; 24]), "header"),
        (npy("<c8", false, "(2, 3)", &[0; 48]), "complex"),
        (npy("|O", false, "(2, 3)", &[0; 48]), "not real numbers"),
        (long, "more than an array of numbers needs"),
        (b"\x93NUMPY\x09\x00\x00\x00\x00\x00".to_vec(), "version 9"),
        (b"PK\x03\x04 an npz file".to_vec(), "damaged zip archive"),
        (gzip(&gzip(&good)), "packed twice"),
        (npy("<f4", false, "(1, 2)", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]), "row 0, column 1"),
    ] {
        let message = folder.refusal("bad.npy", &bytes);
        assert!(message.contains(expected), "{expected} is not in: {message}");
    }
    assert!(folder.refusal("bad.safetensors", b"\x02\0\0\0\0\0\0\0{x").contains("not a valid safetensors file"));
    assert!(folder.refusal("bad.safetensors", &[9; 40]).contains("nothing but blanks"));
}
