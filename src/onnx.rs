//! Models as ONNX files, for ONNX Runtime and whatever else reads them.
//!
//! ```
//! use strait::onnx::{Part, export};
//! use strait::{Autoencoder, Model};
//! # let folder = tempfile::tempdir()?;
//! let net = Model::from(Autoencoder::glorot(&[784, 100, 10], 1)?);
//! export(&net, Part::Encoder, &Default::default(), folder.path().join("encoder.onnx"))?;
//! # Ok::<(), strait::models::Error>(())
//! ```
//!
//! Opset 18, IR 9. The number of rows is free. The input is `input`, what comes out is:
//!
//! | kind | encoder | decoder | whole |
//! | --- | --- | --- | --- |
//! | autoencoder, stack, RBM | `code` | `reconstruction`, `logits` | `code`, `reconstruction`, `logits` |
//! | VAE | `mean`, `log_variance` | `reconstruction`, `logits` | `mean`, `log_variance`, `reconstruction`, `logits` |
//! | classifier | `code` | – | `logits`, `probabilities`, `class` |
//! | belief net | `code` | `reconstruction`, `logits` | `logits` (negative free energies), `probabilities`, `class` |
//! | PCA | `code` | `reconstruction` | `code`, `reconstruction` |
//!
//! The preparation of rows is part of the graph, in double precision; where single precision would lose a column's differences, the input is
//! double precision. Reconstructions come in the scale of the data. `logits` are there where the outputs are logistic: ONNX Runtime 1.32
//! computes a `Sigmoid` of exactly 0 from -18 down, so compute cross-entropies from them.

mod graph;
mod proto;
mod sequences;

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;

use self::graph::{Graph, Type, int, ints};
use self::proto::{ModelProto, OperatorSetId, StringEntry};
use crate::data::{Preparation, Scale};
use crate::models::{Error, Result, Units, write_atomically};
use crate::{Activation, Affine, Autoencoder, Classifier, Dbn, Model, Pca, Rbm, Vae};

/// The version of the operators.
const OPSET: i64 = 18;

/// The version of the format.
const IR: i64 = 9;

/// The most bytes of a Protocol Buffer.
const MOST: usize = (1 << 31) - 1;

/// What of a model is exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "experiment", derive(clap::ValueEnum))]
pub enum Part {
    /// From a row to its code.
    Encoder,
    /// From a code to a row.
    Decoder,
    /// From a row to its reconstruction, or to its class.
    #[default]
    Whole,
    /// The same of a variational autoencoder, whose code is drawn with the standard normal numbers of a second input, `noise`.
    Noise,
}

/// The model as an ONNX file. `notes` become its `metadata_props`.
///
/// # Errors
/// If the kind has no such part, the model does not fit into a file of 2 GiB, or the file cannot be written.
pub fn export(model: &Model, part: Part, notes: &BTreeMap<String, String>, path: impl AsRef<Path>) -> Result<()> {
    write_atomically(path.as_ref(), &bytes(model, part, notes)?)
}

/// The same as bytes.
///
/// # Errors
/// As [`export`].
pub fn bytes(model: &Model, part: Part, notes: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    model.check()?;
    let mut graph = Graph::new(model.kind().name());
    Recorder { graph: &mut graph, preparation: model.preparation() }.record(model.inner(), part)?;
    let mut metadata: BTreeMap<String, String> = notes.clone();
    metadata.insert("strait.kind".to_owned(), model.kind().name().to_owned());
    if let Some(preparation) = model.preparation() {
        let scale = serde_json::to_string(&preparation.scale).unwrap_or_default();
        metadata.insert("strait.scale".to_owned(), scale.trim_matches('"').to_owned());
        if let Some(columns) = &preparation.columns {
            metadata.insert("strait.columns".to_owned(), serde_json::to_string(columns).unwrap_or_default());
        }
    }
    let model = ModelProto {
        ir_version: IR,
        producer_name: "strait".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph.finish()),
        opset_import: vec![OperatorSetId { domain: String::new(), version: OPSET }],
        metadata_props: metadata.into_iter().map(|(key, value)| StringEntry { key, value }).collect(),
    };
    if model.encoded_len() > MOST {
        let message = format!("the model takes {} bytes, but an ONNX file holds at most {MOST}", model.encoded_len());
        return Err(Error::Shape(message));
    }
    Ok(model.encode_to_vec())
}

