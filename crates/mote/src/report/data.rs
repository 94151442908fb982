//! What went in: the files, the columns, and why each column is used as it is.

use super::{
    envelope::envelope,
    html::{Element, el, words},
    number::{SPACE, UNKNOWN, count, counted, decimals, duration, fixed, number, percent},
    page::{self, Column as Head},
    scale::{Scale, Stretch, extent},
    svg::Path,
};

/// The most columns of the data that are listed.
const MAX_COLUMNS_LISTED: usize = 120;
/// So many stand in sight, the others behind a line to open.
const IN_SIGHT: usize = 16;

/// The data of the report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    /// Files or runs, in the order in which they were given.
    pub files: Vec<File>,
    /// Columns, in the order of the first file.
    pub columns: Vec<Column>,
    /// What the readers noticed, in sentences.
    pub notes: Vec<String>,
}

/// One file or run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What it served: `training`, `test`.
    pub role: String,
    /// Rows as read.
    pub rows: usize,
    /// From the first time to the last, in seconds; `None` without times.
    pub duration_s: Option<f64>,
    /// The time between samples, in seconds; `None` without times.
    pub period_s: Option<f64>,
    /// Share of values that are missing, 0 to 1, filled gaps counted in.
    pub missing_share: f64,
    /// Samples that were put into gaps, as missing.
    pub gaps_inserted: usize,
    /// Rows whose time another row had.
    pub duplicates: usize,
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its unit; empty if unknown.
    pub unit: String,
    /// What it is used as.
    pub kind: ColumnKind,
    /// Why, in a sentence.
    pub why: String,
    /// Share of values that are missing, 0 to 1.
    pub missing_share: f64,
    /// Its values in order of time, NaN where missing; empty for columns that are no numbers.
    pub values: Vec<f64>,
}

/// What a column is used as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColumnKind {
    /// An input of numbers.
    #[default]
    Numeric,
    /// An input of words.
    Categorical,
    /// One value only, and so not used.
    Constant,
    /// It marks anomalies.
    Label,
    /// It orders the rows.
    Time,
    /// Not used.
    Ignored,
}

impl ColumnKind {
    fn name(self) -> &'static str {
        match self {
            Self::Numeric => "number",
            Self::Categorical => "words",
            Self::Constant => "constant, not used",
            Self::Label => "label",
            Self::Time => "time",
            Self::Ignored => "not used",
        }
    }
}

pub(super) fn section(data: &Data) -> Element {
    let mut section = page::section("data", "Data");
    if data.files.is_empty() && data.columns.is_empty() {
        return section.add(page::none("Nothing was recorded about the data."));
    }
    if !data.files.is_empty() {
        section = section.add(words("h3", "Files")).add(files(&data.files));
    }
    if !data.columns.is_empty() {
        let listed = &data.columns[..data.columns.len().min(MAX_COLUMNS_LISTED)];
        let (first, rest) = listed.split_at(listed.len().min(IN_SIGHT));
        section = section.add(words("h3", "Columns")).add(columns(first));
        if !rest.is_empty() {
            let more = format!("Show the other {}", counted(rest.len(), "column"));
            section = section.add(el("details").add(words("summary", more)).add(columns(rest)));
        }
        let left = data.columns.len() - listed.len();
        if left > 0 {
            section = section
                .add(words("p", format!("{} more are not listed.", counted(left, "column"))));
        }
    }
    if data.notes.is_empty() {
        section
    } else {
        section.add(el("ul").all(data.notes.iter().map(|note| words("li", note))))
    }
}

fn files(files: &[File]) -> Element {
    let heads = [
        Head::text("File"),
        Head::text("Used for"),
        Head::number("Rows"),
        Head::number("Duration"),
        Head::number("Period"),
        Head::number("Missing"),
        Head::number("Filled gaps"),
        Head::number("Duplicate rows"),
    ];
    let span = |seconds: Option<f64>| seconds.map_or(UNKNOWN.into(), duration);
    let rows = files.iter().map(|file| {
        vec![
            words("span", &file.name),
            words("span", &file.role),
            words("span", count(file.rows)),
            words("span", span(file.duration_s)),
            words("span", span(file.period_s)),
            words("span", percent(file.missing_share)),
            words("span", count(file.gaps_inserted)),
            words("span", count(file.duplicates)),
        ]
    });
    page::table("Files as read", &heads, rows)
}

