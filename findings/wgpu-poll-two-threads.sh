#!/usr/bin/env bash
# wgpu 30.0.2: `Device::poll` with a wait returns when the work is done, but where two threads poll the same device, the callback of a buffer that
# one of them maps may be taken up by the other one, and be called after the first one's wait has returned. A read-back that looks for its answer
# right after the wait (`try_recv`) then finds none, though nothing went wrong. With one thread this never happens. The documentation says that
# callbacks are called by a thread that polls; that a wait does not cover them is easily overlooked. A blocking receive is right.
#
# Needs cargo and a Vulkan driver, such as Mesa's software one (mesa-vulkan-drivers). Prints how many waits returned before their callback was called.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "poll-two-threads"
version = "0.0.0"
edition = "2024"

[dependencies]
pollster = "=1.0.3"
wgpu = { version = "=30.0.2", default-features = false, features = ["std", "vulkan"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::sync::mpsc::channel;

const ROUNDS: usize = 3000;

/// Rounds in which the callback had not been called when the wait returned.
fn early(device: &wgpu::Device, queue: &wgpu::Queue) -> usize {
    let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
    let describe = |usage| wgpu::BufferDescriptor { label: None, size: 1024, usage, mapped_at_creation: false };
    let source = device.create_buffer(&describe(wgpu::BufferUsages::COPY_SRC));
    let mut early = 0;
    for _ in 0..ROUNDS {
        let target = device.create_buffer(&describe(usage));
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&source, 0, &target, 0, 1024);
        queue.submit([encoder.finish()]);
        let (sender, receiver) = channel();
        target.slice(..).map_async(wgpu::MapMode::Read, move |result| sender.send(result).expect("it is awaited"));
        device.poll(wgpu::PollType::wait_indefinitely()).expect("it waits");
        if receiver.try_recv().is_err() {
            early += 1;
            receiver.recv().expect("it comes").expect("it is mapped");
        }
    }
    early
}

fn main() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.into_iter().next().expect("a Vulkan adapter");
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).expect("it opens");
    println!("{}", adapter.get_info().name);
    let alone = early(&device, &queue);
    let two = std::thread::scope(|scope| {
        let other = scope.spawn(|| early(&device, &queue));
        early(&device, &queue) + other.join().expect("no panic")
    });
    println!("one thread: {alone} of {ROUNDS} waits returned before the callback; two threads: {two} of {}", 2 * ROUNDS);
    assert!(alone == 0 && two > 0, "this has changed");
}
RUST
cd "$folder"
timeout 900 cargo run --quiet
# Seen with Mesa's llvmpipe: one thread 0 of 3000, two threads some hundred of 6000.
