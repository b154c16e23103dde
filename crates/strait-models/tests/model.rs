//! `Model` opens what every kind saves, and computes what the kinds themselves do.

use std::collections::BTreeMap;

use strait_compute::philox::Stream;
use strait_compute::{Activation, Device, Groups};
use strait_data::Rows;
use strait_models::{Autoencoder, Classifier, Dbn, Error, Model, ModelKind, Pca, Rbm, SaveOptions, Stack, Units, Vae};

const WIDTH: usize = 6;

fn device() -> Device {
    Device::cpu().expect("threads start")
}

fn numbers() -> Vec<f32> {
    (0..5 * WIDTH).map(|i| (i * 7 % 11) as f32 / 10.0).collect()
}

fn rows(numbers: &[f32]) -> Rows<'_> {
    Rows::numbers(numbers, WIDTH).expect("whole rows")
}

fn rbm(visible: Units, hidden: usize) -> Rbm {
    let stream = &mut Stream::new(3, 0);
    let mut rbm = Rbm::new((WIDTH, visible), (hidden, Units::Bernoulli), stream).expect("good sizes");
    rbm.visible_bias.iter_mut().chain(&mut rbm.hidden_bias).for_each(|bias| *bias = stream.next_normal());
    rbm
}

fn stack() -> Stack {
    let above = Rbm::new((4, Units::Bernoulli), (2, Units::Gaussian), &mut Stream::new(4, 0)).expect("good sizes");
    Stack { rbms: vec![rbm(Units::Bernoulli, 4), above] }
}

fn dbn() -> Dbn {
    let below = Stack { rbms: vec![rbm(Units::Bernoulli, 4)] };
    let mut net = Dbn::on(&below, 3, 5, &mut Stream::new(5, 0)).expect("binary units");
    net.top.visible_bias = vec![0.5, -0.5, 0.25, 0.0, 0.125, -0.25, 0.75];
    net
}

fn vae() -> Vae {
    Vae::glorot(&[WIDTH, 4, 2], Activation::Tanh, 1).expect("good sizes")
}

/// One model of each kind, in the order of [`ModelKind::ALL`].
fn models() -> [Model; 7] {
    [
        Autoencoder::glorot(&[WIDTH, 4, 2], 1).expect("good sizes").into(),
        vae().into(),
        Classifier::glorot(&[WIDTH, 4, 3], Activation::Logistic, 1).expect("good sizes").into(),
        rbm(Units::Bernoulli, 4).into(),
        stack().into(),
        dbn().into(),
        Pca::fit(&device(), rows(&numbers()), 2).expect("it is found").into(),
    ]
}

fn assert_close(found: &[f64], expected: &[f64], name: &str) {
    let close = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-5 * y.abs().max(1.0);
    let all = found.len() == expected.len() && found.iter().zip(expected).all(close);
    assert!(all, "{name}: {found:?}, not {expected:?}");
}

#[test]
fn every_kind_is_opened_as_what_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    for (model, kind) in models().into_iter().zip(ModelKind::ALL) {
        let notes = BTreeMap::from([("data".to_owned(), kind.to_string())]);
        model.save_with(&path, &SaveOptions { notes, ..SaveOptions::default() }).expect("it is written");
        let (read, notes) = Model::open_with_notes(&path).expect("it is read");
        assert_eq!((&read, read.kind(), &notes["data"]), (&model, kind, &kind.to_string()));
        assert_eq!((read.inputs(), read.code_size() > 0), (WIDTH, true));
        model.save(&path).expect("it is written");
        let bytes = std::fs::read(&path).expect("it is there");
        Model::open(&path).expect("it is read").save(&path).expect("it is written");
        assert!(bytes == std::fs::read(&path).expect("it is there"), "equal models are equal files");
        assert_eq!(serde_json::to_string(&kind).expect("it is JSON"), format!("\"{kind}\""));
    }
    let one = Stack { rbms: vec![rbm(Units::Bernoulli, 4)] };
    one.save(&path).expect("it is written");
    assert_eq!(Model::open(&path).expect("it is read"), Model::Stack(one.clone()));
    assert_eq!(Rbm::load(&path).expect("a stack of one is a machine").0, one.rbms[0]);
}

