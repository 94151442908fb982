//! Finding the format of a column of times; it must fit every value.

use super::{TimeFormat, calendar};
use crate::error::{Error, ErrorKind};

/// The format of a column of calendar times: `Ok(None)` if the first value is none.
///
/// `values` yields a row's position and its text, missing cells left out; the position comes back
/// inside the error.
///
/// # Errors
///
/// The row and the reason: a value of another shape, or an order of day and month that the column
/// leaves open or contradicts.
pub(crate) fn guess<'a>(
    values: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Option<TimeFormat>, (usize, Error)> {
    let mut first: Option<(&str, calendar::Shape)> = None;
    // The first row whose leading number, and whose middle number, cannot be a month.
    let (mut day_first, mut month_first) = (None, None);
    for (row, text) in values {
        let scanned = calendar::scan(text);
        let Some((example, shape)) = first else {
            match scanned {
                Some((shape, parts)) => {
                    first = Some((text, shape));
                    witness(row, text, parts, &mut day_first, &mut month_first);
                    continue;
                }
                None => return Ok(None),
            }
        };
        match scanned {
            Some((found, parts)) if found == shape => {
                witness(row, text, parts, &mut day_first, &mut month_first);
            }
            _ => {
                let wanted = format!("a time written like `{example}` in the first row");
                return Err((row, Error::wanted(ErrorKind::Time, wanted, text)));
            }
        }
    }
    let Some((example, shape)) = first else { return Ok(None) };
    if shape.year_first {
        return Ok(Some(TimeFormat::Iso));
    }
    match (day_first, month_first) {
        (Some(_), None) => Ok(Some(TimeFormat::DayFirst)),
        (None, Some(_)) => Ok(Some(TimeFormat::MonthFirst)),
        (None, None) => {
            let what = format!(
                "`{example}` and every other date can be read day first or month first; say \
                 which with `--time-format day_first` or `--time-format month_first`"
            );
            Err((0, Error::new(ErrorKind::Time, what)))
        }
        (Some((a, day)), Some((b, month))) => {
            let (row, text, other) = if a > b { (a, day, month) } else { (b, month, day) };
            let wanted = format!("day and month in the order of `{other}`");
            Err((row, Error::wanted(ErrorKind::Time, wanted, text)))
        }
    }
}

/// Notes the first row that can only be read in one order.
fn witness<'a>(
    row: usize,
    text: &'a str,
    parts: calendar::Parts,
    day_first: &mut Option<(usize, &'a str)>,
    month_first: &mut Option<(usize, &'a str)>,
) {
    if parts.date[0] > 12 {
        day_first.get_or_insert((row, text));
    }
    if parts.date[1] > 12 {
        month_first.get_or_insert((row, text));
    }
}
