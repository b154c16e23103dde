//! The same work as strait's training benchmarks, in burn.
//!
//!     burn-peer WORK IMAGES REPETITIONS DATA
//!
//! prints one line of JSON with the seconds of each repetition and the last loss. WORK is `cd-VISIBLExHIDDEN`,
//! `adam-BATCH` or `encode`.

use std::io::Read;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::backend::Autodiff;
use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::activation::{sigmoid, softplus};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Distribution, Tensor, TensorData};

#[cfg(feature = "wgpu")]
type Device = burn::backend::Wgpu;
#[cfg(not(feature = "wgpu"))]
type Device = burn::backend::NdArray;

const SIZES: [usize; 9] = [784, 1000, 500, 250, 30, 250, 500, 1000, 784];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, images, repetitions, data] = &arguments[..] else {
        bail!("usage: burn-peer WORK IMAGES REPETITIONS DATA");
    };
    let (images, repetitions) = (images.parse()?, repetitions.parse()?);
    let (seconds, loss) = if let Some(shape) = work.strip_prefix("cd-") {
        let (visible, hidden) = shape.split_once('x').context("cd-VISIBLExHIDDEN")?;
        contrastive_divergence(visible.parse()?, hidden.parse()?, images, repetitions, data)?
    } else if let Some(batch) = work.strip_prefix("adam-") {
        adam(batch.parse()?, images, repetitions, data)?
    } else if work == "encode" {
        encode(repetitions, data)?
    } else {
        bail!("{work}: unknown work");
    };
    println!("{}", serde_json::json!({ "seconds": seconds, "loss": loss }));
    Ok(())
}

/// The first images of MNIST's training set, or for other widths the pattern that strait's benchmarks use.
fn rows(count: usize, width: usize, data: &str) -> Result<Vec<f32>> {
    let bytes = if width == 784 {
        let file = std::fs::File::open(format!("{data}/train-images-idx3-ubyte.gz"))?;
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?;
        bytes[16..16 + count * 784].to_vec()
    } else {
        (0..count * width).map(|i| ((i / width * 7919 + i % width * 104_729) % 251) as u8).collect()
    };
    Ok(bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect())
}

fn batches<B: Backend>(values: &[f32], width: usize, batch: usize, device: &B::Device) -> Vec<Tensor<B, 2>> {
    let tensor = |rows: &[f32]| {
        Tensor::<B, 2>::from_data(TensorData::new(rows.to_vec(), [rows.len() / width, width]), device)
    };
    values.chunks(batch * width).map(tensor).collect()
}

/// Waits for the device by reading a number.
fn number<B: Backend>(x: Tensor<B, 1>) -> f64 {
    x.into_data().iter::<f32>().next().map_or(f64::NAN, f64::from)
}

fn contrastive_divergence(
    visible: usize,
    hidden: usize,
    images: usize,
    repetitions: usize,
    data: &str,
) -> Result<(Vec<f64>, f64)> {
    let device = Default::default();
    let batches = batches::<Device>(&rows(images, visible, data)?, visible, 100, &device);
    let normal = Distribution::Normal(0.0, 0.1);
    let mut w = Tensor::<Device, 2>::random([visible, hidden], normal, &device);
    let mut a = Tensor::<Device, 2>::zeros([1, visible], &device);
    let mut b = Tensor::<Device, 2>::zeros([1, hidden], &device);
    let (mut vw, mut va, mut vb) = (w.zeros_like(), a.zeros_like(), b.zeros_like());
    let (mut seconds, mut loss) = (Vec::new(), f64::NAN);
    for _ in 0..=repetitions {
        let start = Instant::now();
        let mut error = Tensor::<Device, 1>::zeros([1], &device);
        for v0 in &batches {
            let count = v0.dims()[0] as f32;
            let h0 = sigmoid(v0.clone().matmul(w.clone()) + b.clone());
            let drawn = h0.random_like(Distribution::Uniform(0.0, 1.0)).lower(h0.clone()).float();
            let v1 = sigmoid(drawn.matmul(w.clone().transpose()) + a.clone());
            let h1 = sigmoid(v1.clone().matmul(w.clone()) + b.clone());
            let gradient =
                v0.clone().transpose().matmul(h0.clone()) - v1.clone().transpose().matmul(h1.clone());
            vw = vw * 0.5 + (gradient / count - w.clone() * 0.0002) * 0.1;
            va = va * 0.5 + (v0.clone() - v1.clone()).mean_dim(0) * 0.1;
            vb = vb * 0.5 + (h0 - h1).mean_dim(0) * 0.1;
            w = w + vw.clone();
            a = a + va.clone();
            b = b + vb.clone();
            let difference = v0.clone() - v1;
            error = error + (difference.clone() * difference).sum();
        }
        loss = number(error) / images as f64;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok((seconds.split_off(1), loss))
}

#[derive(Module, Debug)]
struct Net<B: Backend> {
    layers: Vec<Linear<B>>,
}

impl<B: Backend> Net<B> {
    fn new(sizes: &[usize], device: &B::Device) -> Self {
        let initializer = Initializer::XavierUniform { gain: 1.0 };
        let layer = |pair: &[usize]| {
            LinearConfig::new(pair[0], pair[1]).with_initializer(initializer.clone()).init(device)
        };
        Self { layers: sizes.windows(2).map(layer).collect() }
    }

    /// Logits: the code is linear, the last activation is left out.
    fn forward(&self, mut x: Tensor<B, 2>) -> Tensor<B, 2> {
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x);
            if i != 3 && i + 1 != self.layers.len() {
                x = sigmoid(x);
            }
        }
        x
    }
}

fn adam(batch: usize, images: usize, repetitions: usize, data: &str) -> Result<(Vec<f64>, f64)> {
    type Auto = Autodiff<Device>;
    let device = Default::default();
    let batches = batches::<Auto>(&rows(images, 784, data)?, 784, batch, &device);
    let mut net = Net::<Auto>::new(&SIZES, &device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init::<Auto, Net<Auto>>();
    let (mut seconds, mut loss) = (Vec::new(), f64::NAN);
    for _ in 0..=repetitions {
        let start = Instant::now();
        let mut sum = Tensor::<<Auto as AutodiffBackend>::InnerBackend, 1>::zeros([1], &device);
        for x in &batches {
            let z = net.forward(x.clone());
            let error = (softplus(z.clone(), 1.0) - x.clone() * z).sum();
            sum = sum + error.clone().inner();
            let gradients = (error / x.dims()[0] as f32).backward();
            net = optimizer.step(1e-3, net.clone(), GradientsParams::from_grads(gradients, &net));
        }
        loss = number(sum) / images as f64;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok((seconds.split_off(1), loss))
}

fn encode(repetitions: usize, data: &str) -> Result<(Vec<f64>, f64)> {
    let device = Default::default();
    let batches = batches::<Device>(&rows(60_000, 784, data)?, 784, 1000, &device);
    let net = Net::<Device>::new(&SIZES[..5], &device);
    let mut seconds = Vec::new();
    for _ in 0..=repetitions {
        let start = Instant::now();
        for x in &batches {
            net.forward(x.clone()).into_data();
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok((seconds.split_off(1), f64::NAN))
}
