//! A file says which kind of model it holds and which format it has; one that lies or comes from the future is refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use strait_compute::Activation;
use strait_models::{Autoencoder, Error, Model, Pca, Rbm, Vae};

/// Writes a small autoencoder whose metadata a function changes.
fn changed(folder: &Path, change: impl FnOnce(&mut HashMap<String, String>)) -> PathBuf {
    let path = folder.join("changed.safetensors");
    let net = Autoencoder::glorot(&[3, 2], 1).expect("good sizes");
    net.save(&path).expect("the folder is writable");
    let bytes = std::fs::read(&path).expect("it was written");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it is valid");
    let mut metadata = header.metadata().clone().expect("it has metadata");
    change(&mut metadata);
    // Whoever changes a file takes away its checksums.
    metadata.remove("strait.crc32c");
    let tensors = SafeTensors::deserialize(&bytes).expect("it is valid").tensors();
    let bytes = safetensors::serialize(tensors, Some(metadata)).expect("the tensors are as before");
    std::fs::write(&path, bytes).expect("the folder is writable");
    path
}

#[test]
fn a_file_says_its_kind_and_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = changed(folder.path(), |metadata| {
        assert_eq!(metadata["strait.kind"], "autoencoder");
        assert_eq!(metadata["strait.format"], "2");
    });
    let (_, notes) = Autoencoder::load(&path).expect("nothing was changed");
    assert_eq!(notes.keys().collect::<Vec<_>>(), ["strait.version"], "neither is a note");
}

#[test]
fn wrong_kinds_and_formats_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (key, value, expected) in [
        ("strait.format", "3", "it has format 3, but this version of strait reads formats 1 to 2; update strait"),
        ("strait.format", "two", "the format `two` in its metadata is not a number"),
        ("strait.format", "0", "the format `0` in its metadata is not a number from 1 on"),
        (
            "strait.kind",
            "gan",
            "its metadata name the unknown kind `gan`; this version of strait reads autoencoder, vae,",
        ),
        ("strait.kind", "vae", "its metadata name the kind `vae`, but its architecture is that of an autoencoder"),
        ("strait.kind", "stack", "its metadata name the kind `stack`, but its architecture is that of an autoencoder"),
        ("strait.arch", "{}", "it is that of no model"),
    ] {
        let path = changed(folder.path(), |metadata| {
            metadata.insert(key.to_owned(), value.to_owned());
        });
        for error in [Autoencoder::load(&path).map(|_| ()), Model::open(&path).map(|_| ())] {
            let error = error.expect_err("it lies").to_string();
            assert!(error.contains("changed.safetensors") && error.contains(expected), "{key} {value}: {error}");
        }
    }
}

#[test]
fn other_kinds_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("vae");
    let vae = Vae::glorot(&[3, 2], Activation::Relu, 1).expect("good sizes");
    vae.save(&path).expect("the folder is writable");
    let error = Rbm::load(&path).expect_err("it is no machine").to_string();
    let expected = "it holds a variational autoencoder, not a restricted Boltzmann machine; `Model::open` reads files";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn damaged_and_foreign_files_are_no_models() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = changed(folder.path(), |_| {});
    let bytes = std::fs::read(&path).expect("it was written");
    for cut in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).expect("the folder is writable");
        assert!(matches!(Model::open(&path), Err(Error::File { .. })), "{cut} bytes");
    }
    let path = changed(folder.path(), |metadata| metadata.clear());
    let error = Model::open(&path).expect_err("another program wrote it").to_string();
    assert!(error.contains("its metadata have no `strait.arch`, so it was not written by strait"), "{error}");
    assert!(matches!(Model::open(folder.path().join("absent")), Err(Error::Io { .. })));
}

/// The tensors must be those of the kind, even where kind and architecture agree.
#[test]
fn a_kind_that_the_tensors_contradict_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let machine = r#"{"machines":[{"visible":3,"visible_units":"bernoulli","hidden":2,"hidden_units":"bernoulli"}]}"#;
    for (kind, architecture, expected) in [
        ("pca", r#"{"inputs":3,"components":2}"#, "it has no tensor `mean`"),
        ("rbm", machine, "it has no tensor `machines.0.weight`"),
    ] {
        let path = changed(folder.path(), |metadata| {
            metadata.insert("strait.kind".to_owned(), kind.to_owned());
            metadata.insert("strait.arch".to_owned(), architecture.to_owned());
        });
        let error = Model::open(&path).expect_err("it lies").to_string();
        assert!(error.contains(expected), "{kind}: {error}");
    }
    let path = folder.path().join("pca.safetensors");
    let pca = Pca { mean: vec![0.5; 2], components: vec![vec![0.0, 1.0]; 3], variances: vec![1.0; 3] };
    assert!(pca.save(&path).is_err(), "two columns have no three components");
}
