//! Several arrays in a file: npz or safetensors, by its ending.

use std::io::Write;
use std::path::Path;

use npyz::WriterBuilder;
use safetensors::tensor::{Dtype, TensorView};
use zip::write::SimpleFileOptions;

/// An array with its name.
#[derive(Clone, Copy, Debug)]
pub struct NamedArray<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
    /// Its numbers, row after row.
    pub values: &'a [f32],
}

/// Writes arrays as `numpy.savez` does, or as safetensors, by the ending of the path that they will have.
///
/// ```
/// use strait_data::{NamedArray, write_arrays};
/// let mut bytes = Vec::new();
/// let array = NamedArray { name: "w", shape: &[1, 2], values: &[0.5, 0.25] };
/// write_arrays(&mut bytes, "weights.safetensors".as_ref(), &[array])?;
/// assert_eq!(bytes[bytes.len() - 8..], [0, 0, 0, 63, 0, 0, 128, 62]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// If they cannot be written, or a shape is not that of the numbers.
pub fn write_arrays(mut to: impl Write, path: &Path, arrays: &[NamedArray<'_>]) -> std::io::Result<()> {
    if path.extension().is_some_and(|ending| ending == "npz") {
        let mut archive = zip::ZipWriter::new_stream(to);
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true);
        for NamedArray { name, shape, values } in arrays {
            let mut bytes = Vec::new();
            let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
            let mut array =
                npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
            array.extend(values.iter().copied())?;
            array.finish()?;
            archive.start_file(format!("{name}.npy"), options)?;
            archive.write_all(&bytes)?;
        }
        return archive.finish()?.into_inner().flush();
    }
    let little: Vec<Vec<u8>> =
        arrays.iter().map(|array| array.values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = arrays.iter().zip(&little).map(|(array, bytes)| {
        Ok((array.name, TensorView::new(Dtype::F32, array.shape.to_vec(), bytes).map_err(std::io::Error::other)?))
    });
    let views: Vec<_> = views.collect::<std::io::Result<_>>()?;
    // PyTorch's own files say so, and some loaders insist on it.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    to.write_all(&safetensors::serialize(views, Some(metadata)).map_err(std::io::Error::other)?)?;
    to.flush()
}
