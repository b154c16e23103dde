//! Dictionaries of SAELens and of sparsify.

use std::path::Path;

use serde_json::{Value, json};

use super::{Arrays, write};
use crate::data::NamedArray;
use crate::experiment::{Error, Result};
use crate::models::{transpose, write_atomically};
use crate::{Activation, Affine, Autoencoder};

/// The file with the configuration, in both.
const CONFIG: &str = "cfg.json";

/// The weights of SAELens.
const SAELENS: &str = "sae_weights.safetensors";

/// The weights of sparsify.
const SPARSIFY: &str = "sae.safetensors";

/// A configuration that is read field by field.
struct Config {
    place: String,
    value: Value,
}

impl Config {
    fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(CONFIG);
        let place = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| Error::Job(format!("{place}: {error}")))?;
        let value = serde_json::from_str(&text).map_err(|error| Error::Job(format!("{place}: {error}")))?;
        Ok(Self { place, value })
    }

    fn number(&self, name: &str) -> Result<usize> {
        let number = self.value[name].as_u64().and_then(|x| usize::try_from(x).ok());
        number.ok_or_else(|| Error::Job(format!("{}: `{name}` is {}, not a number", self.place, self.value[name])))
    }

    fn is(&self, name: &str) -> bool {
        self.value[name].as_bool().unwrap_or(false)
    }

    /// Refuses another value than this one, if the field is there.
    fn require(&self, name: &str, wanted: &Value, why: &str) -> Result<()> {
        match &self.value[name] {
            Value::Null => Ok(()),
            found if found == wanted => Ok(()),
            found => Err(Error::Job(format!("{}: `{name}` is {found}: {why}", self.place))),
        }
    }
}

/// Which numbers of a code stay.
enum Keeps {
    /// The k largest.
    Largest(usize),
    /// Those above their units' thresholds.
    Above(Vec<f32>),
}

/// A dictionary: codes are what stays of relu(x W + b), rows are decoded from them.
struct Dictionary {
    inputs: usize,
    units: usize,
    keeps: Keeps,
    /// W, `[inputs, units]`.
    encoder: Vec<f32>,
    encoder_bias: Vec<f32>,
    /// `[units, inputs]`.
    decoder: Vec<f32>,
    decoder_bias: Vec<f32>,
}

impl Dictionary {
    /// Takes the decoder's bias off the rows before they are encoded, as a part of the encoder's own: (x − a) W + b = x W + (b − a W).
    fn subtract_bias(&mut self) {
        for (row, &a) in self.encoder.chunks_exact(self.units).zip(&self.decoder_bias) {
            self.encoder_bias.iter_mut().zip(row).for_each(|(b, w)| *b -= a * w);
        }
    }

    /// Multiplies what each unit is chosen by with the length of its decoder's row, which becomes 1.
    fn rescale(&mut self) {
        let lengths: Vec<f32> = self
            .decoder
            .chunks_exact(self.inputs)
            .map(|row| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() as f32)
            .collect();
        for row in self.encoder.chunks_exact_mut(self.units).chain([&mut self.encoder_bias[..]]) {
            row.iter_mut().zip(&lengths).for_each(|(w, length)| *w *= length);
        }
        for (row, &length) in self.decoder.chunks_exact_mut(self.inputs).zip(&lengths) {
            row.iter_mut().for_each(|w| *w /= length.max(f32::MIN_POSITIVE));
        }
    }

    fn into_net(self) -> Result<Autoencoder> {
        let (inputs, units) = (self.inputs, self.units);
        let (top_k, thresholds) = match self.keeps {
            Keeps::Largest(k) => (Some(k), None),
            Keeps::Above(thresholds) => (None, Some(thresholds)),
        };
        let layer = |inputs, outputs, activation, weight, bias| Affine {
            inputs,
            outputs,
            activation,
            weight,
            bias,
            convolution: None,
            threshold: None,
        };
        let mut up = layer(inputs, units, Activation::Relu, self.encoder, self.encoder_bias);
        up.threshold = thresholds;
        let down = layer(units, inputs, Activation::Linear, self.decoder, self.decoder_bias);
        let net = Autoencoder { top_k, ..Autoencoder::new(vec![up, down], 1) };
        net.check()?;
        Ok(net)
    }

