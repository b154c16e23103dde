//! `strait inspect MODEL --rows FILE`: which rows activate the units of a dictionary.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use strait::data::DataArgs;
use strait::{Device, Model};

use crate::opened::Opened;
use crate::table::{number, table};

/// Units that are listed in text; JSON has all.
const LISTED: usize = 20;

/// A unit, with the rows that activate it most.
#[derive(Clone, Default)]
struct Unit {
    /// Rows in whose codes it is active.
    uses: usize,
    /// Its largest numbers and their rows, from the largest on.
    top: Vec<(f32, usize)>,
}

impl Unit {
    fn take(&mut self, value: f32, row: usize, most: usize) {
        self.uses += 1;
        let place = self.top.partition_point(|&(other, _)| other >= value);
        if place < most {
            self.top.insert(place, (value, row));
            self.top.truncate(most);
        }
    }
}

/// How often each unit of a dictionary is active on the rows of a file, and the rows on which it is most.
pub(crate) fn describe(path: &Path, rows: &Path, read: &DataArgs, top: usize, as_json: bool) -> Result<String> {
    let opened = Opened::open(path)?;
    let Model::Autoencoder(net) = opened.model.inner() else {
        bail!(
            "{}: --rows is for dictionaries, but this is a model of the kind {}",
            path.display(),
            opened.model.kind()
        );
    };
    if net.top_k.is_none() {
        bail!("{}: --rows is for dictionaries, but this net keeps all numbers of a code", path.display());
    }
    let data = opened.data(rows, read)?;
    let mut units = vec![Unit::default(); net.code_size()];
    let mut loaded = opened.model.on(&Device::named("auto")?)?;
    let mut row = 0;
    loaded.encode_largest_data(&data, |codes| {
        for entries in codes.rows() {
            entries.for_each(|(unit, value)| units[unit].take(value, row, top));
            row += 1;
        }
        Ok(())
    })?;
    let count = data.count() as f64;
    let numbers = units.iter().map(|unit| unit.uses).sum::<usize>() as f64 / count;
    let dead = units.iter().filter(|unit| unit.uses == 0).count();
    if as_json {
        let listed: Vec<_> = units
            .iter()
            .map(|unit| {
                let top: Vec<_> = unit.top.iter().map(|(value, row)| json!({ "row": row, "value": value })).collect();
                json!({ "density": unit.uses as f64 / count, "top": top })
            })
            .collect();
        let value = json!({ "rows": data.count(), "l0": numbers, "dead": dead, "units": listed });
        return Ok(format!("{value:#}\n"));
    }
    let mut text = format!(
        "{} rows of {}: {} of {} units are in use, {} numbers of a code are not 0\n",
        data.count(),
        data.name(),
        units.len() - dead,
        units.len(),
        number(numbers)
    );
    writeln!(
        text,
        "units by the share of the rows that they are a part of:\n{}",
        table(&densities(&units, count)).trim_end()
    )?;
    let mut order: Vec<usize> = (0..units.len()).filter(|&unit| units[unit].uses > 0).collect();
    order.sort_by_key(|&unit| std::cmp::Reverse(units[unit].uses));
    let mut lines = vec![["unit", "rows", "moved most by rows (number)"].map(str::to_owned).to_vec()];
    for &unit in order.iter().take(LISTED) {
        let top: Vec<String> =
            units[unit].top.iter().map(|&(value, row)| format!("{row} ({})", number(f64::from(value)))).collect();
        lines.push(vec![unit.to_string(), units[unit].uses.to_string(), top.join(", ")]);
    }
    writeln!(text, "the most used units:\n{}", table(&lines).trim_end())?;
    if order.len() > LISTED {
        writeln!(text, "  ... {} more units; --json has all", order.len() - LISTED)?;
    }
    Ok(text)
}

/// How many units have a density of each power of ten.
fn densities(units: &[Unit], rows: f64) -> Vec<Vec<String>> {
    const LEAST: i32 = -6;
    let power = |unit: &Unit| (unit.uses as f64 / rows).log10().ceil().max(f64::from(LEAST)) as i32;
    let used = |exponent: i32| units.iter().filter(|unit| unit.uses > 0 && power(unit) == exponent).count();
    let dead = units.iter().filter(|unit| unit.uses == 0).count();
    let classes = (LEAST..=0).map(|exponent| (format!("up to 1e{exponent}"), used(exponent)));
    let all = std::iter::once(("none".to_owned(), dead)).chain(classes).filter(|(_, count)| *count > 0);
    all.map(|(name, count)| vec![name, count.to_string()]).collect()
}
