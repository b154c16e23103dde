//! Good files are read, and every kind of bad one gets an error that names it.

mod common;
#[path = "common/gzip.rs"]
mod gzip;

use common::write;
use gzip::gzip;

use strait_data::{ByteValues, Format, Mnist, Options, open};

/// An IDX file of bytes with these dimensions.
fn idx(dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|dimension| file.extend(dimension.to_be_bytes()));
    file.extend(bytes);
    file
}

/// Options that read a file as IDX, whatever it looks like.
fn as_idx() -> Options {
    Options { format: Some(Format::Idx), bytes: ByteValues::Numbers, ..Options::default() }
}

/// The message of the error that reading these bytes gives.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = write(folder.path(), "bad-file", bytes);
    let error = open(&path, &as_idx()).expect_err("a bad file is refused");
    assert!(error.to_string().contains("bad-file"), "the message names the file: {error}");
    error.to_string()
}

#[test]
fn plain_and_gzipped_files_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
    let mut members = gzip(&file[..7]);
    members.extend(gzip(&file[7..]));
    for bytes in [file.clone(), gzip(&file), members] {
        let data = open(write(folder.path(), "file", &bytes), &as_idx()).expect("a good file");
        assert_eq!((data.count(), data.width()), (2, 3));
        assert_eq!(data.rows().expect("they are finite").to_numbers(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}

#[test]
fn wrong_headers_are_refused() {
    let body = [7; 6];
    for (header, expected) in [
        (vec![1, 0, 8, 1, 0, 0, 0, 6], "not an IDX file"),
        (vec![0, 1, 8, 1, 0, 0, 0, 6], "not an IDX file"),
        (vec![0, 0, 8, 0], "0 dimensions"),
        (vec![0, 0, 8, 255], "ends within its dimensions"),
        (vec![0, 0, 8, 1, 0, 0, 0, 0], "is 0"),
        (vec![0, 0, 8, 1, 6, 0, 0, 0], "claims"),
        (vec![0, 0, 8, 1, 0, 0, 0, 7], "claims"),
        (vec![0, 0, 8, 1, 0, 0, 0, 5], "claims"),
        (vec![0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255], "claims"),
        (vec![0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], "claims"),
        (vec![0, 0, 8, 1, 255, 255, 255, 255], "claims"),
    ] {
        let file = [&header[..], &body].concat();
        for bytes in [file.clone(), gzip(&file)] {
            let message = refusal(&bytes);
            let also = ["more than", "more bytes follow", "only"].iter().any(|part| message.contains(part));
            assert!(message.contains(expected) || also, "{header:?}: {message}");
        }
    }
    for kind in (0..=255u8).filter(|kind| ![8, 9, 11, 12, 13, 14].contains(kind)) {
        assert!(refusal(&[0, 0, kind, 1, 0, 0, 0, 1, 9]).contains("are known"), "type {kind}");
    }
}

#[test]
fn cut_and_lengthened_files_are_refused() {
    let file = idx(&[10, 28, 28], &vec![3; 7840]);
    for cut in (0..16).chain((16..file.len()).step_by(1024)).chain([file.len() - 1]) {
        refusal(&file[..cut]);
    }
    // Bytes that do not compress, so that each cut loses some.
    let noise: Vec<u8> = (0..7840u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let packed = gzip(&idx(&[10, 28, 28], &noise));
    for cut in (0..18).chain((18..packed.len()).step_by(512)).chain([packed.len() - 1]) {
        refusal(&packed[..cut]);
    }
    for extra in [1, 4096] {
        let long = [&file[..], &vec![0; extra]].concat();
        refusal(&long);
        refusal(&gzip(&long));
    }
}

#[test]
fn damaged_gzip_and_bombs_are_refused() {
    let mut packed = gzip(&idx(&[4], &[1, 2, 3, 4]));
    let checksum = packed.len() - 5;
    packed[checksum] ^= 1;
    refusal(&packed);
    // Behind a small claim hide 64 MiB of zeros.
    let bomb = gzip(&idx(&[4], &vec![0; 64 << 20]));
    assert!(refusal(&bomb).contains("more bytes follow"), "a bomb is refused after its claim");
    // A few bytes that claim a gigabyte.
    assert!(
        refusal(&gzip(&idx(&[1 << 30], &[0; 5000]))).contains("compressed bytes can hold"),
        "a lie is refused unread"
    );
}

/// A folder with these images and labels for both parts.
fn folder(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for part in ["train", "t10k"] {
        write(folder.path(), &format!("{part}-images-idx3-ubyte"), images);
        write(folder.path(), &format!("{part}-labels-idx1-ubyte.gz"), &gzip(labels));
    }
    folder
}

#[test]
fn folders_are_checked_as_a_whole() {
    let (images, labels) = (idx(&[2, 2, 3], &[5; 12]), idx(&[2], &[0, 9]));
    let good = Mnist::open(folder(&images, &labels)).expect("a good folder");
    assert_eq!((good.train.height, good.train.width, good.test.rows().count), (2, 3, 2));
    for (images, labels, expected) in [
        (&images, &idx(&[3], &[0, 1, 2]), "3 labels"),
        (&labels, &labels, "images have 3"),
        (&images, &images, "labels have 1"),
    ] {
        let error = Mnist::open(folder(images, labels)).expect_err("a bad folder").to_string();
        assert!(error.contains(expected) && error.contains("idx"), "{error}");
    }
    let different = folder(&images, &labels);
    write(different.path(), "t10k-images-idx3-ubyte", &idx(&[2, 3, 2], &[5; 12]));
    assert!(Mnist::open(different).expect_err("sizes differ").to_string().contains("3 x 2"), "both sizes are named");
    let missing = tempfile::tempdir().expect("a temporary folder");
    let error = Mnist::open(missing.path()).expect_err("an empty folder").to_string();
    assert!(error.contains("train-images-idx3-ubyte"), "{error}");
}

/// Figures of the real MNIST that were computed elsewhere.
#[test]
fn the_real_mnist_has_its_known_means() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
    let mnist = Mnist::open(folder).expect("MNIST is part of the repository");
    for (images, count, expected) in [(&mnist.train, 60_000, 0.130660), (&mnist.test, 10_000, 0.132515)] {
        let rows = images.rows();
        assert_eq!((rows.count, rows.width), (count, 784));
        let mean = rows.mean().iter().sum::<f64>() / 784.0;
        assert!((mean - expected).abs() < 1e-6, "mean pixel {mean}");
    }
}
