//! Every allocation on a GPU fails once: an error each time that says so, nothing that was there is lost, and the device lives on.
#![cfg(feature = "gpu")]

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use strait_compute::{Device, Gpu};
use strait_data::Rows;
use strait_device::{Error as GpuError, Options};
use strait_models::Autoencoder;
use strait_train::{FineTune, Optimizer, Pretrain, Result};

const WIDTH: usize = 12;

/// Pretraining, fine-tuning by two optimisers, and the codes.
fn work(device: &Device, rows: Rows<'_>, net: &mut Autoencoder) -> Result<Vec<f32>> {
    let pretrain = Pretrain { epochs: 1, batch: 10, ..Pretrain::default() };
    pretrain.run(device, &[WIDTH, 6, 3], rows)?.held_out(rows.first(10))?.train()?;
    for optimizer in [Optimizer::adam(1e-3), Optimizer::ConjugateGradients { searches: 1 }] {
        let recipe = FineTune { epochs: 1, batch: 10, optimizer, ..FineTune::default() };
        recipe.run(device, net, rows)?.test(rows)?.train()?;
    }
    Ok(net.encode(device, rows)?)
}

/// Whether memory that is exhausted is at the bottom of an error.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let here = matches!(error.downcast_ref(), Some(GpuError::OutOfMemory { .. }));
    here || error.source().is_some_and(is_full)
}

#[test]
fn every_allocation_that_fails_is_an_error() {
    let Some(gpu) = adapter::open(Options::default()) else {
        return;
    };
    let device = Device::new(Gpu::from_device(gpu.clone()));
    let numbers: Vec<f32> = (0..40 * WIDTH).map(|i| (i * 7 % 19) as f32 / 19.0).collect();
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let start = || Autoencoder::glorot(&[WIDTH, 6, 3], 1).expect("sizes make sense");
    let mut net = start();
    let codes = work(&device, rows, &mut net).expect("there is room");
    // Each of them where that is asked for; else every fifth, the first among them.
    let apart = if std::env::var_os("STRAIT_EVERY_ALLOCATION").is_some() { 1 } else { 5 };
    let mut failed = 0;
    for number in (1..).step_by(apart) {
        gpu.fail_allocation(number);
        let mut other = start();
        let outcome = work(&device, rows, &mut other);
        if gpu.fail_allocation(0) > 0 {
            // The work makes fewer allocations than that.
            assert_eq!((outcome.expect("nothing failed"), other), (codes, net));
            break;
        }
        let error = outcome.expect_err("an allocation failed");
        assert!(is_full(&error) || error.to_string().contains("memory"), "{error:?}");
        // A training that fails leaves the net as it was before.
        assert!(other == start() || other.layers.iter().all(|layer| layer.check().is_ok()));
        failed += 1;
    }
    println!("{failed} allocations failed, each of them an error");
    assert!(failed * apart > 100, "{failed}");
}
