//! The meaning of every operation, as plain loops in double precision: one page to learn them from and to test
//! the fast back ends against.

use super::Run;
use super::draw::{draw, draw_class, draw_uniform};
use super::matrix::{Factor, Matrix, sum_of_products};
use crate::groups::draws;
use crate::op::{Addend, DOT_PARTS, Draw, Factors, FoldTail, LossKind, Op, PenaltyKind, Update};
use crate::{Activation, Kind, Noise, Operands, Sampling, Step, Tensor, Window};

/// Where the largest value is, the first of equal ones.
fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Which pixel and channel of the map a column of windows sees at a position.
fn seen_at(window: &Window, position: usize, col: usize) -> ([Option<usize>; 2], usize) {
    let across = window.steps()[1];
    let (tap, channel) = (col / window.channels, col % window.channels);
    let y = window.seen(position / across, tap / window.kernel, window.height);
    let x = window.seen(position % across, tap % window.kernel, window.width);
    ([y, x], channel)
}

/// Where a value of a row's map lies.
fn map_index(window: &Window, row: usize, pixel: usize, channel: usize) -> usize {
    row * window.values() + pixel * window.channels + channel
}

/// A matrix by its elements.
fn matrix(rows: usize, cols: usize, element: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..rows * cols).map(|i| element(i / cols, i % cols)).collect()
}

impl Run {
    pub(super) fn get(&self, tensor: Tensor) -> Matrix {
        let values = self.values[tensor.id].lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        Matrix { cols: tensor.cols, values }
    }

    pub(super) fn set(&self, tensor: Tensor, values: Vec<f64>) {
        *self.values[tensor.id].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = values;
    }

    fn update(&self, update: &Update, gradient: Vec<f64>, weight_cost: f64, step: &Step) {
        let rate = f64::from(step.learning_rate);
        let (m, beta2) = (f64::from(step.momentum), f64::from(step.beta2));
        match *update {
            Update::Store { gradient: out } => self.set(out, gradient),
            Update::Momentum { parameter, velocity } => {
                let (mut theta, mut v) = (self.get(parameter).values, self.get(velocity).values);
                for ((theta, v), g) in theta.iter_mut().zip(&mut v).zip(gradient) {
                    *v = m * *v - rate * (g + weight_cost * *theta);
                    *theta += *v;
                }
                self.set(parameter, theta);
                self.set(velocity, v);
            }
            Update::Adam { parameter, first, second } => {
                let (mut theta, mut m1, mut m2) =
                    (self.get(parameter).values, self.get(first).values, self.get(second).values);
                for (((theta, m1), m2), g) in theta.iter_mut().zip(&mut m1).zip(&mut m2).zip(gradient) {
                    let g = g + weight_cost * *theta;
                    *m1 = m * *m1 + (1.0 - m) * g;
                    *m2 = beta2 * *m2 + (1.0 - beta2) * g * g;
                    let (hat1, hat2) = (*m1 * f64::from(step.correction1), *m2 * f64::from(step.correction2));
                    *theta -= rate * hat1 / (hat2.sqrt() + f64::from(step.epsilon));
                }
                self.set(parameter, theta);
                self.set(first, m1);
                self.set(second, m2);
            }
        }
    }

