//! Deep belief nets (Hinton, Osindero & Teh 2006).

use strait_compute::philox::{Stream, streams, uniform};
use strait_compute::{Activation, Device, Groups, Kind, Op, Program, Routine, Sample, Sampling, Step, go_on};
use strait_data::Rows;

use crate::computation::Computation;
use crate::resident::{Resident, Room};
use crate::{Affine, Error, Layer, Network, Rbm, Result, Stack, Units, forward};

/// A deep belief net with labels: layers of binary units, of which the upper two, the lower of them with the label's units beside
/// it, form a machine, and those below are drawn from above.
///
/// p(v, h₁, …, h, y) = p(v | h₁) p(h₁ | h₂) … p(h_L, y, h), where the last factor is the machine's. Without layers below it is the
/// classification RBM (Larochelle & Bengio 2008): a machine of the data and their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Dbn {
    /// What the features of a layer are inferred by from those below, from the data upwards: logistic layers.
    pub recognition: Vec<Affine>,
    /// What each of these layers is drawn by from above, in the same order: logistic layers.
    pub generative: Vec<Affine>,
    /// The machine of the upper two layers. Its visible units are the features and one group, the label.
    pub top: Rbm,
    /// The classes that labels name.
    pub classes: usize,
}

impl Dbn {
    /// A net on a stack of machines of binary units, whose weights are used both ways, with a top machine of so many hidden units
    /// that knows nothing yet.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Dbn, Rbm, Stack, Units};
    /// let stream = &mut Stream::new(1, 0);
    /// let rbm = Rbm::new((784, Units::Bernoulli), (500, Units::Bernoulli), stream)?;
    /// let net = Dbn::on(&Stack { rbms: vec![rbm] }, 10, 2000, stream)?;
    /// assert_eq!((net.sizes(), net.top.visible_bias.len()), (vec![784, 500], 510));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the stack is empty or has other units, or there are no classes or hidden units.
    pub fn on(below: &Stack, classes: usize, hidden: usize, stream: &mut Stream) -> Result<Self> {
        let features = below.rbms.last().map_or(0, |rbm| rbm.hidden_bias.len());
        let net = Self {
            recognition: below.rbms.iter().map(Rbm::up).collect(),
            generative: below.rbms.iter().map(Rbm::down).collect(),
            ..Self::alone(features, classes, hidden, stream)?
        };
        net.check()?;
        Ok(net)
    }

    /// A net that is one machine of binary data and their labels, which knows nothing yet.
    ///
    /// ```
    /// let mut stream = strait_compute::philox::Stream::new(1, 0);
    /// let net = strait_models::Dbn::alone(784, 10, 1500, &mut stream)?;
    /// assert_eq!((net.sizes(), net.top.visible_bias.len()), (vec![784], 794));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no inputs, classes or hidden units.
    pub fn alone(inputs: usize, classes: usize, hidden: usize, stream: &mut Stream) -> Result<Self> {
        let visible = (inputs + classes, Units::Softmax(Groups { first: inputs, classes }));
        let top = Rbm::new(visible, (hidden, Units::Bernoulli), stream)?;
        let net = Self { recognition: Vec::new(), generative: Vec::new(), top, classes };
        net.check()?;
        Ok(net)
    }

