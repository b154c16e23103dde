//! `strait inspect MODEL --rows FILE`: which rows activate the units of a dictionary.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use strait::data::DataArgs;
use strait::models::{UnitUse, UnitUses};
use strait::{Device, Model};

use crate::opened::Opened;
use crate::table::{number, table};

/// Units that are listed in text; JSON has all.
const LISTED: usize = 20;

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
    if !net.is_sparse() {
        bail!("{}: --rows is for dictionaries, but this net keeps all numbers of a code", path.display());
    }
    let data = opened.data(rows, read)?;
    let mut uses = UnitUses::new(net.code_size(), top);
    let mut loaded = opened.model.on(&Device::named("auto")?)?;
    loaded.encode_largest_data(&data, |codes| {
        uses.take(codes);
        Ok(())
    })?;
    if as_json {
        let unit = |(number, unit): (usize, &UnitUse)| {
            let top: Vec<_> = unit.top.iter().map(|(value, row)| json!({ "row": row, "value": value })).collect();
            json!({ "density": uses.density(number), "top": top })
        };
        let listed: Vec<_> = uses.units.iter().enumerate().map(unit).collect();
        let value = json!({ "rows": data.count(), "l0": uses.l0(), "dead": uses.dead(), "units": listed });
        return Ok(format!("{value:#}\n"));
    }
    let mut text = format!(
        "{} rows of {}: {} of {} units are in use, {} numbers of a code are not 0\n",
        data.count(),
        data.name(),
        uses.units.len() - uses.dead(),
        uses.units.len(),
        number(uses.l0())
    );
    writeln!(text, "units by the share of the rows that they are a part of:\n{}", table(&densities(&uses)).trim_end())?;
    let order = uses.most_used();
    let mut lines = vec![["unit", "rows", "moved most by rows (number)"].map(str::to_owned).to_vec()];
    for &unit in order.iter().take(LISTED) {
        let UnitUse { uses, top } = &uses.units[unit];
        let top: Vec<String> =
            top.iter().map(|&(value, row)| format!("{row} ({})", number(f64::from(value)))).collect();
        lines.push(vec![unit.to_string(), uses.to_string(), top.join(", ")]);
    }
    writeln!(text, "the most used units:\n{}", table(&lines).trim_end())?;
    if order.len() > LISTED {
        writeln!(text, "  ... {} more units; --json has all", order.len() - LISTED)?;
    }
    Ok(text)
}

/// How many units have a density of each power of ten.
fn densities(uses: &UnitUses) -> Vec<Vec<String>> {
    let classes = uses.densities().into_iter().map(|(exponent, count)| (format!("up to 1e{exponent}"), count));
    let dead = Some(uses.dead()).filter(|count| *count > 0).map(|count| ("none".to_owned(), count));
    dead.into_iter().chain(classes).map(|(name, count)| vec![name, count.to_string()]).collect()
}
