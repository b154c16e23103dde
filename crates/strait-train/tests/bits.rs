//! Training gives the same bits on every processor with fused multiply-adds, on any number of threads, and from one version to the next: hashes
//! of what was learned.
#![cfg(target_arch = "x86_64")]

use std::path::Path;

use strait_compute::philox::Stream;
use strait_compute::{Activation, Device};
use strait_data::{Labelled, Mnist, Rows};
use strait_models::{Affine, Autoencoder, Dbn, Rbm, Stack, Units, Vae};
use strait_train::{Chain, FineTune, ImageShift, KSparse, Optimizer, Pretrain, UpDown};

/// FNV-1a over the bits of these numbers.
fn hash<'a>(values: impl IntoIterator<Item = &'a f32>) -> String {
    let byte = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = values.into_iter().flat_map(|x| x.to_le_bytes());
    format!("{:016x}", bytes.fold(0xcbf2_9ce4_8422_2325, byte))
}

fn of_machine(rbm: &Rbm) -> String {
    hash(rbm.weight.iter().chain(&rbm.visible_bias).chain(&rbm.hidden_bias))
}

fn of_layers(layers: &[Affine]) -> String {
    hash(layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias)))
}

fn mnist() -> Mnist {
    Mnist::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist")).expect("it is part of the repository")
}

fn machine(device: &Device, rows: Rows<'_>, chain: Chain) -> String {
    let recipe = Pretrain { epochs: 2, initial_epochs: 1, chain, code: Units::Bernoulli, ..Pretrain::default() };
    let trained = recipe.fit(device, &[784, 1000], rows).expect("it trains");
    of_machine(&trained.stack.rbms[0])
}

fn tuned(device: &Device, rows: Rows<'_>, optimizer: Optimizer) -> String {
    let mut net = Autoencoder::glorot(&[784, 100, 30], 3).expect("sizes make sense");
    let recipe =
        FineTune { epochs: 2, optimizer, shift: Some(ImageShift { width: 28, pixels: 1 }), ..FineTune::default() };
    recipe.fit(device, &mut net, rows.first(500)).expect("it trains");
    of_layers(&net.layers)
}

fn up_down(device: &Device, mnist: &Mnist) -> String {
    let rows = mnist.train.rows().first(500);
    let labelled = Labelled::new(rows, &mnist.train.labels[..500], 10).expect("a label for each row");
    let stream = &mut Stream::new(4, 0);
    let rbm = Rbm::new((784, Units::Bernoulli), (100, Units::Bernoulli), stream).expect("sizes make sense");
    let mut net = Dbn::on(&Stack { rbms: vec![rbm] }, 10, 150, stream).expect("sizes make sense");
    UpDown { epochs: 2, ..UpDown::default() }.fit(device, &mut net, labelled.rows()).expect("it trains");
    let layers: Vec<Affine> = net.recognition.iter().chain(&net.generative).cloned().collect();
    of_layers(&layers) + &of_machine(&net.top)
}

fn variational(device: &Device, rows: Rows<'_>) -> String {
    let mut vae = Vae::glorot(&[784, 100, 10], Activation::Relu, 5).expect("sizes make sense");
    FineTune { epochs: 2, ..FineTune::default() }.fit(device, &mut vae, rows.first(500)).expect("it trains");
    of_layers(&vae.layers)
}

fn dictionary(device: &Device, rows: Rows<'_>) -> String {
    let training = FineTune { epochs: 4, ..KSparse::default().training };
    let recipe = KSparse { units: 100, top_k: 8, rounds: 2, training, ..KSparse::default() };
    let trained = recipe.fit(device, rows.first(500)).expect("it trains");
    of_layers(&trained.net.layers)
}

#[test]
fn training_gives_the_bits_that_it_gave() {
    if !std::arch::is_x86_feature_detected!("fma") || !std::arch::is_x86_feature_detected!("avx2") {
        eprintln!("skipped: this processor has no fused multiply-adds");
        return;
    }
    let device = Device::cpu().expect("threads start");
    let mnist = mnist();
    let rows = mnist.train.rows().first(2000);
    let found = [
        ("CD-1", machine(&device, rows, Chain::Data)),
        ("PCD-1", machine(&device, rows, Chain::Persistent)),
        ("Adam", tuned(&device, rows, Optimizer::adam(1e-3))),
        ("momentum", tuned(&device, rows, Optimizer::Momentum { rate: 0.01, momentum: 0.9 })),
        ("conjugate gradients", tuned(&device, rows, Optimizer::ConjugateGradients { searches: 3 })),
        ("L-BFGS", tuned(&device, rows, Optimizer::Lbfgs { iterations: 3, memory: 3 })),
        ("up-down", up_down(&device, &mnist)),
        ("VAE", variational(&device, rows)),
        ("dictionary", dictionary(&device, rows)),
    ];
    let expected = [
        ("CD-1", "a4ca16ecddea9ec2"),
        ("PCD-1", "0afbb83d0dc76af8"),
        ("Adam", "be4ca598924b81d1"),
        ("momentum", "1940c148bffbd3e5"),
        ("conjugate gradients", "c08fbc839b049e99"),
        ("L-BFGS", "fe189cb7137a8783"),
        ("up-down", "6551e96f83cc5f02c85b35748c8b428e"),
        ("VAE", "61035fa919d6bb43"),
        ("dictionary", "22d26901aaaa0517"),
    ];
    let found: Vec<(&str, &str)> = found.iter().map(|(what, hash)| (*what, hash.as_str())).collect();
    assert_eq!(found, expected);
}
