//! How the units of a sparse code are used, in a report and for TensorBoard.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::curves::short;
use crate::experiment::{Error, Result};
use crate::metrics::EventFile;
use crate::models::{UnitUses, write_atomically};

/// The file of a run's folder with the uses of units.
pub(super) const FILE: &str = "units.json";

/// Units that are listed.
const LISTED: usize = 20;

/// Writes how rows use the units of a sparse code: as `units.json`, which a report shows, and for TensorBoard.
///
/// # Errors
/// If a file cannot be written.
pub fn write_units(uses: &UnitUses, out: &Path) -> Result<()> {
    let unit = |unit: usize| json!({ "unit": unit, "density": uses.density(unit), "top": uses.units[unit].top });
    let listed: Vec<Value> = uses.most_used().into_iter().take(LISTED).map(unit).collect();
    let value = json!({
        "rows": uses.rows,
        "units": uses.units.len(),
        "dead": uses.dead(),
        "l0": uses.l0(),
        "densities": uses.densities(),
        "most_used": listed,
    });
    write_atomically(&out.join(FILE), format!("{value:#}\n").as_bytes())?;
    let refused = |cause| Error::Out { folder: out.to_owned(), cause };
    events(uses, &EventFile::folder(out).join("units")).map_err(refused)
}

fn events(uses: &UnitUses, folder: &Path) -> std::io::Result<()> {
    let mut file = EventFile::create(folder)?;
    let used = (0..uses.units.len()).filter(|&unit| uses.units[unit].uses > 0);
    let densities: Vec<f32> = used.map(|unit| uses.density(unit).log10() as f32).collect();
    file.histogram("units/log10 of density", 0, &densities)?;
    file.scalar("units/dead, share", 0, uses.dead() as f64 / uses.units.len() as f64)?;
    file.scalar("units/L0", 0, uses.l0())?;
    file.flush()
}

/// What a report shows of these.
pub(super) fn section(html: &mut String, uses: &Value, of: &str) {
    let number = |name: &str| uses[name].as_u64().unwrap_or(0);
    let densities: Vec<(i64, u64)> = serde_json::from_value(uses["densities"].clone()).unwrap_or_default();
    let _ = writeln!(
        html,
        "<h2>Units{of}</h2>\n<p class=\"soft\">{} of {} units are a part of some of {} rows held out, {} of a row on average.</p>\n\
         <div class=\"cards\"><figure><figcaption>units by the share of rows that they are a part of</figcaption>{}</figure></div>",
        number("units") - number("dead").min(number("units")),
        number("units"),
        number("rows"),
        short(uses["l0"].as_f64().unwrap_or(0.0)),
        histogram(number("dead"), &densities)
    );
    html.push_str(
        "<div class=\"scroll\"><table><tr><th>unit</th><th>density</th><th>moved most by rows (number)</th></tr>\n",
    );
    for unit in uses["most_used"].as_array().into_iter().flatten() {
        let top: Vec<(f32, usize)> = serde_json::from_value(unit["top"].clone()).unwrap_or_default();
        let top: Vec<String> = top.iter().map(|&(x, row)| format!("{row} ({})", short(f64::from(x)))).collect();
        let density = short(unit["density"].as_f64().unwrap_or(0.0));
        let _ = writeln!(html, "<tr><td>{}</td><td>{density}</td><td>{}</td></tr>", unit["unit"], top.join(", "));
    }
    html.push_str("</table></div>\n");
}

/// A bar for units that no row uses, and one for each power of ten.
fn histogram(dead: u64, densities: &[(i64, u64)]) -> String {
    const SIZE: [f64; 2] = [520.0, 180.0];
    const EDGE: f64 = 24.0;
    let first = densities.iter().map(|(exponent, _)| *exponent).min().unwrap_or(0);
    let count = |exponent: i64| densities.iter().find(|(other, _)| *other == exponent).map_or(0, |(_, count)| *count);
    let mut bars = vec![("none".to_owned(), dead)];
    bars.extend((first..=0).map(|exponent| (format!("≤ 1e{exponent}"), count(exponent))));
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let each = (SIZE[0] - 2.0 * EDGE) / bars.len() as f64;
    let mut svg =
        format!("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"densities of units\">", SIZE[0], SIZE[1]);
    for (number, (name, count)) in bars.iter().enumerate() {
        let height = (SIZE[1] - 2.0 * EDGE) * *count as f64 / most as f64;
        let (left, top) = (EDGE + each * number as f64, SIZE[1] - EDGE - height);
        let middle = left + each / 2.0;
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" style=\"fill:var(--c{})\"/>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{count}</text>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            left + 0.1 * each,
            0.8 * each,
            usize::from(number == 0),
            top - 4.0,
            SIZE[1] - 8.0
        );
    }
    svg.push_str("</svg>");
    svg
}
