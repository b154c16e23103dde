//! What an experiment trains and measures, and its report.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::page::Page;
use super::{Error, Result, write_as};
use crate::metrics::Metrics;
use crate::models::write_atomically;
use crate::terminal::{progress, stopping};
use crate::train::{CheckpointOptions, Checkpoints, Event, FineTuneEpoch, Plan, PretrainEpoch, Run};
use crate::{Device, FineTune, Member, Precision, Pretrain, Rows, Stack};
use crate::{say, warn};

/// A result, with the published one where there is one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Measured {
    /// Its name.
    pub what: String,
    /// Its value in this run.
    pub value: f64,
    /// The published one.
    pub published: Option<f64>,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// Why it has no value, where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

impl Measured {
    /// Says why the result has no value, if it has none.
    pub fn because(&mut self, reason: &str) {
        if self.undefined.is_some() {
            self.undefined = Some(reason.to_owned());
        }
    }

    /// Sets the value to compare with, where there is one.
    pub fn published(&mut self, value: impl Into<Option<f64>>) {
        self.published = value.into();
    }
}

/// What is said of results where the test set had a say in training.
pub(crate) const JUDGED: &str =
    "the test set decided when training ended or its learning rate fell, so that its error is not that of unseen rows";

/// An experiment on its device: it trains, collects what is measured, and becomes `results.json`.
#[derive(Serialize)]
pub struct Experiment<R> {
    #[serde(skip)]
    on: Device,
    #[serde(skip)]
    out: PathBuf,
    /// Where runs keep themselves and write their metrics; nothing where a run is only tried.
    #[serde(skip)]
    kept: Option<(Checkpoints, Metrics)>,
    /// The file beside the results that says what the run depends on.
    #[serde(skip)]
    recipe_file: &'static str,
    /// Whether `report.html` is written while it trains.
    #[serde(skip)]
    page: bool,
    /// How many runs have had a name so far.
    #[serde(skip)]
    runs: RefCell<BTreeMap<String, usize>>,
    /// What trained.
    device: String,
    /// The precision of the products of training. Results are always evaluated in f32.
    precision: Precision,
    /// The numbers that these multiply on this device.
    operands: String,
    /// What it was trained by.
    recipe: R,
    /// How many images it was trained on.
    pub train_images: usize,
    /// How long that took.
    pub seconds_train: f64,
    /// Whether a signal ended the run early.
    stopped: bool,
    /// Whether the test set decided when training ended, or when its rate fell: its error is then no longer that of unseen rows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    judged_on_test_set: bool,
    /// The results.
    measured: Vec<Measured>,
    /// How training went.
    pub epochs: Vec<FineTuneEpoch>,
}

impl Experiment<crate::job::Job> {
    /// The experiment of a job, with its results in a folder.
    ///
    /// # Errors
    /// If no file can be written there.
    pub fn of_job(
        device: &Device,
        resolved: &crate::job::Resolved,
        out: &Path,
        rows: usize,
        checkpoints: CheckpointOptions,
    ) -> Result<Self> {
        let kept = super::keep(out, checkpoints)?;
        let precision = crate::job::Resolved::precision_of(&resolved.job)?.unwrap_or_default();
        let job = resolved.job.clone();
        let mut experiment = Self::new(device, precision, out, job, rows, Some(kept));
        (experiment.recipe_file, experiment.page) = (crate::job::FILE, true);
        let path = experiment.path(crate::job::FILE);
        if !(checkpoints.resume && path.exists()) {
            write_as(out, crate::job::FILE, &resolved.job)?;
        }
        Ok(experiment)
    }

    /// An experiment that leaves no trace: it shows nothing and writes nothing.
    pub(crate) fn tried(device: &Device, job: &crate::job::Job) -> Self {
        Self::new(device, Precision::F32, Path::new(""), job.clone(), 0, None)
    }
}