    pub(super) fn execute(&self, op: &Op, operands: Operands, step: &Step, metrics: &mut Vec<f32>) {
        let active = step.rows as usize;
        let factor = |tensor: Tensor| Factor::new(self.get(tensor), operands);
        match op {
            Op::Gather { data, index, first, shift, out } => {
                let source = self.get(*data);
                let scale = if data.kind == Kind::Bytes { 1.0 / 255.0 } else { 1.0 };
                let order = index.map(|index| self.get(index));
                let row_of = |r: usize| {
                    let position = step.offset as usize + r;
                    order.as_ref().map_or(position, |order| order.at(0, position) as usize)
                };
                let element = |r: usize, c: usize| {
                    let from = shift.map_or(Some(c), |shift| shift.source(shift.of(step, r), out.cols, c));
                    from.filter(|_| r < active).map_or(0.0, |from| source.at(row_of(r), first + from) * scale)
                };
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::Scatter { input, data } => {
                let (source, mut target) = (self.get(*input), self.get(*data).values);
                for r in 0..active {
                    let start = (step.offset as usize + r) * data.cols;
                    target[start..start + data.cols].copy_from_slice(source.row(r));
                }
                self.set(*data, target);
            }
            Op::Linear { input, weight, transposed, bias, activation, out, sample } => {
                let (x, w, b) = (factor(*input), factor(*weight), self.get(*bias));
                let mean = matrix(out.rows, out.cols, |r, c| {
                    let places = (0..input.cols).map(|k| [(r, k), if *transposed { (c, k) } else { (k, c) }]);
                    activation.apply(sum_of_products(&x, &w, places) + b.at(0, c))
                });
                if let Some(sample) = sample {
                    let state =
                        |r: usize, c: usize| draw(sample.sampling, mean[r * out.cols + c], r, c, sample.stream, step);
                    self.set(sample.out, matrix(out.rows, out.cols, state));
                }
                self.set(*out, mean);
            }
            Op::Backprop { delta, weight, transposed, output, activation, out } => {
                let (d, w, y) = (factor(*delta), factor(*weight), self.get(*output));
                let element = |r: usize, c: usize| {
                    let places = (0..delta.cols).map(|j| [(r, j), if *transposed { (j, c) } else { (c, j) }]);
                    sum_of_products(&d, &w, places) * activation.derivative(y.at(r, c))
                };
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale } => {
                let all = active * positions;
                let terms = |i: usize, j: usize| (0..all).map(move |r| [(r, i), (r, j)]);
                let product = |(x, d): (Tensor, Tensor)| {
                    let (x, d) = (factor(x), factor(d));
                    let cols = d.high.cols;
                    matrix(x.high.cols, cols, |i, j| sum_of_products(&x, &d, terms(i, j)))
                };
                let sums = |tensor: Tensor| {
                    let rows = self.get(tensor);
                    matrix(1, tensor.cols, |_, c| (0..all).map(|r| rows.at(r, c)).sum())
                };
                // What the negative phase has more than the positive one, or the positive one where it is alone.
                let mean = |positive: Vec<f64>, negative: Option<Vec<f64>>| -> Vec<f64> {
                    let difference = match negative {
                        Some(negative) => negative.iter().zip(&positive).map(|(minus, plus)| minus - plus).collect(),
                        None => positive,
                    };
                    difference.into_iter().map(|sum: f64| f64::from(*scale) * sum / active as f64).collect()
                };
                let mut gradient = mean(product(*positive), negative.map(product));
                match plus {
                    None => {}
                    Some(Addend::Decay { weight, costs }) => {
                        let (w, costs) = (self.get(*weight), self.get(*costs));
                        let terms = w.values.iter().zip(costs.values.iter().cycle());
                        gradient.iter_mut().zip(terms).for_each(|(g, (w, cost))| *g += cost * w);
                    }
                    Some(Addend::Gradient(other)) => {
                        gradient.iter_mut().zip(self.get(*other).values).for_each(|(g, other)| *g += other);
                    }
                }
                self.update(weight, gradient, f64::from(step.weight_cost), step);
                if let Some(bias) = bias {
                    self.update(bias, mean(sums(positive.1), negative.map(|(_, h)| sums(h))), 0.0, step);
                }
                if let Some(bias) = input_bias {
                    self.update(bias, mean(sums(positive.0), negative.map(|(v, _)| sums(v))), 0.0, step);
                }
            }
            Op::Update { gradient, update, decays } => {
                let cost = if *decays { f64::from(step.weight_cost) } else { 0.0 };
                self.update(update, self.get(*gradient).values, cost, step);
            }
            Op::Reduce { .. } => {}
            Op::Unfold { input, window, out } => {
                let map = self.get(*input);
                let element = |r: usize, c: usize| {
                    let ([y, x], channel) = seen_at(window, r % window.positions(), c);
                    let pixel = y.zip(x).map(|(y, x)| y * window.width + x);
                    pixel.map_or(0.0, |pixel| map.values[map_index(window, r / window.positions(), pixel, channel)])
                };
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::Fold { input, window, tail, out } => {
                let windows = self.get(*input);
                let mut sums = vec![0.0; out.len()];
                for r in 0..input.rows {
                    for c in 0..input.cols {
                        if let ([Some(y), Some(x)], channel) = seen_at(window, r % window.positions(), c) {
                            let pixel = y * window.width + x;
                            sums[map_index(window, r / window.positions(), pixel, channel)] += windows.at(r, c);
                        }
                    }
                }
                let other = tail.tensor().map(|tensor| self.get(tensor).values).unwrap_or_default();
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = match tail {
                        FoldTail::Sum => *sum,
                        FoldTail::Layer { activation, .. } => activation.apply(*sum + other[i % window.channels]),
                        FoldTail::Backprop { activation, .. } => *sum * activation.derivative(other[i]),
                    };
                }
                self.set(*out, sums);
            }
            Op::SharedBias { delta, bias } => {
                let (map, channels) = (self.get(*delta), bias.target().cols);
                let used = &map.values[..active * delta.cols];
                let mean = |c: usize| used.iter().skip(c).step_by(channels).sum::<f64>() / active as f64;
                self.update(bias, (0..channels).map(mean).collect(), 0.0, step);
            }
            Op::Loss { kind, input, target, output, delta } => {
                let (z, t) = (self.get(*input), self.get(*target));
                let p: Vec<f64> = match kind {
                    LossKind::SquaredError { .. } => z.values.clone(),
                    LossKind::CrossEntropy => z.values.iter().map(|&z| Activation::Logistic.apply(z)).collect(),
                    LossKind::SoftmaxCrossEntropy => softmax(&z, input.rows),
                };
                let p = Matrix { cols: z.cols, values: p };
                for r in 0..input.rows {
                    let squared: f64 = match kind {
                        LossKind::SoftmaxCrossEntropy => f64::from(u8::from(largest(z.row(r)) != largest(t.row(r)))),
                        _ => p.row(r).iter().zip(t.row(r)).map(|(p, t)| (p - t).powi(2)).sum(),
                    };
                    let pairs = z.row(r).iter().zip(t.row(r));
                    let loss = match kind {
                        LossKind::SquaredError { .. } => squared,
                        LossKind::CrossEntropy => pairs.map(|(&z, &t)| Activation::Softplus.apply(z) - t * z).sum(),
                        LossKind::SoftmaxCrossEntropy => {
                            let normaliser = log_sum_exp(z.row(r));
                            pairs.map(|(&z, &t)| t * (normaliser - z)).sum()
                        }
                    };
                    let used = if r < active { 1.0 } else { 0.0 };
                    metrics.extend([(loss * used) as f32, (squared * used) as f32]);
                }
                if let Some(delta) = delta {
                    let element = |r: usize, c: usize| {
                        let error = p.at(r, c) - t.at(r, c);
                        match kind {
                            _ if r >= active => 0.0,
                            LossKind::SquaredError { activation } => 2.0 * error * activation.derivative(p.at(r, c)),
                            LossKind::CrossEntropy => error,
                            LossKind::SoftmaxCrossEntropy => p.at(r, c) * t.row(r).iter().sum::<f64>() - t.at(r, c),
                        }
                    };
                    self.set(*delta, matrix(delta.rows, delta.cols, element));
                }
                if let Some(output) = output {
                    self.set(*output, p.values);
                }
            }
            Op::Corrupt { input, noise, stream, out } => {
                let x = self.get(*input);
                let element = |r: usize, c: usize| {
                    let u = draw_uniform(r, c, *stream, step);
                    match *noise {
                        _ if r >= active => 0.0,
                        Noise::Masking(share) => x.at(r, c) * f64::from(u8::from(u >= f64::from(share))),
                        Noise::SaltAndPepper(share) => match u {
                            u if u < f64::from(0.5 * share) => 0.0,
                            u if u < f64::from(share) => 1.0,
                            _ => x.at(r, c),
                        },
                        Noise::Missing(missing) if missing.of(step, *stream, r, out.cols).contains(&c) => 0.0,
                        Noise::Missing(_) => x.at(r, c),
                        Noise::Gaussian(deviation) => {
                            x.at(r, c) + f64::from(deviation) * draw(Sampling::Gaussian, 0.0, r, c, *stream, step)
                        }
                    }
                };
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::TopK { input, k, out } => {
                let x = self.get(*input);
                let element = |r: usize, c: usize| {
                    let before =
                        |other: usize| x.at(r, other) > x.at(r, c) || other < c && x.at(r, other) == x.at(r, c);
                    if (0..x.cols).filter(|&other| before(other)).count() < *k { x.at(r, c) } else { 0.0 }
                };
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::ColumnMeans { input, times, out } => {
                let (x, y) = (self.get(*input), times.map(|times| self.get(times)));
                let term = |r: usize, c: usize| x.at(r, c) * y.as_ref().map_or(1.0, |y| y.at(r, c));
                let mean = |_, c: usize| (0..active).map(|r| term(r, c)).sum::<f64>() / active as f64;
                self.set(*out, matrix(1, out.cols, mean));
            }
            Op::Penalty { kind, output, activation, delta } => {
                let (y, mut d) = (self.get(*output), self.get(*delta).values);
                let columns = match kind {
                    PenaltyKind::L1 { .. } => Vec::new(),
                    PenaltyKind::Sparsity { means: columns, .. }
                    | PenaltyKind::Contractive { squares: columns, .. } => self.get(*columns).values,
                };
                // The penalty on one output, and its derivative with respect to the total input.
                let of = |y: f64, c: usize| match *kind {
                    PenaltyKind::L1 { weight } => {
                        let sign = if y == 0.0 { 0.0 } else { y.signum() };
                        (f64::from(weight) * y.abs(), f64::from(weight) * sign * activation.derivative(y))
                    }
                    PenaltyKind::Contractive { weight, .. } => {
                        let (slope, scaled) = (activation.derivative(y), f64::from(weight) * columns[c]);
                        (scaled * slope * slope, 2.0 * scaled * slope * activation.second_derivative(y))
                    }
                    PenaltyKind::Sparsity { weight, target, .. } => {
                        let (weight, rho) = (f64::from(weight), f64::from(target));
                        let mean = columns[c].clamp(1e-6, 1.0 - 1e-6);
                        let divergence = rho * (rho / mean).ln() + (1.0 - rho) * ((1.0 - rho) / (1.0 - mean)).ln();
                        let slope = (1.0 - rho) / (1.0 - mean) - rho / mean;
                        (weight * divergence, weight * slope * activation.derivative(y))
                    }
                };
                for r in 0..output.rows {
                    let parts = (0..output.cols).map(|c| of(y.at(r, c), c));
                    let loss: f64 = if r < active { parts.clone().map(|(loss, _)| loss).sum() } else { 0.0 };
                    metrics.extend([loss as f32, 0.0]);
                    for (c, (_, slope)) in parts.enumerate().filter(|_| r < active) {
                        d[r * output.cols + c] += slope;
                    }
                }
                self.set(*delta, d);
            }
            Op::Contraction { weight, output, activation, penalty, squares, costs } => {
                let (w, y) = (self.get(*weight), self.get(*output));
                let square = |_, c: usize| (0..weight.rows).map(|r| w.at(r, c).powi(2)).sum();
                let slope = |r: usize, c: usize| activation.derivative(y.at(r, c)).powi(2);
                let factor = 2.0 * f64::from(*penalty) / active as f64;
                let cost = |_, c: usize| factor * (0..active).map(|r| slope(r, c)).sum::<f64>();
                self.set(*squares, matrix(1, weight.cols, square));
                self.set(*costs, matrix(1, weight.cols, cost));
            }
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                let [z, s, c, f] = [code, overlap, correlation, prediction].map(|tensor| self.get(*tensor).values);
                let [rate, sparsity, pull] = [shrinkage.rate, shrinkage.sparsity, shrinkage.pull].map(f64::from);
                let shrunk = |i: usize| {
                    let v = z[i] - rate * (2.0 * (s[i] - c[i]) + 2.0 * pull * (z[i] - f[i]));
                    v.signum() * (v.abs() - rate * sparsity).max(0.0)
                };
                self.set(*out, (0..out.len()).map(shrunk).collect());
            }
            Op::RowSums { input, columns } => {
                let (x, columns) = (self.get(*input), columns.map(|columns| self.get(columns)));
                for r in 0..input.rows {
                    let factor = |c: usize| columns.as_ref().map_or(1.0, |columns| columns.at(0, c));
                    let sum: f64 = (0..input.cols).map(|c| x.at(r, c) * factor(c)).sum();
                    metrics.extend([if r < active { sum as f32 } else { 0.0 }, 0.0]);
                }
            }
            Op::MaxNorm { weight, norm, rows } => {
                let w = self.get(*weight);
                let square = |r: usize, c: usize| w.at(r, c).powi(2);
                let length = |r: usize, c: usize| match rows {
                    true => (0..weight.cols).map(|c| square(r, c)).sum::<f64>().sqrt(),
                    false => (0..weight.rows).map(|r| square(r, c)).sum::<f64>().sqrt(),
                };
                let scaled = |r: usize, c: usize| w.at(r, c) * (f64::from(*norm) / length(r, c)).min(1.0);
                self.set(*weight, matrix(weight.rows, weight.cols, scaled));
            }
            Op::Reparameterize { moments, kl_weight, stream, noise, out } => {
                let (m, k) = (self.get(*moments), out.cols);
                let epsilon = matrix(out.rows, k, |r, c| draw(Sampling::Gaussian, 0.0, r, c, *stream, step));
                let z = matrix(out.rows, k, |r, c| m.at(r, c) + (0.5 * m.at(r, k + c)).exp() * epsilon[r * k + c]);
                for r in 0..out.rows {
                    let part = |c: usize| m.at(r, c).powi(2) + m.at(r, k + c).exp() - 1.0 - m.at(r, k + c);
                    let divergence = 0.5 * (0..k).map(part).sum::<f64>();
                    let used = if r < active { f64::from(*kl_weight) } else { 0.0 };
                    metrics.extend([(divergence * used) as f32, 0.0]);
                }
                self.set(*noise, epsilon);
                self.set(*out, z);
            }
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => {
                let (d, m, epsilon, k) = (self.get(*delta), self.get(*moments), self.get(*noise), delta.cols);
                let beta = f64::from(*kl_weight);
                let element = |r: usize, c: usize| match c {
                    _ if r >= active => 0.0,
                    c if c < k => d.at(r, c) + beta * m.at(r, c),
                    c => {
                        let variance = m.at(r, c).exp();
                        0.5 * (d.at(r, c - k) * epsilon.at(r, c - k) * variance.sqrt() + beta * (variance - 1.0))
                    }
                };
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::CopyColumns { input, first, out, to, columns } => {
                let (x, mut y) = (self.get(*input), self.get(*out).values);
                for r in 0..out.rows {
                    y[r * out.cols + to..][..*columns].copy_from_slice(&x.row(r)[*first..first + columns]);
                }
                self.set(*out, y);
            }
            Op::Softmax { input, groups, scale, given, out, states } => {
                let (x, given) = (self.get(*input), given.map(|given| self.get(given)));
                let scaled = |r: usize, c: usize| f64::from(*scale) * x.at(r, c);
                let mut means = matrix(input.rows, input.cols, |r, c| Activation::Logistic.apply(scaled(r, c)));
                let mut drawn = states.map(|Draw { stream, .. }| {
                    let state =
                        |r: usize, c: usize| draw(Sampling::Bernoulli, means[r * input.cols + c], r, c, stream, step);
                    matrix(input.rows, input.cols, state)
                });
                for r in 0..input.rows {
                    for group in 0..groups.count(input.cols).unwrap_or(0) {
                        let first = groups.first + group * groups.classes;
                        let columns = first..first + groups.classes;
                        let logits: Vec<f64> = columns.clone().map(|c| scaled(r, c)).collect();
                        let count = given.as_ref().map_or(1.0, |given| given.row(r)[columns.clone()].iter().sum());
                        let place = r * input.cols + first..r * input.cols + columns.end;
                        let own = &mut means[place.clone()];
                        let normaliser = log_sum_exp(&logits);
                        own.iter_mut().zip(&logits).for_each(|(mean, z)| *mean = count * (z - normaliser).exp());
                        if let (Some(drawn), Some(Draw { stream, .. })) = (&mut drawn, states) {
                            drawn[place.clone()].fill(0.0);
                            for number in 0..draws(count as f32) as usize {
                                drawn[place.start + draw_class(own, (r, group, number), *stream, step)] += 1.0;
                            }
                        }
                    }
                }
                self.set(*out, means);
                if let (Some(drawn), Some(states)) = (drawn, states) {
                    self.set(states.out, drawn);
                }
            }
            Op::Threshold { weight, threshold } => {
                let threshold = f64::from(*threshold);
                let w = self.get(*weight).values;
                self.set(*weight, w.into_iter().map(|w| w.signum() * (w.abs() - threshold).max(0.0)).collect());
            }
            Op::Standardize { input, shift, scale, out } => {
                let (x, shift, scale) = (self.get(*input), shift.map(|m| self.get(m)), scale.map(|s| self.get(s)));
                let column =
                    |numbers: &Option<Matrix>, c: usize, none: f64| numbers.as_ref().map_or(none, |x| x.at(0, c));
                let element = |r: usize, c: usize| (x.at(r, c) - column(&shift, c, 0.0)) * column(&scale, c, 1.0);
                self.set(*out, matrix(out.rows, out.cols, element));
            }
            Op::ClassEnergies { inputs, weight, bias, out } => {
                let (t, w, a) = (self.get(*inputs), self.get(*weight), self.get(*bias));
                let first = weight.rows - out.cols;
                let soft = |r: usize, c: usize, j: usize| Activation::Softplus.apply(t.at(r, j) + w.at(first + c, j));
                let energy = |r: usize, c: usize| a.at(0, first + c) + (0..t.cols).map(|j| soft(r, c, j)).sum::<f64>();
                self.set(*out, matrix(out.rows, out.cols, energy));
            }
            Op::Exchange { chains, bias, difference, parity, stream } => {
                if step.counter % 2 != *parity {
                    return;
                }
                let bias = self.get(*bias);
                let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                let [mut first, mut second] = chains.map(|chain| self.get(chain.hidden));
                let [one, two] = chains.map(|chain| (self.get(chain.visible), self.get(chain.inputs)));
                for r in 0..chains[0].hidden.rows {
                    let energy =
                        |(v, t): &(Matrix, Matrix), h: &Matrix| -dot(bias.row(0), v.row(r)) - dot(t.row(r), h.row(r));
                    let log_odds = f64::from(*difference) * (energy(&one, &first) - energy(&two, &second));
                    if draw_uniform(r, 0, *stream, step) < log_odds.exp() {
                        for c in 0..first.cols {
                            let i = r * first.cols + c;
                            std::mem::swap(&mut first.values[i], &mut second.values[i]);
                        }
                    }
                }
                self.set(chains[0].hidden, first.values);
                self.set(chains[1].hidden, second.values);
            }
            Op::Combine { x, y, factors, out } => {
                let (x, y) = (self.get(*x).values, self.get(*y).values);
                let (alpha, beta) = match *factors {
                    Factors::Step => (f64::from(step.alpha), f64::from(step.beta)),
                    Factors::Fixed(alpha, beta) => (f64::from(alpha), f64::from(beta)),
                };
                // A scalar of zero drops its operand, whatever that holds.
                let term = |scalar: f64, value: f64| if scalar == 0.0 { 0.0 } else { scalar * value };
                self.set(*out, x.iter().zip(&y).map(|(&x, &y)| term(alpha, x) + term(beta, y)).collect());
            }
            Op::Dot { x, y } => {
                let (x, y) = (self.get(*x).values, self.get(*y).values);
                let start = metrics.len();
                metrics.resize(start + DOT_PARTS, 0.0);
                metrics[start] = x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() as f32;
            }
        }
    }
}

fn softmax(z: &Matrix, rows: usize) -> Vec<f64> {
    matrix(rows, z.cols, |r, c| (z.at(r, c) - log_sum_exp(z.row(r))).exp())
}

/// ln Σ eᶻ
fn log_sum_exp(z: &[f64]) -> f64 {
    let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln()
}
