//! Training what a job asks for.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Job, Kind, Resolved};
use crate::compute::philox::{Stream, streams};
use crate::data::Labels;
use crate::experiment::{Error, Experiment, Result, Sets};
use crate::models::{SaveOptions, UnitUses, forward};
use crate::say;
use crate::terminal::stopping;
use crate::{
    Activation, Autoencoder, Classifier, Dbn, Device, Groups, Labelled, Model, Pca, PredictiveSparse, Pretrain, Rows,
    Units, Vae,
};

/// What came of a job.
pub struct Trained {
    /// The model, without its preparation; as it was when a signal ended training.
    pub model: Model,
    /// The score above which a row is an anomaly: that of the job's quantile of the rows held out, where the kind has scores.
    pub threshold: Option<f64>,
    /// How rows held out use the units of a sparse code.
    pub units: Option<UnitUses>,
}

/// The rows and labels of a training and a test set.
pub(super) struct Parts<'a> {
    pub(super) train: Rows<'a>,
    pub(super) test: Rows<'a>,
    pub(super) labels: Option<[Vec<u32>; 2]>,
    pub(super) classes: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn of(sets: &'a Sets, limit: Option<usize>) -> Result<Self> {
        let (train, test) = sets.rows(limit)?;
        let (Some(known), Some(held_out)) = (&sets.train.labels, &sets.test.labels) else {
            return Ok(Self { train, test, labels: None, classes: 0 });
        };
        let labels = [known.classes[..train.count].to_vec(), as_known(known, held_out)?];
        Ok(Self { train, test, labels: Some(labels), classes: known.names.len() })
    }

    /// The rows with their labels behind them.
    fn labelled(&self) -> Result<[Labelled; 2]> {
        let [train, test] = self.labels.as_ref().ok_or_else(|| Error::Job("the test set has no labels".to_owned()))?;
        Ok([Labelled::new(self.train, train, self.classes)?, Labelled::new(self.test, test, self.classes)?])
    }
}

/// The classes of a test set by the numbers that they have in the training set.
fn as_known(known: &Labels, test: &Labels) -> Result<Vec<u32>> {
    let numbers = test.numbers_in(&known.names).into_iter().zip(&test.classes);
    let unknown = |class: u32| {
        let name = &test.names[class as usize];
        Error::Job(format!("the test set has the class `{name}`, which the training set lacks"))
    };
    numbers.map(|(number, &class)| number.ok_or_else(|| unknown(class))).collect()
}

