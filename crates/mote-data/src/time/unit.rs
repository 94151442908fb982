//! Finding the unit of times that are written as numbers.

use super::TimeFormat;

/// The unit of a column of numbers that hold times, with the reason.
///
/// Between 1980 and 2100 the four units of an epoch have disjoint ranges, so the magnitude tells
/// the unit. Smaller numbers count from the start of a recording, in the unit that ends the name,
/// and in seconds without one.
pub(crate) fn guess_unit(name: &str, min: f64, max: f64) -> (TimeFormat, &'static str) {
    const YEAR_1980: f64 = 315_532_800.0;
    const YEAR_2100: f64 = 4_102_444_800.0;
    let units = [
        (TimeFormat::Seconds, 1.0, "its values are epoch seconds of the years 1980 to 2100"),
        (TimeFormat::Milliseconds, 1e3, "its values are epoch milliseconds since 1980"),
        (TimeFormat::Microseconds, 1e6, "its values are epoch microseconds since 1980"),
        (TimeFormat::Nanoseconds, 1e9, "its values are epoch nanoseconds since 1980"),
    ];
    for (format, per_second, why) in units {
        if min >= YEAR_1980 * per_second && max <= YEAR_2100 * per_second {
            return (format, why);
        }
    }
    let name = name.to_ascii_lowercase();
    let ends = |unit: &str| {
        name == unit
            || [format!("_{unit}"), format!("({unit})"), format!("[{unit}]")]
                .iter()
                .any(|end| name.ends_with(end.as_str()))
    };
    if ends("ms") {
        (TimeFormat::Milliseconds, "its name ends in ms")
    } else if ends("us") {
        (TimeFormat::Microseconds, "its name ends in us")
    } else if ends("ns") {
        (TimeFormat::Nanoseconds, "its name ends in ns")
    } else {
        (TimeFormat::Seconds, "its values count up and are no epoch, so they are taken as seconds")
    }
}
