//! What the tests of the examples have in common.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An example's executable: cargo puts them beside the tests' own folder.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows itself");
    let target = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    target.join("examples").join(name)
}

/// Runs an example to its end.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(example(name));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().expect("the example has been built")
}

/// A folder of MNIST's files, cut to 400 training and 200 test images, so that software GPUs get through.
pub(crate) fn small_mnist(folder: &Path) -> String {
    let mnist =
        strait::Mnist::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist")).expect("it is in the repository");
    let idx = |dimensions: &[u32], bytes: &[u8]| {
        let header = [0, 0, 8, dimensions.len() as u8];
        let dimensions = dimensions.iter().flat_map(|dimension| dimension.to_be_bytes());
        header.into_iter().chain(dimensions).chain(bytes.iter().copied()).collect::<Vec<u8>>()
    };
    for (part, images, count) in [("train", &mnist.train, 400), ("t10k", &mnist.test, 200)] {
        let pixels = idx(&[count as u32, 28, 28], &images.pixels[..count * 784]);
        std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), pixels).expect("the folder is writable");
        let labels: Vec<u8> = images.labels[..count].iter().map(|&label| label as u8).collect();
        let labels = idx(&[count as u32], &labels);
        std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).expect("the folder is writable");
    }
    folder.display().to_string()
}
