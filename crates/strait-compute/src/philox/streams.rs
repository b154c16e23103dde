//! All streams of random numbers, so that no two uses of a seed share one.
//!
//! The host's streams are those of [`Stream`](super::Stream), whose counter has a word that no training step uses. The device's are those of
//! operations; they may have the numbers of the host's.

// The host's, by number.

/// The order of the rows in pretraining.
pub const PRETRAINING_ORDER: u32 = 1;
/// Weights of the machines of a stack: one for each machine from here on.
pub const MACHINES: u32 = 2;
/// The weights of a belief net's top machine.
pub const TOP_MACHINE: u32 = 110;
/// Weights of autoencoders.
pub const AUTOENCODER: u32 = 100;
/// Weights of variational autoencoders.
pub const VARIATIONAL: u32 = 101;
/// Codes of a variational autoencoder's samples.
pub const PRIOR: u32 = 102;
/// Weights of convolutional autoencoders.
pub const CONVOLUTIONAL: u32 = 103;
/// Weights of classifiers.
pub const CLASSIFIER: u32 = 104;
/// Weights of the logits on layers that are there.
pub const LOGITS: u32 = 105;
/// The units that pseudo-likelihoods look at.
pub const PSEUDO_LIKELIHOOD: u32 = 106;
/// States of features from which a belief net draws downwards.
pub const ANCESTORS: u32 = 108;
/// The weights of an autoencoder of sequences.
pub const SEQUENCES: u32 = 111;
/// Random starts of a machine's chains.
pub const FANTASIES: u32 = 109;
/// The order of the rows in fine-tuning and in the up-down algorithm, epoch by epoch.
pub const EPOCH_ORDER: u32 = 200;
/// First directions of dictionaries, and new ones of dead units.
pub const DICTIONARY: u32 = 300;
/// Rows on which units of dictionaries are looked at.
pub const LOOKED_AT: u32 = 301;
/// Atoms of predictive sparse decomposition.
pub const ATOMS: u32 = 301;
/// Rows trained on whose free energies are watched.
pub const WATCHED_KNOWN: u32 = 400;
/// Rows held out whose free energies are watched.
pub const WATCHED_UNKNOWN: u32 = 401;
/// First directions of principal components.
pub const PRINCIPAL_COMPONENTS: u32 = 403;
/// Rows held out of training.
pub const HELD_OUT: u32 = 402;
/// Chains of a belief net's top machine.
pub const TOP_CHAIN: u32 = 499;
/// Persistent chains: one for each machine of a stack from here on.
pub const CHAINS: u32 = 500;

// The device's, by number.

/// Units of the machines of a stack: this many for each, hidden ones and visible ones in turn.
pub const OF_MACHINE: u32 = 64;
/// Random shifts of images in fine-tuning.
pub const SHIFT: u32 = 1 << 16;
/// What a tape draws, from here on.
pub const TAPE: u32 = (1 << 16) + 1;
/// Labels that the up-down algorithm draws.
pub const UP_DOWN_LABEL: u32 = (1 << 17) - 3;
/// Hidden states of the top machine given the data.
pub const UP_DOWN_DATA: u32 = (1 << 17) - 2;
/// Random shifts of images in the up-down algorithm.
pub const UP_DOWN_SHIFT: u32 = (1 << 17) - 1;
/// Chains of the top machine.
pub const UP_DOWN_CHAIN: u32 = 1 << 17;
/// States of the layers on the way up.
pub const UP: u32 = (1 << 17) + (1 << 16);
/// States of the layers on the way down.
pub const DOWN: u32 = 1 << 18;
