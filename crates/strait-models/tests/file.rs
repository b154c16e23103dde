//! A saved net is read back exactly; a damaged, foreign or lying file gives an error that names it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{self, TensorView};
use strait_compute::philox::Stream;
use strait_compute::{Activation, Groups};
use strait_models::{Autoencoder, Classifier, Dbn, Dtype, Rbm, SaveOptions, Stack, Units, Vae, write_atomically};

fn net() -> Autoencoder {
    let mut net = Autoencoder::glorot(&[30, 20, 7], 3).expect("good sizes");
    for layer in &mut net.layers {
        layer.bias.iter_mut().enumerate().for_each(|(i, b)| *b = i as f32 * 0.25 - 1.0);
    }
    net
}

fn half() -> SaveOptions {
    SaveOptions { dtype: Dtype::F16, ..SaveOptions::default() }
}

/// The message of the error that loading this file gives.
fn refusal(path: &Path) -> String {
    let error = Autoencoder::load(path).expect_err("a bad file is refused").to_string();
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(error.contains(name), "the message names the file: {error}");
    error
}

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("bad-file");
    std::fs::write(&path, bytes).expect("the temporary folder is writable");
    path
}

#[test]
fn a_round_trip_is_exact() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let notes = BTreeMap::from([("strait.seed".to_owned(), "7".to_owned())]);
    let options = SaveOptions { notes, ..SaveOptions::default() };
    net().save_with(&path, &options).expect("it is written");
    let (read, notes) = Autoencoder::load(&path).expect("it is read");
    assert_eq!(read, net());
    assert_eq!(notes["strait.seed"], "7");
    assert!(notes.contains_key("strait.version"));
}

#[test]
fn the_same_model_is_the_same_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let notes: BTreeMap<String, String> = (0..10).map(|i| (format!("note.{i}"), format!("\"{i}\" ü"))).collect();
    let saved = |dtype| {
        net()
            .save_with(&path, &SaveOptions { dtype, notes: notes.clone(), ..SaveOptions::default() })
            .expect("it is written");
        std::fs::read(&path).expect("it is read")
    };
    assert_eq!(saved(Dtype::Exact), saved(Dtype::Exact));
    assert_eq!(saved(Dtype::Exact), saved(Dtype::F32), "a net's numbers have 32 bits");
    let (read, found) = Autoencoder::load(&path).expect("it is read");
    assert_eq!(read, net());
    assert!(notes.iter().all(|(key, value)| found[key] == *value), "every note is there: {found:?}");
}

#[test]
fn half_precision_keeps_three_digits_in_half_the_space() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [full_file, half_file] = ["full", "half"].map(|name| folder.path().join(name));
    net().save(&full_file).expect("it is written");
    net().save_with(&half_file, &half()).expect("it is written");
    let (read, _) = Autoencoder::load(&half_file).expect("it is read");
    for (read, exact) in read.layers.iter().zip(&net().layers) {
        for (x, y) in read.weight.iter().chain(&read.bias).zip(exact.weight.iter().chain(&exact.bias)) {
            assert!((x - y).abs() <= 1e-3 * y.abs() + 1e-7, "{x} for {y}");
        }
    }
    let length = |path: &Path| std::fs::metadata(path).expect("it exists").len();
    assert!(length(&half_file) < length(&full_file) * 3 / 4, "half precision takes less space");
}

#[test]
fn cut_and_lengthened_files_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    net().save(&path).expect("it is written");
    let bytes = std::fs::read(&path).expect("it is read");
    for cut in (0..64).chain((64..bytes.len()).step_by(1024)).chain([bytes.len() - 1]) {
        refusal(&written(folder.path(), &bytes[..cut]));
    }
    refusal(&written(folder.path(), &[&bytes[..], &[0; 9]].concat()));
    // A header that claims to be longer than the file, up to the largest number.
    for claim in [bytes.len() as u64, 1 << 32, u64::MAX] {
        let mut lying = bytes.clone();
        lying[..8].copy_from_slice(&claim.to_le_bytes());
        refusal(&written(folder.path(), &lying));
    }
    assert!(Autoencoder::load(folder.path()).is_err(), "a folder is no file");
    assert!(Autoencoder::load(folder.path().join("absent")).is_err(), "an absent file is an error");
}

