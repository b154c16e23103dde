//! Tables of text.

/// Cells in columns of even width, two blanks apart; all but the first column to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from("  ");
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let padded = if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line.push_str(gap);
            line.push_str(&padded);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number in few digits.
pub(crate) fn number(x: f64) -> String {
    if x.is_nan() {
        return "-".to_owned();
    }
    if x == 0.0 || (1e-3..1e7).contains(&x.abs()) {
        let text = format!("{x:.5}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return if text == "-0" { "0".to_owned() } else { text.to_owned() };
    }
    if x.fract() == 0.0 && x.abs() < 1e15 { format!("{x}") } else { format!("{x:.5e}") }
}
