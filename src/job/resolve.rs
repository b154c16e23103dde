//! What a job leaves open, chosen by the data.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use super::{Job, Kind};
use crate::data::{Data, Format, Scale, Summary};
use crate::experiment::{Error, Result, Sets};
use crate::{
    Activation, FineTune, Groups, KSparse, MemberRecipe, Objective, Optimizer, Precision, Pretrain, Schedule, Sparsity,
    Stacked, Units, UpDown,
};

/// A job in which nothing is open, with the recipes that its tables stand for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The job with all that was chosen.
    pub job: Job,
    /// The sizes of the layers, from the rows to the code.
    pub sizes: Vec<usize>,
    /// Pretraining by contrastive divergence.
    pub pretrain: Option<Pretrain>,
    /// Pretraining by denoising autoencoders.
    pub denoising: Option<Stacked>,
    /// Fine-tuning of a belief net.
    pub up_down: Option<UpDown>,
    /// Training by back-propagation.
    pub training: Option<MemberRecipe>,
}

/// What the values of a data set are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Values {
    /// From 0 to 1.
    Probabilities,
    /// Counts of words.
    Counts,
    /// Any numbers.
    Real,
}

impl Values {
    fn of(data: &Data, scale: Option<Scale>) -> Result<Self> {
        match scale {
            Some(Scale::Clipped) => return Ok(Self::Probabilities),
            // Rows that it was not fitted on may lie beyond 0 and 1.
            Some(Scale::Unit | Scale::Standard | Scale::Robust | Scale::UnitNorm) => return Ok(Self::Real),
            Some(Scale::None) | None => {}
        }
        if data.is_pixels() {
            return Ok(Self::Probabilities);
        }
        let Summary { columns, .. } = data.summary()?;
        let within =
            |least: f64, most: f64| columns.iter().all(|c| c.finite == 0 || (c.minimum >= least && c.maximum <= most));
        let words = matches!(data.format, Format::Svmlight | Format::LdaC | Format::Uci);
        Ok(if within(0.0, 1.0) {
            Self::Probabilities
        } else if words && within(0.0, 1e6) && columns.iter().all(|c| c.whole) {
            Self::Counts
        } else {
            Self::Real
        })
    }
}

impl Job {
    /// Chooses what the job leaves open by the data: real values are standardised, and reconstructed by linear units that minimise the
    /// squared error; values from 0 to 1 stay, and are reconstructed by logistic units that minimise the cross-entropy; counts of words
    /// by a softmax.
    ///
    /// # Errors
    /// If a setting makes no sense, is none of the kind, or the data do not suit it.
    pub fn resolve(&self, sets: &Sets) -> Result<Resolved> {
        self.check()?;
        let (data, width) = (&sets.train, sets.train.width());
        if self.kind.needs_labels() && data.labels.is_none() {
            return Err(Error::Job(format!(
                "a job of the kind {} needs labels: name their column by --labels, or a file of them by --labels-file",
                self.kind
            )));
        }
        let values = Values::of(data, self.scale)?;
        let mut job = self.clone();
        // A belief net's units are binary, and a stack of denoising autoencoders has logistic outputs.
        let logistic = self.kind == Kind::Dbn || self.denoising.is_some();
        let binary = logistic && values == Values::Real && self.scale.is_none();
        let values = if binary { Values::Probabilities } else { values };
        let lengths = self.sequence.as_ref().is_some_and(|table| table.lengths);
        if lengths && self.scale.is_some_and(|scale| scale != Scale::None) {
            let message = "rows that end in their number of steps are not scaled: it would be scaled, too; scale the values beforehand";
            return Err(Error::Job(message.to_owned()));
        }
        let scale = match values {
            _ if lengths => Scale::None,
            _ if binary => Scale::Clipped,
            _ if self.kind == Kind::Dictionary => Scale::None,
            Values::Real if self.kind != Kind::Pca => Scale::Standard,
            _ => Scale::None,
        };
        job.scale.get_or_insert(scale);
        let wide = (4 * width).clamp(32, 500);
        let code = (width as f64).sqrt().ceil().clamp(1.0, 30.0) as usize;
        let hidden = job.hidden.get_or_insert_with(|| match self.kind {
            Kind::Autoencoder | Kind::Vae | Kind::Stack => vec![wide, code],
            Kind::Convolutional => vec![16, 8, 8],
            Kind::Sequence => vec![64],
            Kind::Dictionary => vec![(8 * width).clamp(16, 2048)],
            Kind::PredictiveSparse => vec![(2 * width).clamp(16, 1000)],
            Kind::Pca => vec![code.min(width)],
            Kind::Rbm => vec![wide],
            Kind::Dbn => vec![wide, wide],
            Kind::Classifier => vec![wide],
        });
        if hidden.is_empty() || hidden.contains(&0) {
            return Err(Error::Job(format!(
                "hidden = {hidden:?}: there must be at least one layer, and none of size 0"
            )));
        }
        let sizes = [&[width], &hidden[..]].concat();
        let mut resolved = Resolved { sizes, pretrain: None, denoising: None, up_down: None, training: None, job };
        resolved.recipes(values, sets)?;
        Ok(resolved)
    }

