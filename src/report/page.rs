//! The page of a report.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use super::curves::{Curve, plot, read};
use crate::experiment::JUDGED;

/// The pictures of a run's folder that are shown, with what they are.
const PICTURES: [(&str, &str); 4] = [
    ("reconstructions.png", "reconstructions"),
    ("filters.png", "filters"),
    ("samples.png", "rows drawn from the model"),
    ("codes2d.png", "a map of codes of two numbers"),
];

/// The folder of a run, as far as it goes.
pub(super) struct Folder {
    path: PathBuf,
    name: String,
    results: Option<Value>,
    recipe: Option<String>,
    metrics: String,
    map: Option<String>,
    units: Option<Value>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(path.join(name)).ok();
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let name = absolute.file_name().unwrap_or(absolute.as_os_str()).to_string_lossy().into_owned();
        Self {
            path: path.to_owned(),
            name,
            results: text("results.json").and_then(|text| serde_json::from_str(&text).ok()),
            recipe: text("job.toml").or_else(|| text("recipe.toml")),
            metrics: text("metrics.csv").unwrap_or_default(),
            map: text(super::MAP),
            units: text(super::units::FILE).and_then(|text| serde_json::from_str(&text).ok()),
        }
    }

    /// Whether there is anything to be shown.
    pub(super) fn is_run(&self) -> bool {
        self.results.is_some() || !self.metrics.is_empty()
    }

    /// What a heading adds where there are several runs.
    fn among(&self, runs: &[Self]) -> String {
        if runs.len() > 1 { format!(" of {}", escaped(&self.name)) } else { String::new() }
    }

    fn device(&self) -> Option<&str> {
        self.results.as_ref()?["device"].as_str()
    }

    /// What was measured: name, value, the published one.
    fn figures(&self) -> Vec<(String, Option<f64>, Option<f64>)> {
        let Some(results) = &self.results else { return Vec::new() };
        if let Some(measured) = results["measured"].as_array() {
            let figure = |result: &Value| {
                let name = result["what"].as_str().unwrap_or_default().to_owned();
                (name, result["value"].as_f64(), result["published"].as_f64())
            };
            return measured.iter().map(figure).collect();
        }
        // The example of the paper has a field for each figure.
        let fields = results.as_object().into_iter().flatten();
        fields
            .filter(|(name, value)| value.is_f64() && (name.contains("error") || name.starts_with("seconds")))
            .map(|(name, value)| (name.replace('_', " "), value.as_f64(), None))
            .collect()
    }
}

/// Text in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A figure without zeros behind its last digit.
fn figure(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The page of these runs.
pub(super) fn page(runs: &[Folder]) -> String {
    let title = runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n",
        escaped(&title),
        include_str!("style.css")
    );
    for run in runs {
        let name = if runs.len() > 1 { format!("{}: ", escaped(&run.name)) } else { String::new() };
        let results = run.results.as_ref();
        let rows = results.and_then(|results| results["train_images"].as_u64());
        let rows = rows.map(|rows| format!(", {rows} training rows")).unwrap_or_default();
        let stopped = results.is_some_and(|results| results["stopped"] == true);
        let state = match (results, stopped) {
            (None, _) => "still training".to_owned(),
            (_, true) => format!("{}{rows}, stopped by a signal", escaped(run.device().unwrap_or_default())),
            _ => format!("{}{rows}", escaped(run.device().unwrap_or_default())),
        };
        let judged = results.is_some_and(|results| results["judged_on_test_set"] == true);
        let judged = if judged { format!("; {JUDGED}") } else { String::new() };
        let _ = writeln!(html, "<p class=\"soft\">{name}{state}{judged}</p>");
    }
    figures(&mut html, runs);
    curves(&mut html, runs);
    pictures(&mut html, runs);
    for run in runs {
        if let Some(units) = &run.units {
            super::units::section(&mut html, units, &run.among(runs));
        }
    }
    maps(&mut html, runs);
    for run in runs {
        if let Some(recipe) = &run.recipe {
            let of = run.among(runs);
            let _ = writeln!(html, "<h2>Recipe{of}</h2>\n<pre>{}</pre>", escaped(recipe));
        }
    }
    if runs.iter().any(|run| run.map.is_some()) {
        let _ = writeln!(html, "<script>{}</script>", include_str!("map.js"));
    }
    html.push_str("</body></html>\n");
    html
}

