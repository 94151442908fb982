//! The scores of a run in few bytes, for the script that zooms.
//!
//! Scores become 16-bit places on the score axis, in base 64; times become a few straight lines,
//! because sensors tick evenly. A run of 20,000 samples costs about 53 kB.

use super::{
    envelope::{Kept, envelope},
    run::Run,
    scale::Scale,
};

/// The place of the highest score; one above it marks a break in the line.
const TOP: f64 = 65_534.0;
const BREAK: u16 = 65_535;
/// The most straight lines that times are made of.
const MAX_LINES: usize = 1000;

/// What the script reads.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packed {
    /// `(points,)` places on the score axis, 16 bits each, low byte first.
    pub(super) places: String,
    /// `(points,)` steps from one point's sample to the next, likewise; empty if all are 1.
    pub(super) steps: String,
    /// The sample of the first point.
    pub(super) first: usize,
    /// `sample,time,period;…`
    pub(super) lines: String,
}

/// At most `max_points` points of a run and its breaks; `scale` is the score axis.
pub(super) fn pack(run: &Run, scale: &Scale, max_points: usize, period: f64) -> Packed {
    let columns = (max_points / 2).max(1);
    let samples = run.scores.len();
    let whole = samples <= max_points;
    let column = |i: usize| if whole { i } else { i * columns / samples };
    let kept =
        envelope(&run.scores, column, |i| i > 0 && run.times[i] - run.times[i - 1] > 2.5 * period);
    let first = kept.first().map_or(0, |k| k.index);
    let (mut places, mut steps) = (Vec::new(), Vec::new());
    let mut at = first;
    for Kept { index, pen_up } in kept {
        if pen_up && index > first {
            places.push(BREAK);
            steps.push(0);
        }
        places.push((scale.fraction(run.scores[index]) * TOP).round() as u16);
        // A step over more than 65,535 missing samples is cut into parts that draw nothing.
        let mut step = index - at;
        while step > usize::from(u16::MAX) {
            places.insert(places.len() - 1, BREAK);
            steps.push(u16::MAX);
            step -= usize::from(u16::MAX);
        }
        steps.push(step as u16);
        at = index;
    }
    let even = steps.iter().skip(1).all(|&step| step == 1);
    let steps = if even { String::new() } else { base64(&steps) };
    Packed { places: base64(&places), steps, first, lines: lines(&run.times, period) }
}

/// Straight lines through the times, off by at most a quarter of a period, or by more where times
/// jitter so much that there would be too many lines.
fn lines(times: &[f64], period: f64) -> String {
    let mut tolerance = period / 4.0;
    loop {
        let mut starts: Vec<usize> = Vec::new();
        for (i, &time) in times.iter().enumerate() {
            let guess = starts.last().map(|&s| times[s] + (i - s) as f64 * period);
            if guess.is_none_or(|guess| (time - guess).abs() > tolerance) {
                starts.push(i);
            }
        }
        // The tolerance is infinite in the end, and then one line is left.
        if starts.len() <= MAX_LINES || tolerance.is_infinite() {
            let line = |&s: &usize| format!("{s},{},{period}", times[s]);
            return starts.iter().map(line).collect::<Vec<_>>().join(";");
        }
        tolerance *= 2.0;
    }
}

/// RFC 4648 base 64 of 16-bit words, low byte first.
fn base64(words: &[u16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::scale::Stretch;

    fn run(times: Vec<f64>, scores: Vec<f64>) -> Run {
        Run { times, scores, ..Run::default() }
    }

    fn packed(run: &Run, max_points: usize) -> Packed {
        let scale = Scale::new(Stretch::Linear, (0.0, 1.0), (0.0, 1.0));
        pack(run, &scale, max_points, run.period())
    }

    #[test]
    fn base64_equals_the_examples_of_the_standard() {
        // "foob" and "fooba\0" as words, RFC 4648 section 10 for the former.
        assert_eq!(base64(&[0x6f66, 0x626f]), "Zm9vYg==");
        assert_eq!(base64(&[0x6f66, 0x626f, 0x0061]), "Zm9vYmEA");
        assert_eq!(base64(&[]), "");
    }

    #[test]
    fn even_runs_need_no_steps_and_one_line() {
        let found = packed(&run(vec![10.0, 12.0, 14.0], vec![f64::NAN, 0.0, 1.0]), 100);
        let wanted = Packed {
            places: base64(&[0, 65_534]),
            steps: "".into(),
            first: 1,
            lines: "0,10,2".into(),
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn gaps_break_lines_and_times() {
        let times = vec![0.0, 1.0, 2.0, 90.0, 91.0, 92.0];
        let found = packed(&run(times, vec![0.5, 0.5, f64::NAN, 0.5, 0.5, 0.5]), 100);
        assert_eq!(found.lines, "0,0,1;3,90,1");
        assert_eq!(found.places, base64(&[32_767, 32_767, BREAK, 32_767, 32_767, 32_767]));
        assert_eq!(found.steps, base64(&[0, 1, 0, 2, 1, 1]));
    }

    #[test]
    fn size_is_bounded_whatever_the_run() {
        let times = (0..200_000).map(|i| f64::from(i) + f64::from(i % 7).sin() * 9.0).collect();
        let scores = (0..200_000).map(|i| f64::from(i % 100) / 100.0).collect();
        let found = packed(&run(times, scores), 5000);
        // Two points for each column, and one break where time jumps.
        let words = found.places.len() / 4 * 3 / 2;
        assert!((5000..=7500).contains(&words), "{words}");
        assert!(found.lines.split(';').count() <= MAX_LINES);
        assert_eq!(found.steps.len(), found.places.len());
    }

    #[test]
    fn long_gaps_are_cut_into_steps_that_fit() {
        let mut scores = vec![f64::NAN; 100_000];
        (scores[0], scores[99_999]) = (0.0, 1.0);
        let found = packed(&run((0..100_000).map(f64::from).collect(), scores), 100_000);
        assert_eq!(found.places, base64(&[0, BREAK, BREAK, 65_534]));
        assert_eq!(found.steps, base64(&[0, 0, 65_535, 34_464]));
    }
}
