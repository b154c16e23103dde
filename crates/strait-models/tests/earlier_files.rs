//! Files of earlier formats are read, and their models compute what they did when they were written.

use std::path::PathBuf;

use strait_compute::Device;
use strait_data::Rows;
use strait_models::{Autoencoder, Classifier, Dbn, Model, ModelKind, Rbm, Stack, Vae};

const ROW: [f32; 6] = [0.0, 0.25, 0.5, 0.75, 1.0, 0.125];

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", &format!("{name}.safetensors")].iter().collect()
}

fn device() -> Device {
    Device::cpu().expect("threads start")
}

fn row() -> Rows<'static> {
    Rows::numbers(&ROW, 6).expect("one whole row")
}

/// Compares to the last digits, which instruction sets may round differently.
fn assert_close(found: &[f32], expected: &[f32], name: &str) {
    let close = |(x, y): (&f32, &f32)| (x - y).abs() <= 1e-5 * y.abs().max(1.0);
    let all = found.len() == expected.len() && found.iter().zip(expected).all(close);
    assert!(all, "{name}: {found:?}, not {expected:?}");
}

#[test]
fn autoencoders() {
    let image: Vec<f32> = (0..12).map(|i| (i % 5) as f32 / 4.0).collect();
    let image = Rows::numbers(&image, 12).expect("one whole row");
    for (name, rows, code, error) in [
        ("autoencoder", row(), &[0.63189983, 0.58654606][..], 0.619_962_45),
        ("half", row(), &[0.6318687, 0.5865262], 0.619_962_99),
        ("top-k", row(), &[0.0, 0.0, 0.0, 1.3692433, 0.94711626], 0.870_375_28),
        ("convolutional", image, &[0.050335765, 0.47201946, 0.7261193], 1.693_222_28),
    ] {
        let (net, notes) = Autoencoder::load(file(name)).expect("an earlier file is read");
        assert_eq!(notes["data"], "made up");
        assert_close(&net.encode(&device(), rows).expect("the row fits"), code, name);
        let found = net.error(&device(), rows).expect("the row fits");
        assert!((found - error).abs() < 1e-5, "{name}: {found}, not {error}");
    }
}

#[test]
fn other_nets_in_layers() {
    let (vae, _) = Vae::load(file("vae")).expect("an earlier file is read");
    assert_close(&vae.encode(&device(), row()).expect("the row fits"), &[0.6810901, -0.7294816], "vae");
    let (classifier, _) = Classifier::load(file("classifier")).expect("an earlier file is read");
    let logits = classifier.logits(&device(), row()).expect("the row fits");
    assert_close(&logits, &[-0.27639234, -0.5435678, 0.071716025], "classifier");
}

#[test]
fn machines() {
    for (name, means, energy) in [
        ("rbm", [0.5423486, 0.4625149, 0.46109706, 0.46241227], 2.421_983_13),
        ("ratings", [0.46495214, 0.47666425, 0.5039556, 0.49655455], -2.660_300_86),
    ] {
        let (rbm, notes) = Rbm::load(file(name)).expect("an earlier file is read");
        assert_eq!(notes["data"], "made up");
        assert_close(&rbm.hidden_means(&device(), row()).expect("the row fits"), &means, name);
        let found = rbm.free_energy(&ROW).expect("the row fits");
        assert!((found - energy).abs() < 1e-6, "{name}: {found}, not {energy}");
    }
    let (stack, _) = Stack::load(file("stack")).expect("an earlier file is read");
    let codes = stack.unroll().encode(&device(), row()).expect("the row fits");
    assert_close(&codes, &[0.031451486, -0.060637247], "stack");
    let (net, _) = Dbn::load(file("dbn")).expect("an earlier file is read");
    let features = net.features(&device(), row()).expect("the row fits");
    assert_close(&features, &[0.51042867, 0.4456604, 0.53283167, 0.4873122], "dbn");
    assert_eq!(net.predict(&device(), row()).expect("the row fits"), [2]);
    let (alone, _) = Dbn::load(file("dbn-alone")).expect("an earlier file is read");
    assert_eq!(alone.predict(&device(), row()).expect("the row fits"), [1]);
}

/// The codes are those above. The scores were computed with the types' own methods, the energies of the belief nets in double
/// precision from those of each class.
#[test]
fn models_of_any_kind() {
    use ModelKind::{Autoencoder, Classifier, Dbn, Rbm, Stack, Vae};
    for (name, kind, code, score) in [
        ("autoencoder", Autoencoder, &[0.63189983, 0.58654606][..], Some(0.619_962_45)),
        ("half", Autoencoder, &[0.6318687, 0.5865262], Some(0.619_962_99)),
        ("top-k", Autoencoder, &[0.0, 0.0, 0.0, 1.3692433, 0.94711626], Some(0.870_375_28)),
        ("vae", Vae, &[0.6810901, -0.7294816], None),
        ("rbm", Rbm, &[0.5423486, 0.4625149, 0.46109706, 0.46241227], Some(2.421_983_13)),
        ("ratings", Rbm, &[0.46495214, 0.47666425, 0.5039556, 0.49655455], Some(-2.660_300_86)),
        ("stack", Stack, &[0.031451486, -0.060637247], Some(1.996_683_12)),
        ("dbn", Dbn, &[0.51042867, 0.4456604, 0.53283167, 0.4873122], Some(-4.916_895_16)),
        ("dbn-alone", Dbn, &ROW, Some(-3.880_672_31)),
    ] {
        let (model, notes) = Model::open_with_notes(file(name)).expect("an earlier file is read");
        assert_eq!((model.kind(), notes["data"].as_str()), (kind, "made up"), "{name}");
        assert_close(&model.encode(&device(), row()).expect("the row fits"), code, name);
        let found = model.score(&device(), row()).expect("the row fits")[0];
        assert!(score.is_none_or(|score: f64| (found - score).abs() < 1e-5), "{name}: {found}, not {score:?}");
    }
    let classifier = Model::open(file("classifier")).expect("an earlier file is read");
    assert_eq!(classifier.kind(), Classifier);
    assert_eq!(classifier.predict(&device(), row()).expect("the row fits"), [2]);
    assert_eq!(Model::open(file("convolutional")).expect("an earlier file is read").inputs(), 12);
}