    /// Whether the layers fit together.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        self.top.check()?;
        self.recognition.iter().chain(&self.generative).try_for_each(Affine::check)?;
        let sizes = self.sizes();
        let features = sizes[sizes.len() - 1];
        let fits = |(number, (up, down)): (usize, (&Affine, &Affine))| {
            let plain = |layer: &Affine| layer.convolution.is_none() && layer.activation == Activation::Logistic;
            let pair = [up.inputs, up.outputs];
            plain(up) && plain(down) && pair == [down.outputs, down.inputs] && pair[0] == sizes[number]
        };
        let whole = self.recognition.len() == self.generative.len()
            && features > 0
            && self.recognition.iter().zip(&self.generative).enumerate().all(fits)
            && self.top.visible == Units::Softmax(Groups { first: features, classes: self.classes })
            && self.top.visible_bias.len() == features + self.classes
            && self.top.hidden == Units::Bernoulli;
        if whole {
            return Ok(());
        }
        Err(Error::Shape(format!("layers of {sizes:?} units and a top machine on them do not form a deep belief net")))
    }

    /// The sizes of the layers from the data to the features that the top machine sees.
    pub fn sizes(&self) -> Vec<usize> {
        let last = self.recognition.last().map_or(self.features_size(), |layer| layer.outputs);
        self.recognition.iter().map(|layer| layer.inputs).chain([last]).collect()
    }

    /// The number of features that the top machine sees.
    pub(crate) fn features_size(&self) -> usize {
        self.top.visible_bias.len().saturating_sub(self.classes)
    }

    /// The features of these rows: the means of the highest layer below the top machine, inferred by means all the way.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn features(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        let expected = self.sizes()[0];
        if rows.width != expected {
            return Err(Error::Width { expected, found: rows.width });
        }
        forward(device, &self.recognition, None, &rows)
    }

    /// For each row the label with which its features have the lowest free energy in the top machine.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn predict(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<usize>> {
        let features = self.features(device, rows)?;
        classify(device, &self.top, Rows::numbers(&features, self.features_size())?)
    }

    /// The share of rows that are given another class than their label.
    ///
    /// # Errors
    /// If the rows do not fit, there is not a label for each, or the device fails.
    pub fn error_rate(&self, device: &Device, rows: Rows<'_>, labels: &[u32]) -> Result<f64> {
        mistakes(&self.predict(device, rows)?, labels)
    }

    /// Rows of a class, as many as there are to start from: so many steps of Gibbs sampling in the top machine from the features
    /// of those, while the label is held, then states drawn downwards; the lowest layer's means.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Dbn, Rbm, Stack, Units};
    /// let stream = &mut Stream::new(1, 0);
    /// let rbm = Rbm::new((4, Units::Bernoulli), (3, Units::Bernoulli), stream)?;
    /// let net = Dbn::on(&Stack { rbms: vec![rbm] }, 2, 5, stream)?;
    /// let starts = strait_data::Rows::bytes(&[0, 255, 0, 255, 255, 0, 255, 0], 4)?;
    /// let drawn = net.generate(&strait_compute::Device::cpu()?, 1, starts, 10, 7)?;
    /// assert_eq!(drawn.len(), 2 * 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such class, or no steps, the rows do not fit, or the device fails.
    pub fn generate(
        &self,
        device: &Device,
        class: usize,
        starts: Rows<'_>,
        steps: usize,
        seed: u64,
    ) -> Result<Vec<f32>> {
        self.check()?;
        if class >= self.classes {
            return Err(Error::Shape(format!("there is no class {class} of {}", self.classes)));
        }
        let width = self.features_size();
        let label: Vec<f32> = (0..self.classes).map(|other| if other == class { 1.0 } else { 0.0 }).collect();
        let held = self.top.held(width, &label)?;
        let features = self.features(device, starts)?;
        let features = held.fantasies(device, Rows::numbers(&features, width)?, steps, seed)?;
        self.draw_down(device, features, starts.count, seed)
    }

    /// So many rows of any class, row after row: fantasies of the top machine, labels and features together, as [`Rbm::sample`] draws
    /// them in that many steps, then states drawn downwards; the lowest layer's means.
    ///
    /// ```
    /// let net = strait_models::Dbn::alone(4, 2, 5, &mut strait_compute::philox::Stream::new(1, 0))?;
    /// assert_eq!(net.sample(&strait_compute::Device::cpu()?, 3, 10, 7)?.len(), 3 * 4);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Rbm::sample`].
    pub fn sample(&self, device: &Device, count: usize, steps: usize, seed: u64) -> Result<Vec<f32>> {
        self.check()?;
        let (visible, features) = (self.top.visible_bias.len(), self.features_size());
        let fantasies = self.top.sample(device, count, steps, seed)?;
        let means = fantasies.chunks_exact(visible).flat_map(|row| &row[..features]).copied().collect();
        if count == 0 {
            return Ok(means);
        }
        self.draw_down(device, means, count, seed)
    }

    /// Draws the layers below from the means of the features; gives the means of the lowest.
    fn draw_down(&self, device: &Device, means: Vec<f32>, count: usize, seed: u64) -> Result<Vec<f32>> {
        if self.generative.is_empty() {
            return Ok(means);
        }
        let mut stream = Stream::new(seed, streams::ANCESTORS);
        let mut state = |&mean: &f32| if uniform(stream.next_word()) < mean { 1.0 } else { 0.0 };
        let features: Vec<f32> = means.iter().map(&mut state).collect();
        let mut program = Program::default();
        let top = program.data("features", count, features.len() / count, Kind::Values);
        let network = Network::declare(&mut program, "generative", &self.generative);
        let mut routine = Routine::new("ancestral sampling");
        let (mut input, mut mean) = (top, top);
        for (number, &Layer { weight, bias, activation, .. }) in network.layers.iter().enumerate().rev() {
            let mut like = |name: &str| program.value(format!("{name}.{number}"), count, weight.cols);
            let state = like("state");
            mean = like("mean");
            let sample = Some(Sample { sampling: Sampling::Bernoulli, out: state, stream: 10 + number as u32 });
            routine.push(Op::Linear { input, weight, transposed: false, bias, activation, out: mean, sample })?;
            input = state;
        }
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        network.write(&mut *execution, &self.generative)?;
        execution.write(top, &features)?;
        execution.run(routine, &[Step { rows: count as u32, ..Step::seeded(seed) }], &mut go_on)?;
        Ok(execution.read(mean)?)
    }
}