    fn of(net: &Autoencoder) -> Result<Self> {
        net.check()?;
        let refused = |what: &str| Error::Job(format!("{what}, which their dictionaries cannot say"));
        let [up, down] = &net.layers[..] else { return Err(refused("the net has more than two layers")) };
        if up.activation != Activation::Relu || down.activation != Activation::Linear {
            return Err(refused("the net's code is not rectified, or its outputs are not linear"));
        }
        let keeps = match (net.top_k, &up.threshold) {
            (Some(k), _) => Keeps::Largest(k),
            (None, Some(threshold)) => Keeps::Above(threshold.clone()),
            (None, None) => return Err(refused("the net keeps all numbers of a code")),
        };
        Ok(Self {
            inputs: up.inputs,
            units: up.outputs,
            keeps,
            encoder: up.weight.clone(),
            encoder_bias: up.bias.clone(),
            decoder: down.weight.clone(),
            decoder_bias: down.bias.clone(),
        })
    }
}

/// A dictionary that SAELens 6 has saved: `cfg.json` and `sae_weights.safetensors`, of `save_model` or of `save_inference_model`. Its architectures
/// are top-k, JumpReLU, and BatchTopK, whose threshold goes with the model. By
/// default it chooses units by their inputs times the lengths of their decoder rows, which become a part of the encoder.
///
/// # Errors
/// If a file cannot be read, or the configuration names what a dictionary of strait does not do: another architecture, a normalisation at
/// run time.
pub fn from_saelens(folder: impl AsRef<Path>) -> Result<Autoencoder> {
    let config = Config::open(folder.as_ref())?;
    config.require(
        "normalize_activations",
        &json!("none"),
        "rows are not normalised at run time; fold it into the weights",
    )?;
    config.require("reshape_activations", &json!("none"), "rows are not reshaped")?;
    let (inputs, units) = (config.number("d_in")?, config.number("d_sae")?);
    let arrays = Arrays::open(&folder.as_ref().join(SAELENS))?;
    let keeps = match config.value["architecture"].as_str() {
        Some("topk") => Keeps::Largest(config.number("k")?),
        Some("batchtopk") => {
            let threshold = arrays.read("topk_threshold", &[])?;
            Keeps::Above(vec![threshold[0].max(0.0); units])
        }
        Some("jumprelu") => {
            // Older releases saved the logarithms in training.
            let thresholds = match arrays.shape("log_threshold") {
                Ok(_) => arrays.read("log_threshold", &[units])?.into_iter().map(f32::exp).collect(),
                Err(_) => arrays.read("threshold", &[units])?,
            };
            // Units are rectified: below 0 a threshold is one of 0.
            Keeps::Above(thresholds.into_iter().map(|x| x.max(0.0)).collect())
        }
        _ => {
            let message = format!(
                "{}: `architecture` is {}, but dictionaries of the kinds topk, batchtopk and jumprelu are read",
                config.place, config.value["architecture"]
            );
            return Err(Error::Job(message));
        }
    };
    let mut dictionary = Dictionary {
        inputs,
        units,
        keeps,
        encoder: arrays.read("W_enc", &[inputs, units])?,
        encoder_bias: arrays.read("b_enc", &[units])?,
        decoder: arrays.read("W_dec", &[units, inputs])?,
        decoder_bias: arrays.read("b_dec", &[inputs])?,
    };
    if config.is("apply_b_dec_to_input") {
        dictionary.subtract_bias();
    }
    // Rows that were folded before have length 1, so that this changes nothing.
    if config.is("rescale_acts_by_decoder_norm") {
        dictionary.rescale();
    }
    dictionary.into_net()
}

