//! The code of `docs/guide`, which runs as doctests.

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {$(
        #[doc = include_str!(concat!("../docs/guide/src/", $path))]
        mod $name {}
    )*};
}

pages! {
    introduction: "introduction.md",
    pca: "pca.md",
    rbm: "rbm.md",
    dbn: "dbn.md",
    deep_autoencoder: "deep-autoencoder.md",
    denoising: "denoising.md",
    sparse: "sparse.md",
    contractive: "contractive.md",
    multimodal: "multimodal.md",
    variational: "variational.md",
    convolutional: "convolutional.md",
    sequences: "sequences.md",
}
