//! Every operation and every tail over ragged shapes, on every back end, against the oracle in double precision.

#[path = "../../../../tests/common/adapter.rs"]
mod adapter;
mod cases;
mod table;

use std::sync::{Mutex, MutexGuard, TryLockError};

use strait_compute::{
    Activation, Backend, Cpu, Fragments, Gpu, Isa, Kind, Matrices, Metrics, Operands, Oracle, Precision, Shape, Tile,
    Tiles, go_on,
};
use strait_device::{Checks, Options};
use table::{Case, PAPER};

/// The normalised mean squared error that a back end may have, Σ (x − y)² / Σ y².
const TOLERANCE: f64 = 1e-10;

/// The same where operands that were computed before are rounded: those that lie between two numbers of 16 bits, as near
/// as single precision tells, may be rounded either way.
const ROUNDED: f64 = 1e-7;

/// What a run leaves behind.
struct Outcome {
    tensors: Vec<(String, Vec<f32>)>,
    metrics: Metrics,
}

/// Fills the tensors and runs the routine.
fn run(backend: &dyn Backend, case: &Case) -> Outcome {
    let mut execution =
        backend.load(case.program.clone(), &[]).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    table::fill(&mut *execution, case);
    let metrics =
        execution.run(case.routine, &case.steps, &mut go_on).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let readable = case.tensors.iter().filter(|tensor| matches!(tensor.kind, Kind::Values | Kind::Rows));
    let tensors = readable
        .map(|&tensor| (case.program.name(tensor).to_owned(), execution.read(tensor).expect("a tensor can be read")))
        .collect();
    Outcome { tensors, metrics }
}

fn compare(what: &str, found: &[f32], expected: &[f32], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let (mut error, mut size) = (0.0, 0.0);
    for (i, (&x, &y)) in found.iter().zip(expected).enumerate() {
        assert_eq!(x.is_nan(), y.is_nan(), "{what}: element {i} is {x}, not {y}");
        if !y.is_nan() {
            error += (f64::from(x) - f64::from(y)).powi(2);
            size += f64::from(y).powi(2);
        }
    }
    if error > tolerance * size {
        let pairs = found.iter().zip(expected).enumerate();
        let wrong: Vec<_> = pairs.filter(|(_, (x, y))| (*x - *y).abs() > 1e-5 * (1.0 + y.abs())).take(8).collect();
        panic!("{what}: normalised error {:.1e}; the first that differ: {wrong:?}", error / size);
    }
}

/// Runs the cases on back ends whose products multiply the same operands, and on the oracle.
fn conform_within(backends: &[Box<dyn Backend>], cases: &[Case], tolerance: f64) {
    for case in cases {
        let expected = run(&Oracle::like(&*backends[0]), case);
        for backend in backends {
            let found = run(&**backend, case);
            let on = format!("{} on {}", case.name, backend.describe());
            let compare = |what: &str, found: &[f32], expected: &[f32]| {
                compare(&format!("{on}, {what}"), found, expected, tolerance);
            };
            for ((name, found), (_, expected)) in found.tensors.iter().zip(&expected.tensors) {
                compare(&format!("tensor `{name}`"), found, expected);
            }
            let flat = |rows: &[Vec<f32>]| rows.concat();
            compare("losses", &flat(&found.metrics.losses), &flat(&expected.metrics.losses));
            let squared = |outcome: &Outcome| flat(&outcome.metrics.errors);
            compare("squared errors", &squared(&found), &squared(&expected));
            let dots = |outcome: &Outcome| outcome.metrics.dots.concat().iter().map(|&x| x as f32).collect::<Vec<_>>();
            compare("dot products", &dots(&found), &dots(&expected));
        }
    }
}

fn conform(backends: &[Box<dyn Backend>], cases: &[Case]) {
    conform_within(backends, cases, TOLERANCE);
}

/// Runs products and whole steps in another precision than f32.
fn conform_in(precision: Precision, backends: &[Box<dyn Backend>], products: Vec<Case>) {
    let in_precision =
        |cases: Vec<Case>| cases.into_iter().map(|case| case.in_precision(precision)).collect::<Vec<_>>();
    conform(backends, &in_precision(products));
    conform_within(backends, &in_precision(cases::steps()), ROUNDED);
}

