//! Commented jobs to begin with.

use std::fmt::Write as _;

use super::Kind;

/// A job to begin with.
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// What it trains, in a sentence.
    pub about: &'static str,
    kind: Kind,
    /// Lines for the part above all tables.
    settings: &'static str,
    /// Tables, each with its lines.
    tables: &'static [(&'static str, &'static str)],
}

const TRAINING: &str = "\
# Passes over the training set.
epochs = 20
# Rows of a minibatch; chosen by the number of rows where it is left out.
# batch = 100
# adam, momentum, rms-prop, conjugate-gradients (searches) or lbfgs (iterations, memory).
optimizer = { adam = { rate = 1e-3, beta1 = 0.9, beta2 = 0.999 } }
# \"constant\", { cosine = { warmup = 0.0 } } or { step = { epochs = 10, factor = 0.5 } }.
schedule = { cosine = { warmup = 0.0 } }
# Weight cost (L2).
weight-cost = 0.0
# cross-entropy, squared-error or softmax-cross-entropy; chosen by the data where it is left out.
# objective = \"squared-error\"
# End early if the error on the rows held out has not fallen for some epochs.
# early-stopping = { patience = 10, min-delta = 0.0, restore-best = true }
";

const PRETRAIN: &str = "\
# Epochs for each layer.
epochs = 10
# Rows of a minibatch; chosen by the number of rows where it is left out.
# batch = 100
# k of CD-k.
cd-steps = 1
# Learning rate of binary units, and of layers with Gaussian or rectified ones.
rate = 0.1
gaussian-rate = 0.001
# Weight cost (L2).
weight-cost = 0.0002
# bernoulli or gaussian; chosen by the data where it is left out.
# visible = \"gaussian\"
";

const NET: &str = "\
# linear, logistic, tanh, relu or softplus.
activation = \"relu\"
# The same of the outputs; chosen by the data where it is left out.
# output = \"linear\"
";