#[test]
fn scores_are_what_the_kinds_define() {
    let (device, numbers) = (device(), numbers());
    let rows = rows(&numbers);
    let score = |model: &Model| model.score(&device, rows).expect("it has scores");
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
    let [net, .., pca] = models();
    if let (Model::Autoencoder(net), Model::Pca(pca)) = (&net, &pca) {
        assert_close(&score(&net.clone().into()), &wide(net.errors(&device, rows).expect("they fit")), "autoencoder");
        let error = score(&pca.clone().into()).iter().sum::<f64>() / rows.count as f64;
        assert_close(&[error], &[pca.error(rows).expect("they fit")], "pca");
    }
    let unrolled = stack().unroll().errors(&device, rows).expect("they fit");
    assert_close(&score(&stack().into()), &wide(unrolled), "stack");
    for units in [Units::Bernoulli, Units::Gaussian, Units::Softmax(Groups { first: 0, classes: 3 })] {
        let rbm = rbm(units, 4);
        let each = numbers.chunks(WIDTH).map(|row| rbm.free_energy(row).expect("it fits"));
        assert_close(&score(&rbm.clone().into()), &each.collect::<Vec<_>>(), "rbm");
    }
    let net = dbn();
    let features = net.features(&device, rows).expect("they fit");
    let energy = |features: &[f32]| {
        let joint = |class: usize| {
            let label = (0..3).map(|other| if other == class { 1.0 } else { 0.0 });
            let row: Vec<f32> = features.iter().copied().chain(label).collect();
            (-net.top.free_energy(&row).expect("it fits")).exp()
        };
        -(0..3).map(joint).sum::<f64>().ln()
    };
    assert_close(&score(&net.clone().into()), &features.chunks(4).map(energy).collect::<Vec<_>>(), "dbn");
    // The bound by many random codes is close to that by as many others.
    let many = numbers.repeat(1000);
    let many = Rows::numbers(&many, WIDTH).expect("whole rows");
    let scores = Model::from(vae()).score(&device, many).expect("it has scores");
    let bound = vae().elbo(&device, many, 1).expect("they fit").total();
    let mean = scores.iter().sum::<f64>() / many.count as f64;
    assert!((mean + bound).abs() < 0.02, "{mean}, but the bound is {bound}");
}

#[test]
fn codes_are_decoded_to_reconstructions() {
    let (device, numbers) = (device(), numbers());
    let rows = rows(&numbers);
    for model in models().into_iter().filter(|model| model.kind() != ModelKind::Classifier) {
        let codes = model.encode(&device, rows).expect("they fit");
        let codes = Rows::numbers(&codes, model.code_size()).expect("whole codes");
        let [decoded, reconstructed] = [model.decode(&device, codes), model.reconstruct(&device, rows)]
            .map(|values| values.expect("they fit").into_iter().map(f64::from).collect::<Vec<_>>());
        assert_close(&decoded, &reconstructed, model.kind().name());
        assert_eq!(decoded.len(), numbers.len());
    }
}

#[test]
fn samples_depend_on_the_seed_alone() {
    let device = device();
    for model in models() {
        let sample = |count, seed| model.sample(&device, count, seed);
        let Ok(drawn) = sample(3, 1) else { continue };
        assert_eq!(drawn.len(), 3 * WIDTH, "{}", model.kind());
        assert!(drawn == sample(3, 1).expect("it samples") && drawn != sample(3, 2).expect("it samples"));
        assert!(sample(0, 1).expect("it samples").is_empty());
    }
    assert_eq!(Model::from(vae()).sample(&device, 4, 7).ok(), vae().sample(&device, 4, 7).ok());
}