/// The processor with each of its instruction sets.
fn cpus() -> Vec<Box<dyn Backend>> {
    let with = |isa: Isa| Cpu::new().and_then(|cpu| cpu.with_isa(isa)).expect("threads start");
    Isa::available().into_iter().map(|isa| Box::new(with(isa)) as Box<dyn Backend>).collect()
}

#[test]
fn cpu_conforms() {
    conform(&cpus(), &cases::all(&[]));
}

#[test]
fn cpu_conforms_with_operands_of_16_bits() {
    conform_in(Precision::Mixed, &cpus(), cases::products(&[]));
}

#[test]
fn cpu_conforms_with_operands_in_two_parts() {
    conform_in(Precision::Split, &cpus(), cases::products(&[]));
}

/// A product whose sums the CPU cuts into parts, of rows that it packs where few threads share it.
fn long() -> Case {
    table::linear(30, 1100, 300, false, Activation::Logistic, None)
}

#[test]
fn cpu_conforms_in_the_papers_layers() {
    for precision in [Precision::F32, Precision::Mixed] {
        let layers = PAPER.iter().flat_map(|&(inputs, units)| table::layer(100, inputs, units));
        let cases = layers.chain([long(), cases::infinite()]).chain(cases::zeros());
        conform(&cpus(), &cases.map(|case| case.in_precision(precision)).collect::<Vec<_>>());
    }
}

/// Two at a time on a software adapter: most of the time each compiles kernels, on one core; more would wait for each
/// other's threads.
static TURNS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// The turn, on a software adapter.
fn turn(gpu: &strait_device::Gpu) -> Option<MutexGuard<'static, ()>> {
    gpu.is_software().then(|| match TURNS[0].try_lock() {
        Ok(turn) => turn,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => TURNS[1].lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
    })
}

/// The layers to run in full: software adapters would take minutes over the large ones, and over compiling the kernels of the third.
fn layers(gpu: &strait_device::Gpu) -> &'static [(usize, usize)] {
    if gpu.is_software() { &PAPER[3..] } else { &PAPER[..] }
}

fn gpu_conforms(tile: Tile, options: Options, cases: fn(&[(usize, usize)]) -> Vec<Case>) {
    if let Some(gpu) = adapter::open(options) {
        let _turn = turn(&gpu);
        if tile.workgroup_memory() + 16 * tile.invocations() > gpu.workgroup_memory() {
            eprintln!("SKIPPED: {} has too little memory for workgroups of this tile", gpu.describe());
            return;
        }
        let layers = layers(&gpu);
        let backend = Gpu::from_device(gpu).with_tiles(Tiles::Fixed(Shape::Tile(tile)));
        conform(&[Box::new(backend)], &cases(layers));
    }
}

/// Where the adapter has cooperative matrices; `STRAIT_REQUIRE_MATRICES` makes it an error that it has none. The shape of
/// that number is used, with operands staged either way.
fn gpu_conforms_in_fragments(number: usize, as_stored: bool, options: Options) {
    let Some(gpu) = adapter::open(options) else {
        return;
    };
    let _turn = turn(&gpu);
    let Some(Matrices { edge, subgroup, .. }) = gpu.matrices() else {
        assert!(std::env::var_os("STRAIT_REQUIRE_MATRICES").is_none(), "the adapter has no cooperative matrices");
        eprintln!("SKIPPED: products on cooperative matrices were not tested, because {} has none", gpu.describe());
        return;
    };
    let layers = layers(&gpu);
    let fragments = Fragments::shapes(edge, subgroup, as_stored)[number];
    let backend = Gpu::from_device(gpu).with_tiles(Tiles::Fixed(Shape::Fragments(fragments)));
    assert_eq!(backend.operands(Precision::Mixed), Operands::F16);
    conform_in(Precision::Mixed, &[Box::new(backend)], cases::products(layers));
}

/// Without run-time checks, as users run it.
fn trusted() -> Options {
    Options { checks: Checks::Trusted, ..Options::default() }
}

// The tails are the same in all tiles, so that most run the products only. Software adapters compile those of the two larger
// ones, which are unrolled many times, for minutes.

#[test]
fn gpu_conforms_in_huge_tiles() {
    gpu_conforms(Tile::HUGE, Options::default(), cases::fitting_products);
}

#[test]
fn gpu_conforms_in_large_tiles() {
    gpu_conforms(Tile::LARGE, Options::default(), cases::fitting_products);
}

#[test]
fn gpu_conforms_in_shared_tiles() {
    gpu_conforms(Tile::SHARED, Options::default(), cases::products_and_steps);
}

