//! Numbers of 16 bits stay numbers of 16 bits until they are used.

use half::{bf16, f16};
use strait_data::{Halves, Options, Values, open};

fn tensors(entries: &[(&str, &str, usize, Vec<u8>)], width: usize) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, rows, bytes) in entries {
        let start = data.len();
        data.extend_from_slice(bytes);
        header.push(format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{rows},{width}],\"data_offsets\":[{start},{}]}}",
            data.len()
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    let header = format!("{header:width$}", width = header.len().next_multiple_of(8));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[test]
fn numbers_of_16_bits_are_not_widened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers: Vec<f32> = (0..24).map(|i| (i as f32 - 9.0) / 8.0).collect();
    let upper: Vec<u8> = numbers.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
    let halves: Vec<u8> = numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
    let parts = [("rows.1", "BF16", 4, upper[..32].to_vec()), ("rows.2", "BF16", 2, upper[32..].to_vec())];
    for (name, bytes, bf16) in [
        ("bf16.safetensors", tensors(&[("rows", "BF16", 6, upper.clone())], 4), true),
        ("f16.safetensors", tensors(&[("rows", "F16", 6, halves)], 4), false),
        // Tensors of one table lie in several places: they are copied as they are.
        ("parts.safetensors", tensors(&parts, 4), true),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder is writable");
        let data = open(&path, &Options::default()).expect("it is a table");
        let rows = data.rows().expect("its numbers are finite");
        assert_eq!((rows.count, rows.width), (6, 4), "{name}");
        let kept = match rows.values {
            Values::Halves(Halves::Bf16(_)) => bf16,
            Values::Halves(Halves::F16(_)) => !bf16,
            Values::Bytes(_) | Values::Numbers(_) => false,
        };
        assert!(kept, "{name}: {:?}", rows.values);
        assert_eq!(rows.to_numbers(), numbers, "{name}");
        assert_eq!(rows.range(2..4).to_numbers(), numbers[8..16], "{name}");
        assert_eq!(rows.at(5, 3), numbers[23], "{name}");
        let mut all = Vec::new();
        rows.each_row(|row| all.extend_from_slice(row));
        assert_eq!(all, numbers, "{name}");
    }
    let path = folder.path().join("infinite.safetensors");
    let wrong: Vec<u8> = [1.0, f32::INFINITY].iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
    std::fs::write(&path, tensors(&[("rows", "BF16", 1, wrong)], 2)).expect("the folder is writable");
    let refused = open(&path, &Options::default()).and_then(|data| data.rows().map(|_| ()));
    assert!(refused.expect_err("a number is infinite").to_string().contains("inf"));
}