    /// Whether the settings are those of the kind, and make sense for themselves.
    fn check(&self) -> Result<()> {
        let settings = [
            ("activation", self.activation.is_some()),
            ("code-activation", self.code_activation.is_some()),
            ("output", self.output.is_some()),
            ("top-k", self.top_k.is_some()),
            ("sparsity", self.sparsity.is_some()),
            ("bandwidth", self.bandwidth.is_some()),
            ("l0-weight", self.l0_weight.is_some()),
            ("aux-k", self.aux_k.is_some()),
            ("aux-weight", self.aux_weight.is_some()),
            ("dead-after", self.dead_after.is_some()),
            ("rounds", self.rounds.is_some()),
            ("centre", self.centre.is_some()),
            ("unit-rows", self.unit_rows.is_some()),
            ("outlier", self.outlier.is_some()),
            ("leave-out", self.leave_out.is_some()),
            ("kernel", self.kernel.is_some()),
            ("steps", self.steps.is_some()),
            ("sequence", self.sequence.is_some()),
            ("inference", self.inference.is_some()),
            ("pretrain", self.pretrain.is_some()),
            ("denoising", self.denoising.is_some()),
            ("up-down", self.up_down.is_some()),
            ("training", self.training.is_some()),
        ];
        let taken = self.kind.settings();
        if let Some((name, _)) = settings.iter().find(|(name, set)| *set && !taken.contains(name)) {
            return Err(Error::Job(format!("`{name}` is no setting of the kind {}", self.kind)));
        }
        if !(0.0 < self.quantile && self.quantile < 1.0) {
            return Err(Error::Job(format!("quantile = {}: it must lie between 0 and 1", self.quantile)));
        }
        if self.limit == Some(0) {
            return Err(Error::Job("limit = 0: there must be at least 1 row".to_owned()));
        }
        Ok(())
    }
}

