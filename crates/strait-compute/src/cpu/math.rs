//! Elementary functions as branch-free polynomials, which compilers turn into vector instructions.
//!
//! The polynomials are those of Moshier's Cephes library (single precision); errors are a few units in the last place.

use super::isa::{Target, multiply_add};
use crate::Activation;

/// Σ coefficients\[i] xⁿ⁻ⁱ, by Horner's rule.
#[inline(always)]
fn polynomial<T: Target, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = multiply_add::<T>(sum, x, *coefficient);
    }
    sum
}

/// eˣ for x in [-87, 88]; the ends of that range beyond it, and NaN for NaN.
#[inline(always)]
pub(super) fn exp<T: Target>(x: f32) -> f32 {
    // Written so that a NaN passes through both comparisons.
    let x = if x < -87.0 { -87.0 } else { x };
    exp_within::<T>(if x > 88.0 { 88.0 } else { x })
}

/// eˣ for x in [-87, 88], and NaN for NaN.
#[inline(always)]
fn exp_within<T: Target>(x: f32) -> f32 {
    /// Added and subtracted, it rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let shifted = multiply_add::<T>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<T>(n, -LN2_HIGH, x);
    let r = multiply_add::<T>(n, -LN2_LOW, r);
    let p = polynomial::<T, 6>(r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5]);
    let p = multiply_add::<T>(p * r, r, r) + 1.0;
    // The low bits of `shifted` hold n: moved into the exponent they multiply by 2ⁿ.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    p * scale
}

/// ln x for normal x > 0.
#[inline(always)]
pub(super) fn ln<T: Target>(x: f32) -> f32 {
    let bits = x.to_bits();
    // x = m 2ᵉ with m in [√½, √2).
    let exponent = (bits.wrapping_sub(0x3f35_04f3) as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub((exponent << 23) as u32)) - 1.0;
    let p = polynomial::<T, 9>(
        m,
        [
            7.037_683_6e-2,
            -0.115_146_1,
            0.116_769_98,
            -0.124_201_41,
            0.142_493_23,
            -0.166_680_57,
            0.200_007_14,
            -0.249_999_94,
            0.333_333_3,
        ],
    );
    let square = m * m;
    let tail = multiply_add::<T>(square, -0.5, p * m * square);
    multiply_add::<T>(exponent as f32, std::f32::consts::LN_2, m + tail)
}

/// (sin 2πu, cos 2πu) for u in [0, 1].
#[inline(always)]
pub(super) fn sin_cos_turns<T: Target>(u: f32) -> (f32, f32) {
    // Quarter turns, the rest of at most an eighth on either side.
    let quarter = (u * 4.0 + 0.5) as i32;
    let x = (u - quarter as f32 * 0.25) * std::f32::consts::TAU;
    let z = x * x;
    let s = polynomial::<T, 3>(z, [-1.951_529_6e-4, 8.332_161e-3, -0.166_666_55]);
    let s = multiply_add::<T>(s * z, x, x);
    let c = polynomial::<T, 3>(z, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]);
    let c = multiply_add::<T>(c * z, z, multiply_add::<T>(z, -0.5, 1.0));
    match quarter & 3 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

/// 1 / (1 + e⁻ˣ)
#[inline(always)]
pub(super) fn logistic<T: Target>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<T>(-x))
}

/// 1 / (1 + e⁻ˣ) and 1 / (1 + e⁻ʸ) by one division. Both are at least 4e-18: beyond ±40, where they are as good as 0 and 1, the product of
/// their denominators need not be finite.
#[inline(always)]
pub(super) fn two_logistics<T: Target>(x: f32, y: f32) -> (f32, f32) {
    let denominator = |x: f32| {
        let x = if x < -40.0 { -40.0 } else { x };
        1.0 + exp_within::<T>(-if x > 40.0 { 40.0 } else { x })
    };
    let (a, b) = (denominator(x), denominator(y));
    let both = 1.0 / (a * b);
    (both * b, both * a)
}

