//! Plots of lines, as SVG files.

use std::ops::Range;
use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::models::{Error, Result};
use crate::picture::Colour;

/// Colours for lines.
pub const RED: Colour = [214, 39, 40];
/// Colours for lines.
pub const GREY: Colour = [110, 110, 110];
/// Colours for lines.
pub const BLUE: Colour = [0, 0, 255];

/// A line of a plot.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Its points, from left to right.
    pub points: Vec<[f64; 2]>,
    /// For each point, how far error bars reach to either side; empty for none.
    pub deviations: Vec<f64>,
}

/// A plot of lines.
///
/// ```
/// use strait::plot::{Line, Plot, RED};
/// let points = vec![[1.0, 3.0], [2.0, 2.5]];
/// let line = Line { name: "test error".into(), colour: RED, points, deviations: Vec::new() };
/// let plot = Plot { title: "errors", labels: ["epoch", ""], ranges: [0.0..3.0, 2.0..4.0], log: false };
/// let path = std::env::temp_dir().join(format!("strait-plot-{}.svg", std::process::id()));
/// plot.save(&path, &[line])?;
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Plot<'a> {
    /// Stands above the plot.
    pub title: &'a str,
    /// What the horizontal and the vertical axis show.
    pub labels: [&'a str; 2],
    /// The values from end to end of either.
    pub ranges: [Range<f64>; 2],
    /// Whether the horizontal axis is logarithmic; if not, it has labels at whole numbers only. The names of the lines stand in
    /// the lower left corner of a logarithmic plot, and in the upper right one of others.
    pub log: bool,
}

impl Plot<'_> {
    /// Draws the lines.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, lines: &[Line]) -> Result<()> {
        let [x, _] = self.ranges.clone();
        let whole = |x: &f64| if x.fract().abs() < 1e-9 { format!("{x:.0}") } else { String::new() };
        let drawn = match self.log {
            true => self.draw(path, lines, x.log_scale(), &|x| format!("{x}")),
            false => self.draw(path, lines, x, &whole),
        };
        drawn.map_err(|error| Error::File { path: path.to_owned(), message: error.to_string() })
    }

    fn draw<X>(
        &self,
        path: &Path,
        lines: &[Line],
        x: X,
        label: &dyn Fn(&f64) -> String,
    ) -> std::result::Result<(), Box<dyn std::error::Error>>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
    {
        let area = SVGBackend::new(path, (640, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .build_cartesian_2d(x, self.ranges[1].clone())?;
        let [across, up] = self.labels;
        chart.configure_mesh().x_desc(across).y_desc(up).x_label_formatter(&label).draw()?;
        for line in lines {
            let [r, g, b] = line.colour;
            let colour = RGBColor(r, g, b);
            chart
                .draw_series(LineSeries::new(line.points.iter().map(|&[x, y]| (x, y)), colour.stroke_width(2)))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(line.points.iter().zip(&line.deviations).map(|(&[x, y], deviation)| {
                ErrorBar::new_vertical(x, y - deviation, y, y + deviation, colour.filled(), 8)
            }))?;
        }
        let corner = if self.log { SeriesLabelPosition::LowerLeft } else { SeriesLabelPosition::UpperRight };
        let names = &mut chart.configure_series_labels();
        names.position(corner).border_style(BLACK).background_style(WHITE).draw()?;
        Ok(area.present()?)
    }
}
