//! Linear layers and convolutions of PyTorch.

use std::path::Path;

use super::Arrays;
use crate::experiment::Result;
use crate::models::{Convolution, transpose};
use crate::{Activation, Affine, Autoencoder, Window};

/// What a file does not say of `Conv2d` and `ConvTranspose2d`: the size of the images, and the settings of each in the order in which they
/// are applied. One value stands for all. Dilation and groups are PyTorch's defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TorchConvolutions {
    /// Height and width of the images.
    pub image: [usize; 2],
    /// `stride`
    pub strides: Vec<usize>,
    /// `padding`
    pub paddings: Vec<usize>,
    /// `output_padding`, which only a transposed convolution has: 0 for the others.
    pub output_paddings: Vec<usize>,
    /// Whether each is a `ConvTranspose2d`. Empty where the shapes tell: those with as many channels on either side do not.
    pub transposed: Vec<bool>,
}

impl TorchConvolutions {
    /// PyTorch's defaults for images of this height and width.
    ///
    /// ```
    /// let convolutions = strait::exchange::TorchConvolutions::of([28, 28]);
    /// assert_eq!(convolutions.strides, [1]);
    /// ```
    pub fn of(image: [usize; 2]) -> Self {
        Self { image, strides: vec![1], paddings: vec![0], output_paddings: vec![0], transposed: Vec::new() }
    }
}

/// An autoencoder of the linear layers of a safetensors file, as `safetensors.torch.save_file(net.state_dict(), path)` writes them: in the
/// order of the numbers in their names, layers of an `encoder` before those of a `decoder`. Modules without parameters are not in the file,
/// so the activation behind each layer is said here, and how many layers encode.
///
/// # Errors
/// If the file cannot be read, layers do not follow each other, or their number is not that of the activations.
pub fn from_torch(path: impl AsRef<Path>, activations: &[Activation], encoder: usize) -> Result<Autoencoder> {
    read(path.as_ref(), activations, encoder, None)
}

/// The same of convolutions and linear layers. Between them PyTorch flattens maps channel by channel, and the weights are put in order for
/// that: strait has all channels of a pixel together. A linear layer before a transposed convolution gives maps of the size that the last
/// convolution has left, or square ones.
///
/// # Errors
/// As [`from_torch`], or if a window does not fit the map before it.
pub fn from_torch_convolutions(
    path: impl AsRef<Path>,
    activations: &[Activation],
    encoder: usize,
    convolutions: &TorchConvolutions,
) -> Result<Autoencoder> {
    read(path.as_ref(), activations, encoder, Some(convolutions))
}

fn read(
    path: &Path,
    activations: &[Activation],
    encoder: usize,
    convolutions: Option<&TorchConvolutions>,
) -> Result<Autoencoder> {
    let arrays = Arrays::open(path)?;
    let mut names: Vec<String> =
        arrays.entries.iter().filter_map(|(name, _)| name.strip_suffix(".weight").map(str::to_owned)).collect();
    names.sort_by_key(|name| key(name));
    if names.len() != activations.len() {
        let found = names.join(", ");
        return Err(arrays.wrong(format!(
            "it has {} layers ({found}), but {} activations are named; name one for each, linear where there is none",
            names.len(),
            activations.len()
        )));
    }
    let mut reader = Reader::new(&arrays, convolutions, &names)?;
    let mut layers = Vec::new();
    for (number, (name, &activation)) in names.iter().zip(activations).enumerate() {
        let next = names.get(number + 1).map(String::as_str);
        layers.push(reader.layer((name, next), activation, number >= encoder)?);
    }
    super::net(&arrays, layers, encoder)
}

/// What layers are ordered by: the encoder before the decoder, numbers by their values.
fn key(name: &str) -> (bool, Vec<(u64, String)>) {
    let part = |part: &str| (part.parse().unwrap_or(u64::MAX), part.to_owned());
    (name.contains("decoder"), name.split('.').map(part).collect())
}

/// More pixels than an edge can have.
const LARGEST: usize = 1 << 15;

/// A map: height, width, channels.
type Map = [usize; 3];

/// Reads layer by layer.
struct Reader<'a> {
    arrays: &'a Arrays,
    /// Stride, padding and output padding of each convolution that is still to come.
    settings: std::vec::IntoIter<[usize; 3]>,
    /// Which of these are transposed, where that is said.
    transposed: std::vec::IntoIter<bool>,
    /// The images.
    image: Option<Map>,
    /// What the layer before gives, where it is a map.
    map: Option<Map>,
    /// The last map of the encoder.
    smallest: Option<Map>,
}

