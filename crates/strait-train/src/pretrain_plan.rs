//! Pretraining: a machine after the other.

use strait_compute::philox::{Stream, streams};
use strait_compute::{Device, Program, Step, Tensor};
use strait_data::Rows;
use strait_models::{Model, Rbm, Stack, Units, check_sizes};

use crate::checkpoint::{Difference, Hashed, Modeller, of_machines, of_rows};
use crate::contrastive_divergence::{self, Learned, Setup};
use crate::features::{self, features};
use crate::feed::Feed;
use crate::free_energy_gap::Watched;
use crate::method::{Part, Source};
use crate::monitor::Watching;
use crate::plan::{Epoch, Plan};
use crate::snapshot::Cursor;
use crate::{Error, Pretrain, PretrainEpoch, Pretrained, Profile, Result, Run};

/// The plan of [`Pretrain`]: a part for each machine.
pub struct PretrainPlan<'a> {
    recipe: Pretrain,
    /// Those that are finished, the one that is trained, and those that wait.
    rbms: Vec<Rbm>,
    /// What all of them start from.
    starts: Vec<Rbm>,
    /// Whether they were trained before this run.
    trained: bool,
    rows: Rows<'a>,
    held_out: Option<Rows<'a>>,
    /// What the machine of number `at` is trained on.
    source: Source<'a>,
    watched: Option<Watched>,
    at: usize,
    /// Whether all features stay on the device.
    stay: bool,
    learned: Option<Learned>,
}

impl Pretrain {
    /// Trains a machine for each two consecutive sizes, from the data upwards.
    ///
    /// The rows are shuffled once; the minibatches stay the same in all epochs, as in the paper's code. The data of a
    /// layer are the hidden probabilities of the finished machine below; they stay on the device.
    ///
    /// ```
    /// use strait_train::Pretrain;
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let recipe = Pretrain { epochs: 3, batch: 10, ..Pretrain::default() };
    /// let pretrained = recipe.fit(&device, &[4, 3, 2], rows)?;
    /// assert_eq!(pretrained.stack.unroll().sizes(), [4, 3, 2, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting makes no sense, the data do not fit, the device fails, or an error is not finite.
    pub fn fit(&self, device: &Device, sizes: &[usize], rows: Rows<'_>) -> Result<Pretrained> {
        self.run(device, sizes, rows)?.train()
    }

    /// A run that trains such a stack.
    ///
    /// ```
    /// use strait_train::Pretrain;
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let recipe = Pretrain { epochs: 2, batch: 10, ..Pretrain::default() };
    /// let mut run = recipe.run(&device, &[4, 3, 2], rows)?.held_out(rows.first(20))?;
    /// while let Some(epoch) = run.epoch()? {
    ///     println!("machine {}: {:.3}", run.cursor().part, epoch.error);
    /// }
    /// let stack = run.stop()?.stack;
    /// // Two more epochs for each machine.
    /// let further = recipe.run(&device, &[4, 3, 2], rows)?.from(stack)?.train()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pretrain::fit`].
    pub fn run<'a>(&self, device: &Device, sizes: &[usize], rows: Rows<'a>) -> Result<Run<'a, PretrainPlan<'a>>> {
        self.check()?;
        check_sizes(sizes)?;
        self.check_rows(sizes[0], &rows)?;
        self.check_layers(sizes)?;
        let machines = sizes.len() - 1;
        let units = |layer: usize| (sizes[layer], self.units(layer, machines));
        let rbm = |number| {
            let stream = &mut Stream::new(self.seed, streams::MACHINES + number as u32);
            Rbm::new(units(number), units(number + 1), stream)
        };
        let rbms = (0..machines).map(rbm).collect::<strait_models::Result<Vec<_>>>()?;
        Ok(Run::new(device, PretrainPlan::new(self.clone(), rbms, rows)))
    }

    /// Measures the operations of a step of contrastive divergence between the rows and that many binary hidden units.
    /// Nothing if the device cannot measure.
    ///
    /// ```
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0, 0, 255], 4)?;
    /// let profile = strait_train::Pretrain::default().profile(&device, 3, rows)?;
    /// assert_eq!(profile.expect("the CPU measures").routine, "CD-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pretrain::fit`].
    pub fn profile(&self, device: &Device, hidden: usize, rows: Rows<'_>) -> Result<Option<Profile>> {
        self.check()?;
        check_sizes(&[rows.width, hidden])?;
        let rows = rows.first(self.batch);
        let order: Vec<u32> = (0..rows.count as u32).collect();
        let units = [(rows.width, Units::Bernoulli), (hidden, Units::Bernoulli)];
        let rbm = Rbm::new(units[0], units[1], &mut Stream::new(self.seed, streams::MACHINES))?;
        let setup = Setup { recipe: self, number: 0, rows: rows.count, watched: None, trained: false, alike: 0 };
        let (mut part, _) = contrastive_divergence::load(device, setup, &rbm, Source::Host(rows))?;
        let execution = &mut *part.execution;
        part.feed.upload(execution, &rows)?;
        part.feed.write_order(execution, &order)?;
        let step = Step { rows: rows.count as u32, ..Step::seeded(self.seed) };
        Profile::measure(execution, part.method.routines()[0], &step)
    }
}

