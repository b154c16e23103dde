//! On the CPU a row's code, reconstruction, error and score do not depend, to the bit, on the rows beside it.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Device};
use strait_data::Rows;
use strait_models::{Autoencoder, Model, Rbm, Stack, Units, Vae};

const WIDTH: usize = 300;
const COUNT: usize = 400;

/// Rows of zeros and ones, and then as many with numbers between.
fn rows() -> Vec<f32> {
    let mut stream = Stream::new(5, 0);
    let mut number = move || stream.next_word() as f32 / u32::MAX as f32;
    let binary: Vec<f32> = (0..COUNT * WIDTH).map(|_| f32::from(u8::from(number() < 0.3))).collect();
    let grey: Vec<f32> = (0..COUNT * WIDTH).map(|_| number()).collect();
    [binary, grey].concat()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn codes_reconstructions_and_scores_are_those_of_the_row_alone() {
    let device = Device::cpu().expect("there is a CPU");
    let mut stream = Stream::new(1, 0);
    let mut rbm = |visible, hidden| {
        Rbm::new((visible, Units::Bernoulli), (hidden, Units::Bernoulli), &mut stream).expect("it is made")
    };
    let models = [
        Model::from(Autoencoder::glorot(&[WIDTH, 100, 30], 1).expect("it is made")),
        Model::from(Vae::glorot(&[WIDTH, 50, 10], Activation::Tanh, 1).expect("it is made")),
        Model::from(rbm(WIDTH, 64)),
        Model::from(Stack { rbms: vec![rbm(WIDTH, 64), rbm(64, 20)] }),
    ];
    let all = rows();
    let whole = Rows::numbers(&all, WIDTH).expect("whole rows");
    // The binary rows alone, and all of them.
    let (binary, mixed) = (whole.range(0..COUNT), whole);
    for model in &models {
        let encode = |rows| model.encode(&device, rows).expect("it encodes");
        let reconstruct = |rows| model.reconstruct(&device, rows).expect("it reconstructs");
        let score = |rows| model.score(&device, rows).expect("it has a score");
        let size = model.code_size();
        for beside in [binary, mixed] {
            let (codes, made, scores) = (encode(beside), reconstruct(beside), score(beside));
            for row in [0, 1, 31, 32, 33, 127, 399] {
                for end in [row + 1, (row + 2).min(COUNT)] {
                    let few = whole.range(row..end);
                    let name = format!("{} row {row} of {} beside {}", model.kind(), few.count, beside.count);
                    assert_eq!(bits(&encode(few)[..size]), bits(&codes[row * size..][..size]), "code: {name}");
                    let expected = &made[row * WIDTH..][..WIDTH];
                    assert_eq!(bits(&reconstruct(few)[..WIDTH]), bits(expected), "reconstruction: {name}");
                    // The score of a variational model has a random code that depends on the row's place.
                    if !matches!(model, Model::Vae(_)) {
                        assert_eq!(score(few)[0].to_bits(), scores[row].to_bits(), "score: {name}");
                    }
                }
            }
        }
    }
}
