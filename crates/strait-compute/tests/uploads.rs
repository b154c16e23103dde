//! Rows reach a data set's tensor on a GPU in the order in which they are given, also where it lies in several pieces.

use strait_compute::{Backend, Error, Gpu, Kind, Program};
use strait_device::{Options, Selector};

const WIDTH: usize = 7;

#[test]
fn rows_arrive_in_order_or_are_refused() {
    let name = std::env::var("STRAIT_TEST_ADAPTER").unwrap_or_else(|_| "llvmpipe".to_owned());
    // Pieces end within rows.
    let options = Options { buffer_limit: Some(1024), ..Options::default() };
    let gpu = match strait_device::Gpu::open_with(&Selector::parse(&name), options) {
        Ok(gpu) => Gpu::from_device(gpu),
        Err(error) => {
            assert!(std::env::var_os("STRAIT_REQUIRE_GPU").is_none(), "{error}");
            eprintln!("SKIPPED: nothing was brought to a GPU, because {error}");
            return;
        }
    };
    let mut program = Program::default();
    let numbers = program.tensor("numbers", 100, WIDTH, Kind::Rows);
    let bytes = program.tensor("bytes", 3, WIDTH, Kind::Bytes);
    let mut execution = gpu.load(program, &[]).expect("it loads");
    assert!(numbers.bytes() as u64 > 2 * gpu.largest_tensor().expect("it has a limit"), "it lies in several pieces");

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
    for (width, wrong) in [(WIDTH - 1, "2 bytes short of 14"), (WIDTH + 1, "more than 14 bytes")] {
        let rows = [[0; WIDTH + 1]; 2];
        let refused = uploader.write_bytes(rows.iter().map(|row| &row[..width])).expect_err("rows of another width");
        assert!(refused.to_string().contains(wrong), "{refused}");
    }
}
