//! Curves by epoch, as SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Width and height of a plot, and the room for its labels.
const SIZE: [f64; 2] = [520.0, 260.0];
const LEFT: f64 = 54.0;
const EDGE: f64 = 14.0;
const BELOW: f64 = 26.0;

/// A curve: what it is called, and its values by epoch.
pub(super) struct Curve {
    pub(super) name: String,
    /// The number of its colour.
    pub(super) colour: usize,
    /// Whether it is dashed.
    pub(super) dashed: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// The curves of a stage: values by epoch, by the column that they are from.
pub(super) type Columns = BTreeMap<&'static str, Vec<(f64, f64)>>;

/// The curves of `metrics.csv`, by stage and then by column, in the order of the file.
pub(super) fn read(text: &str) -> Vec<(String, Columns)> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut stages: Vec<(String, Columns)> = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell =
            |name: &str| header.iter().position(|other| *other == name).and_then(|place| cells.get(place).copied());
        let (Some(run), Some(stage), Some(epoch)) =
            (cell("run"), cell("stage"), cell("epoch").and_then(|x| x.parse().ok()))
        else {
            continue;
        };
        let name = if run == stage { stage.to_owned() } else { format!("{run}: {stage}") };
        let place = stages.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
            stages.push((name, BTreeMap::new()));
            stages.len() - 1
        });
        for column in ["error", "test_error", "validation_error", "free_energy_gap"] {
            if let Some(value) = cell(column).and_then(|x| x.parse::<f64>().ok()).filter(|x| x.is_finite()) {
                stages[place].1.entry(column).or_default().push((epoch, value));
            }
        }
    }
    stages
}

/// A plot of these curves, with a legend.
pub(super) fn plot(curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let ends = |of: fn(&(f64, f64)) -> f64| {
        all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    let ((first, last), (low, high)) = (ends(|p| p.0), ends(|p| p.1));
    if !(first <= last && low <= high) {
        return String::new();
    }
    // The first epochs are far above the rest: a logarithmic axis shows both.
    let logarithmic = low > 0.0 && high > 5.0 * low;
    let scaled = |y: f64| if logarithmic { y.ln() } else { y };
    let (bottom, top) = (scaled(low), scaled(high));
    let x = |epoch: f64| LEFT + (SIZE[0] - LEFT - EDGE) * (epoch - first) / (last - first).max(1.0);
    let y = |value: f64| {
        let share = if top > bottom { (scaled(value) - bottom) / (top - bottom) } else { 0.5 };
        EDGE + (SIZE[1] - EDGE - BELOW) * (1.0 - share)
    };
    let mut svg = format!("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"curves by epoch\">", SIZE[0], SIZE[1]);
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let value = bottom + part * (top - bottom);
        let value = if logarithmic { value.exp() } else { value };
        let (right, height) = (SIZE[0] - EDGE, y(value));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{right}\" y2=\"{height:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            height + 4.0,
            short(value)
        );
    }
    for epoch in [first, ((first + last) / 2.0).round(), last] {
        let _ =
            write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{epoch}</text>", x(epoch), SIZE[1] - 8.0);
    }
    for curve in curves {
        let points: Vec<String> =
            curve.points.iter().map(|&(epoch, value)| format!("{:.1},{:.1}", x(epoch), y(value))).collect();
        let dashes = if curve.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let colour = curve.colour % 8;
        // A line of one point is not seen.
        if let [point] = &points[..] {
            let (px, py) = point.split_once(',').unwrap_or_default();
            let _ = write!(svg, "<circle cx=\"{px}\" cy=\"{py}\" r=\"3\" style=\"fill:var(--c{colour})\"/>");
        }
        let _ = write!(svg, "<polyline points=\"{}\" style=\"stroke:var(--c{colour})\"{dashes}/>", points.join(" "));
    }
    svg.push_str("</svg><div class=\"legend\">");
    for curve in curves {
        let name = super::page::escaped(&curve.name);
        let class = if curve.dashed { " class=\"dashed\"" } else { "" };
        let _ = write!(svg, "<span><i{class} style=\"border-color:var(--c{})\"></i>{name}</span>", curve.colour % 8);
    }
    svg.push_str("</div>");
    svg
}

/// A number in few digits.
pub(super) fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{x:.1e}"),
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}
