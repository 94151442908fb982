//! Blocks of rows between empty lines, each a recording; a line with a single word at the head of a
//! block names its class. The UCI archive writes short recordings in this way.

use crate::{
    error::{Error, ErrorKind},
    overrides::Overrides,
    source::Limits,
    table::Table,
};

/// The column that tells blocks apart.
const BLOCK: &str = "block";

/// Reads the rows as a table without a header, with the number of their block and, in the column
/// `class`, its word.
pub(super) fn parse(
    name: &str,
    text: &str,
    class: &str,
    overrides: &Overrides,
    limits: &Limits,
) -> Result<Table, Error> {
    let (mut rows, mut marks) = (String::with_capacity(text.len()), Vec::new());
    let (mut block, mut word, mut inside) = (0usize, None, false);
    for (i, line) in text.lines().enumerate() {
        let mut fields = line.split([' ', '\t', ',', ';']).filter(|f| !f.is_empty());
        let (first, second) = (fields.next(), fields.next());
        match (first, second) {
            (None, _) => inside = false,
            (Some(alone), None) if !inside && alone.parse::<f64>().is_err() => {
                (block, word, inside) = (block + 1, Some(alone), true);
            }
            (Some(_), _) => {
                if !inside {
                    (block, word, inside) = (block + 1, None, true);
                }
                marks.push((block.to_string(), word));
                rows.push_str(line.trim());
            }
        }
        // Lines keep their numbers, for messages.
        rows.push('\n');
        if marks.len() > u32::MAX as usize {
            return Err(Error::new(ErrorKind::TooLarge, "too many rows").at_line(i as u64 + 1));
        }
    }
    let rules = Overrides { header: Some(false), ..overrides.clone() };
    let table = super::csv::parse(name, &rows, &rules, limits)?;
    let blocks = super::texts(marks.iter().map(|m| Some(m.0.as_str())));
    let mut more = vec![(BLOCK.to_owned(), blocks)];
    if marks.iter().any(|m| m.1.is_some()) {
        more.push((class.to_owned(), super::texts(marks.iter().map(|m| m.1))));
    }
    Ok(table.with_columns(more)?.of_recordings(BLOCK))
}
