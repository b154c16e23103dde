//! `strait train`: any member of the family, on any data.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use strait::compute::Spent;
use strait::data::{DataArgs, Scale};
use strait::experiment::{Experiment, Sets, precision, prepare};
use strait::job::{FILE, Job, Kind, Needs, OnRanks, Resolved, bits_per_second};
use strait::terminal::{stop_on_signals, stopping};
use strait::train::CheckpointOptions;
use strait::{Device, say, set_quiet};

use crate::ranks::Rank;

/// Trains a model by a job or by flags, which come before what the job says. What neither says is chosen by the data.
#[derive(Args)]
pub(crate) struct Train {
    /// A job, as `strait init` writes one
    job: Option<PathBuf>,
    /// Without a job: autoencoder, vae, convolutional, sequence, dictionary, predictive-sparse, pca, rbm, stack, dbn or classifier
    #[arg(long, conflicts_with = "job")]
    kind: Option<Kind>,
    /// The training data: a file or folder of any format that strait reads
    #[arg(long)]
    data: Option<PathBuf>,
    /// A file of rows held out of training; without it a tenth of the rows
    #[arg(long, value_name = "DATA")]
    test_data: Option<PathBuf>,
    /// Where the model, the results and the checkpoints go
    #[arg(long, short, default_value = "run")]
    out: PathBuf,
    /// The sizes of the hidden layers, the code last, as 64,8
    #[arg(long, value_delimiter = ',', value_name = "SIZES")]
    hidden: Option<Vec<usize>>,
    /// Epochs of training; of pretraining, where there is nothing else
    #[arg(long)]
    epochs: Option<usize>,
    /// Rows of a minibatch
    #[arg(long)]
    batch: Option<usize>,
    /// Train on the first N rows only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of all that is drawn
    #[arg(long)]
    seed: Option<u64>,
    /// Any setting of a job, as `training.weight-cost=1e-4`
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// auto (a GPU if there is one, else the CPU), cpu, cpu:N, gpu, or the number or a part of the name of an adapter
    #[arg(long, default_value = "auto")]
    device: String,
    /// auto (the fastest that costs no accuracy on the device), f32, mixed or split
    #[arg(long)]
    precision: Option<String>,
    /// Train data-parallel, as one of the processes that mpirun started
    #[arg(long)]
    mpi: bool,
    /// With --mpi: send gradients in 16 bits (bfloat16 with error feedback), for slow networks
    #[arg(long, requires = "mpi")]
    round_sums: bool,
    /// Cut each batch into N shards, a power of two: results are then bit-identical on any number of processes that divides N
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Only print what would be trained, the memory that it takes, and an estimate of the time
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: also estimate the training time on N machines like this one
    #[arg(long, requires = "dry_run", value_name = "N")]
    ranks: Option<usize>,
    /// With --ranks: the bandwidth of their network, such as 10Gb
    #[arg(long, requires = "ranks", default_value = "10Gb")]
    network: String,
    /// Print nothing but warnings and errors
    #[arg(long, short)]
    quiet: bool,
    /// Print the results as one JSON object, and nothing else
    #[arg(long, conflicts_with = "dry_run")]
    json: bool,
    #[command(flatten)]
    checkpoints: CheckpointOptions,
    #[command(flatten)]
    read: DataArgs,
}

impl Train {
    pub(crate) fn run(&self) -> Result<()> {
        match self.mpi {
            true => crate::ranks::run(self.round_sums, |rank| self.train(Some(rank))),
            false => self.train(None),
        }
    }

    fn train(&self, rank: Option<&Rank>) -> Result<()> {
        // Rank 0 alone tells and writes; what the others write is nobody's.
        let follows = rank.is_some_and(|rank| !rank.is_first());
        set_quiet(self.quiet || self.json || follows);
        let scratch = follows.then(tempfile::tempdir).transpose()?;
        let out = scratch.as_ref().map_or(&*self.out, |scratch| scratch.path());
        let job = self.job()?;
        let Some(path) = job.data.clone() else {
            bail!("no data are named: neither by --data nor in the job");
        };
        let sets = job.open(&path)?;
        let mut resolved = job.resolve(&sets)?;
        resolved.check(sets.train.labels.as_ref().map_or(0, |labels| labels.names.len()))?;
        let device = rank.map_or_else(|| Device::named(&self.device), |rank| rank.device(&self.device))?;
        let chosen = precision(&device, self.precision.as_deref(), Resolved::precision_of(&job)?)?;
        resolved = resolved.in_precision(chosen)?;
        if let Some(shards) = self.shards {
            resolved = resolved.in_shards(shards)?;
        }
        if resolved.job.scale == Some(Scale::None) {
            sets.warn()?;
        }
        let sets = sets.scaled(resolved.job.scale.unwrap_or_default())?;
        let rows = sets.train.count().min(job.limit.unwrap_or(usize::MAX));
        say!("{}, {}", device.describe(), chosen.name());
        if let Some(rank) = rank {
            say!("{}", rank.describe());
        }
        say!("{rows} rows of {} numbers for training, {} held out\n", sets.train.width(), sets.test.count());
        say!("{}", resolved.job);
        let needs = resolved.needs(&sets, &device)?;
        say!("{needs}");
        if self.dry_run {
            return self.plan(&resolved, &sets, &device, &needs);
        }
        needs.check()?;
        prepare(out)?;
        stop_on_signals()?;
        let mut run = Experiment::of_job(&device, &resolved, out, rows, self.checkpoints)?;
        let trained = resolved.train(&sets, &device, &mut run)?;
        if rank.is_some() {
            tell_sums(device.spent_on_sums(), run.seconds_train);
        }
        if follows {
            return Ok(());
        }
        let saved = resolved.save_options(&sets, trained.threshold)?;
        trained.model.save_with(run.path("model.safetensors"), &saved)?;
        #[cfg(feature = "pictures")]
        if !stopping() {
            strait::job::draw(&trained.model, &sets, &device, out)?;
        }
        if !stopping() {
            strait::report::write_map(&trained.model, &sets, &device, out)?;
            if let Some(units) = &trained.units {
                strait::report::write_units(units, out)?;
            }
        }
        run.finish()?;
        if self.json {
            set_quiet(false);
            say!("{}", std::fs::read_to_string(run.path("results.json"))?.trim_end());
        }
        Ok(strait::report::write(&[out], &run.path(strait::report::FILE))?)
    }