impl Resolved {
    fn recipes(&mut self, values: Values, sets: &Sets) -> Result<()> {
        let seed = self.job.seed;
        let kind = self.job.kind;
        let bernoulli_codes = matches!(kind, Kind::Rbm | Kind::Stack | Kind::Dbn | Kind::Classifier);
        let visible = match values {
            Values::Probabilities => Units::Bernoulli,
            Values::Counts => Units::Softmax(Groups::one(self.sizes[0])),
            Values::Real => Units::Gaussian,
        };
        let code = if bernoulli_codes { Units::Bernoulli } else { Units::Gaussian };
        // Few rows in large minibatches are too few steps.
        let rows = sets.train.count().min(self.job.limit.unwrap_or(usize::MAX));
        let batch = (rows / 100).clamp(10, 100);
        if kind == Kind::Dbn && visible != Units::Bernoulli {
            let message = "a belief net takes values from 0 to 1: use --scale clipped";
            return Err(Error::Job(message.to_owned()));
        }
        let pretrain = Pretrain { visible, code, seed, batch, ..Pretrain::default() };
        let always = matches!(kind, Kind::Rbm | Kind::Stack | Kind::Dbn);
        if always && self.job.pretrain.is_none() {
            self.job.pretrain = Some(Table::new());
        }
        self.pretrain = table("pretrain", &mut self.job.pretrain, &pretrain)?;
        if kind == Kind::Dbn {
            self.job.up_down.get_or_insert_default();
            let up_down =
                UpDown { batch, epochs: 6, rate: 0.1, momentum: 0.9, discriminative: 1.0, seed, ..UpDown::default() };
            self.up_down = table("up-down", &mut self.job.up_down, &up_down)?;
        }
        if self.pretrain.is_some() && self.job.denoising.is_some() {
            return Err(Error::Job("a job is pretrained by `pretrain` or by `denoising`, not by both".to_owned()));
        }
        let hidden = self.sizes[1..].to_vec();
        let stacked = Stacked::default().training;
        let stacked = MemberRecipe { tuning: FineTune { seed, epochs: 5, batch, ..stacked.tuning }, ..stacked };
        let stacked = table("denoising", &mut self.job.denoising, &stacked)?;
        self.denoising = stacked.map(|training| Stacked { hidden, training });
        self.activations(values);
        if kind == Kind::Sequence {
            self.sequences(sets)?;
        }
        let trained = matches!(
            kind,
            Kind::Autoencoder
                | Kind::Vae
                | Kind::Convolutional
                | Kind::Sequence
                | Kind::Dictionary
                | Kind::PredictiveSparse
                | Kind::Classifier
        );
        if !trained {
            return Ok(());
        }
        let objective = match (kind, values, self.job.output) {
            (Kind::Dictionary | Kind::PredictiveSparse, ..)
            | (Kind::Sequence | Kind::Convolutional, Values::Counts | Values::Real, _) => Objective::SquaredError,
            (_, Values::Counts, Some(Activation::Linear)) => Objective::SoftmaxCrossEntropy,
            (_, _, None | Some(Activation::Logistic)) => Objective::CrossEntropy,
            _ => Objective::SquaredError,
        };
        let training = match kind {
            Kind::Dictionary => FineTune { batch: 5 * batch, ..KSparse::default().training },
            Kind::Vae => FineTune { batch, schedule: Schedule::Constant, ..FineTune::default() },
            Kind::Convolutional => {
                FineTune { epochs: 12, batch, optimizer: Optimizer::adam(2e-3), ..FineTune::default() }
            }
            _ => FineTune { batch, ..FineTune::default() },
        };
        let training = MemberRecipe::from(FineTune { objective, seed, ..training });
        self.job.training.get_or_insert_default();
        self.training = table("training", &mut self.job.training, &training)?;
        if kind == Kind::Convolutional {
            self.convolutions(values, sets)?;
        }
        self.refuse_idle_settings()?;
        if kind == Kind::PredictiveSparse {
            self.job.inference.get_or_insert_default();
        }
        if kind == Kind::Dictionary {
            self.job.top_k.get_or_insert((self.sizes[1] / 64).max(1));
            let KSparse { sparsity, bandwidth, l0_weight, rounds, centre, unit_rows, outlier, leave_out, .. } =
                KSparse::default();
            let job = &self.job;
            let thresholds_learn = job.sparsity == Some(Sparsity::JumpRelu);
            for (name, set, taken, with) in [
                ("bandwidth", job.bandwidth.is_some(), thresholds_learn, "sparsity = \"jump-relu\""),
                ("l0-weight", job.l0_weight.is_some(), thresholds_learn, "sparsity = \"jump-relu\""),
                ("aux-weight", job.aux_weight.is_some(), job.aux_k.is_some(), "aux-k"),
                ("dead-after", job.dead_after.is_some(), job.aux_k.is_some(), "aux-k"),
            ] {
                if set && !taken {
                    return Err(Error::Job(format!("`{name}` does nothing without `{with}`")));
                }
            }
            self.job.sparsity.get_or_insert(sparsity);
            if thresholds_learn {
                self.job.bandwidth.get_or_insert(bandwidth);
                self.job.l0_weight.get_or_insert(l0_weight);
            }
            self.job.rounds.get_or_insert(rounds);
            self.job.centre.get_or_insert(centre);
            self.job.unit_rows.get_or_insert(unit_rows);
            self.job.outlier.get_or_insert(outlier);
            self.job.leave_out.get_or_insert(leave_out);
        }
        Ok(())
    }

