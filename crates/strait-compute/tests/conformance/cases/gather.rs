//! Minibatches out of a data set, and into one.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [1, 3].map(shifted).to_vec();
    for kind in [Kind::Bytes, Kind::Rows] {
        cases.extend([false, true].map(|indexed| rows(kind, indexed)));
        cases.push(columns(kind));
    }
    cases
}

fn rows(kind: Kind, indexed: bool) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 11, 19, kind);
    let index = indexed.then(|| b.tensor("index", 1, 11, Kind::Index));
    let out = b.values("x", 5, 19);
    let copy = b.tensor("copy", 11, 19, Kind::Rows);
    let steps = [(0, 5), (5, 5), (10, 1)].map(|(offset, rows)| Step { offset, ..step(rows) });
    let ops = vec![Op::Gather { data, index, first: 0, shift: None, out }, Op::Scatter { input: out, data: copy }];
    b.finish(format!("gather and scatter {kind:?} indexed={indexed}"), ops, steps.to_vec())
}

/// Images of 5 x 7 pixels, shifted at random.
fn shifted(pixels: u32) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 30, 35, Kind::Bytes);
    let out = b.values("x", 20, 35);
    let steps = [(0, 20), (10, 20), (20, 7)].map(|(offset, rows)| Step { offset, counter: offset, ..step(rows) });
    let shift = Some(Shift { width: 5, pixels, stream: 9 });
    b.finish(
        format!("gather shifted by {pixels}"),
        vec![Op::Gather { data, index: None, first: 0, shift, out }],
        steps.to_vec(),
    )
}

/// Some columns of a data set: the image in the middle of each row, shifted, and what lies behind it.
fn columns(kind: Kind) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 30, 44, kind);
    let [image, rest] = [("image", 35), ("rest", 6)].map(|(name, cols)| b.values(name, 20, cols));
    let shift = Some(Shift { width: 5, pixels: 1, stream: 9 });
    let ops = vec![
        Op::Gather { data, index: None, first: 3, shift, out: image },
        Op::Gather { data, index: None, first: 38, shift: None, out: rest },
    ];
    b.finish(format!("gather columns {kind:?}"), ops, vec![Step { offset: 10, ..step(20) }])
}
