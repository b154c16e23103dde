//! A loaded model computes what its one-shot calls do, bit by bit on the CPU, and loads each part once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strait_compute::philox::Stream;
use strait_compute::{
    Activation, Backend, Buffer, Cpu, Device, Execution, Groups, Hardware, Operands, Precision, Program, Tensor,
};
use strait_data::Rows;
use strait_models::{Autoencoder, Classifier, Dbn, Model, Pca, Rbm, Stack, Units, Vae};

/// The CPU, with a count of the programs that were loaded.
struct Counting {
    cpu: Cpu,
    loads: Arc<AtomicUsize>,
}

impl Backend for Counting {
    fn hardware(&self) -> Hardware {
        self.cpu.hardware()
    }

    fn operands(&self, precision: Precision) -> Operands {
        self.cpu.operands(precision)
    }

    fn fastest(&self) -> Precision {
        self.cpu.fastest()
    }

    fn describe(&self) -> String {
        self.cpu.describe()
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> strait_compute::Result<Box<dyn Execution>> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.cpu.load(program, shared)
    }
}

fn counting() -> (Device, Arc<AtomicUsize>) {
    let loads = Arc::new(AtomicUsize::new(0));
    (Device::new(Counting { cpu: Cpu::new().expect("threads start"), loads: loads.clone() }), loads)
}

const WIDTH: usize = 12;

/// Models of every kind that take rows of twelve values.
fn models(device: &Device) -> Vec<Model> {
    let stream = &mut Stream::new(3, 0);
    let binary = |units: usize| (units, Units::Bernoulli);
    let mut sparse = Autoencoder::glorot(&[WIDTH, 20], 1).expect("good sizes");
    sparse.layers[0].activation = Activation::Relu;
    sparse.top_k = Some(4);
    let mut thresholds = Autoencoder { top_k: None, ..sparse.clone() };
    thresholds.layers[0].threshold = Some((0..20).map(|i| 0.02 * i as f32).collect());
    let rbm = Rbm::new(binary(WIDTH), binary(9), stream).expect("good sizes");
    let mut gaussian = Rbm::new((WIDTH, Units::Gaussian), (5, Units::Rectified), stream).expect("good sizes");
    gaussian.deviation = Some((1..=WIDTH).map(|i| i as f32 / 4.0).collect());
    let groups = Units::Softmax(Groups { first: 0, classes: 3 });
    let ratings = Rbm::new((WIDTH, groups), (6, groups), stream).expect("whole groups");
    let above = Rbm::new(binary(9), (3, Units::Gaussian), stream).expect("good sizes");
    let stack = Stack { rbms: vec![rbm.clone(), above] };
    let data: Vec<f32> = (0..20 * WIDTH).map(|_| stream.next_normal()).collect();
    vec![
        Autoencoder::glorot(&[WIDTH, 8, 3], 2).expect("good sizes").into(),
        sparse.into(),
        thresholds.into(),
        Autoencoder::convolutional([4, 3, 1], &[2, 3], 3, 3).expect("the windows fit").into(),
        Vae::glorot(&[WIDTH, 8, 3], Activation::Tanh, 4).expect("good sizes").into(),
        Classifier::glorot(&[WIDTH, 8, 4], Activation::Relu, 5).expect("good sizes").into(),
        Classifier::glorot(&[WIDTH, 4], Activation::Relu, 5).expect("good sizes").into(),
        Dbn::on(&Stack { rbms: vec![rbm.clone()] }, 4, 7, stream).expect("binary units").into(),
        Dbn::alone(WIDTH, 4, 7, stream).expect("good sizes").into(),
        rbm.into(),
        gaussian.into(),
        ratings.into(),
        stack.into(),
        Pca::fit(device, Rows::numbers(&data, WIDTH).expect("whole rows"), 3).expect("it is found").into(),
    ]
}

/// Everything that a model can compute of these rows, as bits.
fn computed(
    encode: strait_models::Result<Vec<f32>>,
    reconstruct: strait_models::Result<Vec<f32>>,
    score: strait_models::Result<Vec<f64>>,
    predict: strait_models::Result<Vec<usize>>,
) -> [Option<Vec<u64>>; 4] {
    let bits = |values: Vec<f32>| values.into_iter().map(|x| u64::from(x.to_bits())).collect();
    [
        encode.ok().map(bits),
        reconstruct.ok().map(bits),
        score.ok().map(|values| values.into_iter().map(f64::to_bits).collect()),
        predict.ok().map(|values| values.into_iter().map(|class| class as u64).collect()),
    ]
}

