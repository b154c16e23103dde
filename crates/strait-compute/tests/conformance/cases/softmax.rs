//! Groups of units that exclude each other.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let one = SHAPES
        .into_iter()
        .flat_map(|(rows, cols)| [softmax(rows, Groups::one(cols), cols), softmax(rows, Groups::none(cols), cols)]);
    let behind = [(7, 5, 10, 1), (9, 0, 5, 37), (4, 33, 3, 9), (5, 30, 70, 2)];
    let several =
        behind.map(|(rows, first, classes, count)| softmax(rows, Groups { first, classes }, first + classes * count));
    one.chain(several).collect()
}

/// Groups of units behind binary ones: one draw each, then as many as were given; without states, and with them.
fn softmax(rows: usize, groups: Groups, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, given) = (b.values("z", rows, cols), b.values("given", rows, cols));
    let mut ops = Vec::new();
    for (number, given) in [None, None, Some(given), Some(given)].into_iter().enumerate() {
        let out = b.values("p", rows, cols);
        let stream = 4 + number as u32;
        let states = (number % 2 == 1).then(|| Draw { out: b.values("s", rows, cols), stream });
        ops.push(Op::Softmax { input, groups, scale: 1.5, given, out, states });
    }
    b.finish(format!("softmax {rows}x{cols} {groups:?}"), ops, vec![step(rows)])
}