impl<'a> PretrainPlan<'a> {
    pub(crate) fn new(recipe: Pretrain, rbms: Vec<Rbm>, rows: Rows<'a>) -> Self {
        Self {
            recipe,
            starts: rbms.clone(),
            rbms,
            trained: false,
            rows,
            held_out: None,
            source: Source::Host(rows),
            watched: None,
            at: 0,
            stay: true,
            learned: None,
        }
    }

    fn setup(&self, number: usize) -> Setup<'_> {
        let watched = self.watched.as_ref();
        let sizes = |rbm: &Rbm| (rbm.visible_bias.len(), rbm.hidden_bias.len());
        let alike = self.rbms[..number].iter().filter(|other| sizes(other) == sizes(&self.rbms[number])).count();
        Setup { recipe: &self.recipe, number, rows: self.rows.count, watched, trained: self.trained, alike }
    }

    /// The order in which a machine visits its rows.
    fn order(&self, number: usize) -> Vec<u32> {
        match number {
            0 => Stream::new(self.recipe.seed, streams::PRETRAINING_ORDER).order(self.rows.count),
            _ => (0..self.rows.count as u32).collect(),
        }
    }

    /// Goes from the finished machine `at` to the data of the next.
    fn climb(&mut self, device: &Device) -> Result<()> {
        let rbm = &self.rbms[self.at];
        self.source = features(device, &self.recipe, rbm, &self.source, &self.order(self.at), self.stay)?;
        self.watched = self.watched.take().map(|watched| watched.above(device, rbm)).transpose()?;
        self.at += 1;
        Ok(())
    }

    /// Goes back to the rows themselves.
    fn descend(&mut self) {
        self.source = Source::Host(self.rows);
        self.watched = self.held_out.map(|held_out| Watched::new(self.rows, held_out, self.recipe.seed));
        self.at = 0;
    }
}