    /// The recipe of a dictionary, where the job is one.
    pub(super) fn dictionary(&self) -> Option<KSparse> {
        let training = self.training.as_ref().filter(|_| self.job.kind == Kind::Dictionary)?.tuning.clone();
        let (top_k, rounds, unit_rows) = (self.job.top_k?, self.job.rounds?, self.job.unit_rows?);
        let (outlier, leave_out, sparsity) = (self.job.outlier?, self.job.leave_out?, self.job.sparsity?);
        let default = KSparse::default();
        Some(KSparse {
            units: self.sizes[1],
            top_k,
            sparsity,
            bandwidth: self.job.bandwidth.unwrap_or(default.bandwidth),
            l0_weight: self.job.l0_weight.unwrap_or(default.l0_weight),
            aux_k: self.job.aux_k,
            aux_weight: self.job.aux_weight.unwrap_or(default.aux_weight),
            dead_after: self.job.dead_after,
            rounds,
            centre: self.job.centre.unwrap_or_default(),
            unit_rows,
            outlier,
            leave_out,
            training,
        })
    }

    /// Refuses settings of the training that would do nothing.
    fn refuse_idle_settings(&self) -> Result<()> {
        let Some(training) = &self.training else { return Ok(()) };
        let kind = self.job.kind;
        let nets = matches!(kind, Kind::Autoencoder | Kind::Convolutional);
        for (name, set, taken) in [
            ("kl-weight", training.kl_weight != 1.0, matches!(kind, Kind::Vae | Kind::Sequence)),
            ("tied", training.tied, kind == Kind::Autoencoder),
            ("penalty", training.penalty.is_some(), nets),
            ("corruption", training.corruption.is_some(), ![Kind::Dictionary, Kind::PredictiveSparse].contains(&kind)),
        ] {
            if set && !taken {
                return Err(Error::Job(format!("`training.{name}` does nothing for the kind {kind}")));
            }
        }
        Ok(())
    }

    /// The activations that the data and the kind ask for.
    fn activations(&mut self, values: Values) {
        let job = &mut self.job;
        let takes = |name: &str| job.kind.settings().contains(&name);
        let (takes_activation, takes_code, takes_output) =
            (takes("activation"), takes("code-activation"), takes("output"));
        // A machine's units are logistic, and so are those of a net that is made of machines.
        let made = self.pretrain.is_some() || self.denoising.is_some();
        if takes_activation && !made {
            job.activation.get_or_insert(Activation::Relu);
        }
        if takes_code && !made {
            let sparse = job.top_k.is_some();
            job.code_activation.get_or_insert(if sparse { Activation::Relu } else { Activation::Linear });
        }
        if takes_output {
            let logistic = values == Values::Probabilities;
            job.output.get_or_insert(if logistic { Activation::Logistic } else { Activation::Linear });
        }
    }

    /// Sets the precision of all training.
    ///
    /// # Errors
    /// If a recipe cannot be written.
    pub fn in_precision(self, precision: Precision) -> Result<Self> {
        self.with_each(|known, _| *known = precision)
    }

    /// Cuts the batches of all training into this number of shards.
    ///
    /// # Errors
    /// If a recipe cannot be written.
    pub fn in_shards(self, shards: usize) -> Result<Self> {
        self.with_each(|_, known| *known = Some(shards))
    }