    /// Prints what would be trained, and how long it would take.
    fn plan(&self, resolved: &Resolved, sets: &Sets, device: &Device, needs: &Needs) -> Result<()> {
        // Before anything is tried.
        let network = bits_per_second(&self.network)?;
        let mut shown = Vec::new();
        for program in &needs.programs {
            let text = program.to_string();
            if !shown.contains(&text) {
                say!("\n{}", text.trim_end());
                shown.push(text);
            }
        }
        if let Err(error) = needs.check() {
            strait::warn!("warning: {error}");
            return Ok(());
        }
        let tried = resolved.tried(sets, device)?;
        say!("\nabout {:.0} s, by what {} rows took", tried.seconds.ceil(), tried.rows);
        let Some(ranks) = self.ranks else { return Ok(()) };
        let plan = resolved.on_ranks(sets, device, &tried, ranks, network)?;
        let OnRanks { alone, computing, summing, steps, bytes, .. } = plan;
        if alone <= 0.0 || computing <= 0.0 {
            strait::warn!(
                "warning: an epoch of {} rows is too short to be measured: no estimate for {ranks} machines",
                tried.rows
            );
            return Ok(());
        }
        say!(
            "{ranks} machines like this one at {}/s: about {:.1} s of training, beside {alone:.1} s on one: {computing:.1} s of computing and {summing:.1} s in which \
             {:.2} MB are summed in each of {steps} steps; efficiency {:.2}",
            self.network,
            plan.seconds(),
            bytes / 1e6,
            plan.efficiency()
        );
        Ok(())
    }

    /// The job with the flags in their places.
    fn job(&self) -> Result<Job> {
        let earlier = self.out.join(FILE);
        let mut job = match (&self.job, self.kind) {
            (Some(path), _) => Job::read(path)?,
            (None, Some(kind)) => Job::new(kind),
            (None, None) if self.checkpoints.resume && earlier.exists() => Job::read(&earlier)?,
            (None, None) if self.checkpoints.resume => {
                bail!(
                    "--resume: {} holds no {FILE} of a run to go on with; name its folder by --out, or a job",
                    self.out.display()
                )
            }
            (None, None) => bail!("name a job, as `strait init` writes one, or what to train by --kind"),
        };
        let machines = matches!(job.kind, Kind::Rbm | Kind::Stack | Kind::Dbn);
        let table = if machines { "pretrain" } else { "training" };
        if job.kind == Kind::Pca && (self.epochs.is_some() || self.batch.is_some()) {
            bail!("--epochs and --batch: principal components are not trained in epochs");
        }
        let mut set = |name: &str, value: String| -> Result<()> {
            job = job.with(name, &value)?;
            Ok(())
        };
        if let Some(epochs) = self.epochs {
            set(&format!("{table}.epochs"), epochs.to_string())?;
        }
        if let Some(batch) = self.batch {
            set(&format!("{table}.batch"), batch.to_string())?;
        }
        for setting in &self.set {
            let (name, value) =
                setting.split_once('=').with_context(|| format!("--set {setting}: expected NAME=VALUE"))?;
            set(name.trim(), value.trim().to_owned()).with_context(|| format!("--set {setting}"))?;
        }
        job.data = self.data.clone().or(job.data);
        job.test_data = self.test_data.clone().or(job.test_data);
        job.hidden = self.hidden.clone().or(job.hidden);
        job.limit = self.limit.or(job.limit);
        job.seed = self.seed.unwrap_or(job.seed);
        job.scale = self.read.scale().or(job.scale);
        job.read = self.read.over(&job.read);
        Ok(job)
    }
}

/// Prints what sums over ranks have taken.
fn tell_sums(Spent { steps, bytes, time }: Spent, seconds: f64) {
    if steps > 0 && seconds > 0.0 {
        let (each, share) = (bytes as f64 / steps as f64 / 1e6, 100.0 * time.as_secs_f64() / seconds);
        say!("sums over ranks: {each:.2} MB in each of {steps} steps, {share:.1} % of the time of training");
    }
}