/// The table of figures, a column for each run.
fn figures(html: &mut String, runs: &[Folder]) {
    let mut names: Vec<String> = Vec::new();
    for (name, ..) in runs.iter().flat_map(Folder::figures) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    let all: Vec<_> = runs.iter().map(Folder::figures).collect();
    let published =
        |name: &str| all.iter().flatten().find_map(|(other, _, published)| published.filter(|_| other == name));
    let compared = names.iter().any(|name| published(name).is_some());
    html.push_str("<h2>Figures</h2>\n<div class=\"scroll\"><table><tr><th></th>");
    for run in runs {
        let _ = write!(html, "<th>{}</th>", escaped(if runs.len() > 1 { &run.name } else { "this run" }));
    }
    html.push_str(if compared { "<th>published</th></tr>\n" } else { "</tr>\n" });
    for name in &names {
        let _ = write!(html, "<tr><td>{}</td>", escaped(name));
        for figures in &all {
            let value = figures.iter().find(|(other, ..)| other == name).and_then(|(_, value, _)| *value);
            let _ = write!(html, "<td>{}</td>", value.map_or("-".to_owned(), figure));
        }
        if compared {
            let _ = write!(html, "<td>{}</td>", published(name).map_or("-".to_owned(), |value| format!("{value}")));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

/// A plot for each stage that the runs have: errors, and free-energy gaps.
fn curves(html: &mut String, runs: &[Folder]) {
    let all: Vec<_> = runs.iter().map(|run| read(&run.metrics)).collect();
    let mut stages: Vec<&String> = Vec::new();
    for (stage, _) in all.iter().flatten() {
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    if stages.is_empty() {
        return;
    }
    html.push_str("<h2>Curves by epoch</h2>\n<div class=\"cards\">\n");
    for stage in stages {
        for columns in [&["error", "test_error", "validation_error"][..], &["free_energy_gap"]] {
            let mut drawn = Vec::new();
            for (number, (run, of_run)) in runs.iter().zip(&all).enumerate() {
                let Some((_, values)) = of_run.iter().find(|(other, _)| other == stage) else { continue };
                for (place, column) in columns.iter().enumerate() {
                    let Some(points) = values.get(column) else { continue };
                    let what = match *column {
                        "error" => "training error",
                        "test_error" => "test error",
                        "validation_error" => "validation error",
                        _ => "free-energy gap",
                    };
                    let several = runs.len() > 1;
                    drawn.push(Curve {
                        name: if several { format!("{}, {what}", run.name) } else { what.to_owned() },
                        colour: if several { number } else { place },
                        dashed: several && place > 0,
                        points: points.clone(),
                    });
                }
            }
            let svg = plot(&drawn);
            if !svg.is_empty() {
                let _ = writeln!(html, "<figure><figcaption>{}</figcaption>{svg}</figure>", escaped(stage));
            }
        }
    }
    html.push_str("</div>\n");
}

fn pictures(html: &mut String, runs: &[Folder]) {
    for (file, what) in PICTURES {
        let mut figures = String::new();
        for run in runs {
            if let Ok(bytes) = std::fs::read(run.path.join(file)) {
                let caption = if runs.len() > 1 { escaped(&run.name) } else { String::new() };
                let _ = writeln!(
                    figures,
                    "<figure><figcaption>{caption}</figcaption><img alt=\"{what}\" src=\"data:image/png;base64,{}\"></figure>",
                    BASE64_STANDARD.encode(&bytes)
                );
            }
        }
        if !figures.is_empty() {
            let mut heading = what.to_owned();
            heading[..1].make_ascii_uppercase();
            let _ = writeln!(html, "<h2>{heading}</h2>\n<div class=\"cards\">{figures}</div>");
        }
    }
}

fn maps(html: &mut String, runs: &[Folder]) {
    for (number, run) in runs.iter().enumerate() {
        let Some(map) = &run.map else { continue };
        let of = run.among(runs);
        // Nothing in it may end the element that it stands in.
        let data = map.replace("</", "<\\/");
        let _ = writeln!(
            html,
            "<h2>Map of the codes{of}</h2>\n<p class=\"soft\">Rows held out, by the first two principal components of their codes. \
             Point at one to see its row.</p>\n<div class=\"map\" data-map=\"map-{number}\"><canvas></canvas><div class=\"row\"></div></div>\n\
             <script type=\"application/json\" id=\"map-{number}\">{data}</script>"
        );
    }
}
