use super::*;

/// Noise on inputs.
pub(super) fn run(at: &Replay<'_>, input: Tensor, noise: Noise, stream: u32, out: Tensor) {
    let active = at.active();
    let x = at.get(input);
    let element = |r: usize, c: usize| {
        let u = draw_uniform(r, c, stream, at.step);
        match noise {
            _ if r >= active => 0.0,
            Noise::Masking(share) => x.at(r, c) * f64::from(u8::from(u >= f64::from(share))),
            Noise::SaltAndPepper(share) => match u {
                u if u < f64::from(0.5 * share) => 0.0,
                u if u < f64::from(share) => 1.0,
                _ => x.at(r, c),
            },
            Noise::Missing(missing) if missing.of(at.step, stream, r, out.cols).contains(&c) => 0.0,
            Noise::Missing(_) => x.at(r, c),
            Noise::Gaussian(deviation) => {
                x.at(r, c) + f64::from(deviation) * draw(Sampling::Gaussian, 0.0, r, c, stream, at.step)
            }
        }
    };
    at.put(out, element);
}
