//! Philox4x32-10, the counter-based random number generator (Salmon, Moraes, Dror & Shaw,
//! "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//!
//! Every random number is a function of a key and a counter, so that all devices draw the same bits whatever the
//! order of their work. For the element in row `r` and column `c` of a tensor, drawn in step `s` on stream `t`
//! under the seed `(low, high)`:
//!
//! * counter = `(c / 4, r, s, high)`, key = `(low, t)`, and the element takes word `c mod 4`;
//! * a uniform number is the word's upper 24 bits times 2⁻²⁴, in [0, 1);
//! * a normal number comes from words `2i` and `2i + 1` by the method of Box and Muller.

pub mod streams;

pub(crate) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

pub(crate) const ROUNDS: usize = 10;

/// The key of the next round.
#[inline(always)]
pub(crate) fn next_key(key: [u32; 2]) -> [u32; 2] {
    [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])]
}

/// Four random words for one counter and key.
///
/// ```
/// // The known answer of the authors' Random123 for a zero counter and key.
/// assert_eq!(strait_compute::philox::philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let words = philox_blocks([[counter[0]], [counter[1]], [counter[2]], [counter[3]]], key);
    words.map(|word| word[0])
}

/// `N` counters at once, one word position per array, in the form that compilers turn into vector instructions.
#[inline(always)]
pub(crate) fn philox_blocks<const N: usize>(mut counter: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for _ in 0..ROUNDS {
        let [c0, c1, c2, c3] = counter;
        for i in 0..N {
            let p0 = u64::from(c0[i]) * u64::from(MULTIPLIERS[0]);
            let p1 = u64::from(c2[i]) * u64::from(MULTIPLIERS[1]);
            counter[0][i] = (p1 >> 32) as u32 ^ c1[i] ^ key[0];
            counter[1][i] = p1 as u32;
            counter[2][i] = (p0 >> 32) as u32 ^ c3[i] ^ key[1];
            counter[3][i] = p0 as u32;
        }
        key = next_key(key);
    }
    counter
}

/// The uniform number in [0, 1) of a random word.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A stream of random words for the host, from consecutive counters: shuffles and initial weights.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    high: u32,
    block: u64,
    words: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream `number` of a seed. Streams of different numbers are independent. The third word of the counter
    /// is all ones, which no training step uses.
    pub fn new(seed: u64, number: u32) -> Self {
        Self { key: [seed as u32, number], high: (seed >> 32) as u32, block: 0, words: [0; 4], used: 4 }
    }

    /// The number of words drawn so far.
    pub fn position(&self) -> u64 {
        4 * self.block - (4 - self.used as u64)
    }

    /// Goes on as if that many words had been drawn from the start.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// let (mut stream, mut other) = (Stream::new(7, 0), Stream::new(7, 0));
    /// let words: Vec<u32> = (0..10).map(|_| stream.next_word()).collect();
    /// other.seek(6);
    /// assert_eq!((other.next_word(), other.position(), stream.position()), (words[6], 7, 10));
    /// ```
    pub fn seek(&mut self, position: u64) {
        (self.block, self.used) = (position / 4, 4);
        (0..position % 4).for_each(|_| {
            self.next_word();
        });
    }

    /// The next random word.
    pub fn next_word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox([self.block as u32, (self.block >> 32) as u32, u32::MAX, self.high], self.key);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A standard normal number (Box and Muller, in double precision).
    pub fn next_normal(&mut self) -> f32 {
        let u1 = (f64::from(self.next_word()) + 1.0) / 4_294_967_296.0;
        let u2 = f64::from(self.next_word()) / 4_294_967_296.0;
        ((-2.0 * u1.ln()).sqrt() * (std::f64::consts::TAU * u2).cos()) as f32
    }

    /// The order in which `n` rows are visited: a function of the seed, the stream and `n` alone, wherever the rows come from.
    ///
    /// Up to 131,072 rows, it is a [`permutation`](Self::permutation). For more rows, blocks of 1,024 rows are shuffled first, then the
    /// rows within each window of 65,536. A file is then read from at most 64 blocks at a time.
    ///
    /// ```
    /// let mut order = strait_compute::philox::Stream::new(7, 0).order(200_000);
    /// order.sort();
    /// assert!(order.into_iter().eq(0..200_000));
    /// ```
    pub fn order(&mut self, n: usize) -> Vec<u32> {
        const WHOLE: usize = 1 << 17;
        const BLOCK: usize = 1 << 10;
        const WINDOW: usize = 1 << 16;
        if n <= WHOLE {
            return self.permutation(n);
        }
        let blocks = self.permutation(n.div_ceil(BLOCK));
        let rows = |block: u32| block as usize * BLOCK..((block as usize + 1) * BLOCK).min(n);
        let mut order: Vec<u32> = blocks.into_iter().flat_map(rows).map(|row| row as u32).collect();
        order.chunks_mut(WINDOW).for_each(|window| self.shuffle(window));
        order
    }

    /// A random order of `0..n` (Fisher and Yates).
    ///
    /// ```
    /// let mut order = strait_compute::philox::Stream::new(7, 0).permutation(5);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut order);
        order
    }

    fn shuffle(&mut self, order: &mut [u32]) {
        for i in (1..order.len()).rev() {
            // Multiply-shift: the bias is below n / 2³², which no training run can see.
            let j = (u64::from(self.next_word()) * (i as u64 + 1)) >> 32;
            order.swap(i, j as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer vectors that Random123 publishes for philox4x32-10.
    #[test]
    fn known_answers() {
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd], "all ones");
        assert_eq!(
            philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
            "digits of pi"
        );
    }

    #[test]
    fn normal_numbers_have_unit_variance() {
        let mut stream = Stream::new(3, 1);
        let draws: Vec<f64> = (0..100_000).map(|_| f64::from(stream.next_normal())).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
