//! Steps that a long series lacks, by the column of its times.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::Labels;

/// How dates are written, beside RFC 3339.
const DATES: [&str; 6] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
];

/// A difference this many times as large as the usual one is a gap.
const GAP: f64 = 1.5;

/// How many gaps are named.
const NAMED: usize = 3;

/// What there is to say of the times of a series' steps: how far apart they usually are, and where steps are missing or go back.
///
/// # Errors
/// If a time is neither a number nor a date.
pub(crate) fn told(column: &str, times: &Labels, window: usize) -> Result<Option<String>, String> {
    let parsed = times.names.iter().map(|text| {
        seconds(text).ok_or_else(|| {
            format!("the time `{text}` in column `{column}` is neither a number nor a date such as 2026-11-30 12:00:00")
        })
    });
    let parsed = parsed.collect::<Result<Vec<f64>, String>>()?;
    let times: Vec<f64> = times.classes.iter().map(|&class| parsed[class as usize]).collect();
    let differences: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if differences.is_empty() {
        return Ok(None);
    }
    let mut sorted = differences.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[sorted.len() / 2];
    let gaps: Vec<usize> =
        (0..differences.len()).filter(|&step| differences[step] > GAP * usual || differences[step] <= 0.0).collect();
    if gaps.is_empty() {
        return Ok(None);
    }
    let named: Vec<String> =
        gaps.iter().take(NAMED).map(|&step| format!("{} behind row {step}", differences[step])).collect();
    let places = if gaps.len() == 1 { "place" } else { "places" };
    let more = if gaps.len() > NAMED { ", and others" } else { "" };
    Ok(Some(format!(
        "`{column}` goes by {usual} from step to step, but not in {} {places} ({}{more}); windows of {window} steps are cut across them",
        gaps.len(),
        named.join(", ")
    )))
}

/// A number as it is, a date as the seconds since 1970.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
        return Some(number);
    }
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|date| date.naive_utc());
    let plain = || DATES.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    let date = zoned.or_else(plain).or_else(day)?.and_utc();
    Some(date.timestamp() as f64 + f64::from(date.timestamp_subsec_micros()) * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(times: &[&str]) -> Option<String> {
        told("time", &Labels::of(times), 2).expect("these are times")
    }

    #[test]
    fn gaps_are_told_in_numbers_and_dates() {
        assert_eq!(said(&["0", "1", "2", "3"]), None);
        assert_eq!(said(&["5"]), None);
        let numbers = said(&["0", "0.5", "1", "4", "4.5"]).expect("a step is missing");
        assert!(
            numbers.starts_with("`time` goes by 0.5 from step to step, but not in 1 place (3 behind row 2)"),
            "{numbers}"
        );
        let dates = said(&["2026-03-29 00:00:00", "2026-03-29 00:01:00", "2026-03-29 00:02:00", "2026-03-29 00:01:30"]);
        assert!(dates.is_some_and(|said| said.contains("-30 behind row 2")));
        let zoned = ["2026-03-29T00:00:00Z", "2026-03-29T02:01:00+02:00", "2026-03-29T00:02:00Z"];
        assert_eq!(said(&zoned), None);
        let wrong = told("time", &Labels::of(["soon", "late"]), 2).expect_err("these are no times");
        assert!(wrong.contains("`late`"), "{wrong}");
    }
}
