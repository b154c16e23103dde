//! Tables of numbers: `.npy`, `.safetensors` and `.mat` files.

use std::path::Path;

use half::{bf16, f16};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use safetensors::{Dtype, SafeTensors};

use crate::mat::mat;
use crate::matrix::{Number, Table, chosen, matrix, numbers, turned};
use crate::{Error, MAX_BYTES, Result};

impl Table {
    /// Reads a matrix, by the file's ending: `.npy` (of f2, f4, f8 or u1, in either byte order and in C or Fortran
    /// order), `.safetensors` (of F16, BF16, F32, F64 or U8) or `.mat` (of MATLAB from version 5 to 7, a full real
    /// matrix of any numeric class; its rows are the table's rows). `tensor` names one of a safetensors or a MATLAB
    /// file that has several.
    ///
    /// ```
    /// let path = std::env::temp_dir().join(format!("strait-table-{}.npy", std::process::id()));
    /// let mut file = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }".to_vec();
    /// file.resize(79, b' ');
    /// file.push(b'\n');
    /// file.extend([1.0f32, 2.5].iter().flat_map(|x| x.to_le_bytes()));
    /// std::fs::write(&path, file)?;
    /// let table = strait_data::Table::read(&path, None)?;
    /// assert_eq!((table.width, table.values), (1, vec![1.0, 2.5]));
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, is not a matrix of such numbers, or holds a number that is not finite.
    pub fn read(path: impl AsRef<Path>, tensor: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        let wrong = |message: String| Error::format(path, message);
        let size = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
        if !size.is_file() {
            return Err(wrong("this is not a file".to_owned()));
        }
        if size.len() > MAX_BYTES {
            return Err(wrong(format!("{} bytes are more than the {MAX_BYTES} that are read", size.len())));
        }
        let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
        let table = match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") if tensor.is_some() => Err("a .npy file holds one array, which has no name".to_owned()),
            Some("npy") => npy(&bytes),
            Some("safetensors") => safetensors(&bytes, tensor),
            Some("mat") => mat(&bytes, tensor),
            _ => Err("its name must end in .npy, .safetensors or .mat".to_owned()),
        };
        let table = table.map_err(wrong)?;
        table.rows().map_err(|error| wrong(error.to_string()))?;
        Ok(table)
    }
}

fn npy(bytes: &[u8]) -> std::result::Result<Table, String> {
    let header = bytes.get(..10).filter(|start| start.starts_with(b"\x93NUMPY")).ok_or("this is no .npy file")?;
    // What the crate would read of the file, before it does: it believes the header's length, the depth of its brackets
    // and the product of its sizes.
    let (start, length): (usize, usize) = match (header[6], bytes.get(8..12)) {
        (1, _) => (10, usize::from(u16::from_le_bytes([header[8], header[9]]))),
        (2 | 3, Some(length)) => (12, length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte))),
        _ => return Err(format!("version {} of .npy is not known", header[6])),
    };
    let text = start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or("its header is cut off")?;
    let count = |wanted: fn(&u8) -> bool| text.iter().filter(|byte| wanted(byte)).count();
    if length > 4096 || count(|byte| b"([{".contains(byte)) > 4 || count(u8::is_ascii_digit) > 18 {
        return Err("its header describes no matrix of numbers".to_owned());
    }
    let header = NpyHeader::from_reader(bytes).map_err(|error| format!("its header cannot be read ({error})"))?;
    let data = &bytes[start + length..];
    let DType::Plain(kind) = header.dtype() else {
        return Err("it holds records, not numbers".to_owned());
    };
    let number: Number = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 2) => |b| f16::from_le_bytes([b[0], b[1]]).to_f32(),
        (TypeChar::Float, 4) => |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        (TypeChar::Float, 8) => |b| f64::from_le_bytes(b) as f32,
        (TypeChar::Uint, 1) => |b| f32::from(b[0]),
        _ => return Err(format!("it holds numbers of type `{kind}`; f2, f4, f8 and u1 are read")),
    };
    let element = kind.size_field() as usize;
    let [rows, width] = matrix(header.shape(), element, data.len())?;
    let found = numbers(data, element, kind.endianness() == Endianness::Big, number);
    let values = match header.order() {
        Order::C => found,
        Order::Fortran => turned(&found, [rows, width]),
    };
    Ok(Table { width, values })
}

fn safetensors(bytes: &[u8], tensor: Option<&str>) -> std::result::Result<Table, String> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|error| format!("this is no valid safetensors file ({error})"))?;
    let names = file.names();
    let name = names[chosen(&names, tensor, "tensor")?];
    let view = file.tensor(name).map_err(|error| format!("tensor `{name}` cannot be read ({error})"))?;
    let shape: Vec<u64> = view.shape().iter().map(|&size| size as u64).collect();
    let data = view.data();
    let values: (usize, Vec<f32>) = match view.dtype() {
        Dtype::F16 => (2, data.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        Dtype::BF16 => (2, data.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        Dtype::F32 => (4, data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F64 => {
            let number = |b: &[u8]| f64::from_le_bytes(std::array::from_fn(|i| b[i])) as f32;
            (8, data.chunks_exact(8).map(number).collect())
        }
        Dtype::U8 => (1, data.iter().map(|&b| f32::from(b)).collect()),
        other => return Err(format!("tensor `{name}` is of type {other:?}; F16, BF16, F32, F64 and U8 are read")),
    };
    let [_, width] = matrix(&shape, values.0, data.len())?;
    Ok(Table { width, values: values.1 })
}
