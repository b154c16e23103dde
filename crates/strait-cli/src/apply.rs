//! `strait encode`, `decode`, `reconstruct`, `score` and `classify`: a model applied to files of any size, window by window.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use strait::data::{Data, DataArgs, open_together};
use strait::{LoadedModel, Model};
use strait_data::{ColumnKind, OutputColumn, TableWriter};

use crate::opened::{ModelArgs, Opened};
use crate::target::Target;

/// The options of a command that applies a model to rows.
#[derive(Args)]
struct Applied {
    #[command(flatten)]
    model: ModelArgs,
    /// Files or folders of rows of any format; - for the standard input
    #[arg(required = true)]
    data: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    read: DataArgs,
}

/// A model and the files that it is applied to.
struct Work {
    opened: Opened,
    files: Vec<Data>,
    count: usize,
    device: strait::Device,
}

impl Applied {
    fn open(&self) -> Result<Work> {
        let (opened, device) = self.model.open()?;
        self.target.apart(&self.data)?;
        let files: Vec<Data> = self.data.iter().map(|path| opened.data(path, &self.read)).collect::<Result<_>>()?;
        let count = files.iter().map(Data::count).sum();
        Ok(Work { opened, files, count, device })
    }
}

impl Work {
    /// Writes what `each` makes of the loaded model and each file.
    fn write(
        &self,
        target: &Target,
        columns: &[OutputColumn],
        mut each: impl FnMut(&mut LoadedModel<'_>, &Data, &mut TableWriter<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut loaded = self.opened.model.on(&self.device)?;
        target.write(columns, self.count, |table| self.files.iter().try_for_each(|data| each(&mut loaded, data, table)))
    }
}

/// Single precision as the table takes it.
fn wide(numbers: &[f32], room: &mut Vec<f64>) {
    room.clear();
    room.extend(numbers.iter().map(|&x| f64::from(x)));
}

/// Writes the code of each row.
#[derive(Args)]
pub(crate) struct Encode {
    #[command(flatten)]
    applied: Applied,
    /// Of a code of few numbers: for each row the units that are not 0, then their numbers; zeros where it has fewer than others
    #[arg(long)]
    lists: bool,
}

impl Encode {
    pub(crate) fn run(&self) -> Result<()> {
        let work = self.applied.open()?;
        if self.lists {
            return self.write_lists(&work);
        }
        let columns = OutputColumn::numbered("z", work.opened.model.code_size());
        work.write(&self.applied.target, &columns, |loaded, data, table| {
            let mut room = Vec::new();
            Ok(loaded.encode_data(data, |codes| {
                wide(codes, &mut room);
                Ok(table.push(&room)?)
            })?)
        })
    }
}

impl Encode {
    fn write_lists(&self, work: &Work) -> Result<()> {
        let kind = work.opened.model.kind();
        let Model::Autoencoder(net) = work.opened.model.inner() else {
            bail!("--lists is for codes of few numbers, as dictionaries have, but this is a model of the kind {kind}");
        };
        if !net.is_sparse() {
            bail!("--lists is for codes of few numbers, as dictionaries have, but this net keeps all of a code");
        }
        let most = match net.top_k {
            Some(k) => k,
            // How many the rows have is seen once all are encoded.
            None => {
                let (mut loaded, mut most) = (work.opened.model.on(&work.device)?, 1);
                work.files.iter().try_for_each(|data| {
                    loaded.encode_largest_data(data, |codes| {
                        most = most.max(codes.k);
                        Ok(())
                    })
                })?;
                most
            }
        };
        let columns = |stem: &str, kind: ColumnKind| {
            (0..most).map(move |number| OutputColumn::new(format!("{stem}{number}"), kind.clone())).collect::<Vec<_>>()
        };
        let columns = [columns("unit", ColumnKind::Whole), columns("value", ColumnKind::Single)].concat();
        work.write(&self.applied.target, &columns, |loaded, data, table| {
            Ok(loaded.encode_largest_data(data, |codes| {
                let mut room = vec![0.0; 2 * most * codes.values.len() / codes.k];
                for (row, entries) in room.chunks_exact_mut(2 * most).zip(codes.rows()) {
                    for (place, (unit, value)) in entries.enumerate() {
                        (row[place], row[most + place]) = (unit as f64, f64::from(value));
                    }
                }
                Ok(table.push(&room)?)
            })?)
        })
    }
}

/// Writes the reconstruction of each row.
#[derive(Args)]
pub(crate) struct Reconstruct {
    #[command(flatten)]
    applied: Applied,
}

impl Reconstruct {
    pub(crate) fn run(&self) -> Result<()> {
        let work = self.applied.open()?;
        let columns = work.opened.row_columns();
        work.write(&self.applied.target, &columns, |loaded, data, table| {
            Ok(loaded.reconstruct_data(data, |rows| Ok(table.push(rows)?))?)
        })
    }
}

/// Writes the row that each code stands for.
#[derive(Args)]
pub(crate) struct Decode {
    #[command(flatten)]
    applied: Applied,
}

impl Decode {
    pub(crate) fn run(&self) -> Result<()> {
        let Applied { model, data, target, read } = &self.applied;
        target.apart(data)?;
        let (opened, device) = model.open()?;
        let files = open_together(data, &read.options())?;
        let size = opened.model.code_size();
        for file in &files {
            if file.width() != size {
                bail!(
                    "{}: its rows have {} numbers, but codes of the model {size}",
                    file.path().display(),
                    file.width()
                );
            }
        }
        let count = files.iter().map(Data::count).sum();
        let work = Work { opened, files, count, device };
        let columns = work.opened.row_columns();
        work.write(target, &columns, |loaded, data, table| Ok(loaded.decode_data(data, |rows| Ok(table.push(rows)?))?))
    }
}

/// Writes each row's number and score (higher is stranger), and whether it is an anomaly.
#[derive(Args)]
pub(crate) struct Score {
    #[command(flatten)]
    applied: Applied,
    /// The score above which a row is an anomaly; without it the one of the model's file, a quantile of the scores of rows held out of
    /// training
    #[arg(long)]
    threshold: Option<f64>,
}

impl Score {
    pub(crate) fn run(&self) -> Result<()> {
        let work = self.applied.open()?;
        if let Some(threshold) = self.threshold.filter(|threshold| !threshold.is_finite()) {
            bail!("--threshold {threshold}: it must be a number");
        }
        let threshold = self.threshold.or(work.opened.threshold());
        let mut columns =
            vec![OutputColumn::new("row", ColumnKind::Whole), OutputColumn::new("score", ColumnKind::Double)];
        if threshold.is_some() {
            columns.push(OutputColumn::new("anomaly", ColumnKind::Boolean));
        } else {
            strait::warn!(
                "the model's file has no threshold, so that the column `anomaly` is left out; --threshold sets one"
            );
        }
        let (mut row, mut anomalies) = (0u32, 0u32);
        work.write(&self.applied.target, &columns, |loaded, data, table| {
            let mut room = Vec::new();
            Ok(loaded.score_data(data, |scores| {
                room.clear();
                for &score in scores {
                    room.extend([f64::from(row), score]);
                    if let Some(threshold) = threshold {
                        let anomaly = score > threshold;
                        anomalies += u32::from(anomaly);
                        room.push(f64::from(u8::from(anomaly)));
                    }
                    row += 1;
                }
                Ok(table.push(&room)?)
            })?)
        })?;
        if let Some(threshold) = threshold {
            strait::warn!("{anomalies} of {row} rows score above {threshold}");
        }
        Ok(())
    }
}

/// Writes each row's number and class.
#[derive(Args)]
pub(crate) struct Classify {
    #[command(flatten)]
    applied: Applied,
}

impl Classify {
    pub(crate) fn run(&self) -> Result<()> {
        let work = self.applied.open()?;
        let kind = work.opened.classes().map_or(ColumnKind::Whole, ColumnKind::Named);
        let columns = [OutputColumn::new("row", ColumnKind::Whole), OutputColumn::new("class", kind)];
        // Said before a file is begun.
        if !matches!(work.opened.model.inner(), Model::Classifier(_) | Model::Dbn(_)) {
            let kind = work.opened.model.kind();
            bail!(
                "{}: a model of the kind {kind} has no classes; classifiers and belief nets have",
                work.opened.path.display()
            );
        }
        let mut row = 0u32;
        work.write(&self.applied.target, &columns, |loaded, data, table| {
            let mut room = Vec::new();
            Ok(loaded.predict_data(data, |classes| {
                room.clear();
                for &class in classes {
                    room.extend([f64::from(row), class as f64]);
                    row += 1;
                }
                Ok(table.push(&room)?)
            })?)
        })
    }
}
