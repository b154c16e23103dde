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

/// The settings of a convolution.
#[derive(Clone, Copy)]
struct Settings {
    stride: usize,
    padding: usize,
    output_padding: usize,
    /// Where it is given.
    transposed: Option<bool>,
}

/// Reads layer by layer.
struct Reader<'a> {
    arrays: &'a Arrays,
    /// Those of each convolution that is still to come.
    settings: std::vec::IntoIter<Settings>,
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
            return Ok(Self { arrays, settings: Vec::new().into_iter(), image: None, map: None, smallest: None });
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
        let [strides, paddings, output_paddings] =
            [("strides", strides), ("paddings", paddings), ("output paddings", output_paddings)]
                .map(|(name, values)| each(name, values));
        let (strides, paddings, output_paddings) = (strides?, paddings?, output_paddings?);
        let all = [&[*height, *width][..], &strides, &paddings, &output_paddings].concat();
        if let Some(size) = all.into_iter().find(|&size| size >= LARGEST) {
            return Err(
                arrays.wrong(format!("{size} pixels are too many: sizes, strides and paddings are below {LARGEST}"))
            );
        }
        if !transposed.is_empty() && transposed.len() != count {
            return Err(arrays.wrong(format!(
                "it has {count} convolutions, but for {} is said whether they are transposed; say it for each",
                transposed.len()
            )));
        }
        let settings = |i: usize| Settings {
            stride: strides[i],
            padding: paddings[i],
            output_padding: output_paddings[i],
            transposed: transposed.get(i).copied(),
        };
        let settings = (0..count).map(settings).collect::<Vec<_>>().into_iter();
        let image = Some([*height, *width, channels]);
        Ok(Self { arrays, settings, image, map: image, smallest: None })
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
                "`{weight}` of the shape {other:?} is neither a linear layer nor a 2-D convolution with a square kernel"
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
        self.map = self.map_of(next, outputs, decodes)?;
        if let Some(map) = self.map {
            let columns = transpose(&weight, inputs);
            let columns: Vec<f32> = columns.chunks_exact(outputs).flat_map(|column| by_pixel(column, map)).collect();
            (weight, bias) = (transpose(&columns, outputs), by_pixel(&bias, map));
        }
        let weight = transpose(&weight, inputs);
        Ok(Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None })
    }

    /// The map that the outputs of a linear layer form: an image at the end of the net, or the input of a convolution that follows.
    fn map_of(&self, next: Option<&str>, outputs: usize, decodes: bool) -> Result<Option<Map>> {
        let Some(next) = next else {
            return Ok(self.image.filter(|image| decodes && image.iter().product::<usize>() == outputs));
        };
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
        Err(self.arrays.wrong(format!(
            "expected square feature maps of {channels} channels before `{next}`, found {outputs} values"
        )))
    }

    fn convolution(
        &mut self,
        name: &str,
        [first, second, kernel]: [usize; 3],
        activation: Activation,
        decodes: bool,
    ) -> Result<Affine> {
        let weight = format!("{name}.weight");
        let (Some(settings), Some([height, width, channels])) = (self.settings.next(), self.map) else {
            let message = format!(
                "`{weight}` is a convolution: say how large the images are by --image, and the strides and paddings, which the file does not hold"
            );
            return Err(self.arrays.wrong(message));
        };
        let Settings { stride, padding, output_padding, transposed } = settings;
        // Conv2d has the shape [out, in, k, k], ConvTranspose2d [in, out, k, k].
        let transposed = match (transposed, first == channels, second == channels) {
            (Some(true), true, _) | (None, true, false) => true,
            (Some(false), _, true) | (None, false, true) => false,
            (None, true, true) => {
                let message = format!(
                    "`{weight}` may be of Conv2d or of ConvTranspose2d, since both its inputs and its outputs have {channels} channels: say by --transposed which convolutions are transposed"
                );
                return Err(self.arrays.wrong(message));
            }
            _ => {
                let message = format!(
                    "`{weight}` has the shape {:?}, which does not fit the {channels} channels of the layer before",
                    [first, second, kernel, kernel]
                );
                return Err(self.arrays.wrong(message));
            }
        };
        let fits = |window: &Window| window.is_sensible() && (!transposed || window.steps() == [height, width]);
        let enlarged = |size: usize| ((size - 1) * stride + kernel + output_padding).saturating_sub(2 * padding);
        let window = match transposed {
            false => Window { height, width, channels, kernel, stride, padding, over_time: false },
            true => {
                let (height, width) = (enlarged(height), enlarged(width));
                Window { height, width, channels: second, kernel, stride, padding, over_time: false }
            }
        };
        if !fits(&window) || !transposed && output_padding > 0 {
            let message = format!(
                "windows of {kernel} x {kernel} with the stride {stride}, the padding {padding} and the output padding {output_padding} do not fit the maps of {height} x {width} before `{name}`"
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