impl<'a> Reader<'a> {
    fn new(arrays: &'a Arrays, convolutions: Option<&TorchConvolutions>, names: &[String]) -> Result<Self> {
        let (mut count, mut channels) = (0, None);
        for name in names {
            if let [_, inputs, _, _] = *arrays.shape(&format!("{name}.weight"))? {
                count += 1;
                channels.get_or_insert(inputs);
            }
        }
        let Some(convolutions) = convolutions else {
            let (settings, transposed) = (Vec::new().into_iter(), Vec::new().into_iter());
            return Ok(Self { arrays, settings, transposed, image: None, map: None, smallest: None });
        };
        let Some(channels) = channels else {
            return Err(arrays.wrong("it holds no convolutions: leave the size of the images out"));
        };
        let TorchConvolutions { image: [height, width], strides, paddings, output_paddings, transposed } = convolutions;
        let each = |name: &str, values: &[usize]| match *values {
            [all] => Ok(vec![all; count]),
            ref values if values.len() == count => Ok(values.to_vec()),
            ref values => Err(arrays.wrong(format!(
                "it has {count} convolutions, but {} {name} are named; name one for each, or one for all",
                values.len()
            ))),
        };
        let [strides, paddings, rests] =
            [("strides", strides), ("paddings", paddings), ("output paddings", output_paddings)]
                .map(|(name, values)| each(name, values));
        let (strides, paddings, rests) = (strides?, paddings?, rests?);
        let all = [&[*height, *width][..], &strides, &paddings, &rests].concat();
        if let Some(size) = all.into_iter().find(|&size| size >= LARGEST) {
            return Err(
                arrays.wrong(format!("{size} pixels are too many: sizes, strides and paddings are below {LARGEST}"))
            );
        }
        let settings: Vec<_> = (0..count).map(|i| [strides[i], paddings[i], rests[i]]).collect();
        if !transposed.is_empty() && transposed.len() != count {
            let named = transposed.len();
            return Err(arrays
                .wrong(format!("it has {count} convolutions, but for {named} is said whether they are transposed")));
        }
        let map = Some([*height, *width, channels]);
        let transposed = transposed.clone().into_iter();
        Ok(Self { arrays, settings: settings.into_iter(), transposed, image: map, map, smallest: None })
    }

    /// A layer by its name and that of the next one.
    fn layer(&mut self, (name, next): (&str, Option<&str>), activation: Activation, decodes: bool) -> Result<Affine> {
        let weight = format!("{name}.weight");
        match *self.arrays.shape(&weight)? {
            [outputs, inputs] => self.linear(name, next, [outputs, inputs], activation, decodes),
            [first, second, kernel, wide] if kernel == wide => {
                self.convolution(name, [first, second, kernel], activation, decodes)
            }
            ref other => Err(self.arrays.wrong(format!(
                "`{weight}` of the shape {other:?} is no linear layer, and no convolution by square windows"
            ))),
        }
    }

    fn bias(&self, name: &str, outputs: usize) -> Result<Vec<f32>> {
        let bias = format!("{name}.bias");
        match self.arrays.entries.iter().any(|(other, _)| *other == bias) {
            true => self.arrays.read(&bias, &[outputs]),
            false => Ok(vec![0.0; outputs]),
        }
    }

