//! What the device layer does about adapters that fall short.

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use strait_device::{Error, Gpu, Options, Selector};

#[test]
fn adapters_that_cannot_bind_enough_are_refused() {
    if adapter::open(Options::default()).is_none() {
        return;
    }
    let options = Options { most_buffers: Some(7), ..Options::default() };
    match Gpu::open_with(&Selector::parse(&adapter::name()), options).map(|_| ()) {
        Err(Error::Open { message, .. }) => assert!(message.contains("allows 7"), "{message}"),
        other => panic!("{other:?}"),
    }
}

/// Metal does not tell when it gives work up; the metrics that it has not written do.
#[test]
fn work_that_was_never_done_is_noticed() {
    let Some(gpu) = adapter::open(Options::default()) else {
        return;
    };
    let table = gpu.table(1, 4, 700).expect("there is room");
    gpu.write_steps(&table, &[0_u32], 700).expect("they are written");
    assert!(matches!(gpu.read_metrics(&table, 700), Err(Error::Lost { .. })));
}