/// The jobs to begin with.
pub const TEMPLATES: [Template; 16] = [
    Template {
        name: "autoencoder",
        about: "An autoencoder: rows are compressed into a code of few numbers and reconstructed.",
        kind: Kind::Autoencoder,
        settings: NET,
        tables: &[("training", TRAINING)],
    },
    Template {
        name: "deep-autoencoder",
        about: "A deep autoencoder, pretrained as a stack of RBMs (Hinton & Salakhutdinov 2006).",
        kind: Kind::Autoencoder,
        settings: "",
        tables: &[("pretrain", PRETRAIN), ("training", TRAINING)],
    },
    Template {
        name: "denoising",
        about: "A denoising autoencoder (Vincent et al. 2008): it learns to undo noise on its inputs.",
        kind: Kind::Autoencoder,
        settings: "activation = \"relu\"\n# A code wider than the rows is no fault here.\ncode-activation = \"logistic\"\n",
        tables: &[(
            "training",
            "# masking (a share of 0s), salt-and-pepper (a share) or gaussian (a deviation).\ncorruption = { masking = 0.5 }\n",
        )],
    },
    Template {
        name: "sparse",
        about: "A sparse autoencoder: few units of the code are active for a row.",
        kind: Kind::Autoencoder,
        settings: "# How many units of the code stay, the largest ones.\ntop-k = 40\nhidden = [1000]\n",
        tables: &[("training", TRAINING)],
    },
    Template {
        name: "contractive",
        about: "A contractive autoencoder (Rifai et al. 2011): its code changes little with the row.",
        kind: Kind::Autoencoder,
        settings: "hidden = [500]\ncode-activation = \"logistic\"\n",
        tables: &[(
            "training",
            "# The weight of the Jacobian's squared norm.\npenalty = { contractive = { weight = 0.1 } }\n",
        )],
    },
    Template {
        name: "vae",
        about: "A variational autoencoder (Kingma & Welling 2013): rows can be drawn from it.",
        kind: Kind::Vae,
        settings: NET,
        tables: &[("training", "# The weight of the divergence from the prior.\nkl-weight = 1.0\nepochs = 20\n")],
    },
    Template {
        name: "convolutional",
        about: "A convolutional autoencoder of pictures, or of windows of a series: each convolution halves them.",
        kind: Kind::Convolutional,
        settings: "# The filters of each convolution.\nhidden = [16, 8, 8]\n# Pixels of an edge of the convolutions' windows, or their steps.\nkernel = 3\n# Steps of a row, where rows are sequences; those of a window of a series where it is left out.\n# steps = 28\n",
        tables: &[("training", "epochs = 12\n")],
    },
    Template {
        name: "sequence",
        about: "An autoencoder of sequences: a recurrent layer reads each into a code, another writes it down again.",
        kind: Kind::Sequence,
        settings: "# Units of the recurrent layers; a second number is that of a code that is not their last state.\n# hidden = [64]\n",
        tables: &[
            (
                "sequence",
                "# lstm or gru.\ncell = \"lstm\"\n# Steps of a row; those of a window of a series where it is left out.\n# steps = 28\n# Recurrent layers on either side.\ndepth = 1\n\
                 # Read from the end, too.\nbidirectional = false\n# Draw the code from a normal distribution.\nvariational = false\n\
                 # code in each step, or previous: the step before.\nfeeding = \"code\"\n# Write the last step first.\nreversed = false\n\
                 # Whether each row ends in its number of steps.\nlengths = false\n",
            ),
            ("training", TRAINING),
        ],
    },
    Template {
        name: "dictionary",
        about: "A k-sparse dictionary for activations of other nets (Makhzani & Frey 2013; Gao et al. 2024).",
        kind: Kind::Dictionary,
        settings: "# Units, how many of them stay for a row, and rounds between which dead ones start anew.\n# hidden = [2048]\n# top-k = 32\nrounds = 4\n# Which stay: the largest of each row; or, k a row on average, the largest of a minibatch (batch-top-k) or those above\n# thresholds that learn (jump-relu).\n# sparsity = \"top-k\"\n",
        tables: &[("training", "epochs = 16\n")],
    },
    Template {
        name: "predictive-sparse",
        about: "Predictive sparse decomposition (Kavukcuoglu et al. 2008): an encoder that predicts sparse codes.",
        kind: Kind::PredictiveSparse,
        settings: "# Units of the code.\n# hidden = [1000]\n",
        tables: &[
            (
                "inference",
                "# The weight of the codes' absolute values, and of their squared distance from what the encoder predicts.\nsparsity = 1.0\npull = 1.0\n# Steps of iterative shrinkage and their length.\nsteps = 10\nrate = 0.02\n",
            ),
            ("training", TRAINING),
        ],
    },
    Template {
        name: "pca",
        about: "Principal components.",
        kind: Kind::Pca,
        settings: "# The number of components.\n# hidden = [30]\n",
        tables: &[],
    },
    Template {
        name: "rbm",
        about: "A restricted Boltzmann machine, trained by contrastive divergence (Hinton 2002).",
        kind: Kind::Rbm,
        settings: "",
        tables: &[("pretrain", PRETRAIN)],
    },
    Template {
        name: "stack",
        about: "A stack of restricted Boltzmann machines, trained one after the other.",
        kind: Kind::Stack,
        settings: "",
        tables: &[("pretrain", PRETRAIN)],
    },
    Template {
        name: "dbn",
        about: "A deep belief net that reads and draws (Hinton, Osindero & Teh 2006); it needs labels.",
        kind: Kind::Dbn,
        settings: "",
        tables: &[("pretrain", PRETRAIN), ("up-down", "# Passes over the training set.\nepochs = 6\nrate = 0.1\n")],
    },
    Template {
        name: "classifier",
        about: "A deep classifier, pretrained as a stack of RBMs; it needs labels.",
        kind: Kind::Classifier,
        settings: "",
        tables: &[("pretrain", PRETRAIN), ("training", TRAINING)],
    },
    Template {
        name: "stacked-denoising",
        about: "A deep classifier, pretrained as a stack of denoising autoencoders (Vincent et al. 2010); it needs labels.",
        kind: Kind::Classifier,
        settings: "",
        tables: &[("denoising", "epochs = 5\ncorruption = { masking = 0.25 }\n"), ("training", TRAINING)],
    },
];

/// The commented job of this name.
///
/// ```
/// let text = strait::job::template("vae").ok_or("no such job")?;
/// assert_eq!(text.parse::<strait::job::Job>()?.kind, strait::job::Kind::Vae);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn template(name: &str) -> Option<String> {
    let template = TEMPLATES.iter().find(|template| template.name == name)?;
    let mut text = format!("# {}\n", template.about);
    text.push_str("#\n# strait train job.toml --data FILE --out FOLDER\n#\n");
    text.push_str("# Whatever is left out is chosen by the data, and printed before training begins.\n\n");
    let _ = writeln!(text, "kind = \"{}\"", template.kind);
    text.push_str(
        "# A file or folder of any format that strait reads; --data names another one.\n# data = \"own.csv\"\n",
    );
    if !template.settings.contains("hidden = ") {
        text.push_str("# The sizes of the hidden layers, the code last.\n# hidden = [32, 3]\n");
    }
    text.push_str(template.settings);
    text.push_str(
        "# none, unit (0 to 1), clipped (the same, cut to 0 to 1), standard (mean 0, variance 1), robust or unit-norm.\n# scale = \"standard\"\n\
         # The share of the rows that is held out of training.\n# test-share = 0.1\n\
         # The share of held-out rows whose score lies below the threshold of anomalies.\nquantile = 0.99\n\
         # Seed of all that is drawn.\nseed = 2006\n",
    );
    for (name, lines) in template.tables {
        let _ = write!(text, "\n[{name}]\n{lines}");
    }
    text.push_str(
        "\n# How files are read: labels, columns, missing (refuse, mean), categories (refuse, one-hot, ignore), tensor, window, ...\n\
         # [read]\n# labels = \"species\"\n",
    );
    Some(text)
}
