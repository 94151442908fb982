//! When a sample was: dates without a library, and the round times at which an axis is marked.

use super::number::{SPACE, count, decimals, duration, fixed};

/// What the times of a run count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Samples: the data hold no time.
    #[default]
    Samples,
    /// Seconds since the run began.
    Elapsed,
    /// Seconds since 1970-01-01 00:00, in the time zone of the data.
    Dated,
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

/// Steps of a dated axis in seconds, up to days; longer ones go by the month.
const STEPS: [f64; 20] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    3.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
];
const MONTH_STEPS: [i64; 6] = [1, 3, 6, 12, 60, 120];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// One mark on a time axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeTick {
    pub(super) time: f64,
    pub(super) label: String,
    /// The date below the clock, where it is new.
    pub(super) below: Option<String>,
}

/// What stands at a time axis.
pub(super) fn axis_title(clock: Clock, span: f64) -> String {
    match clock {
        Clock::Samples => "sample".into(),
        Clock::Elapsed => format!("time since the start ({})", elapsed_unit(span).1),
        Clock::Dated => "time, as in the data".into(),
    }
}

/// Round times between two others, at most `wanted` or a few more.
pub(super) fn time_ticks(clock: Clock, from: f64, to: f64, wanted: usize) -> Vec<TimeTick> {
    if !(from.is_finite() && to.is_finite() && to > from) {
        return Vec::new();
    }
    let least = (to - from) / wanted.max(1) as f64;
    match clock {
        Clock::Samples => plain(from, to, least.max(1.0), 1.0),
        Clock::Elapsed => plain(from, to, least, elapsed_unit(to - from).0),
        Clock::Dated if least <= 0.5 => dated_below_second(from, to, least),
        Clock::Dated => match STEPS.into_iter().find(|&step| step >= least) {
            Some(step) => dated(multiples(from, to, step), step),
            None => by_month(from, to, least),
        },
    }
}

/// A point in time in full. `resolution` is the usual time between samples.
pub(super) fn moment(clock: Clock, time: f64, resolution: f64) -> String {
    if !time.is_finite() {
        return super::number::UNKNOWN.into();
    }
    match clock {
        Clock::Samples => format!("sample{SPACE}{}", count(time.max(0.0).round() as usize)),
        Clock::Elapsed => {
            let (hours, rest) = ((time / HOUR).floor(), time.rem_euclid(HOUR));
            let seconds = seconds_text(rest % MINUTE, resolution);
            format!("{hours:02.0}:{:02.0}:{seconds}", (rest / MINUTE).floor())
        }
        Clock::Dated => {
            // Rounded first, so that 59.9996 s does not print as 60.
            let step = if resolution < 1.0 { 1e-3 } else { 1.0 };
            let time = (time / step).round() * step;
            let (year, month, day) = civil(time);
            let rest = time.rem_euclid(DAY);
            let seconds = seconds_text(rest % MINUTE, resolution);
            let (hour, minute) = ((rest / HOUR).floor(), (rest % HOUR / MINUTE).floor());
            format!("{year}-{month:02}-{day:02}{SPACE}{hour:02.0}:{minute:02.0}:{seconds}")
        }
    }
}

/// A length of time, or of samples where there is no time.
pub(super) fn span(clock: Clock, length: f64) -> String {
    match clock {
        Clock::Samples => super::number::counted(length.max(0.0).round() as usize, "sample"),
        Clock::Elapsed | Clock::Dated => duration(length),
    }
}

fn seconds_text(seconds: f64, resolution: f64) -> String {
    if resolution < 1.0 { format!("{seconds:06.3}") } else { format!("{:02.0}", seconds.floor()) }
}

fn elapsed_unit(span: f64) -> (f64, &'static str) {
    match span {
        s if s <= 3.0 * MINUTE => (1.0, "s"),
        s if s <= 3.0 * HOUR => (MINUTE, "min"),
        s if s <= 3.0 * DAY => (HOUR, "h"),
        _ => (DAY, "d"),
    }
}

