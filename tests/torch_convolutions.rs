//! Convolutions of PyTorch, imported: against plain loops over maps that lie channel by channel, as PyTorch's do.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use strait::compute::philox::Stream;
use strait::exchange::{TorchConvolutions, from_torch, from_torch_convolutions};
use strait::{Activation, Autoencoder, Device, Rows};

/// Named tensors of random numbers.
struct File(Vec<(String, Vec<usize>, Vec<f32>)>);

impl File {
    fn new(shapes: &[(&str, &[usize])]) -> Self {
        let mut stream = Stream::new(7, 0);
        let mut tensor = |name: String, shape: &[usize]| {
            let draw = |_| (stream.next_word() >> 8) as f32 / (1 << 24) as f32 - 0.5;
            (name, shape.to_vec(), (0..shape.iter().product()).map(draw).collect())
        };
        let mut all = Vec::new();
        for (name, shape) in shapes {
            // The last word tells how many biases there are.
            let transposed = name.ends_with('t');
            let name = name.trim_end_matches('t');
            all.push(tensor(format!("{name}.weight"), shape));
            all.push(tensor(format!("{name}.bias"), &shape[usize::from(transposed)..][..1]));
        }
        Self(all)
    }

    fn save(&self, path: &Path) {
        let bytes: Vec<Vec<u8>> =
            self.0.iter().map(|(.., x)| x.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let views = self.0.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("the shape fits"))
        });
        serialize_to_file(views, None, path).expect("the folder is writable");
    }

    fn get(&self, name: &str) -> &[f32] {
        &self.0.iter().find(|(other, ..)| other == name).expect("there is one").2
    }

    /// `conv2d` with the stride 2 and the padding 1 on a map of `channels` x `size` x `size`.
    fn convolution(&self, name: &str, x: &[f64], [channels, size, filters]: [usize; 3]) -> Vec<f64> {
        let (weight, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let out = (size - 1) / 2 + 1;
        let mut y = Vec::new();
        for filter in 0..filters {
            for (row, column) in (0..out * out).map(|at| (at / out, at % out)) {
                let mut sum = f64::from(bias[filter]);
                for (channel, u, v) in (0..channels * 9).map(|tap| (tap / 9, tap / 3 % 3, tap % 3)) {
                    let (r, c) = (2 * row + u, 2 * column + v);
                    if (1..=size).contains(&r) && (1..=size).contains(&c) {
                        let w = weight[((filter * channels + channel) * 3 + u) * 3 + v];
                        sum += f64::from(w) * x[(channel * size + r - 1) * size + c - 1];
                    }
                }
                y.push(sum);
            }
        }
        y
    }

    /// `conv_transpose2d` of the same kind, to a map of `channels` x `size` x `size`.
    fn transposed(&self, name: &str, x: &[f64], [filters, small, channels, size]: [usize; 4]) -> Vec<f64> {
        let (weight, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let mut y: Vec<f64> = (0..channels * size * size).map(|i| f64::from(bias[i / size / size])).collect();
        for (filter, row, column) in
            (0..filters * small * small).map(|i| (i / small / small, i / small % small, i % small))
        {
            for (channel, u, v) in (0..channels * 9).map(|tap| (tap / 9, tap / 3 % 3, tap % 3)) {
                let (r, c) = (2 * row + u, 2 * column + v);
                if (1..=size).contains(&r) && (1..=size).contains(&c) {
                    let w = weight[((filter * channels + channel) * 3 + u) * 3 + v];
                    y[(channel * size + r - 1) * size + c - 1] +=
                        f64::from(w) * x[(filter * small + row) * small + column];
                }
            }
        }
        y
    }

    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let (weight, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let sum = |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>();
        weight.chunks_exact(x.len()).zip(bias).map(|(row, b)| sum(row) + f64::from(*b)).collect()
    }
}

fn relu(x: Vec<f64>) -> Vec<f64> {
    x.into_iter().map(|x| x.max(0.0)).collect()
}

const NET: [(&str, &[usize]); 6] = [
    ("encoder.0", &[3, 1, 3, 3]),
    ("encoder.2", &[2, 3, 3, 3]),
    ("encoder.5", &[5, 8]),
    ("decoder.0", &[8, 5]),
    ("decoder.3t", &[2, 3, 3, 3]),
    ("decoder.5t", &[3, 1, 3, 3]),
];
const ACTIVATIONS: [Activation; 6] =
    [Activation::Relu, Activation::Relu, Activation::Linear, Activation::Relu, Activation::Relu, Activation::Logistic];

/// Maps of 7 x 7, 4 x 4, 2 x 2, and back.
fn settings() -> TorchConvolutions {
    TorchConvolutions {
        strides: vec![2],
        paddings: vec![1],
        output_paddings: vec![0, 0, 1, 0],
        ..TorchConvolutions::of([7, 7])
    }
}

#[test]
fn convolutions_and_linear_layers_compute_what_pytorch_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let file = File::new(&NET);
    file.save(&path);
    let net = from_torch_convolutions(&path, &ACTIVATIONS, 3, &settings()).expect("it is read");
    let image: Vec<f32> = (0..49).map(|i| (i * 31 % 49) as f32 / 49.0).collect();
    let x: Vec<f64> = image.iter().map(|x| f64::from(*x)).collect();
    let code = relu(file.convolution("encoder.0", &x, [1, 7, 3]));
    let code = file.linear("encoder.5", &relu(file.convolution("encoder.2", &code, [3, 4, 2])));
    let made = relu(file.linear("decoder.0", &code));
    let made = relu(file.transposed("decoder.3", &made, [2, 2, 3, 4]));
    let made: Vec<f64> =
        file.transposed("decoder.5", &made, [3, 4, 1, 7]).into_iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
    let device = Device::cpu().expect("threads start");
    let rows = Rows::numbers(&image, 49).expect("one row");
    let codes = net.encode(&device, rows).expect("it encodes");
    let reconstruction = net.reconstruct(&device, rows).expect("it reconstructs");
    for (ours, theirs) in codes.iter().zip(&code).chain(reconstruction.iter().zip(&made)) {
        assert!((f64::from(*ours) - theirs).abs() < 1e-5, "{ours} against {theirs}");
    }
    assert_eq!((codes.len(), reconstruction.len()), (code.len(), made.len()));
}

