//! PCA finds known directions, far from zero too, and the paper's error on the real MNIST.

use strait_compute::Device;
use strait_compute::philox::Stream;
use strait_data::{Mnist, Rows};
use strait_models::{Autoencoder, Dtype, Pca, SaveOptions};

#[test]
fn directions_and_variances_are_found_far_from_zero() {
    let device = Device::cpu().expect("threads start");
    let mut stream = Stream::new(4, 0);
    // Deviations of 3 along (0.6, 0.8, 0), of 1 along (0.8, -0.6, 0) and of 0.1 along the third axis, around 1000.
    let mut row = || {
        let [a, b, c] = [3.0, 1.0, 0.1].map(|deviation| deviation * stream.next_normal());
        [1000.0 + 0.6 * a + 0.8 * b, -1000.0 + 0.8 * a - 0.6 * b, 500.0 + c]
    };
    let values: Vec<f32> = (0..4321).flat_map(|_| row()).collect();
    let rows = Rows::numbers(&values, 3).expect("whole rows");
    let pca = Pca::fit(&device, rows, 3).expect("it fits");
    for (found, expected) in pca.variances.iter().zip([9.0, 1.0, 0.01]) {
        assert!((found / expected - 1.0).abs() < 0.1, "{found}, not {expected}");
    }
    let along = pca.components[0][0] * 0.6 + pca.components[0][1] * 0.8;
    assert!(along.abs() > 0.999, "{:?}", pca.components[0]);
    let error = Pca::fit(&device, rows, 2).and_then(|pca| pca.error(rows)).expect("it fits");
    assert!((error / 0.01 - 1.0).abs() < 0.1, "{error}");
    assert!(Pca::fit(&device, rows, 4).is_err() && Pca::fit(&device, rows, 0).is_err());
}

/// Figures that were computed elsewhere, by exact eigenvectors in double precision.
#[test]
fn the_real_mnist_gives_the_published_error() {
    let device = Device::cpu().expect("threads start");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
    let mnist = Mnist::open(folder).expect("MNIST is part of the repository");
    let pca = Pca::fit(&device, mnist.train.rows(), 30).expect("it fits");
    for (found, expected) in pca.variances.iter().zip([5.11687, 3.74139, 3.25271]) {
        assert!((found / expected - 1.0).abs() < 1e-4, "{found}, not {expected}");
    }
    let error = pca.error(mnist.test.rows()).expect("it runs");
    assert!((error - 13.8663).abs() < 1e-3, "{error}");
}

/// A column that never changes has no variance to be made 1 of.
#[test]
fn whitening_leaves_out_what_has_no_variance() {
    let device = Device::cpu().expect("threads start");
    let mut stream = Stream::new(3, 0);
    let values: Vec<f32> = (0..600).map(|i| if i % 3 == 2 { 0.25 } else { stream.next_normal() }).collect();
    let rows = Rows::numbers(&values, 3).expect("whole rows");
    let pca = Pca::fit(&device, rows, 3).expect("it is found");
    let white = pca.whiten(rows, 0.0).expect("it fits");
    for (c, expected) in [(0, 1.0), (1, 1.0), (2, 0.0)] {
        let variance = white.iter().skip(c).step_by(3).map(|x| x * x).sum::<f32>() / 200.0;
        assert!((variance - expected).abs() < 1e-3, "column {c}: {variance}");
    }
    assert!(pca.whiten(rows, -0.1).is_err() && pca.whiten(rows, f64::NAN).is_err());
}

#[test]
fn a_file_keeps_every_digit_unless_asked_for_fewer() {
    let device = Device::cpu().expect("threads start");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pca.safetensors");
    let mut stream = Stream::new(5, 0);
    let values: Vec<f32> = (0..400).map(|_| stream.next_normal()).collect();
    let rows = Rows::numbers(&values, 4).expect("whole rows");
    let pca = Pca::fit(&device, rows, 3).expect("it is found");
    pca.save(&path).expect("the folder is writable");
    assert_eq!(Pca::load(&path).expect("it was saved").0, pca);
    for (dtype, digits) in [(Dtype::F32, 1e-6), (Dtype::F16, 1e-2)] {
        pca.save_with(&path, &SaveOptions { dtype, ..SaveOptions::default() }).expect("the folder is writable");
        let (read, _) = Pca::load(&path).expect("it was saved");
        assert!(read != pca, "{dtype:?} has fewer digits");
        let [found, exact] = [&read, &pca].map(|pca| pca.error(rows).expect("the rows fit"));
        assert!((found / exact - 1.0).abs() < digits, "{dtype:?}: {found}, not {exact}");
    }
    let error = Autoencoder::load(&path).expect_err("it is a PCA").to_string();
    assert!(error.contains("it holds a PCA, not an autoencoder"), "{error}");
    let mut bad = pca.clone();
    bad.variances[1] = f64::NAN;
    assert!(bad.save(&path).is_err(), "no file keeps a NaN");
    bad.variances.truncate(1);
    assert!(bad.save(&path).expect_err("a variance is missing").to_string().contains("do not form a PCA"));
    Pca::load(&path).expect("the earlier file is still there");
}
