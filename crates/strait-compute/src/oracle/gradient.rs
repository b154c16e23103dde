use super::*;

/// Gradients of weights and biases.
pub(super) fn run(
    at: &Replay<'_>,
    positive: (Tensor, Tensor),
    negative: Option<(Tensor, Tensor)>,
    updates: [Option<Update>; 3],
    plus: Option<Addend>,
    positions: usize,
    scale: f32,
) {
    let active = at.active();
    let all = active * positions;
    let terms = |i: usize, j: usize| (0..all).map(move |r| [(r, i), (r, j)]);
    let product = |(x, d): (Tensor, Tensor)| {
        let (x, d) = (at.factor(x), at.factor(d));
        let cols = d.high.cols;
        matrix(x.high.cols, cols, |i, j| sum_of_products(&x, &d, terms(i, j)))
    };
    let sums = |tensor: Tensor| {
        let rows = at.get(tensor);
        matrix(1, tensor.cols, |_, c| (0..all).map(|r| rows.at(r, c)).sum())
    };
    // What the negative phase has more than the positive one, or the positive one where it is alone.
    let mean = |positive: Vec<f64>, negative: Option<Vec<f64>>| -> Vec<f64> {
        let difference = match negative {
            Some(negative) => negative.iter().zip(&positive).map(|(minus, plus)| minus - plus).collect(),
            None => positive,
        };
        difference.into_iter().map(|sum: f64| f64::from(scale) * sum / at.all()).collect()
    };
    let mut gradient = mean(product(positive), negative.map(product));
    match plus {
        Some(Addend::Decay { weight, costs }) if at.step.first == 0 => {
            let (w, costs) = (at.get(weight), at.get(costs));
            let terms = w.values.iter().zip(costs.values.iter().cycle());
            gradient.iter_mut().zip(terms).for_each(|(g, (w, cost))| *g += cost * w);
        }
        Some(Addend::Gradient(other)) => {
            gradient.iter_mut().zip(at.get(other).values).for_each(|(g, other)| *g += other);
        }
        // The first part of a batch adds it for all of them.
        None | Some(Addend::Decay { .. }) => {}
    }
    let [weight, bias, input_bias] = updates;
    if let Some(weight) = weight {
        follow(at, weight, gradient, f64::from(at.step.weight_cost));
    }
    if let Some(bias) = bias {
        follow(at, bias, mean(sums(positive.1), negative.map(|(_, h)| sums(h))), 0.0);
    }
    if let Some(bias) = input_bias {
        follow(at, bias, mean(sums(positive.0), negative.map(|(v, _)| sums(v))), 0.0);
    }
}