#[test]
fn our_own_file_is_read_as_pytorch_s() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let net = Autoencoder::convolutional([28, 28, 1], &[5, 4, 3], 3, 1).expect("sizes make sense");
    net.save(&path).expect("the folder is writable");
    let activations: Vec<Activation> = net.layers.iter().map(|layer| layer.activation).collect();
    let output_paddings = vec![0, 0, 0, 0, 1, 1];
    let settings =
        TorchConvolutions { strides: vec![2], paddings: vec![1], output_paddings, ..TorchConvolutions::of([28, 28]) };
    let read = from_torch_convolutions(&path, &activations, 3, &settings).expect("it is read");
    assert_eq!(read.layers, net.layers);
}

/// As many channels on either side: only who wrote the net knows which kind of convolution it is.
#[test]
fn shapes_that_do_not_tell_are_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let file = File::new(&[("encoder.0", &[2, 1, 3, 3]), ("decoder.0t", &[2, 2, 3, 3]), ("decoder.1t", &[2, 1, 3, 3])]);
    file.save(&path);
    let activations = [Activation::Relu, Activation::Relu, Activation::Linear];
    let read = |transposed: &[bool]| {
        let (strides, output_paddings, transposed) = (vec![2, 1, 2], vec![0], transposed.to_vec());
        let settings = TorchConvolutions {
            strides,
            paddings: vec![1],
            output_paddings,
            transposed,
            ..TorchConvolutions::of([7, 7])
        };
        from_torch_convolutions(&path, &activations, 1, &settings)
    };
    let message = read(&[]).expect_err("it may be either").to_string();
    assert!(message.contains("`decoder.0.weight` may be of Conv2d or of ConvTranspose2d"), "{message}");
    let [plain, transposed] = [false, true].map(|second| read(&[false, second, true]).expect("it is read"));
    assert_eq!([&plain, &transposed].map(|net| net.layers[1].convolution.expect("one").transposed), [false, true]);
    let message = read(&[false, true]).expect_err("one is missing").to_string();
    assert!(message.contains("3 convolutions, but for 2 is said"), "{message}");
}

/// A linear layer at the end gives an image channel by channel; a row of ours has all channels of a pixel together.
#[test]
fn linear_layers_at_the_end_give_images() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let file = File::new(&[("encoder.0", &[3, 2, 3, 3]), ("encoder.3", &[4, 12]), ("decoder.0", &[18, 4])]);
    file.save(&path);
    let activations = [Activation::Relu, Activation::Linear, Activation::Linear];
    let settings = TorchConvolutions { strides: vec![2], paddings: vec![1], ..TorchConvolutions::of([3, 3]) };
    let net = from_torch_convolutions(&path, &activations, 2, &settings).expect("it is read");
    let by_channel: Vec<f64> = (0..18).map(|i| f64::from(i * 5 % 18) / 18.0).collect();
    let by_pixel = |x: &[f64]| -> Vec<f32> { (0..18).map(|i| x[i % 2 * 9 + i / 2] as f32).collect() };
    let code = file.linear("encoder.3", &relu(file.convolution("encoder.0", &by_channel, [2, 3, 3])));
    let made = by_pixel(&file.linear("decoder.0", &code));
    let row = by_pixel(&by_channel);
    let device = Device::cpu().expect("threads start");
    let found = net.reconstruct(&device, Rows::numbers(&row, 18).expect("one row")).expect("it reconstructs");
    assert!(found.iter().zip(&made).all(|(x, y)| (x - y).abs() < 1e-5), "{found:?} against {made:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    File::new(&NET).save(&path);
    let refused = |settings: TorchConvolutions| {
        from_torch_convolutions(&path, &ACTIVATIONS, 3, &settings).expect_err("it does not fit").to_string()
    };
    let message = refused(TorchConvolutions { strides: vec![2, 2], ..settings() });
    assert!(message.contains("4 convolutions, but 2 strides"), "{message}");
    let message = refused(TorchConvolutions { strides: vec![1], ..settings() });
    assert!(message.contains("`encoder.5` takes 8 values, but the layer before gives"), "{message}");
    let message = refused(TorchConvolutions { paddings: vec![9], ..settings() });
    assert!(message.contains("do not fit the maps of 7 x 7 before `encoder.0`"), "{message}");
    let message = refused(TorchConvolutions { strides: vec![usize::MAX], ..settings() });
    assert!(message.contains("too many"), "{message}");
    let message = refused(TorchConvolutions { output_paddings: vec![0], ..settings() });
    assert!(message.contains("it gives 25 values for 49"), "{message}");
    let message = from_torch(&path, &ACTIVATIONS, 3).expect_err("it has convolutions").to_string();
    assert!(message.contains("is a convolution: say how large the images are"), "{message}");
}
