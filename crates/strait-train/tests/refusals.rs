//! What cannot be trained is refused before it is, and a run ends where its observer says.

use std::ops::ControlFlow;

use strait_compute::philox::Stream;
use strait_compute::{Activation, Cpu, Device, Groups, Noise};
use strait_data::Rows;
use strait_models::{Affine, Autoencoder, Dbn, Layer, Units, Vae};
use strait_train::{
    Event, FineTune, Goal, KSparse, Member, Objective, Optimizer, Pretrain, Schedule, Stacked, Tape, UpDown, Value,
};

fn device() -> Device {
    Device::new(Cpu::with_threads(1).expect("a thread starts"))
}

fn pixels(rows: usize) -> Vec<f32> {
    (0..rows * 4).map(|i| (i * 31 % 97) as f32 / 97.0).collect()
}

fn refusal(recipe: &FineTune, net: &mut dyn Member) -> String {
    let pixels = pixels(10);
    let rows = Rows::numbers(&pixels, 4).expect("whole rows");
    recipe.fit(&device(), net, rows).map(|_| ()).expect_err("this cannot work").to_string()
}

/// A model of two layers with a way of its own from the code to the losses.
struct Own {
    layers: Vec<Affine>,
    record: fn(&mut Tape<'_>, &[Layer], Value, Value) -> strait_models::Result<()>,
}

impl Member for Own {
    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn check(&self, _: &Goal) -> strait_models::Result<()> {
        Ok(())
    }

