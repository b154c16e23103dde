//! The commands of the documents, as they stand there, in the order in which they stand there.

use std::path::Path;

use crate::folder::Folder;

/// The lines of blocks of commands that begin with the program's name.
fn commands(document: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let blocks = text.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.flat_map(str::lines).filter(|line| line.starts_with("strait "));
    lines.map(|line| line.split('#').next().unwrap_or_default().trim().to_owned()).collect()
}

/// A folder with the files that the documents name.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.table("own.csv", 300, false);
    folder.table("new.csv", 50, false);
    folder.table("labelled.csv", 300, true);
    folder.run("train --kind autoencoder --data own.csv --out made --epochs 1 --device cpu");
    folder.run("encode made own.csv --out activations.npy --device cpu");
    folder
}

fn run_all(document: &str, least: usize) {
    let folder = folder();
    let all = commands(document);
    assert!(all.len() >= least, "{document} has {} commands", all.len());
    for command in all {
        let arguments = command.trim_start_matches("strait ");
        let trains =
            arguments.starts_with("train ") && !arguments.contains("--epochs") && !arguments.contains("--resume");
        let short = if trains { " --epochs 2" } else { "" };
        match arguments.split_once(" >") {
            Some((arguments, file)) => drop(folder.write(file, &folder.run(arguments).stdout)),
            None => drop(folder.run(&format!("{arguments}{short}"))),
        }
    }
}

#[test]
fn commands_of_the_readme_work() {
    run_all("README.md", 11);
}

#[test]
fn commands_of_the_program_s_page_work() {
    run_all("docs/cli.md", 11);
}

#[test]
fn commands_of_the_page_on_sequences_work() {
    run_all("docs/sequences.md", 3);
}
