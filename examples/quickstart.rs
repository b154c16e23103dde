//! From images to codes in a few seconds: a deep autoencoder on 5,000 digits.
//!
//!     cargo run --release --example quickstart

use strait::prelude::*;

fn main() -> anyhow::Result<()> {
    let device = Device::best()?;
    let mnist = Mnist::open("data/mnist")?;
    let (train, test) = (mnist.train.rows().first(5000), mnist.test.rows().first(1000));

    let pretrained = Pretrain { epochs: 5, ..Pretrain::default() }.fit(&device, &[784, 200, 50, 10], train)?;
    let mut autoencoder = pretrained.stack.unroll();
    let finetuning = FineTune { epochs: 10, batch: 20, optimizer: Optimizer::adam(3e-3), ..FineTune::default() };
    finetuning.fit(&device, &mut autoencoder, train)?;

    println!("on {}", device.describe());
    println!(
        "test error {:.2}, PCA's {:.2}",
        autoencoder.error(&device, test)?,
        Pca::fit(&device, train, 10)?.error(test)?
    );
    let codes = autoencoder.encode(&device, test)?;
    println!("the code of the first test image: {:.1?}", &codes[..autoencoder.code_size()]);
    std::fs::create_dir_all("out")?;
    autoencoder.save("out/quickstart.safetensors")?;
    Ok(())
}