    fn linear(
        &mut self,
        name: &str,
        next: Option<&str>,
        [outputs, inputs]: [usize; 2],
        activation: Activation,
        decodes: bool,
    ) -> Result<Affine> {
        let mut bias = self.bias(name, outputs)?;
        // [outputs, inputs]
        let mut weight = self.arrays.read(&format!("{name}.weight"), &[outputs, inputs])?;
        if let Some(map) = self.map.take() {
            if map.iter().product::<usize>() != inputs {
                let [height, width, channels] = map;
                let message = format!(
                    "`{name}` takes {inputs} values, but the layer before gives {height} x {width} pixels of {channels} channels"
                );
                return Err(self.arrays.wrong(message));
            }
            weight = weight.chunks_exact(inputs).flat_map(|row| by_pixel(row, map)).collect();
        }
        if let Some(map) = self.unflattened(next, outputs)? {
            let columns = transpose(&weight, inputs);
            let columns: Vec<f32> = columns.chunks_exact(outputs).flat_map(|column| by_pixel(column, map)).collect();
            (weight, bias) = (transpose(&columns, outputs), by_pixel(&bias, map));
            self.map = Some(map);
        }
        // The last layer of a net that gives images.
        if let (None, Some(image), true) = (next, self.image, decodes)
            && image.iter().product::<usize>() == outputs
        {
            let columns = transpose(&weight, inputs);
            let columns: Vec<f32> = columns.chunks_exact(outputs).flat_map(|column| by_pixel(column, image)).collect();
            (weight, bias) = (transpose(&columns, outputs), by_pixel(&bias, image));
        }
        let weight = transpose(&weight, inputs);
        Ok(Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None })
    }

    /// The map that the outputs of a linear layer are, where a convolution follows.
    fn unflattened(&self, next: Option<&str>, outputs: usize) -> Result<Option<Map>> {
        let Some(next) = next else { return Ok(None) };
        let &[channels, _, _, _] = self.arrays.shape(&format!("{next}.weight"))? else {
            return Ok(None);
        };
        let pixels = outputs.checked_div(channels).unwrap_or(0);
        let edge = pixels.isqrt();
        match self.smallest {
            _ if channels == 0 || !outputs.is_multiple_of(channels) => {}
            Some([height, width, _]) if height * width == pixels => return Ok(Some([height, width, channels])),
            _ if edge * edge == pixels => return Ok(Some([edge, edge, channels])),
            _ => {}
        }
        Err(self.arrays.wrong(format!("{outputs} values before `{next}` are no square maps of {channels} channels")))
    }

    fn convolution(
        &mut self,
        name: &str,
        [first, second, kernel]: [usize; 3],
        activation: Activation,
        decodes: bool,
    ) -> Result<Affine> {
        let weight = format!("{name}.weight");
        let (Some([stride, padding, rest]), Some([height, width, channels])) = (self.settings.next(), self.map) else {
            let message = format!(
                "`{weight}` is a convolution: say how large the images are, and its stride and padding, which the file does not hold"
            );
            return Err(self.arrays.wrong(message));
        };
        // Conv2d has the shape [out, in, k, k], ConvTranspose2d [in, out, k, k].
        let transposed = match (self.transposed.next(), first == channels, second == channels) {
            (Some(true), true, _) | (None, true, false) => true,
            (Some(false), _, true) | (None, false, true) => false,
            (None, true, true) => {
                let message = format!(
                    "`{weight}` may be of Conv2d or of ConvTranspose2d, since it has {channels} channels on either side: say which of all are transposed"
                );
                return Err(self.arrays.wrong(message));
            }
            _ => {
                let message = format!(
                    "`{weight}` of the shape {:?} is no convolution of {channels} channels, which the layer before gives",
                    [first, second, kernel, kernel]
                );
                return Err(self.arrays.wrong(message));
            }
        };
        let fits = |window: &Window| window.is_sensible() && (!transposed || window.steps() == [height, width]);
        let enlarged = |size: usize| ((size - 1) * stride + kernel + rest).saturating_sub(2 * padding);
        let window = match transposed {
            false => Window { height, width, channels, kernel, stride, padding, over_time: false },
            true => {
                let (height, width) = (enlarged(height), enlarged(width));
                Window { height, width, channels: second, kernel, stride, padding, over_time: false }
            }
        };
        if !fits(&window) || !transposed && rest > 0 {
            let message = format!(
                "windows of {kernel} x {kernel} with the stride {stride}, the padding {padding} and the output padding {rest} do not fit the maps of {height} x {width} before `{name}`"
            );
            return Err(self.arrays.wrong(message));
        }
        // [filters, channels of the larger map, k, k] in both.
        let stored = self.arrays.read(&weight, &[first, second, kernel, kernel])?;
        let taps = window.taps();
        let filters: Vec<f32> =
            stored.chunks_exact(taps).flat_map(|filter| by_pixel(filter, [kernel, kernel, second])).collect();
        let map = match transposed {
            true => [window.height, window.width, second],
            false => [window.steps()[0], window.steps()[1], first],
        };
        if !decodes {
            self.smallest = Some(map);
        }
        let (inputs, outputs) = (height * width * channels, map.iter().product());
        self.map = Some(map);
        let bias = self.bias(name, map[2])?;
        let convolution = Some(Convolution { window, transposed });
        Ok(Affine {
            inputs,
            outputs,
            activation,
            weight: transpose(&filters, taps),
            bias,
            convolution,
            threshold: None,
        })
    }
}

/// Values that lie channel by channel, with all channels of a pixel together.
fn by_pixel(values: &[f32], [height, width, channels]: Map) -> Vec<f32> {
    debug_assert_eq!(values.len(), height * width * channels);
    transpose(values, height * width)
}