impl Resolved {
    /// Whether training can begin: settings that make no sense for the model are an error now, and not after hours of pretraining.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check(&self, classes: usize) -> Result<()> {
        self.pretrain.as_ref().map_or(Ok(()), Pretrain::check)?;
        self.denoising.as_ref().map_or(Ok(()), |stacked| stacked.check(self.sizes[0]))?;
        self.up_down.as_ref().map_or(Ok(()), crate::UpDown::check)?;
        self.dictionary().as_ref().map_or(Ok(()), crate::KSparse::check)?;
        crate::models::check_sizes(&self.sizes)?;
        let code = self.sizes[self.sizes.len() - 1];
        super::needs::check_sizes(&self.sizes)?;
        if self.job.kind == Kind::Pca && self.sizes.len() != 2 {
            return Err(Error::Job("PCA has one number of components".to_owned()));
        }
        if self.job.kind == Kind::Pca && code > self.sizes[0] {
            return Err(Error::Job(format!("{code} components are more than the {} columns", self.sizes[0])));
        }
        if self.job.kind == Kind::Rbm && self.sizes.len() != 2 {
            return Err(Error::Job("one machine has one hidden layer: several are the kind `stack`".to_owned()));
        }
        if matches!(self.job.kind, Kind::Dictionary | Kind::PredictiveSparse) && self.sizes.len() != 2 {
            return Err(Error::Job("a dictionary has one hidden layer".to_owned()));
        }
        if self.job.kind == Kind::Dbn && self.sizes.len() < 3 {
            return Err(Error::Job("a belief net has two hidden layers or more".to_owned()));
        }
        let Some(training) = self.training.as_ref().filter(|_| self.job.kind != Kind::Dictionary) else {
            return Ok(());
        };
        match self.job.kind {
            Kind::Vae => training.tuning.check_for(&self.vae()?)?,
            Kind::Sequence => training.tuning.check_for(&self.sequence_autoencoder()?)?,
            Kind::PredictiveSparse => training.tuning.check_for(&self.predictive_sparse()?)?,
            Kind::Classifier => {
                let sizes = [&self.sizes[..], &[classes]].concat();
                training.tuning.check_for(&Classifier::glorot(&sizes, Activation::Logistic, 1)?)?;
            }
            Kind::Autoencoder if self.pretrain.is_some() => {
                let pretrain = self.pretrain.clone().unwrap_or_default();
                let mut net = pretrain.untrained(&self.sizes)?;
                self.finish_net(&mut net)?;
                training.tuning.check_for(&net)?;
            }
            Kind::Autoencoder => training.tuning.check_for(&self.autoencoder()?)?,
            _ => training.tuning.check()?,
        }
        Ok(())
    }

    /// Trains the model on these sets, which are [scaled](Sets::scaled) as the job says; measures it on the rows held out. After a
    /// signal the model is what it was then, and nothing is measured.
    ///
    /// # Errors
    /// If the settings make no sense, the data do not suit them, or training fails.
    pub fn train(&self, sets: &Sets, device: &Device, run: &mut Experiment<Job>) -> Result<Trained> {
        let parts = Parts::of(sets, self.job.limit)?;
        run.keep_preparation(sets.preparation.as_ref(), parts.train.width);
        let model = self.model(&parts, sets, device, run)?;
        if stopping() {
            return Ok(Trained { model, threshold: None, units: None });
        }
        let (threshold, units) = self.measure(&model, &parts, sets, device, run)?;
        Ok(Trained { model, threshold, units })
    }

    pub(super) fn model(
        &self,
        parts: &Parts<'_>,
        sets: &Sets,
        device: &Device,
        run: &mut Experiment<Job>,
    ) -> Result<Model> {
        let &Parts { train, test, .. } = parts;
        Ok(match self.job.kind {
            Kind::Autoencoder => {
                let mut net = match &self.pretrain {
                    Some(pretrain) => {
                        let held_out = run.judged_on(test, pretrain.judges());
                        run.pretrain(pretrain, &self.sizes, train, held_out)?.unroll()
                    }
                    None => self.autoencoder()?,
                };
                if !stopping() {
                    self.finish_net(&mut net)?;
                }
                self.tune(&mut net, [train, test], run)?;
                net.into()
            }
            Kind::Convolutional => {
                let mut net = self.convolutional_autoencoder(sets)?;
                self.finish_net(&mut net)?;
                self.tune(&mut net, [train, test], run)?;
                net.into()
            }
            Kind::Vae => {
                let mut vae = self.vae()?;
                self.tune(&mut vae, [train, test], run)?;
                vae.into()
            }
            Kind::Sequence => {
                let mut net = self.sequence_autoencoder()?;
                self.tune(&mut net, [train, test], run)?;
                net.into()
            }
            Kind::Dictionary => {
                let recipe = self.dictionary().unwrap_or_default();
                let mut training = recipe.run(device, train)?;
                if let Some(test) = run.judged_on(test, recipe.training.judges()) {
                    training = training.validation(test)?;
                }
                let trained = run.keep("dictionary", training).train()?;
                if trained.far > 0 {
                    let (outlier, what) =
                        (recipe.outlier, if recipe.leave_out { "left out" } else { "drawn in to that" });
                    say!(
                        "rows more than {outlier} times as far from the mean as the median one: {}, {what} (settings outlier, leave-out)",
                        trained.far
                    );
                }
                run.add_epochs(trained.epochs);
                trained.net.into()
            }
            Kind::PredictiveSparse => {
                let mut model = self.predictive_sparse()?;
                self.tune(&mut model, [train, test], run)?;
                model.net.into()
            }
            Kind::Pca => {
                let heard = |_| if stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                let pca = Pca::fit_observed(device, train, self.sizes[1], heard)?;
                let stopped = || Error::Job("stopped by a signal before the components were found".to_owned());
                pca.ok_or_else(stopped)?.into()
            }
            Kind::Rbm | Kind::Stack => {
                let pretrain = self.pretrain.clone().unwrap_or_default();
                let judged = run.judged_on(test, pretrain.judges());
                // Of one machine the free energies are always reported; of stacks, which takes longer, if something depends on them.
                let watched = if self.job.kind == Kind::Rbm { Some(test) } else { judged };
                let mut stack = run.pretrain(&pretrain, &self.sizes, train, watched)?;
                match self.job.kind {
                    Kind::Rbm if !stack.rbms.is_empty() => stack.rbms.swap_remove(0).into(),
                    _ => stack.into(),
                }
            }
            Kind::Dbn => self.belief_net(parts, device, run)?,
            Kind::Classifier => {
                let [labelled, labelled_test] = parts.labelled()?;
                let mut net = self.classifier(parts, device, run)?;
                self.tune(&mut net, [labelled.rows(), labelled_test.rows()], run)?;
                net.into()
            }
        })
    }

    fn tune(
        &self,
        model: &mut dyn crate::Member,
        [train, test]: [Rows<'_>; 2],
        run: &mut Experiment<Job>,
    ) -> Result<()> {
        let training = self.training.clone().unwrap_or_default();
        run.train(&training.tuning, model, train, test)
    }

    /// An autoencoder with random weights.
    fn autoencoder(&self) -> Result<Autoencoder> {
        let mut net = Autoencoder::glorot(&self.sizes, self.job.seed)?;
        let last = net.layers.len() - 1;
        let encoder = net.encoder;
        for (i, layer) in net.layers.iter_mut().enumerate() {
            let chosen = match i {
                _ if i + 1 == encoder => self.job.code_activation,
                _ if i == last => self.job.output,
                _ => self.job.activation,
            };
            layer.activation = chosen.unwrap_or(layer.activation);
        }
        self.finish_net(&mut net)?;
        Ok(net)
    }

    /// Noise, penalty, ties and the numbers of a code that stay.
    fn finish_net(&self, net: &mut Autoencoder) -> Result<()> {
        net.top_k = self.job.top_k;
        if let Some(training) = &self.training {
            training.set(net);
            if training.tied {
                net.tie()?;
            }
        }
        Ok(())
    }

    fn predictive_sparse(&self) -> Result<PredictiveSparse> {
        let inference = self.job.inference.unwrap_or_default();
        Ok(PredictiveSparse::new(self.sizes[0], self.sizes[1], inference, self.job.seed)?)
    }

    fn vae(&self) -> Result<Vae> {
        let hidden = self.job.activation.unwrap_or(Activation::Relu);
        let mut vae = Vae::glorot(&self.sizes, hidden, self.job.seed)?;
        if let Some((last, output)) = vae.layers.last_mut().zip(self.job.output) {
            last.activation = output;
        }
        if let Some(training) = &self.training {
            training.set_vae(&mut vae);
        }
        Ok(vae)
    }

    fn classifier(&self, parts: &Parts<'_>, device: &Device, run: &mut Experiment<Job>) -> Result<Classifier> {
        let seed = self.job.seed;
        let mut net = if let Some(pretrain) = &self.pretrain {
            let held_out = run.judged_on(parts.test, pretrain.judges());
            let net = run.pretrain(pretrain, &self.sizes, parts.train, held_out)?.unroll();
            Classifier::on(&net.layers[..net.encoder], parts.classes, seed)?
        } else if let Some(stacked) = &self.denoising {
            let mut training = stacked.run(device, parts.train)?;
            if let Some(test) = run.judged_on(parts.test, stacked.training.tuning.judges()) {
                training = training.validation(test)?;
            }
            let stack = run.keep("stack", training).train()?;
            run.seconds_train += stack.epochs.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
            Classifier::on(&stack.layers, parts.classes, seed)?
        } else {
            let sizes = [&self.sizes[..], &[parts.classes]].concat();
            Classifier::glorot(&sizes, self.job.activation.unwrap_or(Activation::Relu), seed)?
        };
        if let Some(training) = &self.training {
            training.set_classifier(&mut net);
        }
        Ok(net)
    }

    /// A belief net: machines below, a machine of their features and the labels on top, and the up-down algorithm.
    fn belief_net(&self, parts: &Parts<'_>, device: &Device, run: &mut Experiment<Job>) -> Result<Model> {
        let (pretrain, classes) = (self.pretrain.clone().unwrap_or_default(), parts.classes);
        let [labelled, labelled_test] = parts.labelled()?;
        let held_out = run.judged_on(parts.test, pretrain.judges());
        let below = run.pretrain(&pretrain, &self.sizes[..self.sizes.len() - 1], parts.train, held_out)?;
        if stopping() {
            return Ok(below.into());
        }
        let (features, top) = (self.sizes[self.sizes.len() - 2], self.sizes[self.sizes.len() - 1]);
        let mut net = Dbn::on(&below, classes, top, &mut Stream::new(self.job.seed, streams::TOP_MACHINE))?;
        let up: Vec<_> = below.rbms.iter().map(crate::Rbm::up).collect();
        let values = forward(device, &up, None, &parts.train)?;
        let [labels, test_labels] =
            parts.labels.as_ref().map(|[train, test]| [&train[..], &test[..]]).unwrap_or_default();
        let rows = Labelled::new(Rows::numbers(&values, features)?, labels, classes)?;
        let test_rows = match run.judged_on(parts.test, pretrain.judges()) {
            None => None,
            Some(test) => {
                let values = forward(device, &up, None, &test)?;
                Some(Labelled::new(Rows::numbers(&values, features)?, test_labels, classes)?)
            }
        };
        let visible = Units::Softmax(Groups { first: features, classes });
        let greedy = Pretrain { visible, ..pretrain };
        let held_out = test_rows.as_ref().map(Labelled::rows);
        let mut machines = run.pretrain(&greedy, &[features + classes, top], rows.rows(), held_out)?.rbms;
        if let Some(machine) = machines.pop() {
            net.top = machine;
        }
        drop(values);
        if let Some(up_down) = self.up_down.as_ref().filter(|_| !stopping()) {
            let mut training = up_down.run(device, &mut net, labelled.rows())?;
            if let Some(test) = run.judged_on(labelled_test.rows(), up_down.judges()) {
                training = training.validation(test)?;
            }
            let tuned = run.keep("up-down", training).train()?;
            run.seconds_train += tuned.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
        }
        Ok(net.into())
    }

    /// How the model is saved: with its preparation, and with what commands need to know of its data. Paths are left out, so that
    /// equal models are equal files.
    ///
    /// # Errors
    /// If the job cannot be written.
    pub fn save_options(&self, sets: &Sets, threshold: Option<f64>) -> Result<SaveOptions> {
        let mut job = Job { data: None, test_data: None, ..self.job.clone() };
        job.read.labels_file = None;
        let mut notes = BTreeMap::new();
        let mut note = |name: &str, value: String| notes.insert(format!("strait.{name}"), value);
        note("job", job.to_string());
        if let Some(threshold) = threshold {
            note("threshold", threshold.to_string());
        }
        if let Some([height, width]) = sets.train.picture_shape().filter(|_| sets.train.shape.len() > 1) {
            note("picture", format!("{height}x{width}"));
        }
        if let Some(labels) = &sets.train.labels {
            let names = serde_json::to_string(&labels.names);
            note("classes", names.map_err(|error| Error::Unwritten(error.to_string()))?);
        }
        Ok(SaveOptions { notes, preparation: sets.preparation.clone(), ..SaveOptions::default() })
    }
}
