//! Boltzmann machines and deep belief nets as files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use strait_compute::Activation;

use crate::container::{Container, Contents, Named, Numbers};
use crate::{Affine, Dbn, Error, ModelKind, Rbm, Result, SaveOptions, Stack, Units, transpose};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    /// From the data upwards; of a deep belief net the top one.
    machines: Vec<Machine>,
    /// Of a deep belief net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    below: Option<Below>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    visible: usize,
    visible_units: Units,
    hidden: usize,
    hidden_units: Units,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deviation: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Below {
    /// From the data to the features that the top machine sees beside the classes.
    sizes: Vec<usize>,
    classes: usize,
}

impl Machine {
    fn of(rbm: &Rbm) -> Self {
        Self {
            visible: rbm.visible_bias.len(),
            visible_units: rbm.visible,
            hidden: rbm.hidden_bias.len(),
            hidden_units: rbm.hidden,
            deviation: rbm.deviation.is_some(),
        }
    }

    /// The tensors of the machine of that name.
    fn tensors(&self, name: &str) -> Vec<(String, Vec<usize>)> {
        let mut tensors = vec![
            (format!("{name}.weight"), vec![self.hidden, self.visible]),
            (format!("{name}.visible_bias"), vec![self.visible]),
            (format!("{name}.hidden_bias"), vec![self.hidden]),
        ];
        tensors.extend(self.deviation.then(|| (format!("{name}.deviation"), vec![self.visible])));
        tensors
    }

    fn read(&self, tensors: &mut impl Iterator<Item = Vec<f32>>) -> Rbm {
        let mut next = || tensors.next().unwrap_or_default();
        let weight = next();
        Rbm {
            visible: self.visible_units,
            hidden: self.hidden_units,
            weight: transpose(&weight, self.visible),
            visible_bias: next(),
            hidden_bias: next(),
            deviation: self.deviation.then(next),
        }
    }
}

/// Whether a file that names such sizes can be one: they are at least one, and so small that their products can be counted.
fn sensible(sizes: &[usize]) -> bool {
    sizes.iter().all(|size| (1..1 << 31).contains(size))
}

fn named<'a>(name: &str, rbm: &'a Rbm) -> Vec<Named<'a>> {
    let values = [
        Cow::Owned(transpose(&rbm.weight, rbm.hidden_bias.len())),
        Cow::Borrowed(&rbm.visible_bias[..]),
        Cow::Borrowed(&rbm.hidden_bias[..]),
    ];
    let values = values.into_iter().chain(rbm.deviation.as_deref().map(Cow::Borrowed));
    let tensors = Machine::of(rbm).tensors(name).into_iter().zip(values);
    tensors.map(|((name, shape), values)| Named { name, shape, values: Numbers::Single(values) }).collect()
}

fn name(number: usize) -> String {
    format!("machines.{number}")
}

impl Stack {
    /// Writes the machines as a safetensors file: of each `machines.N.weight` as `[hidden, visible]`, `visible_bias`,
    /// `hidden_bias` and, where it was learned, `deviation`.
    ///
    /// # Errors
    /// If there is no machine, one is not whole or does not fit the one below, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the machines as [`Stack::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Stack::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.contents()?.write(path.as_ref(), options)
    }

    /// The machines as they go into a file.
    pub(crate) fn contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        let tensors: Vec<Named<'_>> =
            self.rbms.iter().enumerate().flat_map(|(number, rbm)| named(&name(number), rbm)).collect();
        let architecture = Architecture { machines: self.rbms.iter().map(Machine::of).collect(), below: None };
        Contents::new(ModelKind::Stack, tensors, &architecture)
    }

    /// Reads machines from a file that [`Stack::save`] or [`Rbm::save`] wrote, with the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        if file.kind != ModelKind::Rbm {
            file.require_kind(ModelKind::Stack)?;
        }
        let Architecture { machines, .. } = file.architecture()?;
        let chained = machines.windows(2).all(|pair| pair[0].hidden == pair[1].visible);
        let whole = machines.iter().all(|machine| sensible(&[machine.visible, machine.hidden]));
        if machines.is_empty() || !chained || !whole {
            return Err(file.wrong("the machines of its architecture do not form a stack"));
        }
        let numbered = machines.iter().enumerate();
        let wanted: Vec<_> = numbered.flat_map(|(number, machine)| machine.tensors(&name(number))).collect();
        let mut tensors = file.tensors(&wanted)?.into_iter();
        let rbms: Vec<Rbm> = machines.iter().map(|machine| machine.read(&mut tensors)).collect();
        rbms.iter().try_for_each(Rbm::check).map_err(|error| file.wrong(error.to_string()))?;
        Ok((Self { rbms }, file.notes))
    }
}