/// Writes a dictionary as SAELens 6 loads it: of the architecture `topk`, or `jumprelu` where units have thresholds.
///
/// # Errors
/// If the net is not a dictionary, or a file cannot be written.
pub fn to_saelens(net: &Autoencoder, folder: impl AsRef<Path>) -> Result<()> {
    let (dictionary, folder) = (Dictionary::of(net)?, folder.as_ref());
    let Dictionary { inputs, units, .. } = dictionary;
    let mut config = json!({
        "d_in": inputs, "d_sae": units, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": false,
        "normalize_activations": "none", "reshape_activations": "none", "metadata": {},
    });
    match dictionary.keeps {
        Keeps::Largest(k) => {
            config["architecture"] = json!("topk");
            config["k"] = json!(k);
            config["rescale_acts_by_decoder_norm"] = json!(false);
        }
        Keeps::Above(_) => config["architecture"] = json!("jumprelu"),
    }
    let (encoder, decoder) = ([inputs, units], [units, inputs]);
    let mut arrays = vec![
        NamedArray { name: "W_enc", shape: &encoder, values: &dictionary.encoder },
        NamedArray { name: "b_enc", shape: &encoder[1..], values: &dictionary.encoder_bias },
        NamedArray { name: "W_dec", shape: &decoder, values: &dictionary.decoder },
        NamedArray { name: "b_dec", shape: &decoder[1..], values: &dictionary.decoder_bias },
    ];
    if let Keeps::Above(threshold) = &dictionary.keeps {
        arrays.push(NamedArray { name: "threshold", shape: &encoder[1..], values: threshold });
    }
    kept(folder, SAELENS, &config, &arrays)
}

/// A top-k dictionary that sparsify 1 has saved: `cfg.json` and `sae.safetensors`.
///
/// # Errors
/// If a file cannot be read, or the configuration names what a dictionary of strait does not do.
pub fn from_sparsify(folder: impl AsRef<Path>) -> Result<Autoencoder> {
    let config = Config::open(folder.as_ref())?;
    config.require("activation", &json!("topk"), "top-k dictionaries alone are read")?;
    config.require("transcode", &json!(false), "it gives the outputs of another layer")?;
    config.require("skip_connection", &json!(false), "it has a skip connection")?;
    let inputs = config.number("d_in")?;
    let arrays = Arrays::open(&folder.as_ref().join(SPARSIFY))?;
    let &[units, _] = arrays.shape("encoder.weight")? else {
        return Err(arrays.wrong("`encoder.weight` is no matrix"));
    };
    let mut dictionary = Dictionary {
        inputs,
        units,
        keeps: Keeps::Largest(config.number("k")?),
        encoder: transpose(&arrays.read("encoder.weight", &[units, inputs])?, inputs),
        encoder_bias: arrays.read("encoder.bias", &[units])?,
        decoder: arrays.read("W_dec", &[units, inputs])?,
        decoder_bias: arrays.read("b_dec", &[inputs])?,
    };
    dictionary.subtract_bias();
    dictionary.into_net()
}

/// Writes a top-k dictionary as sparsify 1 loads it.
///
/// # Errors
/// If the net is no top-k dictionary, or a file cannot be written.
pub fn to_sparsify(net: &Autoencoder, folder: impl AsRef<Path>) -> Result<()> {
    let (mut dictionary, folder) = (Dictionary::of(net)?, folder.as_ref());
    let Dictionary { inputs, units, .. } = dictionary;
    let Keeps::Largest(top_k) = dictionary.keeps else {
        let message =
            "sparsify's dictionaries keep the largest units of each row and have no thresholds: write SAELens' format";
        return Err(Error::Job(message.to_owned()));
    };
    // It takes the decoder's bias off the rows: (x − a) W + (b + a W).
    dictionary.decoder_bias.iter_mut().for_each(|a| *a = -*a);
    dictionary.subtract_bias();
    dictionary.decoder_bias.iter_mut().for_each(|a| *a = -*a);
    let config = json!({
        "activation": "topk", "expansion_factor": 0, "normalize_decoder": false, "num_latents": units, "k": top_k,
        "multi_topk": false, "skip_connection": false, "transcode": false, "d_in": inputs,
    });
    let encoder = transpose(&dictionary.encoder, units);
    let arrays = [
        NamedArray { name: "encoder.weight", shape: &[units, inputs], values: &encoder },
        NamedArray { name: "encoder.bias", shape: &[units], values: &dictionary.encoder_bias },
        NamedArray { name: "W_dec", shape: &[units, inputs], values: &dictionary.decoder },
        NamedArray { name: "b_dec", shape: &[inputs], values: &dictionary.decoder_bias },
    ];
    kept(folder, SPARSIFY, &config, &arrays)
}

fn kept(folder: &Path, weights: &str, config: &Value, arrays: &[NamedArray<'_>]) -> Result<()> {
    let refused = |cause| Error::Out { folder: folder.to_owned(), cause };
    std::fs::create_dir_all(folder).map_err(refused)?;
    write(&folder.join(weights), arrays)?;
    Ok(write_atomically(&folder.join(CONFIG), format!("{config:#}\n").as_bytes())?)
}
