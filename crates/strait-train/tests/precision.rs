//! Products of rounded operands learn what products of single precision learn.

use std::path::Path;

use strait_compute::{Device, Precision};
use strait_data::Mnist;
use strait_train::{FineTune, Optimizer, Pretrain};

/// The test error of a small net after pretraining and fine-tuning on some of MNIST.
fn test_error(precision: Precision) -> f64 {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    let mnist = Mnist::open(data).expect("MNIST is in the repository");
    let (train, test) = (mnist.train.rows().first(3000), mnist.test.rows().first(1000));
    let device = Device::cpu().expect("threads start");
    let pretrain = Pretrain { epochs: 3, precision, ..Pretrain::default() };
    let trained = pretrain.fit(&device, &[784, 100, 20], train).expect("it learns");
    let mut net = trained.stack.unroll();
    let finetune = FineTune { epochs: 6, optimizer: Optimizer::adam(3e-3), precision, ..FineTune::default() };
    finetune.run(&device, &mut net, train).and_then(|run| run.test(test)?.train()).expect("it learns");
    net.error(&device, test).expect("it reconstructs")
}

#[test]
fn rounding_costs_less_than_two_per_cent_of_the_error() {
    let exact = test_error(Precision::F32);
    for precision in [Precision::Mixed, Precision::Split] {
        let error = test_error(precision);
        println!("{}: {error:.3}, f32: {exact:.3}", precision.name());
        assert!(error != exact, "{precision:?} rounds nothing");
        assert!((error / exact - 1.0).abs() < 0.02, "{precision:?}: {error}, f32: {exact}");
    }
}
