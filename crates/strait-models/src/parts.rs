//! The parts of a model that are loaded on a device, each by the first call that needs it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use strait_compute::Device;
use strait_data::Rows;

use crate::computation::Computation;
use crate::resident::{Resident, Room};
use crate::{Affine, Result};

/// A part of a model.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// From rows to codes.
    Encoder,
    /// From rows to lists of the largest numbers of codes.
    Largest,
    /// From codes to rows.
    Decoder,
    /// From rows to reconstructions and their errors.
    Whole,
    /// From rows to the terms of the evidence lower bound.
    Bound,
    /// From rows to the total inputs of a machine's hidden units, or to sums of what these give.
    Hidden,
    /// From rows to logits, or from features to the energies of classes.
    Classes,
}

/// The loaded parts of one model.
pub(crate) struct Parts {
    pub(crate) device: Device,
    room: Room,
    loaded: HashMap<Part, Resident>,
}

impl Parts {
    pub(crate) fn new(device: Device, room: Room) -> Self {
        Self { device, room, loaded: HashMap::new() }
    }

    /// The part, which the computation tells how to load.
    pub(crate) fn get<'m>(
        &mut self,
        part: Part,
        computation: impl FnOnce() -> Computation<'m>,
    ) -> Result<&mut Resident> {
        Ok(match self.loaded.entry(part) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(empty) => empty.insert(Resident::load(&self.device, &computation(), self.room)?),
        })
    }

    /// The outputs of a part that is these layers.
    pub(crate) fn outputs<'m>(
        &mut self,
        part: Part,
        rows: Rows<'_>,
        layers: impl FnOnce() -> Cow<'m, [Affine]>,
    ) -> Result<Vec<f32>> {
        self.get(part, || Computation::outputs(layers()))?.outputs(rows)
    }
}
