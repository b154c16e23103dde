//! Reports of runs as one page that needs nothing else: curves, figures, pictures, a map of codes, the recipe.
//!
//! `strait train` writes `report.html` into its folder while it trains and at its end; this makes one of any folders of runs, also of the
//! examples' ones:
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let (one, other) = (folder.path().join("one"), folder.path().join("other"));
//! # for run in [&one, &other] {
//! #     std::fs::create_dir(run)?;
//! #     std::fs::write(run.join("metrics.csv"), "run,stage,epoch,error\ntraining,net,1,0.5\ntraining,net,2,0.25\n")?;
//! # }
//! let page = folder.path().join("report.html");
//! strait::report::write(&[&one, &other], &page)?;
//! assert!(std::fs::read_to_string(&page)?.contains("<svg"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod curves;
mod page;
mod units;

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::data::Data;
use crate::experiment::{Error, Result, Sets};
use crate::models::write_atomically;
use crate::{Device, LoadedModel, Model, Pca, Rows};

pub use units::write_units;

/// The file of a run's folder that a report is written to.
pub const FILE: &str = "report.html";

/// The file of a run's folder with the map of its codes.
const MAP: &str = "map.json";

/// The most rows of a map, and the most columns of a row that is shown.
const MOST: [usize; 2] = [1000, 12];

/// The most pixels of a row that is shown.
const PIXELS: usize = 4096;

/// Writes a report of these folders of runs, set side by side.
///
/// # Errors
/// If one is no folder of a run, or the page cannot be written.
pub fn write(runs: &[impl AsRef<Path>], to: &Path) -> Result<()> {
    let folders: Vec<page::Folder> = runs.iter().map(|run| page::Folder::open(run.as_ref())).collect();
    if let Some(place) = folders.iter().position(|folder| !folder.is_run()) {
        let run = runs[place].as_ref().display();
        return Err(Error::Job(format!(
            "{run}: this is no folder of a run: it holds neither results.json nor metrics.csv"
        )));
    }
    Ok(write_atomically(to, page::page(&folders).as_bytes())?)
}

/// Writes the map of the codes of rows held out beside the results, for a report.
///
/// # Errors
/// If the device fails, or the file cannot be written.
pub fn write_map(model: &Model, sets: &Sets, device: &Device, out: &Path) -> Result<()> {
    let test = sets.test.rows()?;
    let stride = test.count.div_ceil(MOST[0]).max(1);
    let places: Vec<usize> = (0..test.count).step_by(stride).collect();
    let values: Vec<f32> = places.iter().flat_map(|&row| test.range(row..row + 1).to_numbers()).collect();
    let rows = Rows::numbers(&values, test.width)?;
    let mut loaded = model.on(device)?;
    let points = plane(&mut loaded, rows, device)?;
    let labels = sets.test.labels.as_ref();
    let mut map = json!({
        "points": points,
        "rows": places,
        "classes": labels.map(|labels| places.iter().map(|&row| labels.classes[row]).collect::<Vec<_>>()),
        "names": labels.map(|labels| &labels.names),
    });
    show(&mut map, &sets.test, rows, sets);
    let text = serde_json::to_string(&map).map_err(|error| Error::Unwritten(error.to_string()))?;
    Ok(write_atomically(&out.join(MAP), text.as_bytes())?)
}

/// What is shown of each row: its picture, or its first values in the scale of the data.
fn show(map: &mut Value, data: &Data, rows: Rows<'_>, sets: &Sets) {
    let plain = sets.preparation.as_ref().is_none_or(|preparation| preparation.changes_nothing());
    let picture = data.picture_shape().filter(|[height, width]| height * width == rows.width && rows.width > 16);
    let mut numbers = rows.to_numbers();
    let within = numbers.iter().all(|x| (0.0..=1.0).contains(x));
    if let Some(shape) = picture.filter(|_| plain && within && rows.width <= PIXELS) {
        map["picture"] = json!(shape);
        let bytes: Vec<u8> = numbers.iter().map(|x| (255.0 * x).round() as u8).collect();
        map["values"] = json!(BASE64_STANDARD.encode(&bytes));
        return;
    }
    if let Some(preparation) = &sets.preparation {
        preparation.undo(&mut numbers);
    }
    let shown = rows.width.min(MOST[1]);
    let name = |column: usize| data.names.as_ref().map_or(format!("x{column}"), |names| names[column].clone());
    map["columns"] = json!((0..shown).map(name).collect::<Vec<_>>());
    let cell = |x: &f32| curves::short(f64::from(*x));
    map["values"] = json!(
        numbers.chunks_exact(rows.width).map(|row| row[..shown].iter().map(cell).collect()).collect::<Vec<Vec<_>>>()
    );
}

/// Codes in two dimensions: as they are, or by their first two principal components.
fn plane(loaded: &mut LoadedModel<'_>, rows: Rows<'_>, device: &Device) -> Result<Vec<[f32; 2]>> {
    let codes = loaded.encode(rows)?;
    let size = codes.len() / rows.count.max(1);
    Ok(match size {
        0 => Vec::new(),
        1 => codes.iter().map(|&x| [x, 0.0]).collect(),
        2 => codes.chunks_exact(2).map(|code| [code[0], code[1]]).collect(),
        _ => {
            let codes = Rows::numbers(&codes, size)?;
            let principal = Pca::fit(device, codes, 2)?;
            principal.encode(codes)?.iter().map(|z| [z[0] as f32, z[1] as f32]).collect()
        }
    })
}
