//! Several threads use one device at the same time.

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use strait_device::Options;

/// wgpu lets any thread that polls hand over the answers of all: one that polls must wait for its own all the same.
#[test]
fn threads_read_what_they_wrote() {
    let Some(gpu) = adapter::open(Options::default()) else {
        return;
    };
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let gpu = &gpu;
            scope.spawn(move || {
                let buffer = gpu.buffer("numbers", 1024).expect("there is room");
                for round in 0..500_u32 {
                    let written: Vec<u32> = (0..256).map(|i| i ^ (thread << 16) ^ (round << 20)).collect();
                    gpu.write(&buffer, bytemuck::cast_slice(&written)).expect("it is written");
                    let read: Vec<u32> = gpu.read(&buffer, 256).expect("it is read");
                    assert_eq!(read, written);
                }
            });
        }
    });
}
