//! A file says which kind of model it holds and which format it has; one that lies or comes from the future is refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use strait_compute::Activation;
use strait_models::{Autoencoder, Rbm, Vae};

/// Writes a small autoencoder whose metadata a function changes.
fn changed(folder: &Path, change: impl FnOnce(&mut HashMap<String, String>)) -> PathBuf {
    let path = folder.join("changed.safetensors");
    let net = Autoencoder::glorot(&[3, 2], 1).expect("good sizes");
    net.save(&path).expect("the folder is writable");
    let bytes = std::fs::read(&path).expect("it was written");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it is valid");
    let mut metadata = header.metadata().clone().expect("it has metadata");
    change(&mut metadata);
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
        let error = Autoencoder::load(&path).expect_err("it lies").to_string();
        assert!(error.contains("changed.safetensors") && error.contains(expected), "{key} {value}: {error}");
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