/// Writes tensors of the smallest net, 2-1-2, with changes.
fn small(
    folder: &Path,
    change: impl FnOnce(&mut HashMap<String, String>, &mut Vec<(&str, Vec<usize>, Vec<f32>)>),
) -> PathBuf {
    let arch = r#"{"encoder":[{"inputs":2,"outputs":1,"activation":"linear"}],
                   "decoder":[{"inputs":1,"outputs":2,"activation":"logistic"}]}"#;
    let mut metadata = HashMap::from([("strait.arch".to_owned(), arch.to_owned())]);
    let mut tensors = vec![
        ("encoder.0.weight", vec![1, 2], vec![0.5, 1.0]),
        ("encoder.0.bias", vec![1], vec![0.0]),
        ("decoder.0.weight", vec![2, 1], vec![1.5, 2.0]),
        ("decoder.0.bias", vec![2], vec![0.0, 1.0]),
    ];
    change(&mut metadata, &mut tensors);
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, x)| x.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (*name, TensorView::new(tensor::Dtype::F32, shape.clone(), bytes).expect("shape and bytes agree"))
    });
    written(folder, &safetensors::serialize(views, Some(metadata)).expect("it is serialised"))
}

/// Makes the first layer a convolution, on a map of that height.
fn convolve(metadata: &mut HashMap<String, String>, height: usize) {
    let window = format!(r#"{{"height":{height},"width":3,"channels":1,"kernel":1,"stride":1,"padding":0}}"#);
    let convolution = format!(r#""linear","convolution":{{"window":{window},"transposed":false}}"#);
    metadata.values_mut().for_each(|text| *text = text.replacen(r#""linear""#, &convolution, 1));
}

#[test]
fn foreign_and_lying_files_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let (good, _) = Autoencoder::load(small(folder, |_, _| {})).expect("the unchanged file is good");
    assert_eq!(good.sizes(), [2, 1, 2]);
    type Change = fn(&mut HashMap<String, String>, &mut Vec<(&str, Vec<usize>, Vec<f32>)>);
    let changes: [(Change, &str); 9] = [
        (|m, _| m.clear(), "strait.arch"),
        (|m, _| m.values_mut().for_each(|text| text.truncate(9)), "architecture"),
        (|_, t| t.truncate(3), "decoder.0.bias"),
        (|_, t| t.push(("extra", vec![1], vec![0.0])), "5 tensors"),
        (|_, t| t[0].1 = vec![2, 1], "encoder.0.weight"),
        (|_, t| t[3].2[1] = f32::NAN, "decoder.0.bias"),
        (|_, t| t[0].0 = "encoder.1.weight", "encoder.0.weight"),
        (|m, _| convolve(m, 1), "`encoder.0` of its architecture is no convolution from 2 to 1 values"),
        (|m, _| convolve(m, usize::MAX), "is no convolution"),
    ];
    for (change, expected) in changes {
        let message = refusal(&small(folder, change));
        assert!(message.contains(expected), "{expected}: {message}");
    }
    for foreign in [&b""[..], b"PK\x03\x04 a zip file", b"\x80\x04 a pickle", &[0; 100]] {
        refusal(&written(folder, foreign));
    }
}

#[test]
fn numbers_that_a_file_cannot_keep_are_not_written_over_an_earlier_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net");
    net().save_with(&path, &half()).expect("it is written");
    for (value, dtype) in [(f32::NAN, Dtype::F32), (f32::INFINITY, Dtype::F32), (1e6, Dtype::F16)] {
        let mut bad = net();
        bad.layers[1].weight[3] = value;
        let options = SaveOptions { dtype, ..SaveOptions::default() };
        assert!(bad.save_with(&path, &options).expect_err("it cannot be kept").to_string().contains("encoder.2"));
    }
    Autoencoder::load(&path).expect("the earlier file is still there");
}

#[test]
fn a_tensor_named_twice_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = std::fs::read(small(folder.path(), |_, _| {})).expect("it is read");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("JSON").trim_end();
    let start = header.find("\"encoder.0.bias\"").expect("the tensor is there");
    let entry = &header[start..start + header[start..].find('}').expect("it ends") + 1];
    let twice = format!("{},{entry}}}", &header[..header.len() - 1]);
    let lying = [&(twice.len() as u64).to_le_bytes(), twice.as_bytes(), &bytes[8 + length..]].concat();
    assert!(refusal(&written(folder.path(), &lying)).contains("`encoder.0.bias` is there twice"));
}

#[test]
fn an_architecture_without_units_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lying = small(folder.path(), |metadata, tensors| {
        metadata.values_mut().for_each(|text| {
            *text = text.replace("\"outputs\":1", "\"outputs\":0").replace("\"inputs\":1", "\"inputs\":0")
        });
        (tensors[0].1, tensors[0].2) = (vec![0, 2], vec![]);
        (tensors[1].1, tensors[1].2) = (vec![0], vec![]);
        (tensors[2].1, tensors[2].2) = (vec![2, 0], vec![]);
    });
    assert!(refusal(&lying).contains("do not form an autoencoder"));
}