#[test]
fn classes_are_those_of_the_kinds() {
    let (device, numbers) = (device(), numbers());
    let predicted = |model: Model| model.predict(&device, rows(&numbers)).expect("it has classes");
    assert_eq!(predicted(dbn().into()), dbn().predict(&device, rows(&numbers)).expect("they fit"));
    let [_, _, Model::Classifier(net), ..] = models() else { panic!("the third is a classifier") };
    assert_eq!(predicted(net.clone().into()), net.predict(&device, rows(&numbers)).expect("they fit"));
}

#[test]
fn what_a_kind_cannot_do_is_said_with_the_kinds_that_can() {
    let (device, numbers) = (device(), numbers());
    let rows = rows(&numbers);
    let mut refused = Vec::new();
    for model in models() {
        let results = [
            ("encode", model.encode(&device, rows).err()),
            ("decode", {
                let codes = vec![0.5; model.code_size()];
                model.decode(&device, Rows::numbers(&codes, codes.len()).expect("one code")).err()
            }),
            ("reconstruct", model.reconstruct(&device, rows).err()),
            ("score", model.score(&device, rows).err()),
            ("predict", model.predict(&device, rows).err()),
            ("sample", model.sample(&device, 1, 1).err()),
        ];
        for (call, error) in results {
            let Some(error) = error else { continue };
            let Error::Unsupported { kind, able, .. } = &error else { panic!("{call}: {error}") };
            assert!(*kind == model.kind() && !able.contains(kind), "{error}");
            refused.push(format!("{call}: {error}"));
        }
    }
    assert_eq!(refused.len(), 3 + 5 + 4, "{refused:#?}");
    let decoding = "decode: a classifier cannot decode codes; autoencoder, vae, rbm, stack, dbn, pca, sequence can";
    assert!(refused.iter().any(|error| error == decoding), "{refused:#?}");
}

#[test]
fn rows_of_another_width_are_refused() {
    let device = device();
    let row = [0.5; 7];
    let row = Rows::numbers(&row, 7).expect("one row");
    for model in models() {
        let message = |error: Option<Error>| {
            let error = error.expect("the width is wrong");
            assert!(matches!(error, Error::Width { found: 7, .. }), "{}: {error}", model.kind());
            error.to_string()
        };
        let encoding = message(model.encode(&device, row).err());
        assert_eq!(encoding, "the data have 7 values in a row, but the model takes 6");
        if model.kind() != ModelKind::Classifier {
            message(model.decode(&device, row).err());
            message(model.reconstruct(&device, row).err());
            message(model.score(&device, row).err());
        }
    }
}

/// Such as a net that reads labels off images.
#[test]
fn an_autoencoder_with_other_outputs_has_no_errors() {
    let (device, numbers) = (device(), numbers());
    let mut net = Autoencoder::glorot(&[WIDTH, 4], 1).expect("good sizes");
    net.layers[1] = Autoencoder::glorot(&[2, 4], 1).expect("good sizes").layers[0].clone();
    (net.layers[1].inputs, net.layers[1].outputs, net.layers[1].bias) = (4, 2, vec![0.5; 2]);
    let expected = net.reconstruct(&device, rows(&numbers)).expect("they fit");
    let model = Model::from(net);
    assert_eq!(model.reconstruct(&device, rows(&numbers)).expect("they fit"), expected);
    let error = model.score(&device, rows(&numbers)).expect_err("there is nothing to compare").to_string();
    assert!(error.contains("2 outputs cannot be compared with the 6 values of a row"), "{error}");
}

#[test]
fn a_model_that_is_not_whole_is_refused() {
    let device = device();
    let mut stack = stack();
    stack.rbms.reverse();
    assert!(matches!(Model::from(stack).on(&device), Err(Error::Shape(_))));
    let [Model::Autoencoder(mut net), ..] = models() else { panic!("the first is an autoencoder") };
    net.layers[1].bias.pop();
    assert!(matches!(Model::from(net).encode(&device, rows(&numbers())), Err(Error::Shape(_))));
}