impl<'a> Run<'a, PretrainPlan<'a>> {
    /// Compares, after each epoch, the free energies of rows held out with those of as many rows trained on (at most 1000, and of
    /// small data a twentieth): their gap grows when a machine overfits.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn held_out(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        plan.recipe.check_rows(plan.rows.width, &rows)?;
        plan.held_out = Some(rows);
        Ok(self)
    }

    /// Starts from these machines instead of random weights: training goes on where an earlier run ended.
    ///
    /// # Errors
    /// If they are not of the sizes and the units of the recipe.
    pub fn from(mut self, stack: Stack) -> Result<Self> {
        let plan = self.plan_mut();
        let shape = |rbm: &Rbm| (rbm.visible_bias.len(), rbm.visible, rbm.hidden_bias.len(), rbm.hidden);
        let [found, expected] = [&stack.rbms, &plan.rbms].map(|rbms| rbms.iter().map(shape).collect::<Vec<_>>());
        if found != expected {
            let message = format!("the machines to start from are {found:?}, but the recipe asks for {expected:?}");
            return Err(strait_models::Error::Shape(message).into());
        }
        stack.rbms.iter().try_for_each(Rbm::check)?;
        (plan.rbms, plan.starts, plan.trained) = (stack.rbms.clone(), stack.rbms, true);
        Ok(self)
    }

    /// The machines as they are now: those that are finished, the one that is being trained, and those that wait.
    ///
    /// # Errors
    /// The device's own.
    pub fn stack(&mut self) -> Result<Stack> {
        let number = self.cursor().part;
        let (plan, part) = self.loaded()?;
        if let Some(part) = part {
            plan.take(number, part)?;
        }
        Ok(Stack { rbms: plan.rbms.clone() })
    }
}

