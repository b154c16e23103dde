//! A folder of the four MNIST files.

use std::path::{Path, PathBuf};

use crate::{Error, Idx, Result, Rows, read_idx};

/// Grey images with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// All pixels, image after image, row by row; 255 is the ink.
    pub pixels: Vec<u8>,
    /// One label for each image, 0 to 9.
    pub labels: Vec<u8>,
}

impl Images {
    /// The images as rows of a data set.
    pub fn rows(&self) -> Rows<'_> {
        Rows { count: self.labels.len(), width: self.height * self.width, values: crate::Values::Bytes(&self.pixels) }
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

    /// The places of the first image of each digit.
    pub fn first_of_each(&self) -> Vec<usize> {
        (0..10).filter_map(|digit| self.labels.iter().position(|&label| label == digit)).collect()
    }

    /// The first image of each digit.
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

fn read_images(folder: &Path, part: &str) -> Result<Images> {
    let (images_path, images) = read_named(folder, &format!("{part}-images-idx3-ubyte"))?;
    let [count, height, width] = images.dimensions[..] else {
        let message = format!("it has {} dimensions; images have 3", images.dimensions.len());
        return Err(Error::format(&images_path, message));
    };
    let (labels_path, labels) = read_named(folder, &format!("{part}-labels-idx1-ubyte"))?;
    if labels.dimensions.len() != 1 {
        let message = format!("it has {} dimensions; labels have 1", labels.dimensions.len());
        return Err(Error::format(&labels_path, message));
    }
    if labels.bytes.len() != count {
        let message =
            format!("it holds {} labels, but {} holds {count} images", labels.bytes.len(), images_path.display());
        return Err(Error::format(&labels_path, message));
    }
    if let Some(position) = labels.bytes.iter().position(|&label| label > 9) {
        let message = format!("label {} of image {position} is not a digit from 0 to 9", labels.bytes[position]);
        return Err(Error::format(&labels_path, message));
    }
    Ok(Images { height, width, pixels: images.bytes, labels: labels.bytes })
}

fn read_named(folder: &Path, name: &str) -> Result<(PathBuf, Idx)> {
    let names = [name.to_owned(), format!("{name}.gz")];
    let path = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
    let path = path.ok_or_else(|| Error::Missing { folder: folder.to_owned(), name: name.to_owned() })?;
    let idx = read_idx(&path)?;
    Ok((path, idx))
}