/// Round numbers of a unit.
fn plain(from: f64, to: f64, least: f64, unit: f64) -> Vec<TimeTick> {
    let step = super::scale::round_step(least / unit);
    let places = decimals(step);
    let label = |t: f64| fixed(t / unit, places);
    multiples(from, to, step * unit)
        .map(|time| TimeTick { time, label: label(time), below: None })
        .collect()
}

fn dated_below_second(from: f64, to: f64, least: f64) -> Vec<TimeTick> {
    let step = super::scale::round_step(least);
    let clock = |t: f64| {
        let rest = (t / step).round() * step;
        let within = rest.rem_euclid(MINUTE);
        let places = decimals(step).max(1);
        format!("{}{within:0width$.places$}", clock_text(rest, ":"), width = places + 3)
    };
    let ticks = multiples(from, to, step).map(|time| TimeTick {
        time,
        label: clock(time),
        below: Some(date_text(time)),
    });
    only_new_dates(ticks.collect())
}

fn dated(times: impl Iterator<Item = f64>, step: f64) -> Vec<TimeTick> {
    let tick = |time: f64| {
        if step >= DAY {
            let (year, month, day) = civil(time);
            let label = format!("{day}{SPACE}{}", MONTHS[month as usize - 1]);
            return TimeTick { time, label, below: Some(year.to_string()) };
        }
        let seconds = if step < MINUTE {
            format!(":{:02.0}", time.rem_euclid(MINUTE))
        } else {
            String::new()
        };
        let label = format!("{}{seconds}", clock_text(time, ""));
        TimeTick { time, label, below: Some(date_text(time)) }
    };
    only_new_dates(times.map(tick).collect())
}

fn by_month(from: f64, to: f64, least: f64) -> Vec<TimeTick> {
    let months = least / (30.4 * DAY);
    let longest = MONTH_STEPS[MONTH_STEPS.len() - 1];
    // Centuries, if somebody measures for so long.
    let step = MONTH_STEPS.into_iter().find(|&s| s as f64 >= months);
    let step = step.unwrap_or_else(|| longest * (months / longest as f64).ceil() as i64);
    let (year, month, _) = civil(from);
    let mut at = (year * 12 + month - 1).div_euclid(step) * step;
    let mut ticks = Vec::new();
    loop {
        let (year, month) = (at.div_euclid(12), at.rem_euclid(12));
        let time = days_from_civil(year, month + 1, 1) as f64 * DAY;
        if time > to {
            break;
        }
        if time >= from {
            let (label, below) = match step % 12 {
                0 => (year.to_string(), None),
                _ => (MONTHS[month as usize].to_string(), Some(year.to_string())),
            };
            ticks.push(TimeTick { time, label, below });
        }
        at += step;
    }
    only_new_dates(ticks)
}

/// Keeps the lower line only where it differs from the one before.
fn only_new_dates(mut ticks: Vec<TimeTick>) -> Vec<TimeTick> {
    for i in (1..ticks.len()).rev() {
        if ticks[i].below == ticks[i - 1].below {
            ticks[i].below = None;
        }
    }
    ticks
}

fn multiples(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((from / step).ceil(), (to / step).floor());
    // Steps come from the span, so these are few; the bound holds against rounding.
    (0..=1000)
        .map(move |i| (first + f64::from(i), last))
        .map_while(move |(k, last)| (k <= last).then_some(k * step))
}

fn clock_text(time: f64, end: &str) -> String {
    let rest = (time * 1e3).round() / 1e3;
    let rest = rest.rem_euclid(DAY);
    format!("{:02.0}:{:02.0}{end}", (rest / HOUR).floor(), (rest % HOUR / MINUTE).floor())
}

fn date_text(time: f64) -> String {
    let (year, month, day) = civil(time);
    format!("{day}{SPACE}{}{SPACE}{year}", MONTHS[month as usize - 1])
}

