//! A folder of the four MNIST files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::idx;
use super::raw::Raw;
use crate::array::Array;
use crate::data::Data;
use crate::packing::Content;
use crate::{Error, Format, Labels, Options, Result, Rows, Values};

/// Grey images with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// All pixels, image after image, row by row; 255 is the ink.
    pub pixels: Vec<u8>,
    /// One label for each image.
    pub labels: Vec<u32>,
}

impl Images {
    /// The images as rows of a data set.
    pub fn rows(&self) -> Rows<'_> {
        Rows { count: self.labels.len(), width: self.height * self.width, values: Values::Bytes(&self.pixels) }
    }

    /// The images at these places with their labels, in this order.
    ///
    /// ```
    /// use strait_data::Images;
    /// let images = Images { height: 1, width: 2, pixels: vec![1, 2, 3, 4, 5, 6], labels: vec![7, 9, 7] };
    /// let sevens = images.select((0..3).filter(|&i| images.labels[i] == 7));
    /// assert_eq!((sevens.pixels, sevens.labels), (vec![1, 2, 5, 6], vec![7, 7]));
    /// ```
    ///
    /// # Panics
    /// If there is no image at one of them.
    pub fn select(&self, places: impl IntoIterator<Item = usize>) -> Self {
        let (size, mut pixels, mut labels) = (self.height * self.width, Vec::new(), Vec::new());
        for place in places {
            pixels.extend_from_slice(&self.pixels[place * size..][..size]);
            labels.push(self.labels[place]);
        }
        Self { pixels, labels, ..*self }
    }

    /// The places of the first image of each class, in the order of the labels.
    pub fn first_of_each(&self) -> Vec<usize> {
        let mut first = std::collections::BTreeMap::new();
        for (place, &label) in self.labels.iter().enumerate() {
            first.entry(label).or_insert(place);
        }
        first.into_values().collect()
    }

    /// The first image of each class.
    pub fn one_of_each(&self) -> Self {
        self.select(self.first_of_each())
    }

    /// Height and width of an image.
    pub fn shape(&self) -> [usize; 2] {
        [self.height, self.width]
    }
}

/// A training and a test set of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mnist {
    /// For training.
    pub train: Images,
    /// For testing.
    pub test: Images,
}

impl Mnist {
    /// One more than the largest label of both sets: what a classifier has outputs for.
    pub fn classes(&self) -> usize {
        let labels = self.train.labels.iter().chain(&self.test.labels);
        labels.max().map_or(1, |&label| label as usize + 1)
    }

    /// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, each plain or with the ending `.gz`. Images of any size are accepted.
    ///
    /// # Errors
    /// If a file is missing, damaged or not what its name says, if images and labels differ in number, or if training
    /// and test images differ in size.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let train = read_images(folder, "train")?;
        let test = read_images(folder, "t10k")?;
        if (train.height, train.width) != (test.height, test.width) {
            return Err(Error::format(
                folder,
                format!(
                    "the training images are {} x {} pixels, but the test images {} x {}",
                    train.height, train.width, test.height, test.width
                ),
            ));
        }
        Ok(Self { train, test })
    }
}

/// A part of the data set: the file of its images, what it holds, and the labels.
struct Part {
    path: PathBuf,
    images: Array,
    labels: Labels,
}

fn read_images(folder: &Path, part: &str) -> Result<Images> {
    let Part { path, images, labels } = read_part(folder, part, &Options::default())?;
    let &[count, height, width] = images.shape() else { unreachable!("read_part checks it") };
    let Some(Values::Bytes(pixels)) = crate::source::Source::direct(&images) else {
        let message = format!("its pixels are of the type {}, not unsigned bytes", images.element().name());
        return Err(Error::format(&path, message));
    };
    let number = |class: &u32| {
        let name = &labels.names[*class as usize];
        name.parse().map_err(|_| Error::format(&path, format!("the label {name} is not a number from 0 on")))
    };
    let labels: Vec<u32> = labels.classes.iter().map(number).collect::<Result<_>>()?;
    debug_assert_eq!(labels.len(), count);
    Ok(Images { height, width, pixels: pixels.to_vec(), labels })
}

fn read_part(folder: &Path, part: &str, options: &Options) -> Result<Part> {
    let (images_path, images) = read_named(folder, &format!("{part}-images-idx3-ubyte"), options)?;
    let &[count, _, _] = images.shape() else {
        let message = format!("it has {} dimensions; images have 3", images.shape().len());
        return Err(Error::format(&images_path, message));
    };
    let (labels_path, labels) = read_named(folder, &format!("{part}-labels-idx1-ubyte"), options)?;
    if labels.shape().len() != 1 {
        let message = format!("it has {} dimensions; labels have 1", labels.shape().len());
        return Err(Error::format(&labels_path, message));
    }
    if labels.rows() != count {
        let message = format!("it holds {} labels, but {} holds {count} images", labels.rows(), images_path.display());
        return Err(Error::format(&labels_path, message));
    }
    let labels =
        Labels::numbered(&labels.to_doubles()).map_err(|error| Error::format(&labels_path, error.to_string()))?;
    Ok(Part { path: images_path, images, labels })
}

fn read_named(folder: &Path, name: &str, options: &Options) -> Result<(PathBuf, Array)> {
    let path =
        named(folder, name).ok_or_else(|| Error::Missing { folder: folder.to_owned(), name: name.to_owned() })?;
    let array = idx::array(&path, Arc::new(Content::open(&path, options.max_bytes)?.bytes))?;
    Ok((path, array))
}

/// The file of that name, plain or packed. Some copies of MNIST have a point in place of the second hyphen.
fn named(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name, &dotted].map(|name| [name.to_owned(), format!("{name}.gz")]);
    names.into_iter().flatten().map(|name| folder.join(name)).find(|path| path.exists())
}

/// The training set of a folder of the four files, with its test set; nothing if the folder has none of them.
pub(crate) fn folder(folder: &Path, options: &Options) -> Result<Option<Data>> {
    if named(folder, "train-images-idx3-ubyte").is_none() && options.format != Some(Format::Mnist) {
        return Ok(None);
    }
    let part = |part: &str| {
        let Part { path, images, labels } = read_part(folder, part, options)?;
        let (rows, shape, element) = (images.rows(), images.shape()[1..].to_vec(), images.element());
        let mut raw = Raw::new(Arc::new(images), rows, shape);
        (raw.labels, raw.element) = (Some(labels), Some(element));
        Data::table(&path, Format::Mnist, raw, options)
    };
    let (mut train, test) = (part("train")?, part("t10k")?);
    train.fits(&test, folder)?;
    train.test = Some(Box::new(test));
    Ok(Some(train))
}
