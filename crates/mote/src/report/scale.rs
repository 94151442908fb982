//! From values to places on a plot, and the round values at which an axis is marked.

use super::number::{decimals, fixed, number};

/// How an axis is bent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stretch {
    Linear,
    Log,
    /// `asinh((x − centre) / unit)`: even near the centre, logarithmic beyond a few units, and
    /// defined on both sides. Anomaly scores can be a thousand times the usual ones, and on an even
    /// axis the threshold would then lie on the ground.
    Asinh {
        centre: f64,
        unit: f64,
    },
}

impl Stretch {
    /// Even, unless the peaks, or a threshold far up, would press everything else into the lowest
    /// tenth.
    ///
    /// The usual spread is read from the lower half, which holds hardly any anomalies: in some data
    /// a third of all samples is anomalous. A threshold, if it is not far off, says better what is
    /// usual.
    pub(super) fn of_scores(scores: &[f64], threshold: Option<f64>) -> Self {
        let mut sorted: Vec<f64> = scores.iter().copied().filter(|s| s.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let Some(&highest) = sorted.last() else { return Self::Linear };
        let centre = sorted[sorted.len() / 2];
        // Two standard deviations, if the lower half is that of a normal distribution.
        let usual = 3.0 * (centre - sorted[sorted.len() / 4]);
        let threshold = threshold.filter(|t| t.is_finite()).unwrap_or(centre);
        let spread = (threshold - centre).clamp(usual, 10.0 * usual);
        if spread > 0.0 && highest.max(threshold) - centre > 10.0 * spread {
            Self::Asinh { centre, unit: spread / 2.0 }
        } else {
            Self::Linear
        }
    }

    pub(super) fn bend(self, x: f64) -> f64 {
        match self {
            Self::Linear => x,
            Self::Log => x.log10(),
            Self::Asinh { centre, unit } => ((x - centre) / unit).asinh(),
        }
    }

    pub(super) fn unbend(self, y: f64) -> f64 {
        match self {
            Self::Linear => y,
            Self::Log => 10_f64.powf(y),
            Self::Asinh { centre, unit } => centre + unit * y.sinh(),
        }
    }
}

/// One mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

/// An axis of numbers, laid over a stretch of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) stretch: Stretch,
    /// Both ends, bent.
    pub(super) low: f64,
    pub(super) high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Lays `low..high` over the pixels `from..to`. An empty or unknown range becomes one that can
    /// be drawn.
    pub(super) fn new(stretch: Stretch, (low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let (mut low, mut high) = (stretch.bend(low), stretch.bend(high));
        if !(low.is_finite() && high.is_finite()) {
            (low, high) = (0.0, 1.0);
        } else if high - low <= low.abs().max(high.abs()) * 1e-12 {
            let half = (low.abs() * 0.1).max(0.5);
            (low, high) = (low - half, high + half);
        }
        Self { stretch, low, high, from, to }
    }

    /// Adds a share of the range at its ends, so that nothing touches the frame.
    pub(super) fn padded(mut self, below: f64, above: f64) -> Self {
        let span = self.high - self.low;
        self.low -= below * span;
        self.high += above * span;
        self
    }

    /// Where in the range a value lies, 0 to 1; what lies beyond is put at the end.
    pub(super) fn fraction(&self, x: f64) -> f64 {
        let share = (self.stretch.bend(x) - self.low) / (self.high - self.low);
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// The pixel of a value.
    pub(super) fn at(&self, x: f64) -> f64 {
        self.from + self.fraction(x) * (self.to - self.from)
    }

    pub(super) fn contains(&self, x: f64) -> bool {
        (self.low..=self.high).contains(&self.stretch.bend(x))
    }

    /// Round values that are at least `gap` pixels apart, in rising order.
    pub(super) fn ticks(&self, gap: f64) -> Vec<Tick> {
        let pixels = (self.to - self.from).abs();
        let least = (self.high - self.low) * gap / pixels.max(gap);
        match self.stretch {
            Stretch::Linear => {
                let step = round_step(least);
                let places = decimals(step);
                let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
                let values = (0..=200).map(|i| first + f64::from(i)).take_while(|&k| k <= last);
                let extreme = self.low.abs().max(self.high.abs()) >= 1e7 || step < 1e-4;
                let label = |x: f64| if extreme { number(x) } else { fixed(x, places) };
                values.map(|k| Tick { at: self.at(k * step), label: label(k * step) }).collect()
            }
            Stretch::Log | Stretch::Asinh { .. } => self.decade_ticks(gap),
        }
    }

    /// Powers of ten first, then five and two times them, as long as there is room.
    fn decade_ticks(&self, gap: f64) -> Vec<Tick> {
        let (low, high) = (self.stretch.unbend(self.low), self.stretch.unbend(self.high));
        let largest = low.abs().max(high.abs()).log10().ceil().clamp(-300.0, 300.0) as i32;
        let smallest = match self.stretch {
            Stretch::Asinh { unit, .. } => unit.log10().floor() as i32,
            _ => low.log10().floor() as i32,
        };
        let mut values = vec![0.0];
        for factor in [1.0, 5.0, 2.0] {
            for power in (smallest.max(largest - 40)..=largest).rev() {
                let value = factor * 10_f64.powi(power);
                values.extend([value, -value]);
            }
        }
        let mut kept: Vec<(f64, f64)> = Vec::new();
        for value in values.into_iter().filter(|&v| self.contains(v)) {
            let at = self.at(value);
            if kept.iter().all(|(other, _)| (other - at).abs() >= gap) {
                kept.push((at, value));
            }
        }
        kept.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
        kept.into_iter().map(|(at, value)| Tick { at, label: number(value) }).collect()
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`.
pub(super) fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powi(least.log10().floor().clamp(-300.0, 300.0) as i32);
    let factors = [1.0, 2.0, 5.0, 10.0];
    let slack = 1.0 - 1e-9;
    power * factors.into_iter().find(|f| f * power >= least * slack).unwrap_or(10.0)
}

/// The smallest and the largest of the finite values.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((v.min(low), v.max(high))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ticks(stretch: Stretch, range: (f64, f64), gap: f64, wanted: &[&str]) {
        let ticks = Scale::new(stretch, range, (0.0, 300.0)).ticks(gap);
        assert_eq!(ticks.iter().map(|t| t.label.as_str()).collect::<Vec<_>>(), wanted);
        assert!(ticks.windows(2).all(|t| t[1].at - t[0].at >= gap * 0.999), "{ticks:?}");
        assert!(ticks.iter().all(|t| (0.0..=300.0).contains(&t.at)));
    }

    #[test]
    fn even_ticks_are_round_and_share_their_decimals() {
        check_ticks(Stretch::Linear, (0.0, 1.0), 60.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check_ticks(Stretch::Linear, (-3.2, 12.0), 60.0, &["0", "5", "10"]);
        check_ticks(Stretch::Linear, (-0.2, 0.2), 100.0, &["−0.2", "0.0", "0.2"]);
        check_ticks(
            Stretch::Linear,
            (9_950.0, 10_100.0),
            90.0,
            &["9,950", "10,000", "10,050", "10,100"],
        );
    }

    #[test]
    fn bent_ticks_keep_their_distance() {
        check_ticks(Stretch::Log, (0.01, 100.0), 50.0, &["0.01", "0.1", "1", "10", "100"]);
        let asinh = Stretch::Asinh { centre: 1.5, unit: 0.5 };
        check_ticks(asinh, (0.5, 400.0), 40.0, &["1", "2", "10", "100"]);
        check_ticks(
            Stretch::Asinh { centre: -2.0, unit: 1.0 },
            (-3.0, 40.0),
            60.0,
            &["−2", "0", "10"],
        );
    }

    #[test]
    fn ranges_without_extent_can_still_be_drawn() {
        check_ticks(Stretch::Linear, (5.0, 5.0), 100.0, &["4.5", "5.0", "5.5"]);
        check_ticks(Stretch::Linear, (f64::NAN, 1.0), 150.0, &["0.0", "0.5", "1.0"]);
        check_ticks(Stretch::Log, (0.0, 1.0), 400.0, &["10"]);
        assert_eq!(Scale::new(Stretch::Log, (0.0, 1.0), (0.0, 1.0)).at(-1.0), 0.0);
    }

    #[test]
    fn values_beyond_the_range_are_put_at_its_end() {
        let scale = Scale::new(Stretch::Linear, (0.0, 10.0), (100.0, 0.0));
        assert_eq!(
            [-5.0, 0.0, 2.5, 10.0, 1e9].map(|x| scale.at(x)),
            [100.0, 100.0, 75.0, 0.0, 0.0]
        );
        assert!(scale.contains(10.0) && !scale.contains(10.1));
    }

    #[test]
    fn only_heavy_tails_bend_the_score_axis() {
        let calm: Vec<f64> = (0..1000).map(|i| f64::from(i % 100)).collect();
        assert_eq!(Stretch::of_scores(&calm, Some(120.0)), Stretch::Linear);
        let mut wild = calm;
        wild.push(5000.0);
        let bent = Stretch::of_scores(&wild, Some(120.0));
        assert_eq!(bent, Stretch::Asinh { centre: 50.0, unit: 37.5 });
        assert!((bent.unbend(bent.bend(5000.0)) - 5000.0).abs() < 1e-6);
        let far = Stretch::of_scores(&wild[..1000], Some(1e6));
        assert_eq!(far, Stretch::Asinh { centre: 50.0, unit: 375.0 });
        assert_eq!(Stretch::of_scores(&[f64::NAN], None), Stretch::Linear);
        assert_eq!(Stretch::of_scores(&[1.0; 50], None), Stretch::Linear);
    }

    #[test]
    fn steps_are_one_two_five() {
        for (least, wanted) in [(1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (6.0, 10.0), (0.03, 0.05)] {
            assert!((round_step(least) - wanted).abs() < 1e-12, "{least}");
        }
        assert_eq!([0.0, -1.0, f64::NAN].map(round_step), [1.0; 3]);
    }
}
