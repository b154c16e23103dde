//! `metrics.csv`: a line for each epoch.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use super::Line;
use crate::models::write_atomically;

const FILE: &str = "metrics.csv";

const HEADER: &str =
    "run,stage,epoch,error,test_error,validation_error,free_energy_gap,rate_factor,seconds,rows_per_second\n";

/// Makes the file where there is none, or empties it. What a killed process left of a line is taken away.
pub(super) fn open(out: &Path, resume: bool) -> io::Result<()> {
    let path = out.join(FILE);
    let kept = if resume { read(&path)? } else { HEADER.to_owned() };
    write(&path, &kept)
}

/// The whole lines of the file.
fn read(path: &Path) -> io::Result<String> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            Ok(if text.starts_with(HEADER) { text[..whole].to_owned() } else { HEADER.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HEADER.to_owned()),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    write_atomically(path, text.as_bytes()).map_err(io::Error::other)
}

/// Takes away the lines of a run that are beyond these epochs of each stage.
pub(super) fn cut(out: &Path, run: &str, epochs: &BTreeMap<String, usize>) -> io::Result<()> {
    let path = out.join(FILE);
    let text = read(&path)?;
    let stays = |line: &&str| {
        let mut fields = line.splitn(4, ',');
        let (Some(name), Some(stage), Some(epoch)) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        let done = epochs.get(stage).copied().unwrap_or(0);
        name != run || epoch.parse().is_ok_and(|epoch: usize| epoch <= done)
    };
    let kept: String =
        text.split_inclusive('\n').take(1).chain(text.split_inclusive('\n').skip(1).filter(stays)).collect();
    if kept == text { Ok(()) } else { write(&path, &kept) }
}

pub(super) fn add(out: &Path, run: &str, line: &Line<'_>) -> io::Result<()> {
    let mut text = format!("{run},{},{}", line.stage.replace(',', " "), line.epoch);
    for (_, value) in line.values {
        text.push(',');
        text.push_str(&value.map(|value| value.to_string()).unwrap_or_default());
    }
    text.push('\n');
    OpenOptions::new().append(true).create(true).open(out.join(FILE))?.write_all(text.as_bytes())
}