#[test]
fn gpu_conforms_in_narrow_tiles() {
    gpu_conforms(Tile::NARROW, Options::default(), cases::products_and_steps);
}

#[test]
fn gpu_conforms_in_tiny_tiles() {
    gpu_conforms(Tile::TINY, Options::default(), cases::products_and_steps);
}

#[test]
fn gpu_conforms_in_small_tiles() {
    gpu_conforms(Tile::SMALL, Options::default(), cases::fitting);
}

#[test]
fn gpu_conforms_in_small_tiles_without_checks() {
    gpu_conforms(Tile::SMALL, trusted(), cases::products_and_steps);
}

#[test]
fn gpu_conforms_in_tiles_for_software() {
    gpu_conforms(Tile::SOFTWARE, Options::default(), cases::all);
}

#[test]
fn gpu_conforms_in_tiles_for_software_without_checks() {
    gpu_conforms(Tile::SOFTWARE, trusted(), |_| cases::some_products());
}

#[test]
fn gpu_conforms_in_large_fragments() {
    gpu_conforms_in_fragments(0, false, Options::default());
}

#[test]
fn gpu_conforms_in_small_fragments() {
    gpu_conforms_in_fragments(1, false, Options::default());
}

#[test]
fn gpu_conforms_in_small_fragments_without_checks() {
    gpu_conforms_in_fragments(1, false, trusted());
}

#[test]
fn gpu_conforms_in_large_fragments_as_stored() {
    gpu_conforms_in_fragments(0, true, Options::default());
}

#[test]
fn gpu_conforms_in_medium_fragments_as_stored() {
    gpu_conforms_in_fragments(1, true, Options::default());
}

#[test]
fn gpu_conforms_in_small_fragments_as_stored() {
    gpu_conforms_in_fragments(2, true, Options::default());
}

#[test]
fn gpu_conforms_in_shared_fragments_as_stored() {
    gpu_conforms_in_fragments(3, true, Options::default());
}

#[test]
fn gpu_conforms_in_shared_fragments_as_stored_without_checks() {
    gpu_conforms_in_fragments(3, true, trusted());
}

/// As a real GPU would choose them.
#[test]
fn gpu_conforms_in_chosen_tiles() {
    if let Some(gpu) = adapter::open(Options::default()) {
        let _turn = turn(&gpu);
        let backend = Gpu::from_device(gpu).with_tiles(Tiles::Hardware);
        conform(&[Box::new(backend)], &cases::wide_steps());
    }
}

/// With no more storage buffers for a kernel than WebGPU promises, gradients fall into several kernels.
#[test]
fn gpu_conforms_with_few_buffers() {
    gpu_conforms(Tile::SMALL, Options { most_buffers: Some(8), ..Options::default() }, |_| cases::some_products());
}

/// As on Metal and DX12.
#[test]
fn gpu_conforms_with_whole_vectors() {
    let options = Options { whole_vectors: true, ..Options::default() };
    for tile in [Tile::SMALL, Tile::TINY] {
        gpu_conforms(tile, options, cases::fitting_products);
    }
}

/// With buffers so small that the larger tensors lie in several.
#[test]
fn gpu_conforms_with_tensors_in_pieces() {
    let options = Options { buffer_limit: Some(17_000), ..Options::default() };
    gpu_conforms(Tile::SOFTWARE, options, |_| cases::small());
    gpu_conforms(Tile::SMALL, options, |_| cases::large_products());
}

/// The number of workers changes no bit.
#[test]
fn cpu_is_the_same_for_any_number_of_threads() {
    let backends = [1, 2, 4].map(|threads| Cpu::with_threads(threads).expect("threads start"));
    let rounded = cases::products(&PAPER[1..]).into_iter().map(|case| case.in_precision(Precision::Mixed));
    for case in cases::all(&PAPER).into_iter().chain(rounded).chain([long()]).chain(cases::zeros()) {
        let [one, two, four] = [0, 1, 2].map(|i: usize| run(&backends[i], &case));
        for other in [two, four] {
            let bits = |outcome: &Outcome| -> Vec<Vec<u32>> {
                outcome.tensors.iter().map(|(_, values)| values.iter().map(|x| x.to_bits()).collect()).collect()
            };
            assert_eq!(bits(&one), bits(&other), "{}", case.name);
            assert_eq!(one.metrics, other.metrics, "{}", case.name);
        }
    }
}