impl<R: Serialize> Experiment<R> {
    pub(crate) fn new(
        device: &Device,
        precision: Precision,
        out: &Path,
        recipe: R,
        train_images: usize,
        kept: Option<(Checkpoints, Metrics)>,
    ) -> Self {
        Self {
            on: device.clone(),
            out: out.to_owned(),
            kept,
            recipe_file: super::RECIPE,
            page: false,
            runs: RefCell::default(),
            device: device.describe(),
            precision,
            operands: format!("{:?}", device.operands(precision)).to_lowercase(),
            recipe,
            train_images,
            seconds_train: 0.0,
            stopped: false,
            judged_on_test_set: false,
            measured: Vec::new(),
            epochs: Vec::new(),
        }
    }

    /// The path of a file among the results.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.out.join(file)
    }

    /// A name for a run that no other run of this experiment has: further runs of the same name have a number behind it.
    fn unique(&self, name: &str) -> String {
        let mut runs = self.runs.borrow_mut();
        let number = runs.entry(name.to_owned()).or_default();
        *number += 1;
        if *number > 1 { format!("{name}-{number}") } else { name.to_owned() }
    }

    /// Lets checkpoints open as models that do this with rows of this width first.
    pub(crate) fn keep_preparation(&mut self, preparation: Option<&crate::data::Preparation>, width: usize) {
        if let Some((checkpoints, _)) = &mut self.kept
            && let Some(preparation) = preparation
        {
            *checkpoints = checkpoints.clone().with_preparation(preparation.clone(), width);
        }
    }

    /// The test set, where it decides when a training ends or its rate falls, of which results tell.
    pub(crate) fn judged_on<'a>(&mut self, test: Rows<'a>, judges: bool) -> Option<Rows<'a>> {
        self.judged_on_test_set |= judges;
        judges.then_some(test)
    }

    /// A run that shows progress, keeps checkpoints and writes its metrics under this name, which is made unique.
    pub fn keep<'a, P: Plan<'a>>(&self, name: &str, run: Run<'a, P>) -> Run<'a, P> {
        self.keep_with(name, run, progress())
    }

    /// The same with another way to show how it goes.
    pub fn keep_with<'a, P: Plan<'a>>(
        &self,
        name: &str,
        run: Run<'a, P>,
        show: impl FnMut(&Event) -> ControlFlow<()> + 'a,
    ) -> Run<'a, P> {
        self.keep_as(&self.unique(name), run, show)
    }

    fn keep_as<'a, P: Plan<'a>>(
        &self,
        name: &str,
        run: Run<'a, P>,
        show: impl FnMut(&Event) -> ControlFlow<()> + 'a,
    ) -> Run<'a, P> {
        match &self.kept {
            Some((checkpoints, metrics)) => {
                let page = Page::new(self.page.then(|| self.out.clone()));
                run.observe(metrics.run(name).and(page.and(show))).checkpoints(checkpoints, name)
            }
            None => run.observe(|_| if stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }),
        }
    }

    /// Trains a model, shows how it goes and reports its epochs. After a signal it does nothing.
    ///
    /// # Errors
    /// Those of [`FineTune::run`].
    pub fn train(&mut self, recipe: &FineTune, model: &mut dyn Member, rows: Rows<'_>, test: Rows<'_>) -> Result<()> {
        self.judged_on_test_set |= recipe.judges();
        if !stopping() {
            let name = self.unique("training");
            let tuned = self.keep_as(&name, recipe.run(&self.on, model, rows)?.test(test)?, progress()).train()?;
            if let Some((_, metrics)) = &self.kept {
                let mut metrics = metrics.run(&name);
                let told = metrics
                    .event_file()
                    .and_then(|events| events.layers(model.stage(), tuned.epochs.len(), model.layers()));
                if let Err(error) = told {
                    warn!(
                        "warning: {}: the distributions of the weights cannot be written ({error})",
                        self.out.display()
                    );
                }
            }
            self.add_epochs(tuned.epochs);
        }
        Ok(())
    }

    /// Trains another model to compare with, under this heading. Its epochs are not reported. After a signal it does nothing.
    ///
    /// # Errors
    /// Those of [`FineTune::run`].
    pub fn compare(
        &self,
        heading: &str,
        recipe: &FineTune,
        model: &mut dyn Member,
        rows: Rows<'_>,
        test: Rows<'_>,
    ) -> Result<()> {
        if !stopping() {
            say!("\n{heading}");
            self.keep("comparison", recipe.run(&self.on, model, rows)?.test(test)?).train()?;
        }
        Ok(())
    }

    /// Trains a stack of machines of these sizes, shows how it goes and reports the seconds that it takes. Where rows are held
    /// out, their free energies are watched.
    ///
    /// # Errors
    /// Those of [`Pretrain::run`].
    pub fn pretrain(
        &mut self,
        recipe: &Pretrain,
        sizes: &[usize],
        rows: Rows<'_>,
        held_out: Option<Rows<'_>>,
    ) -> Result<Stack> {
        let mut run = recipe.run(&self.on, sizes, rows)?;
        if let Some(held_out) = held_out {
            run = run.held_out(held_out)?;
        }
        let trained = self.keep("pretraining", run).train()?;
        let seconds = |epoch: &PretrainEpoch| epoch.seconds;
        self.seconds_train += trained.layers.iter().flatten().map(seconds).sum::<f64>();
        if stopping() {
            // Nothing may come after it that would save a model.
            if self.kept.is_some() {
                trained.stack.unroll().save(self.path("model.safetensors"))?;
            }
        }
        Ok(trained.stack)
    }

    /// Reports epochs of training and the seconds that they took.
    pub fn add_epochs(&mut self, epochs: Vec<FineTuneEpoch>) {
        self.seconds_train += epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
        self.epochs.extend(epochs);
    }

    /// Reports a result for which less is better.
    pub fn lower(&mut self, what: impl Into<String>, value: f64) -> &mut Measured {
        self.measure(what.into(), value, false)
    }

    /// Reports a result for which more is better.
    pub fn higher(&mut self, what: impl Into<String>, value: f64) -> &mut Measured {
        self.measure(what.into(), value, true)
    }

    fn measure(&mut self, what: String, value: f64, higher_is_better: bool) -> &mut Measured {
        let undefined = (!value.is_finite()).then(|| "it cannot be computed from these data".to_owned());
        self.measured.push(Measured { what, value, published: None, higher_is_better, undefined });
        let last = self.measured.len() - 1;
        &mut self.measured[last]
    }

    /// Prints the results beside the published ones, and writes them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.stopped = stopping();
        let widest = self.measured.iter().map(|result| result.what.chars().count()).max().unwrap_or(0);
        let compared = self.measured.iter().any(|result| result.published.is_some());
        say!("\n{:<widest$}{:>12}{:>12}", "", "this run", if compared { "published" } else { "" });
        for Measured { what, value, published, undefined, .. } in &self.measured {
            let none = if compared { "-" } else { "" };
            let published = published.map_or(none.to_owned(), |published| match published {
                published if published.abs() < 1.0 => format!("{published:.3}"),
                published => format!("{published:.2}"),
            });
            match undefined {
                Some(reason) => say!("{what:<widest$}{:>12}{published:>12}  {reason}", "undefined"),
                None => say!("{what:<widest$}{value:>12.3}{published:>12}"),
            }
        }
        if self.judged_on_test_set {
            say!("{JUDGED}");
        }
        if !self.epochs.is_empty() {
            say!("training took {:.1} s on {}", self.seconds_train, self.device);
        }
        let json = serde_json::to_string_pretty(&self).map_err(|error| Error::Unwritten(error.to_string()))?;
        write_atomically(&self.path("results.json"), json.as_bytes())?;
        write_as(&self.out, self.recipe_file, &self.recipe)?;
        if self.stopped {
            say!("stopped by a signal; the results are those of the model as it was then, and --resume goes on");
        }
        say!("\nresults.json, {} and what else there is are in {}", self.recipe_file, self.out.display());
        Ok(())
    }
}
