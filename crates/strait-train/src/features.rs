//! The features that a finished machine gives the next one.
//!
//! They come from a pass of their own over the finished machine, so that they can be computed again: a run that goes on in a later
//! machine needs them. Those that fit neither on the device nor in 128 MiB of memory go to a temporary file: to compute them anew in
//! each epoch would cost a pass through all machines below. (The paper's code kept those of the last epoch, while the machine still changed.)

use strait_compute::{Device, Execution, Kind, Op, Program, Routine, Step, Tensor, go_on};
use strait_data::Keeper;
use strait_models::{Rbm, TotalInput, Wanted, minibatches};

use crate::feed::Feed;
use crate::method::Source;
use crate::{Error, Pretrain, Result};

/// A program that computes features, before it is loaded.
struct FeaturePass {
    program: Program,
    feed: Feed,
    steps: Vec<strait_compute::RoutineId>,
    parameters: [Tensor; 2],
    precision: Option<Tensor>,
    /// For each place of the feed, the hidden means of its rows.
    features: Vec<Tensor>,
}

fn record(device: &Device, recipe: &Pretrain, rbm: &Rbm, source: &Source<'_>, rows: usize) -> Result<FeaturePass> {
    let mut program = Program::default();
    let (visible, hidden) = (rbm.visible_bias.len(), rbm.hidden_bias.len());
    let batch = recipe.batch.min(rows);
    let feed = match source.on_host() {
        None => Feed::given(&mut program, rows, visible, batch),
        Some(data) => Feed::of(&mut program, device, &data, hidden, batch),
    };
    let parameters = [program.parameter("weight", visible, hidden), program.parameter("hidden_bias", 1, hidden)];
    let precision = rbm.deviation.as_ref().map(|_| program.parameter("precision", 1, visible));
    let (data, h) = (program.value("v.data", batch, visible), program.value("h", batch, hidden));
    let v = precision.map_or(data, |_| program.value("v", batch, visible));
    let (mut steps, mut features) = (Vec::new(), Vec::new());
    for place in 0..feed.places() {
        let mut step = Routine::new("features").in_precision(recipe.precision);
        feed.gather(place, &mut step, 0, None, data)?;
        if precision.is_some() {
            step.push(Op::Standardize { input: data, shift: None, scale: precision, out: v })?;
        }
        let input = TotalInput { input: v, weight: parameters[0], transposed: false, bias: parameters[1] };
        rbm.hidden.record(&mut program, &mut step, input, Wanted::mean(h))?;
        let out = program.data(format!("features.{place}"), feed.rows_of_place(), hidden, Kind::Rows);
        step.push(Op::Scatter { input: h, data: out })?;
        features.push(out);
        steps.push(program.add(step));
    }
    Ok(FeaturePass { program, feed, steps, parameters, precision, features })
}

/// The program that computes the features of a machine, to be compiled with others.
pub(crate) fn program(
    device: &Device,
    recipe: &Pretrain,
    rbm: &Rbm,
    source: &Source<'_>,
    rows: usize,
) -> Result<Program> {
    Ok(record(device, recipe, rbm, source, rows)?.program)
}

/// The hidden means of all rows, in the order in which a machine visits them. They stay on the device where all data of the stack do.
pub(crate) fn features(
    device: &Device,
    recipe: &Pretrain,
    rbm: &Rbm,
    source: &Source<'_>,
    order: &[u32],
    stay: bool,
) -> Result<Source<'static>> {
    let count = order.len();
    let FeaturePass { program, feed, steps, parameters, precision, features } =
        record(device, recipe, rbm, source, count)?;
    let shared = match source {
        Source::Device(buffer) => vec![(feed.whole(), buffer.clone())],
        _ => Vec::new(),
    };
    let mut execution = device.load_sharing(program, &shared)?;
    execution.write_many(&[(parameters[0], &rbm.weight), (parameters[1], &rbm.hidden_bias)])?;
    if let (Some(precision), Some(deviation)) = (precision, &rbm.deviation) {
        execution.write(precision, &deviation.iter().map(|deviation| 1.0 / deviation).collect::<Vec<_>>())?;
    }
    let rows = source.on_host();
    if let Some(rows) = &rows {
        feed.upload(&mut *execution, rows)?;
        feed.write_order(&mut *execution, order)?;
    }
    let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
    let numbers: Vec<Step> = minibatches(count, recipe.batch.min(count)).map(step).collect();
    let mut collected = Keeper::default();
    let mut room = Ok(());
    let after = |execution: &mut dyn Execution, place: usize, rows: usize| {
        if !stay {
            let read = execution.read(features[place])?;
            if room.is_ok() {
                room = collected.push(&read[..rows * features[place].cols]);
            }
        }
        Ok(())
    };
    let data = rows.as_ref().map(|rows| (rows, order));
    feed.visit(&mut *execution, &steps, &numbers, data, &mut go_on, after)?;
    match stay {
        true => Ok(Source::Device(execution.share(features[0])?)),
        false => {
            let kept = room.and_then(|()| collected.finish(rbm.hidden_bias.len()));
            Ok(Source::Made(std::sync::Arc::new(
                kept.map_err(|cause| Error::Kept { what: "features of a machine", cause })?,
            )))
        }
    }
}