#[test]
fn a_failed_write_leaves_the_earlier_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("absent-folder").join("file");
    assert!(write_atomically(&path, b"x").expect_err("there is no folder").to_string().contains("absent-folder"));
    // A folder stands where the file should go.
    let blocked = folder.path().join("blocked");
    std::fs::create_dir(&blocked).expect("the temporary folder is writable");
    std::fs::write(blocked.join("inside"), b"kept").expect("the temporary folder is writable");
    assert!(write_atomically(&blocked, b"x").is_err());
    assert_eq!(std::fs::read(blocked.join("inside")).expect("it is still there"), b"kept");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("it is a folder").collect();
    assert_eq!(left.len(), 1, "no temporary file is left behind");
}

/// On Windows another program may keep a file from being replaced.
#[cfg(windows)]
#[test]
fn what_cannot_be_replaced_is_kept_beside() {
    use std::os::windows::fs::OpenOptionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("held");
    std::fs::write(&path, b"earlier").expect("the temporary folder is writable");
    let held = std::fs::OpenOptions::new().read(true).share_mode(0).open(&path).expect("it is there");
    let error = write_atomically(&path, b"new").expect_err("it is held");
    let strait_models::Error::Kept { kept, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains(&kept.display().to_string()), "{error}");
    assert_eq!(std::fs::read(kept).expect("it was kept"), b"new");
    drop(held);
    assert_eq!(std::fs::read(&path).expect("it is there"), b"earlier");
    write_atomically(&path, b"new").expect("nobody holds it");
    assert_eq!(std::fs::read(&path).expect("it is there"), b"new");
}

#[test]
fn other_kinds_of_autoencoders_are_read_back_as_what_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [vae_file, sparse_file] = ["vae", "sparse"].map(|name| folder.path().join(name));
    let vae = Vae::glorot(&[30, 20, 7], Activation::Tanh, 3).expect("good sizes");
    vae.save(&vae_file).expect("the folder is writable");
    assert_eq!(Vae::load(&vae_file).expect("it was saved").0, vae);
    assert!(refusal(&vae_file).contains("it holds a variational autoencoder, not an autoencoder"));
    let mut sparse = net();
    sparse.layers[1].activation = Activation::Relu;
    sparse.top_k = Some(3);
    sparse.save(&sparse_file).expect("the folder is writable");
    assert_eq!(Autoencoder::load(&sparse_file).expect("it was saved").0, sparse);
    sparse.top_k = None;
    sparse.layers[1].threshold = Some((0..7).map(|i| 0.1 * i as f32).collect());
    sparse.save(&sparse_file).expect("the folder is writable");
    assert_eq!(Autoencoder::load(&sparse_file).expect("it was saved").0, sparse);
    sparse.layers[1].threshold = Some(vec![-0.5; 7]);
    let error = sparse.save(&sparse_file).expect_err("thresholds are not below 0").to_string();
    assert!(error.contains("expected thresholds of at least 0, found -0.5"), "{error}");
    sparse.layers[1].threshold = None;
    let error = Vae::load(&sparse_file).expect_err("it is another model").to_string();
    assert!(error.contains("it holds an autoencoder, not a variational autoencoder"), "{error}");
    let [maps_file, classes_file] = ["maps", "classes"].map(|name| folder.path().join(name));
    let mut maps = Autoencoder::convolutional([6, 5, 2], &[3, 4], 3, 3).expect("the windows fit");
    maps.layers[3].bias = vec![0.5, -1.5];
    maps.save(&maps_file).expect("the folder is writable");
    assert_eq!(Autoencoder::load(&maps_file).expect("it was saved").0, maps);
    // PyTorch's order: filters, channels, rows, columns. Here a window's pixels come first, then its channels.
    let bytes = std::fs::read(&maps_file).expect("it was saved");
    let tensors = tensor::SafeTensors::deserialize(&bytes).expect("it is valid");
    let stored = tensors.tensor("encoder.0.weight").expect("it is there");
    assert_eq!(stored.shape(), [3, 2, 3, 3]);
    let (filter, channel, row, column) = (2, 1, 0, 2);
    let at = 4 * (((filter * 2 + channel) * 3 + row) * 3 + column);
    let number = stored.data()[at..at + 4].try_into().map(f32::from_le_bytes).expect("four bytes");
    assert_eq!(number, maps.layers[0].weight[((row * 3 + column) * 2 + channel) * 3 + filter]);
    assert_eq!(tensors.tensor("decoder.2.weight").expect("it is there").shape(), [3, 2, 3, 3]);
    let classes = Classifier::glorot(&[30, 20, 7], Activation::Tanh, 3).expect("good sizes");
    classes.save(&classes_file).expect("the folder is writable");
    assert_eq!(Classifier::load(&classes_file).expect("it was saved").0, classes);
    assert!(refusal(&classes_file).contains("it holds a classifier, not an autoencoder"));
    sparse.top_k = Some(8);
    let error = sparse.save(&sparse_file).expect_err("the code is smaller").to_string();
    assert!(error.contains("the 8 largest numbers cannot be taken of a code of 7"), "{error}");
}

