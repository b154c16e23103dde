//! Training sets that come in parts give the same bits as those that stay on the device, on the CPU too.

#[path = "ranks/mod.rs"]
mod ranks;

use strait_compute::{Backend, Buffer, Cpu, Device, Execution, Hardware, Operands, Precision, Program, Result, Tensor};
use strait_data::Rows;
use strait_models::{Autoencoder, Stack};
use strait_train::{FineTune, Pretrain};

const WIDTH: usize = 20;

/// The CPU with a limit of its tensors.
struct Small(Cpu);

impl Backend for Small {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn hardware(&self) -> Hardware {
        self.0.hardware()
    }

    fn largest_tensor(&self) -> Option<u64> {
        Some(4 * 50 * WIDTH as u64)
    }

    fn operands(&self, precision: Precision) -> Operands {
        self.0.operands(precision)
    }

    fn fastest(&self) -> Precision {
        self.0.fastest()
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        self.0.load(program, shared)
    }
}

fn train(device: &Device, rows: Rows<'_>, batch: usize, shards: Option<usize>) -> (Stack, Autoencoder, f64) {
    let pretrain = Pretrain { epochs: 2, batch, shards, ..Pretrain::default() };
    let stack =
        pretrain.run(device, &[WIDTH, 12, 5], rows).and_then(strait_train::Run::train).expect("it trains").stack;
    let mut net = stack.unroll();
    let tune = FineTune { epochs: 2, batch, shards, ..FineTune::default() };
    tune.run(device, &mut net, rows).and_then(|run| run.test(rows)?.train()).expect("it trains");
    let error = net.error(device, rows).expect("it has one");
    (stack, net, error)
}

#[test]
fn parts_give_the_same_bits() {
    let pixels: Vec<u8> = (0..1033 * WIDTH).map(|i| (i * 7919 % 251) as u8).collect();
    let numbers: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let [bytes, numbers] = [Rows::bytes(&pixels, WIDTH), Rows::numbers(&numbers, WIDTH)];
    let [bytes, numbers] = [bytes, numbers].map(|rows| rows.expect("whole rows"));
    // The last has more steps than are run before the losses are looked at.
    for (rows, batch) in [(bytes.first(333), 10), (numbers.first(333), 10), (bytes, 1)] {
        let whole = train(&Device::new(Cpu::with_threads(2).expect("threads start")), rows, batch, None);
        for threads in [1, 4] {
            let parts =
                train(&Device::new(Small(Cpu::with_threads(threads).expect("threads start"))), rows, batch, None);
            assert_eq!((&parts.0, &parts.1), (&whole.0, &whole.1), "{threads} threads");
            assert!((parts.2 - whole.2).abs() < 1e-6, "the error is a mean over parts");
        }
    }
}

/// Each rank brings its own rows of a batch only; those of the others lie in its places as they were.
#[test]
fn parts_of_ranks_give_the_same_bits() {
    let numbers: Vec<f32> = (0..333 * WIDTH).map(|i| (i * 7919 % 251) as f32 / 251.0).collect();
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let whole = train(&Device::new(Cpu::with_threads(2).expect("threads start")), rows, 10, Some(4));
    for count in [1, 2, 4] {
        let learned: Vec<(Stack, Autoencoder, f64)> = std::thread::scope(|scope| {
            let start = |rank: ranks::Thread| {
                let device = Device::new(Small(Cpu::with_threads(1).expect("threads start"))).with_reducer(rank);
                scope.spawn(move || train(&device, rows, 10, Some(4)))
            };
            let running: Vec<_> = ranks::Thread::group(count).into_iter().map(start).collect();
            running.into_iter().map(|rank| rank.join().expect("it trains")).collect()
        });
        for (stack, net, _) in &learned {
            assert_eq!((stack, net), (&whole.0, &whole.1), "{count} ranks");
        }
    }
}
