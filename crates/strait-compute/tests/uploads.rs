//! Rows reach a data set's tensor in the order in which they are given, also where it lies in several pieces.

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use strait_compute::{Backend, Cpu, Error, Gpu, Kind, Program};
use strait_device::Options;

const WIDTH: usize = 7;

fn open(options: Options) -> Option<Gpu> {
    adapter::open(options).map(Gpu::from_device)
}

#[test]
fn rows_arrive_in_order_or_are_refused() {
    check(&Cpu::with_threads(2).expect("threads start"));
    // Pieces end within rows.
    if let Some(gpu) = open(Options { buffer_limit: Some(1024), ..Options::default() }) {
        let limit = gpu.largest_tensor().expect("it has a limit");
        assert!(4 * 100 * WIDTH as u64 > 2 * limit, "the numbers lie in several pieces");
        check(&gpu);
    }
}

fn check(device: &dyn Backend) {
    let mut program = Program::default();
    let numbers = program.data("numbers", 100, WIDTH, Kind::Rows);
    let bytes = program.data("bytes", 3, WIDTH, Kind::Bytes);
    let mut execution = device.load(program, &[]).expect("it loads");

    let values: Vec<f32> = (0..numbers.len()).map(|i| i as f32).collect();
    let backwards = || values.chunks_exact(WIDTH).rev();
    let uploader = execution.uploader(numbers).expect("it is filled so");
    uploader.write(backwards()).expect("it has room");
    assert_eq!(execution.read(numbers).expect("it is read"), backwards().flatten().copied().collect::<Vec<_>>());
    // The first rows only; the others stay.
    uploader.write(values[..2 * WIDTH].chunks_exact(WIDTH)).expect("it has room");
    let expected: Vec<f32> = values.chunks_exact(WIDTH).take(2).chain(backwards().skip(2)).flatten().copied().collect();
    assert_eq!(execution.read(numbers).expect("it is read"), expected);

    let one_more = values.chunks_exact(WIDTH).chain([&values[..WIDTH]]).collect::<Vec<_>>();
    assert!(matches!(uploader.write(one_more.into_iter()), Err(Error::Length { found: 707, expected: 700, .. })));
    assert!(matches!(uploader.write_bytes([&[0; WIDTH][..]].into_iter()), Err(Error::Tensor { .. })));
    let uploader = execution.uploader(bytes).expect("it is filled so");
    // A rest of one byte is filled up to a word.
    uploader.write_bytes([[1; WIDTH]; 3].iter().map(|row| &row[..])).expect("it has room");
    for widths in [[6, 6], [8, 8], [6, 8], [7, 6], [7, 0]] {
        let rows = [[0; 8]; 2];
        let refused = uploader.write_bytes(rows.iter().zip(widths).map(|(row, width)| &row[..width]));
        let wrong = widths.into_iter().find(|width| *width != WIDTH).expect("one is wrong");
        assert!(matches!(refused, Err(Error::Length { expected: WIDTH, found, .. }) if found == wrong), "{widths:?}");
    }
}

/// A tensor without columns takes the nothing that it holds.
#[test]
fn nothing_is_brought_to_a_tensor_without_columns() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let mut program = Program::default();
    let empty = program.data("empty", 3, 0, Kind::Rows);
    let mut execution = gpu.load(program, &[]).expect("it loads");
    execution.write(empty, &[]).expect("it has room");
    execution.uploader(empty).expect("it is filled so").write([&[][..]; 3].into_iter()).expect("it has room");
    assert_eq!(execution.read(empty).expect("it is read"), []);
}