/// Records a model.
struct Recorder<'a> {
    graph: &'a mut Graph,
    preparation: Option<&'a Preparation>,
}

impl Recorder<'_> {
    fn record(&mut self, model: &Model, part: Part) -> Result<()> {
        let refused =
            |why: &str| Err(Error::Shape(format!("{why}: a model of the kind {} has no such part", model.kind())));
        if part == Part::Noise && !matches!(model, Model::Vae(_) | Model::Sequence(_)) {
            return refused("--part noise");
        }
        match model {
            Model::Autoencoder(net) => self.autoencoder(net, part),
            Model::Vae(vae) => self.vae(vae, part),
            Model::Classifier(_) if part == Part::Decoder => return refused("--part decoder"),
            Model::Classifier(net) => self.classifier(net, part),
            Model::Rbm(rbm) => self.machines(std::slice::from_ref(rbm), part),
            Model::Stack(stack) => self.machines(&stack.rbms, part),
            Model::Dbn(net) => self.belief_net(net, part),
            Model::Pca(pca) => self.components(pca, part),
            Model::Sequence(net) => return self.sequences(net, part),
            _ => return refused("export"),
        }
        Ok(())
    }

    /// The input of rows, prepared, in single precision.
    fn rows(&mut self, width: usize) -> String {
        let prepared = self.prepared(width);
        match prepared {
            (x, Type::Double) => self.graph.cast(&x, Type::Single),
            (x, _) => x,
        }
    }

    /// The input of rows, prepared, and its precision.
    fn prepared(&mut self, width: usize) -> (String, Type) {
        let Some(preparation) = self.preparation.filter(|preparation| !preparation.changes_nothing()) else {
            return (self.graph.input("input", width, Type::Single), Type::Single);
        };
        let kind = if coarse(preparation) { Type::Double } else { Type::Single };
        let x = self.graph.input("input", width, kind);
        let x = if kind == Type::Double { x } else { self.graph.cast(&x, Type::Double) };
        if preparation.scale == Scale::UnitNorm {
            let axes = self.graph.whole(&[1]);
            let length = self.graph.op("ReduceL2", &[&x, &axes], &[int("keepdims", 1)]);
            // A row of zeros stays one.
            let least = self.graph.double(&[1], &[f64::MIN_POSITIVE]);
            let length = self.graph.op("Max", &[&length, &least], &[]);
            return (self.graph.op("Div", &[&x, &length], &[]), Type::Double);
        }
        let shift = self.graph.double(&[width], &preparation.shift);
        let divisor = self.graph.double(&[width], &preparation.divisor);
        let x = self.graph.op("Sub", &[&x, &shift], &[]);
        let x = self.graph.op("Div", &[&x, &divisor], &[]);
        if preparation.scale != Scale::Clipped {
            return (x, Type::Double);
        }
        let bounds = [0.0, 1.0].map(|bound| self.graph.double(&[], &[bound]));
        (self.graph.op("Clip", &[&x, &bounds[0], &bounds[1]], &[]), Type::Double)
    }

    /// Rows in the scale of the data.
    fn undone(&mut self, x: &str) -> String {
        let Some(preparation) = self.preparation.filter(|preparation| !preparation.shift.is_empty()) else {
            return x.to_owned();
        };
        let width = preparation.shift.len();
        let x = self.graph.cast(x, Type::Double);
        let divisor = self.graph.double(&[width], &preparation.divisor);
        let shift = self.graph.double(&[width], &preparation.shift);
        let x = self.graph.op("Mul", &[&x, &divisor], &[]);
        let x = self.graph.op("Add", &[&x, &shift], &[]);
        self.graph.cast(&x, Type::Single)
    }

    fn layers(&mut self, x: String, layers: &[Affine]) -> String {
        layers.iter().fold(x, |x, layer| self.graph.layer(&x, layer))
    }

    /// A decoder, with the logits of logistic outputs.
    fn decoded(&mut self, code: String, layers: &[Affine]) {
        let Some((last, below)) = layers.split_last() else { return };
        let x = self.layers(code, below);
        let totals = self.graph.totals(&x, last);
        let made = self.graph.activation(&totals, last.activation);
        let made = self.undone(&made);
        self.graph.output(&made, "reconstruction", Some(last.outputs), Type::Single);
        if last.activation == Activation::Logistic {
            self.graph.output(&totals, "logits", Some(last.outputs), Type::Single);
        }
    }

    fn autoencoder(&mut self, net: &Autoencoder, part: Part) {
        let (up, down) = net.layers.split_at(net.encoder);
        let size = net.code_size();
        let code = match part {
            Part::Decoder => self.graph.input("input", size, Type::Single),
            _ => {
                let x = self.rows(net.sizes()[0]);
                let code = self.layers(x, up);
                match net.top_k {
                    Some(count) => self.graph.largest(&code, count),
                    None => code,
                }
            }
        };
        if part != Part::Decoder {
            self.graph.output(&code, "code", Some(size), Type::Single);
        }
        if part != Part::Encoder {
            self.decoded(code, down);
        }
    }

    fn vae(&mut self, vae: &Vae, part: Part) {
        let size = vae.code_size();
        let (up, down) = vae.layers.split_at(vae.encoder);
        if part == Part::Decoder {
            let code = self.graph.input("input", size, Type::Single);
            return self.decoded(code, down);
        }
        let x = self.rows(up[0].inputs);
        let moments = self.layers(x, up);
        let sizes = self.graph.whole(&[size as i64, size as i64]);
        let [mean, log_variance] = self.graph.halves(&moments, &sizes);
        self.graph.output(&mean, "mean", Some(size), Type::Single);
        self.graph.output(&log_variance, "log_variance", Some(size), Type::Single);
        match part {
            Part::Whole => self.decoded(mean, down),
            Part::Noise => {
                let code = self.drawn(&mean, &log_variance, size);
                self.decoded(code, down);
            }
            Part::Encoder | Part::Decoder => {}
        }
    }

    /// A code drawn with the input `noise`.
    fn drawn(&mut self, mean: &str, log_variance: &str, size: usize) -> String {
        let noise = self.graph.input("noise", size, Type::Single);
        let half = self.graph.single(&[1], &[0.5]);
        let deviation = self.graph.op("Mul", &[log_variance, &half], &[]);
        let deviation = self.graph.op("Exp", &[&deviation], &[]);
        let drawn = self.graph.op("Mul", &[&deviation, &noise], &[]);
        self.graph.op("Add", &[mean, &drawn], &[])
    }

    fn classified(&mut self, logits: &str, classes: usize) {
        self.graph.output(logits, "logits", Some(classes), Type::Single);
        let probabilities = self.graph.op("Softmax", &[logits], &[int("axis", 1)]);
        self.graph.output(&probabilities, "probabilities", Some(classes), Type::Single);
        let class = self.graph.op("ArgMax", &[logits], &[int("axis", 1), int("keepdims", 0)]);
        self.graph.output(&class, "class", None, Type::Whole);
    }

    fn classifier(&mut self, net: &Classifier, part: Part) {
        let x = self.rows(net.layers[0].inputs);
        let (below, last) = net.layers.split_at(net.layers.len() - 1);
        let code = self.layers(x, below);
        if part == Part::Encoder {
            return self.graph.output(&code, "code", Some(last[0].inputs), Type::Single);
        }
        let logits = self.layers(code, last);
        self.classified(&logits, net.classes());
    }

    /// The means of units, of which a layer gives the activation.
    fn means(&mut self, x: String, units: Units, count: usize) -> String {
        match units {
            Units::Softmax(groups) => self.graph.groups(&x, count, groups),
            _ => x,
        }
    }

    fn machines(&mut self, rbms: &[Rbm], part: Part) {
        let (Some(bottom), Some(top)) = (rbms.first(), rbms.last()) else { return };
        let (width, size) = (bottom.visible_bias.len(), top.hidden_bias.len());
        let code = match part {
            Part::Decoder => self.graph.input("input", size, Type::Single),
            _ => {
                let x = self.rows(width);
                let up: Vec<Affine> = rbms.iter().map(Rbm::up).collect();
                let code = self.layers(x, &up);
                self.means(code, top.hidden, size)
            }
        };
        if part != Part::Decoder {
            self.graph.output(&code, "code", Some(size), Type::Single);
        }
        if part == Part::Encoder {
            return;
        }
        let down: Vec<Affine> = rbms.iter().rev().map(Rbm::down).collect();
        if let Units::Softmax(groups) = bottom.visible {
            let totals = self.layers(code, &down);
            let made = self.graph.groups(&totals, width, groups);
            let made = self.undone(&made);
            self.graph.output(&made, "reconstruction", Some(width), Type::Single);
            self.graph.output(&totals, "logits", Some(width), Type::Single);
        } else {
            self.decoded(code, &down);
        }
    }

    fn belief_net(&mut self, net: &Dbn, part: Part) {
        let size = net.sizes().last().copied().unwrap_or_default();
        let down: Vec<Affine> = net.generative.iter().rev().cloned().collect();
        if part == Part::Decoder {
            let code = self.graph.input("input", size, Type::Single);
            return self.decoded(code, &down);
        }
        let x = self.rows(net.sizes()[0]);
        let features = self.layers(x, &net.recognition);
        if part == Part::Encoder {
            return self.graph.output(&features, "code", Some(size), Type::Single);
        }
        // -F(x, c) = b_c + Σ_j softplus(W x + U_c + a)_j
        let (hidden, classes) = (net.top.hidden_bias.len(), net.classes);
        let (of_features, of_classes) = net.top.weight.split_at(size * hidden);
        let totals = Affine {
            inputs: size,
            outputs: hidden,
            activation: Activation::Linear,
            weight: of_features.to_vec(),
            bias: net.top.hidden_bias.clone(),
            convolution: None,
            threshold: None,
        };
        let totals = self.graph.layer(&features, &totals);
        let axes = self.graph.whole(&[1]);
        let totals = self.graph.op("Unsqueeze", &[&totals, &axes], &[]);
        let labels = self.graph.single(&[1, classes, hidden], of_classes);
        let totals = self.graph.op("Add", &[&totals, &labels], &[]);
        let soft = self.graph.op("Softplus", &[&totals], &[]);
        let axes = self.graph.whole(&[2]);
        let sums = self.graph.op("ReduceSum", &[&soft, &axes], &[int("keepdims", 0)]);
        let bias = self.graph.single(&[1, classes], &net.top.visible_bias[size..]);
        let energies = self.graph.op("Add", &[&sums, &bias], &[]);
        self.classified(&energies, classes);
    }

    fn components(&mut self, pca: &Pca, part: Part) {
        let (width, size) = (pca.mean.len(), pca.code_size());
        let flat: Vec<f64> = pca.components.concat();
        let components = self.graph.double(&[size, width], &flat);
        let mean = self.graph.double(&[width], &pca.mean);
        let code = if part == Part::Decoder {
            let code = self.graph.input("input", size, Type::Single);
            self.graph.cast(&code, Type::Double)
        } else {
            let (mut x, kind) = self.prepared(width);
            if kind == Type::Double {
                // The model's rows are single precision.
                x = self.graph.cast(&x, Type::Single);
            }
            let x = self.graph.cast(&x, Type::Double);
            let centred = self.graph.op("Sub", &[&x, &mean], &[]);
            let turned = self.graph.op("Transpose", &[&components], &[ints("perm", &[1, 0])]);
            let code = self.graph.op("MatMul", &[&centred, &turned], &[]);
            let single = self.graph.cast(&code, Type::Single);
            self.graph.output(&single, "code", Some(size), Type::Single);
            code
        };
        if part != Part::Encoder {
            let made = self.graph.op("MatMul", &[&code, &components], &[]);
            let made = self.graph.op("Add", &[&made, &mean], &[]);
            let made = self.graph.cast(&made, Type::Single);
            let made = self.undone(&made);
            self.graph.output(&made, "reconstruction", Some(width), Type::Single);
        }
    }
}

/// Whether single precision would lose the differences of a column.
fn coarse(preparation: &Preparation) -> bool {
    let spacing = |x: f64| x.abs() * f64::from(f32::EPSILON);
    preparation.shift.iter().zip(&preparation.divisor).any(|(shift, divisor)| spacing(*shift) > 1e-6 * divisor)
}