impl<'a> Plan<'a> for PretrainPlan<'a> {
    type Record = PretrainEpoch;
    type Output = Pretrained;
    type Progress = ();

    fn parts(&self) -> usize {
        self.rbms.len()
    }

    fn epochs_of(&self, _: usize) -> usize {
        self.recipe.epochs
    }

    fn begin(&mut self, device: &Device) -> Result<()> {
        self.descend();
        let sizes = self.rbms.iter().flat_map(|rbm| [rbm.visible_bias.len(), rbm.hidden_bias.len()]);
        self.stay = Feed::room(device, self.rows.count, sizes.max().unwrap_or(0));
        if !self.stay {
            return Ok(());
        }
        // All kernels are compiled at once, but for those of the free energies, where all data stay on the device.
        let mut programs: Vec<Program> = Vec::new();
        for (number, rbm) in self.rbms.iter().enumerate() {
            let setup = Setup { watched: None, ..self.setup(number) };
            let data = Some(&self.rows).filter(|_| number == 0);
            programs.push(contrastive_divergence::record(device, setup, rbm, data)?.0);
        }
        if self.rbms.len() > 1 {
            programs.push(features::program(device, &self.recipe, &self.rbms[0], &self.source, self.rows.count)?);
        }
        Ok(device.prepare(&programs)?)
    }

    fn start(&mut self, device: &Device, part: usize) -> Result<Part<'a>> {
        let (loaded, learned) =
            contrastive_divergence::load(device, self.setup(part), &self.rbms[part], self.source.clone())?;
        self.learned = Some(learned);
        Ok(loaded)
    }

    fn record(&self, _: usize, Epoch { epoch, outcome, seconds, rate_factor, cost }: Epoch) -> PretrainEpoch {
        let free_energy_gap = outcome.free_energy_gap;
        PretrainEpoch { epoch, error: outcome.error, free_energy_gap, seconds, rate_factor, cost }
    }

    fn take(&mut self, part: usize, trained: &mut Part<'a>) -> Result<()> {
        match &self.learned {
            Some(learned) => learned.read(&mut *trained.execution, &mut self.rbms[part]),
            None => Ok(()),
        }
    }

    fn end(&mut self, device: &Device, _: usize, goes_on: bool, trained: Part<'a>) -> Result<()> {
        drop(trained);
        if goes_on { self.climb(device) } else { Ok(()) }
    }

    fn wrong(&self, part: usize) -> Option<f64> {
        let rbm = &self.rbms[part];
        let parameters = [&rbm.weight, &rbm.visible_bias, &rbm.hidden_bias];
        let mut deviations = rbm.deviation.iter().flatten();
        let wrong = parameters.into_iter().flatten().find(|x| !x.is_finite());
        wrong.or_else(|| deviations.find(|x| !(x.is_finite() && **x > 0.0))).map(|x| f64::from(*x))
    }

    fn output(mut self, records: Vec<Vec<PretrainEpoch>>, stopped: bool) -> Result<Pretrained> {
        self.rbms.truncate(records.len());
        Ok(Pretrained { stack: Stack { rbms: self.rbms }, layers: records, stopped })
    }

    fn rewind(&mut self, part: usize) -> bool {
        self.rbms[part].clone_from(&self.starts[part]);
        true
    }

    fn rates_follow(&self) -> bool {
        self.recipe.rates_follow()
    }

    fn watching(&self) -> Watching {
        self.recipe.watching()
    }

    fn has_held_out(&self) -> bool {
        self.held_out.is_some()
    }

    fn identity(&self, hashed: Hashed) -> serde_json::Value {
        serde_json::json!({
            "recipe": self.recipe,
            "start": of_machines(&self.starts),
            "training-set": of_rows(&self.rows, hashed),
            "held-out-set": self.held_out.as_ref().map(|rows| of_rows(rows, hashed)),
        })
    }

    fn difference(&self, field: &str, _: &serde_json::Value, at: Cursor) -> Difference {
        match (field, at.part) {
            // No step depends on it, unless a machine is finished that would have been trained longer.
            ("recipe.epochs", 0) => Difference::Allowed,
            ("recipe.epochs", _) => {
                Difference::Change(Some("a machine is finished with the earlier number".to_owned()))
            }
            _ => Difference::Change(None),
        }
    }

    fn modeller(&self, part: usize, trained: &mut Part<'a>) -> Result<Option<Modeller>> {
        let Some(learned) = self.learned else {
            return Ok(None);
        };
        let offsets = learned.offsets().map(|tensor| Ok((tensor, trained.execution.read(tensor)?)));
        let offsets = offsets.collect::<Result<Vec<_>>>()?;
        let mut rbms = self.rbms.clone();
        Ok(Some(Box::new(move |read| {
            let read = &mut |tensor: Tensor| match offsets.iter().find(|(offset, _)| *offset == tensor) {
                Some((_, values)) => Ok(values.clone()),
                None => read(tensor),
            };
            learned.read_from(read, &mut rbms[part])?;
            Ok(Model::from(Stack { rbms: rbms.clone() }))
        })))
    }

    fn save(&self) -> (Vec<(String, Vec<f32>)>, ()) {
        let mut tensors = Vec::new();
        for (number, rbm) in self.rbms[..self.at].iter().enumerate() {
            let mut put = |what: &str, values: &[f32]| tensors.push((name(number, what), values.to_vec()));
            put("weight", &rbm.weight);
            put("visible_bias", &rbm.visible_bias);
            put("hidden_bias", &rbm.hidden_bias);
            if let Some(deviation) = &rbm.deviation {
                put("deviation", deviation);
            }
        }
        (tensors, ())
    }

    fn restore(
        &mut self,
        device: &Device,
        part: usize,
        tensors: &mut dyn FnMut(&str) -> Result<Vec<f32>>,
        (): (),
    ) -> Result<bool> {
        self.rbms[part..].clone_from_slice(&self.starts[part..]);
        let mut finished = self.rbms[..part].to_vec();
        for (number, rbm) in finished.iter_mut().enumerate() {
            rbm.weight = tensors(&name(number, "weight"))?;
            rbm.visible_bias = tensors(&name(number, "visible_bias"))?;
            rbm.hidden_bias = tensors(&name(number, "hidden_bias"))?;
            if self.recipe.deviation_rate.is_some() && number == 0 {
                rbm.deviation = Some(tensors(&name(number, "deviation"))?);
            }
            rbm.check().map_err(|error| Error::Snapshot(error.to_string()))?;
        }
        if part == self.at && finished == self.rbms[..part] {
            return Ok(true);
        }
        self.rbms[..part].clone_from_slice(&finished);
        self.descend();
        while self.at < part {
            self.climb(device)?;
        }
        Ok(false)
    }
}

/// The name of a finished machine's tensor in a snapshot.
fn name(number: usize, what: &str) -> String {
    format!("machines.{number}.{what}")
}