impl Rbm {
    /// Writes the machine as a safetensors file, as [`Stack::save`] does with several.
    ///
    /// # Errors
    /// If it is not whole, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the machine as [`Rbm::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Rbm::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.contents()?.write(path.as_ref(), options)
    }

    /// The machine as it goes into a file.
    pub(crate) fn contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        let architecture = Architecture { machines: vec![Machine::of(self)], below: None };
        Contents::new(ModelKind::Rbm, named(&name(0), self), &architecture)
    }

    /// Reads a machine from a file that [`Rbm::save`] wrote, with the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, does not hold one machine, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        if file.kind != ModelKind::Stack {
            file.require_kind(ModelKind::Rbm)?;
        }
        let path = file.path.clone();
        let (stack, notes) = Stack::read(file)?;
        let machines = stack.rbms.len();
        match <[Self; 1]>::try_from(stack.rbms) {
            Ok([rbm]) => Ok((rbm, notes)),
            Err(_) => Err(Error::File { path, message: format!("it holds a stack of {machines} machines, not one") }),
        }
    }
}

/// The layers of a deep belief net, as a file names them.
fn layers(sizes: &[usize]) -> Vec<(String, Vec<usize>)> {
    let of = |kind: &str, number: usize, inputs: usize, outputs: usize| {
        [(format!("{kind}.{number}.weight"), vec![outputs, inputs]), (format!("{kind}.{number}.bias"), vec![outputs])]
    };
    let pairs = || sizes.windows(2).enumerate();
    let up = pairs().flat_map(|(number, pair)| of("recognition", number, pair[0], pair[1]));
    let down = pairs().flat_map(|(number, pair)| of("generative", number, pair[1], pair[0]));
    up.chain(down).collect()
}

impl Dbn {
    /// Writes the net as a safetensors file: the weights `[outputs, inputs]` and biases of `recognition.N` and `generative.N`,
    /// numbered from the data upwards, and the top machine as [`Stack::save`] does.
    ///
    /// # Errors
    /// If it is not whole, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the net as [`Dbn::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Dbn::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.contents()?.write(path.as_ref(), options)
    }

    /// The net as it goes into a file.
    pub(crate) fn contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        let values =
            self.recognition.iter().chain(&self.generative).flat_map(|layer| {
                [Cow::Owned(transpose(&layer.weight, layer.outputs)), Cow::Borrowed(&layer.bias[..])]
            });
        let sizes = self.sizes();
        let below = layers(&sizes).into_iter().zip(values);
        let below = below.map(|((name, shape), values)| Named { name, shape, values: Numbers::Single(values) });
        let tensors: Vec<Named<'_>> = below.chain(named(&name(0), &self.top)).collect();
        let below = Some(Below { sizes, classes: self.classes });
        let architecture = Architecture { machines: vec![Machine::of(&self.top)], below };
        Contents::new(ModelKind::Dbn, tensors, &architecture)
    }

    /// Reads a net from a file that [`Dbn::save`] wrote, with the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        file.require_kind(ModelKind::Dbn)?;
        let Architecture { machines, below } = file.architecture()?;
        let ([machine], Some(Below { sizes, classes })) = (&machines[..], below) else {
            return Err(file.wrong("the machines of its architecture do not form a deep belief net"));
        };
        if sizes.is_empty() || !sensible(&[&sizes[..], &[machine.visible, machine.hidden, classes]].concat()) {
            return Err(file.wrong("the layers of its architecture do not form a deep belief net"));
        }
        let wanted = [layers(&sizes), machine.tensors(&name(0))].concat();
        let mut tensors = file.tensors(&wanted)?.into_iter();
        let mut layer = |inputs: usize, outputs: usize| {
            let (weight, bias) = (tensors.next().unwrap_or_default(), tensors.next().unwrap_or_default());
            let (weight, activation) = (transpose(&weight, inputs), Activation::Logistic);
            Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None }
        };
        let recognition = sizes.windows(2).map(|pair| layer(pair[0], pair[1])).collect();
        let generative = sizes.windows(2).map(|pair| layer(pair[1], pair[0])).collect();
        let net = Self { recognition, generative, top: machine.read(&mut tensors), classes };
        net.check().map_err(|error| file.wrong(error.to_string()))?;
        Ok((net, file.notes))
    }
}