    /// Changes the precision and the shards of all recipes, and the job with them.
    fn with_each(mut self, change: impl Fn(&mut Precision, &mut Option<usize>)) -> Result<Self> {
        if let Some(pretrain) = &mut self.pretrain {
            change(&mut pretrain.precision, &mut pretrain.shards);
            self.job.pretrain = Some(written("pretrain", pretrain)?);
        }
        if let Some(denoising) = &mut self.denoising {
            let tuning = &mut denoising.training.tuning;
            change(&mut tuning.precision, &mut tuning.shards);
            self.job.denoising = Some(written("denoising", &denoising.training)?);
        }
        if let Some(up_down) = &mut self.up_down {
            change(&mut up_down.precision, &mut up_down.shards);
            self.job.up_down = Some(written("up-down", up_down)?);
        }
        if let Some(training) = &mut self.training {
            change(&mut training.tuning.precision, &mut training.tuning.shards);
            self.job.training = Some(written("training", training)?);
        }
        Ok(self)
    }

    /// The precision that the job names, where it names one.
    ///
    /// # Errors
    /// If it names none that there is.
    pub fn precision_of(job: &Job) -> Result<Option<Precision>> {
        let tables = [&job.training, &job.pretrain, &job.up_down, &job.denoising];
        let named = tables.into_iter().flatten().find_map(|table| table.get("precision"));
        let wrong = |error: toml::de::Error| Error::Job(format!("precision: {}", error.message()));
        named.map(|value| value.clone().try_into().map_err(wrong)).transpose()
    }
}

fn written(name: &str, recipe: &impl Serialize) -> Result<Table> {
    let mut table = Table::try_from(recipe).map_err(|error| Error::Job(format!("[{name}]: {error}")))?;
    table.iter_mut().for_each(|(_, value)| shorten(value));
    Ok(table)
}

/// Gives numbers of single precision the fewest digits that read as the same number: 0.001 and not 0.0010000000474974513.
fn shorten(value: &mut toml::Value) {
    match value {
        toml::Value::Float(x) if f64::from(*x as f32) == *x => *x = format!("{}", *x as f32).parse().unwrap_or(*x),
        toml::Value::Array(values) => values.iter_mut().for_each(shorten),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| shorten(value)),
        _ => {}
    }
}

/// The recipe that a table stands for, which says what differs from `defaults`. All settings are written into the table.
fn table<R: Serialize + DeserializeOwned>(name: &str, table: &mut Option<Table>, defaults: &R) -> Result<Option<R>> {
    let Some(given) = table else { return Ok(None) };
    let mut whole = written(name, defaults)?;
    overlay(&mut whole, given);
    let read = |table: Table| table.try_into::<R>();
    let recipe = read(whole).map_err(|error| {
        // By itself among the defaults, the setting that is wrong says so.
        let alone = |(key, value): (&String, &toml::Value)| {
            let mut whole = written(name, defaults).ok()?;
            overlay(&mut whole, &Table::from_iter([(key.clone(), value.clone())]));
            read(whole).err().map(|error| (Some(key.clone()), error))
        };
        let (key, error) = given.iter().find_map(alone).unwrap_or((None, error));
        let setting = key.filter(|key| !error.message().contains(&format!("`{key}`")));
        let setting = setting.map(|key| format!(" {key}")).unwrap_or_default();
        Error::Job(format!("[{name}]{setting}: {}", error.message().trim_end()))
    })?;
    *given = written(name, &recipe)?;
    Ok(Some(recipe))
}

/// Puts what is given in the place of defaults. Of a choice with settings, as an optimiser, those that are not given stay, if it is the
/// same choice.
fn overlay(defaults: &mut Table, given: &Table) {
    for (name, value) in given {
        match (defaults.get_mut(name).and_then(toml::Value::as_table_mut), value) {
            (Some(inner), toml::Value::Table(value)) if value.keys().all(|key| inner.contains_key(key)) => {
                overlay(inner, value);
            }
            _ => {
                defaults.insert(name.clone(), value.clone());
            }
        }
    }
}