fn columns(columns: &[Column]) -> Element {
    let heads = [
        Head::text("Column"),
        Head::text("Used as"),
        Head::number("Min"),
        Head::number("Mean"),
        Head::number("Max"),
        Head::number("Missing"),
        Head::text("Over time"),
        Head::text("Why"),
    ];
    let rows = columns.iter().map(|column| {
        let [min, mean, max] = statistics(&column.values);
        let name = match column.unit.as_str() {
            "" => column.name.clone(),
            unit => format!("{} ({unit})", column.name),
        };
        vec![
            words("span", name),
            words("span", column.kind.name()),
            words("span", min),
            words("span", mean),
            words("span", max),
            words("span", percent(column.missing_share)),
            sparkline(&column.values).unwrap_or_else(|| words("span", UNKNOWN)),
            words("span", &column.why),
        ]
    });
    page::table("Columns and what they are used as", &heads, rows)
}

/// Minimum, mean and maximum, with as many digits as tell them apart.
fn statistics(values: &[f64]) -> [String; 3] {
    let Some((min, max)) = extent(values.iter().copied()) else {
        return [UNKNOWN; 3].map(str::to_string);
    };
    let finite = || values.iter().filter(|v| v.is_finite());
    let mean = finite().sum::<f64>() / finite().count() as f64;
    let size = min.abs().max(max.abs());
    if max == min || !(1e-3..1e7).contains(&size) {
        return [min, mean, max].map(number);
    }
    // Two to three digits of the range.
    let places = decimals((max - min) / 100.0).min(6);
    [min, mean, max].map(|v| fixed(v, places))
}

/// A curve as high as a line of text.
fn sparkline(values: &[f64]) -> Option<Element> {
    const WIDTH: f64 = 160.0;
    const HEIGHT: f64 = 28.0;
    const COLUMNS: usize = 80;
    let (low, high) = extent(values.iter().copied())?;
    let y = Scale::new(Stretch::Linear, (low, high), (HEIGHT - 2.0, 2.0));
    let last = (values.len() - 1).max(1) as f64;
    let kept = envelope(values, |i| i * COLUMNS / values.len(), |_| false);
    let mut path = Path::default();
    for k in kept {
        let (x, y) = (k.index as f64 / last * WIDTH, y.at(values[k.index]));
        if k.pen_up || path.is_empty() { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    let spark = el("svg").class("spark").attr("viewBox", format!("0 0 {WIDTH} {HEIGHT}"));
    let name = format!("from {}{SPACE}to {}", number(low), number(high));
    Some(spark.attr("role", "img").attr("aria-label", name).add(path.element("line")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], wanted: [&str; 3]) {
        assert_eq!(statistics(values), wanted);
    }

    #[test]
    fn statistics_show_what_tells_them_apart() {
        check(&[1012.1, 1013.0, 1014.6], ["1,012.10", "1,013.23", "1,014.60"]);
        check(&[0.0, f64::NAN, 100.0], ["0", "50", "100"]);
        check(&[5.0, 5.0], ["5", "5", "5"]);
        check(&[1e-9, 3e-9], ["1·10⁻⁹", "2·10⁻⁹", "3·10⁻⁹"]);
        check(&[], ["–"; 3]);
        check(&[f64::NAN], ["–"; 3]);
    }

    #[test]
    fn sparklines_exist_for_anything_with_a_number() {
        assert!(sparkline(&[]).is_none() && sparkline(&[f64::NAN]).is_none());
        for values in [vec![1.0], vec![2.0; 9], vec![f64::NAN, 1.0, f64::NAN, 2.0]] {
            let mut drawn = String::new();
            sparkline(&values).expect("a number").write(&mut drawn);
            assert!(drawn.contains("d=\"m") && !drawn.contains("NaN"), "{drawn}");
        }
        let long: Vec<f64> = (0..100_000).map(|i| f64::from(i).sin()).collect();
        let mut drawn = String::new();
        sparkline(&long).expect("numbers").write(&mut drawn);
        assert!(drawn.len() < 2500, "{}", drawn.len());
    }
}