/// tanh x
#[inline(always)]
pub(super) fn tanh<T: Target>(x: f32) -> f32 {
    2.0 * logistic::<T>(2.0 * x) - 1.0
}

/// ln(1 + eˣ)
#[inline(always)]
pub(super) fn softplus<T: Target>(x: f32) -> f32 {
    // Not `f32::max`, which would turn a NaN into 0.
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + ln::<T>(1.0 + exp::<T>(-x.abs()))
}

/// y = act(x), lane by lane.
#[inline(always)]
pub(super) fn activate<T: Target, const N: usize>(activation: Activation, x: &mut [f32; N]) {
    match activation {
        Activation::Linear => {}
        Activation::Logistic => x.iter_mut().for_each(|x| *x = logistic::<T>(*x)),
        Activation::Tanh => x.iter_mut().for_each(|x| *x = tanh::<T>(*x)),
        Activation::Relu => x.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Softplus => x.iter_mut().for_each(|x| *x = softplus::<T>(*x)),
    }
}

/// d ← d act′(y), lane by lane.
#[inline(always)]
pub(super) fn times_derivative<T: Target, const N: usize>(activation: Activation, d: &mut [f32; N], y: &[f32; N]) {
    let pairs = d.iter_mut().zip(y);
    match activation {
        Activation::Linear => {}
        Activation::Logistic => pairs.for_each(|(d, y)| *d *= y * (1.0 - y)),
        Activation::Tanh => pairs.for_each(|(d, y)| *d *= 1.0 - y * y),
        Activation::Relu => pairs.for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 }),
        Activation::Softplus => pairs.for_each(|(d, y)| *d *= 1.0 - exp::<T>(-y)),
    }
}

/// v, nearer to 0 by the threshold; NaN stays.
#[inline(always)]
pub(super) fn soft(v: f32, threshold: f32) -> f32 {
    let left = v.abs() - threshold;
    if left < 0.0 { 0.0 } else { left.copysign(v) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Portable;

    fn worst(points: impl Iterator<Item = f32>, ours: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        points.map(|x| ((f64::from(ours(x)) - exact(f64::from(x))) / exact(f64::from(x))).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn functions_agree_with_the_standard_library() {
        let line = || (-860..=870).map(|i| i as f32 * 0.1);
        assert!(worst(line(), exp::<Portable>, f64::exp) < 3e-7, "exp");
        let positive = || (1..2000).map(|i| i as f32 * 0.01).filter(|x| (x - 1.0).abs() > 0.05);
        assert!(worst(positive(), ln::<Portable>, f64::ln) < 5e-7, "ln");
        for i in 0..=1000 {
            let u = i as f32 / 1000.0;
            let (s, c) = sin_cos_turns::<Portable>(u);
            let (es, ec) = (f64::from(u) * std::f64::consts::TAU).sin_cos();
            assert!((f64::from(s) - es).abs() < 3e-7 && (f64::from(c) - ec).abs() < 3e-7, "sin, cos of {u} turns");
        }
    }

    #[test]
    fn two_at_once_are_those_of_each() {
        for x in (-900..=900).map(|i| i as f32 * 0.1) {
            for y in [-100.0, -20.0, -0.3, 0.0, 5.0, 39.9, 1e30] {
                let (found, other) = two_logistics::<Portable>(x, y);
                for (found, x) in [(found, x), (other, y)] {
                    assert!((found - logistic::<Portable>(x)).abs() < 2e-7 * found + 5e-18, "{x} beside another");
                }
            }
        }
        assert!(two_logistics::<Portable>(f32::NAN, 1.0).0.is_nan());
    }

    #[test]
    fn nan_is_never_hidden() {
        for activation in Activation::ALL {
            let mut x = [f32::NAN];
            activate::<Portable, 1>(activation, &mut x);
            assert!(x[0].is_nan(), "{} of NaN", activation.name());
        }
    }
}