#[test]
fn a_loaded_model_gives_the_bits_of_single_calls() {
    let device = Device::cpu().expect("threads start");
    let numbers: Vec<f32> = (0..2100 * WIDTH).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
    // Products of zeros and ones are looked up.
    let bytes: Vec<u8> = (0..2100 * WIDTH).map(|i| if i * 37 % 101 < 40 { 255 } else { 0 }).collect();
    for model in models(&device) {
        let mut loaded = model.on(&device).expect("it is whole");
        for count in [1, 2, 31, 32, 250, 251, 1000, 1001, 2100] {
            for rows in [
                Rows::numbers(&numbers[..count * WIDTH], WIDTH).expect("whole rows"),
                Rows::bytes(&bytes[..count * WIDTH], WIDTH).expect("whole rows"),
            ] {
                let once = computed(
                    model.encode(&device, rows),
                    model.reconstruct(&device, rows),
                    model.score(&device, rows),
                    model.predict(&device, rows),
                );
                let stays =
                    computed(loaded.encode(rows), loaded.reconstruct(rows), loaded.score(rows), loaded.predict(rows));
                assert!(once == stays, "{} with {count} rows", model.kind());
                let codes = once[0].as_ref().expect("every kind encodes");
                assert_eq!(codes.len(), count * model.code_size());
            }
        }
    }
}

/// The models' own methods run over the same minibatches.
#[test]
fn single_calls_give_the_bits_of_the_concrete_types() {
    let device = Device::cpu().expect("threads start");
    let numbers: Vec<f32> = (0..1040 * WIDTH).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
    for count in [1, 20, 40, 1040] {
        let rows = Rows::numbers(&numbers[..count * WIDTH], WIDTH).expect("whole rows");
        for model in models(&device) {
            let [codes, reconstructions] = match &model {
                Model::Autoencoder(net) => [net.encode(&device, rows), net.reconstruct(&device, rows)],
                Model::Rbm(rbm) => [rbm.hidden_means(&device, rows), rbm.expected(&device, rows)],
                Model::Stack(stack) => {
                    [stack.unroll().encode(&device, rows), stack.unroll().reconstruct(&device, rows)]
                }
                _ => continue,
            };
            let name = model.kind();
            assert!(model.encode(&device, rows).expect("they fit") == codes.expect("they fit"), "{name}");
            let found = model.reconstruct(&device, rows).expect("they fit");
            assert!(found == reconstructions.expect("they fit"), "{name}");
        }
    }
}

#[test]
fn later_calls_load_nothing() {
    let (device, loads) = counting();
    let numbers: Vec<f32> = (0..1100 * WIDTH).map(|i| (i % 10) as f32 / 10.0).collect();
    let rows = |count: usize| Rows::numbers(&numbers[..count * WIDTH], WIDTH).expect("whole rows");
    for model in models(&device) {
        let mut loaded = model.on(&device).expect("it is whole");
        let before = loads.load(Ordering::Relaxed);
        loaded.encode(rows(3)).expect("they fit");
        let after_one = loads.load(Ordering::Relaxed);
        assert!(after_one <= before + 1, "{} encodes with one part", model.kind());
        loaded.encode(rows(700)).expect("they fit");
        assert_eq!(loads.load(Ordering::Relaxed), after_one, "{} again", model.kind());
        let mut all = |count: usize| {
            drop((loaded.reconstruct(rows(count)), loaded.score(rows(count)), loaded.predict(rows(count))));
            loads.load(Ordering::Relaxed)
        };
        let every_part = all(1);
        for count in [1, 2, 40, 1100] {
            assert_eq!(all(count), every_part, "{} with {count} rows", model.kind());
        }
    }
}

#[test]
fn a_loaded_model_may_own_its_model() {
    let (device, loads) = counting();
    let row = [0.5; WIDTH];
    let row = Rows::numbers(&row, WIDTH).expect("one row");
    let mut owned = {
        let model = Model::from(Autoencoder::glorot(&[WIDTH, 2], 1).expect("good sizes"));
        let mut loaded = model.on(&device).expect("it is whole");
        loaded.encode(row).expect("it fits");
        loaded.into_owned()
    };
    owned.encode(row).expect("it fits");
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    assert_eq!(owned.model().code_size(), 2);
    fn is_send(_: impl Send) {}
    is_send(owned);
}
