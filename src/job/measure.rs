//! What is measured of a trained model, on the rows held out.

use super::train::Parts;
use super::{Job, Kind, Resolved};
use crate::data::Format;
use crate::experiment::{Experiment, Result, Sets};
use crate::models::{UnitUses, knn_accuracy, mean, mistakes, threshold};
use crate::{Activation, Device, Model, Rows};

/// The most rows that neighbours are looked for among.
const MOST_NEIGHBOURS: usize = 60_000;

/// Rows that are kept for each unit of a sparse code.
const TOP: usize = 8;

/// Neighbours that vote on the label of a code.
const NEIGHBOURS: usize = 5;

impl Resolved {
    /// The published figure of this job, where it is one of MNIST's: Hinton & Salakhutdinov 2006, the likelihood of Kingma & Welling's model
    /// as later reimplementations report it, and the errors of Hinton & Salakhutdinov's classifier and Hinton, Osindero & Teh's belief net.
    fn published(&self, sets: &Sets) -> Option<f64> {
        if sets.train.format != Format::Mnist || sets.preparation.is_some() || self.job.limit.is_some() {
            return None;
        }
        match (self.job.kind, &self.sizes[..]) {
            (Kind::Autoencoder, [784, 1000, 500, 250, 30]) => Some(3.00),
            (Kind::Autoencoder, [784, 30]) if self.job.code_activation == Some(Activation::Linear) => Some(8.01),
            (Kind::Pca, [784, 30]) => Some(13.87),
            (Kind::Vae, [784, 400, 20]) => Some(-105.0),
            (Kind::Classifier, [784, 500, 500, 2000]) => Some(1.2),
            (Kind::Dbn, [784, 500, 500, 2000]) => Some(1.25),
            _ => None,
        }
    }

    /// Measures the model; gives the threshold of anomalies, and how the units of a sparse code are used.
    pub(super) fn measure(
        &self,
        model: &Model,
        parts: &Parts<'_>,
        sets: &Sets,
        device: &Device,
        run: &mut Experiment<Job>,
    ) -> Result<(Option<f64>, Option<UnitUses>)> {
        let mut loaded = model.on(device)?;
        let &Parts { train, test, .. } = parts;
        let found = match self.job.kind {
            Kind::Classifier | Kind::Dbn => Some(loaded.predict(test)?),
            _ => None,
        };
        if let (Some(found), Some([_, labels])) = (&found, &parts.labels) {
            run.lower("test error, per cent", 100.0 * mistakes(found, labels)?).published(self.published(sets));
        }
        let scores = match self.job.kind {
            Kind::Classifier => None,
            _ => Some(loaded.score(test)?),
        };
        let reconstructs = matches!(
            self.job.kind,
            Kind::Autoencoder
                | Kind::Convolutional
                | Kind::Sequence
                | Kind::Dictionary
                | Kind::PredictiveSparse
                | Kind::Pca
                | Kind::Stack
        );
        let published = self.published(sets);
        if let Some(scores) = &scores {
            let mean = mean(scores);
            match self.job.kind {
                Kind::Vae => run.higher("evidence lower bound per test row, nats", -mean).published(published),
                Kind::Rbm | Kind::Dbn => run.lower("free energy per test row, nats", mean).published(None),
                _ => run.lower("squared error per test row", mean).published(published),
            }
            if reconstructs {
                let variance = test.variance();
                let explained = 1.0 - mean / variance;
                run.higher("explained variance of the test rows", explained).because("the test rows do not vary");
            }
        }
        let units = match model {
            Model::Autoencoder(net) if net.is_sparse() => {
                let mut uses = UnitUses::new(net.code_size(), TOP);
                uses.take(&net.encode_largest(device, test)?);
                Some(uses)
            }
            _ => None,
        };
        if let (Some(uses), Kind::Dictionary) = (&units, self.job.kind) {
            run.lower("units that no test row uses, per cent", 100.0 * uses.dead() as f64 / uses.units.len() as f64);
            run.lower("numbers of a code that are not 0 (L0)", uses.l0());
        }
        if let (Some([train_labels, test_labels]), false) = (&parts.labels, self.job.kind == Kind::Dbn) {
            let known = train.first(MOST_NEIGHBOURS);
            let size = model.code_size();
            let codes = [loaded.encode(known)?, loaded.encode(test)?];
            let rows = [Rows::numbers(&codes[0], size)?, Rows::numbers(&codes[1], size)?];
            let accuracy = knn_accuracy(device, rows, [&train_labels[..known.count], test_labels], NEIGHBOURS)?;
            run.higher(format!("{NEIGHBOURS}-NN accuracy of the codes, per cent"), 100.0 * accuracy);
        }
        let narrow = |scores: Vec<f64>| scores.into_iter().map(|score| score as f32).collect::<Vec<_>>();
        let threshold = scores.map(|scores| threshold(&narrow(scores), 1.0 - self.job.quantile)).transpose()?;
        Ok((threshold.map(f64::from), units))
    }
}