/// Year, month and day of a time, after Howard Hinnant's `civil_from_days`.
fn civil(time: f64) -> (i64, i64, i64) {
    // Beyond a hundred thousand years the calendar is not the question.
    let days = (time / DAY).floor().clamp(-4e7, 4e7) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a date, after Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2020-03-09 10:14:33.
    const MONDAY: f64 = 1_583_748_873.0;

    #[track_caller]
    fn check_moment(clock: Clock, time: f64, resolution: f64, wanted: &str) {
        assert_eq!(moment(clock, time, resolution).replace(SPACE, " "), wanted);
    }

    #[test]
    fn moments_are_written_in_full() {
        check_moment(Clock::Dated, 0.0, 1.0, "1970-01-01 00:00:00");
        check_moment(Clock::Dated, MONDAY, 1.0, "2020-03-09 10:14:33");
        check_moment(Clock::Dated, MONDAY + 0.9996, 0.01, "2020-03-09 10:14:34.000");
        check_moment(Clock::Dated, -1.0, 1.0, "1969-12-31 23:59:59");
        check_moment(Clock::Dated, 951_782_400.0, 1.0, "2000-02-29 00:00:00");
        check_moment(Clock::Elapsed, 3725.0, 1.0, "01:02:05");
        check_moment(Clock::Elapsed, 1.25, 0.01, "00:00:01.250");
        check_moment(Clock::Samples, 12_345.0, 1.0, "sample 12,345");
        check_moment(Clock::Dated, f64::NAN, 1.0, "–");
    }

    #[test]
    fn dates_go_both_ways() {
        for days in (-1_000_000..1_000_000).step_by(997) {
            let (year, month, day) = civil(days as f64 * DAY);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[track_caller]
    fn check_ticks(clock: Clock, from: f64, to: f64, wanted: &[&str]) {
        let ticks = time_ticks(clock, from, to, 6);
        let text = |t: &TimeTick| match &t.below {
            Some(below) => format!("{}|{below}", t.label).replace(SPACE, " "),
            None => t.label.replace(SPACE, " "),
        };
        assert_eq!(ticks.iter().map(text).collect::<Vec<_>>(), wanted);
        assert!(ticks.iter().all(|t| t.time >= from && t.time <= to));
    }

    #[test]
    fn ticks_fall_on_round_times_and_name_each_date_once() {
        let hour = MONDAY + HOUR;
        check_ticks(
            Clock::Dated,
            MONDAY,
            hour,
            &["10:20|9 Mar 2020", "10:30", "10:40", "10:50", "11:00", "11:10"],
        );
        check_ticks(
            Clock::Dated,
            0.0,
            2.0,
            &["00:00:00.0|1 Jan 1970", "00:00:00.5", "00:00:01.0", "00:00:01.5", "00:00:02.0"],
        );
        check_ticks(
            Clock::Dated,
            MONDAY,
            MONDAY + 1.2 * DAY,
            &["12:00|9 Mar 2020", "18:00", "00:00|10 Mar 2020", "06:00", "12:00"],
        );
        check_ticks(
            Clock::Dated,
            MONDAY,
            MONDAY + 400.0 * DAY,
            &["Apr|2020", "Jul", "Oct", "Jan|2021", "Apr"],
        );
        check_ticks(Clock::Elapsed, 0.0, 7200.0, &["0", "20", "40", "60", "80", "100", "120"]);
        check_ticks(Clock::Samples, 0.0, 3.0, &["0", "1", "2", "3"]);
    }

    #[test]
    fn strange_spans_have_no_ticks() {
        check_ticks(Clock::Dated, 5.0, 5.0, &[]);
        check_ticks(Clock::Elapsed, 0.0, f64::NAN, &[]);
        check_ticks(Clock::Samples, 0.0, f64::INFINITY, &[]);
    }
}