/// The share of rows that were given another class than their label.
///
/// ```
/// assert_eq!(strait_models::mistakes(&[3, 1], &[3, 2])?, 0.5);
/// # Ok::<(), strait_models::Error>(())
/// ```
///
/// # Errors
/// If there is not a label for each row.
pub fn mistakes(found: &[usize], labels: &[u32]) -> Result<f64> {
    if labels.len() != found.len() {
        let message = format!("{} labels do not name the classes of {} rows", labels.len(), found.len());
        return Err(Error::Shape(message));
    }
    let wrong = found.iter().zip(labels).filter(|(found, label)| **found != **label as usize).count();
    Ok(wrong as f64 / labels.len() as f64)
}

/// For each row the class with which its free energy is the lowest, of a machine whose last visible units are a group: the label
/// (Larochelle & Bengio 2008).
fn classify(device: &Device, rbm: &Rbm, rows: Rows<'_>) -> Result<Vec<usize>> {
    let (Units::Softmax(Groups { first, classes }), Units::Bernoulli) = (rbm.visible, rbm.hidden) else {
        let message = "a machine that classifies has binary hidden units, and a group of visible units for the label";
        return Err(Error::Shape(message.to_owned()));
    };
    if first == 0 || first != rows.width || rbm.visible_bias.len() != first + classes {
        return Err(Error::Width { expected: first, found: rows.width });
    }
    let energies = Resident::load(device, &Computation::classes(rbm, first), Room::Once(rows.count))?.outputs(rows)?;
    Ok(energies.chunks_exact(classes).map(largest).collect())
}

/// Where the largest value is, the first of equal ones.
pub(crate) fn largest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

impl Rbm {
    /// For each row the class with which its free energy is the lowest: p(class | row) ∝ e^−F(row, class). The machine's last
    /// visible units are one group, the label (Larochelle & Bengio 2008).
    ///
    /// ```
    /// use strait_compute::{Groups, philox::Stream};
    /// use strait_models::{Rbm, Units};
    /// let units = Units::Softmax(Groups { first: 1, classes: 2 });
    /// let mut rbm = Rbm::new((3, units), (1, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// // The first class is the more frequent one, but the hidden unit, on if the first visible one is, wants the second.
    /// (rbm.weight, rbm.hidden_bias) = (vec![8.0, -4.0, 4.0], vec![-4.0]);
    /// rbm.visible_bias = vec![0.0, 1.0, 0.0];
    /// let rows = strait_data::Rows::numbers(&[0.0, 1.0], 1)?;
    /// assert_eq!(rbm.classify(&strait_compute::Device::cpu()?, rows)?, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the machine has no such group, the rows do not fit, or the device fails.
    pub fn classify(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<usize>> {
        self.check()?;
        classify(device, self, rows)
    }
}