fn machines() -> (Rbm, Stack, Dbn) {
    let stream = &mut Stream::new(2, 0);
    let mut first = Rbm::new((6, Units::Gaussian), (4, Units::Bernoulli), stream).expect("good sizes");
    first.deviation = Some(vec![0.5, 1.0, 2.0, 0.1, 1.0, 3.0]);
    let groups = Units::Softmax(Groups { first: 1, classes: 3 });
    let second = Rbm::new((4, Units::Bernoulli), (7, groups), stream).expect("good sizes");
    let below = Rbm::new((6, Units::Bernoulli), (4, Units::Bernoulli), stream).expect("good sizes");
    let net = Dbn::on(&Stack { rbms: vec![below] }, 3, 5, stream).expect("it is made");
    (second.clone(), Stack { rbms: vec![first, second] }, net)
}

#[test]
fn machines_stacks_and_belief_nets_are_read_back_as_what_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("machines.safetensors");
    let (rbm, stack, net) = machines();
    let notes = BTreeMap::from([("data".to_owned(), "random".to_owned())]);
    let options = SaveOptions { notes, ..SaveOptions::default() };
    rbm.save_with(&path, &options).expect("it is written");
    let (read, kept) = Rbm::load(&path).expect("it is read");
    assert_eq!((&read, &kept["data"]), (&rbm, &"random".to_owned()));
    assert_eq!(Stack::load(&path).expect("a machine is a stack").0.rbms, [rbm]);
    assert!(Dbn::load(&path).is_err() && Autoencoder::load(&path).is_err());
    stack.save(&path).expect("it is written");
    assert_eq!(Stack::load(&path).expect("it is read").0, stack);
    assert!(Rbm::load(&path).expect_err("these are two").to_string().contains("a stack of 2 machines, not one"));
    net.save(&path).expect("it is written");
    assert_eq!(Dbn::load(&path).expect("it is read").0, net);
    assert!(Stack::load(&path).is_err() && Rbm::load(&path).is_err());
    let alone = Dbn::alone(4, 3, 5, &mut Stream::new(3, 0)).expect("it is made");
    alone.save(&path).expect("it is written");
    assert_eq!(Dbn::load(&path).expect("it is read").0, alone);
    net.save(&path).expect("it is written");
    let mut wrong = net.clone();
    wrong.generative[0].outputs = 5;
    assert!(wrong.save(&path).is_err());
    assert_eq!(Dbn::load(&path).expect("the earlier file is whole").0, net);
}

#[test]
fn lying_files_of_machines_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("machines.safetensors");
    let (rbm, _, net) = machines();
    for (write, replaced, by) in [
        (true, "\\\"visible\\\":4", "\\\"visible\\\":5"),
        (true, "\\\"classes\\\":3", "\\\"classes\\\":0"),
        (true, "\\\"classes\\\":3", "\\\"classes\\\":4"),
        (true, "bernoulli", "bernoulls"),
        (false, "[6,4]", "[4,6]"),
        (false, "\\\"classes\\\":3}", "\\\"classes\\\":2}"),
    ] {
        if write {
            rbm.save(&path).expect("it is written");
        } else {
            net.save(&path).expect("it is written");
        }
        let bytes = std::fs::read(&path).expect("it is there");
        let place = bytes.windows(replaced.len()).position(|part| part == replaced.as_bytes());
        let place = place.unwrap_or_else(|| panic!("{replaced} is not in the file"));
        let lying = [&bytes[..place], by.as_bytes(), &bytes[place + replaced.len()..]].concat();
        std::fs::write(&path, lying).expect("it is written");
        let error = if write { Rbm::load(&path).map(|_| ()) } else { Dbn::load(&path).map(|_| ()) };
        let message = error.expect_err("it lies").to_string();
        assert!(message.contains("machines.safetensors"), "{replaced} as {by}: {message}");
    }
}