    fn record(
        &self,
        tape: &mut Tape<'_>,
        layers: &[Layer],
        x: Value,
        target: Value,
        _: &Goal,
    ) -> strait_models::Result<()> {
        (self.record)(tape, layers, x, target)
    }
}

#[test]
fn words_of_the_tape_that_would_lose_a_derivative_are_refused() {
    let own = |record| {
        let layers = Autoencoder::glorot(&[4, 2], 1).expect("good sizes").layers;
        refusal(&FineTune::default(), &mut Own { layers, record })
    };
    let noisy_code = own(|tape, layers, x, target| {
        let code = tape.layer(x, layers[0])?;
        let code = tape.corrupt(code, Noise::Gaussian(0.1))?;
        tape.reconstruct(code, &layers[1..], target, Objective::CrossEntropy)
    });
    assert!(noisy_code.contains("it goes on the data"), "{noisy_code}");
    let outputs_for_logits = own(|tape, layers, x, target| {
        let outputs = tape.chain(x, layers)?;
        tape.reconstruct(outputs, &[], target, Objective::CrossEntropy)
    });
    assert!(outputs_for_logits.contains("logits is logistic: it must be linear"), "{outputs_for_logits}");
    let outputs_for_classes = own(|tape, layers, x, target| {
        let outputs = tape.chain(x, layers)?;
        tape.classify(outputs, target)
    });
    assert!(outputs_for_classes.contains("it must be linear"), "{outputs_for_classes}");
}

#[test]
fn variational_autoencoders_are_what_their_bound_is_of() {
    let vae = Vae::glorot(&[4, 3, 2], Activation::Tanh, 1).expect("good sizes");
    let mut bent = vae.clone();
    bent.layers[1].activation = Activation::Tanh;
    assert!(refusal(&FineTune::default(), &mut bent).contains("must be linear outputs, not tanh ones"));
    let counts = FineTune { objective: Objective::SoftmaxCrossEntropy, ..FineTune::default() };
    assert!(refusal(&counts, &mut vae.clone()).contains("Bernoulli's or normal"));
    let rows = Rows::numbers(&[0.5, 0.1, 1.5, 0.0], 4).expect("a whole row");
    let error = vae.elbo(&device(), rows, 1).map(|_| ()).expect_err("1.5 is no pixel").to_string();
    assert!(error.contains("1.5 has no likelihood"), "{error}");
}

#[test]
fn a_decoder_that_cannot_be_tied_is_refused_before_kernels_are_compiled() {
    let mut net = Autoencoder::glorot(&[4, 2], 1).expect("good sizes");
    net.layers.insert(1, net.layers[0].clone());
    (net.layers[1].inputs, net.layers[1].weight) = (2, vec![0.0; 4]);
    let pixels = pixels(10);
    let rows = Rows::numbers(&pixels, 4).expect("whole rows");
    net.tied = true;
    let error =
        FineTune::default().prepare(&device(), &net, rows, None).expect_err("there are three layers").to_string();
    assert!(error.contains("tied is true"), "{error}");
}

#[test]
fn bytes_count_in_a_group_as_whole_units() {
    let words = |bytes: &[u8]| {
        let rows = Rows::bytes(bytes, 4).expect("whole rows");
        let recipe =
            Pretrain { epochs: 1, visible: Units::Softmax(Groups { first: 0, classes: 4 }), ..Pretrain::default() };
        recipe.fit(&device(), &[4, 2], rows).map(|_| ())
    };
    words(&[255, 0, 0, 0, 0, 0, 255, 0]).expect("one word each");
    let error = words(&[3, 0, 1, 0, 0, 0, 255, 0]).expect_err("four words are no bytes").to_string();
    assert!(error.contains("give counts as numbers"), "{error}");
}

#[test]
fn labels_are_learned_from_rows_that_have_one() {
    let mut net = Dbn::alone(4, 2, 3, &mut Stream::new(1, 0)).expect("good sizes");
    let values = [0.5, 0.1, 0.2, 0.0, 0.0, 0.0];
    let rows = Rows::numbers(&values, 6).expect("a whole row");
    let recipe = UpDown { generative: 0.0, discriminative: 1.0, ..UpDown::default() };
    let error = recipe.fit(&device(), &mut net, rows).map(|_| ()).expect_err("it has none").to_string();
    assert!(error.contains("a sum of 0 in row 0"), "{error}");
}

#[test]
fn a_schedule_is_one_for_the_last_round() {
    let schedule = Schedule::Cosine { warmup: 4.0 };
    let training = FineTune { schedule, ..KSparse::default().training };
    let error = KSparse { training, ..KSparse::default() }.check().expect_err("rounds have four epochs").to_string();
    assert!(error.contains("shorter than the run"), "{error}");
    // What a recipe leaves out of its training is a dictionary's, not that of other nets.
    let read = |text: &str| serde_json::from_str::<KSparse>(text);
    let training = FineTune { seed: 7, ..KSparse::default().training };
    let expected = KSparse { units: 9, training, ..KSparse::default() };
    assert_eq!(read(r#"{"units": 9, "training": {"seed": 7}}"#).expect("it is a recipe"), expected);
    assert!(read(r#"{"training": {"sed": 7}}"#).expect_err("there is no such field").to_string().contains("sed"));
}

/// Ends a run after that many epochs.
fn after(epochs: usize) -> impl FnMut(&Event) -> ControlFlow<()> {
    let mut left = epochs;
    move |event| {
        left -= usize::from(matches!(event, Event::Epoch { .. }) && left > 0);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_run_ends_between_its_parts_too_but_not_after_the_last() {
    let pixels = pixels(40);
    let rows = Rows::numbers(&pixels, 4).expect("whole rows");
    let training = FineTune { epochs: 4, batch: 10, optimizer: Optimizer::adam(1e-3), ..KSparse::default().training };
    let sparse = KSparse { units: 8, top_k: 2, rounds: 2, training, ..KSparse::default() };
    let ended =
        |epochs| sparse.run(&device(), rows).and_then(|run| run.observe(after(epochs)).train()).expect("it learns");
    assert_eq!([2, 4].map(|epochs| (ended(epochs).epochs.len(), ended(epochs).stopped)), [(2, true), (4, false)]);

    let mut stacked = Stacked { hidden: vec![3, 2], ..Stacked::default() };
    stacked.training.tuning = FineTune { epochs: 2, batch: 10, ..FineTune::default() };
    let ended =
        |epochs| stacked.run(&device(), rows).and_then(|run| run.observe(after(epochs)).train()).expect("it learns");
    assert_eq!([2, 4].map(|epochs| (ended(epochs).layers.len(), ended(epochs).stopped)), [(1, true), (2, false)]);

    let machines = Pretrain { epochs: 2, batch: 10, ..Pretrain::default() };
    let ended = |epochs| {
        machines.run(&device(), &[4, 3, 2], rows).and_then(|run| run.observe(after(epochs)).train()).expect("it learns")
    };
    assert_eq!([2, 4].map(|epochs| (ended(epochs).layers.len(), ended(epochs).stopped)), [(1, true), (2, false)]);
}
