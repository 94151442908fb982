//! Intervals that cover what they promise: quantiles of draws, widened by how far they were off of late.

use std::collections::VecDeque;

use mote_eval::forecast::Conformal;

/// Scores that are remembered for each place. With 200 of them the coverage of an interval of 90 % is
/// known to about 2 %, and what was long ago is forgotten.
pub const MEMORY: usize = 200;

/// A conformal margin for each of some places, such as the steps of a forecast, from the newest scores
/// of that place (Romano, Patterson and Candès 2019). Memory is bounded.
#[derive(Clone, Debug)]
pub struct Calibrator {
    confidence: f64,
    memory: usize,
    /// `(places,)`
    scores: Vec<VecDeque<f64>>,
}

impl Calibrator {
    /// One that has seen nothing, for intervals that promise a coverage of `confidence`.
    #[must_use]
    pub fn new(places: usize, confidence: f64) -> Self {
        Self { confidence, memory: MEMORY, scores: vec![VecDeque::new(); places] }
    }

    /// The same, with so many scores remembered for each place instead of [`MEMORY`].
    #[must_use]
    pub fn remembering(self, memory: usize) -> Self {
        Self { memory, ..self }
    }

    /// The promised coverage.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// Takes what happened where `low` to `high` was promised. What is no number teaches nothing.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    pub fn learn(&mut self, place: usize, truth: f64, low: f64, high: f64) {
        let score = (low - truth).max(truth - high);
        if !score.is_finite() {
            return;
        }
        let scores = &mut self.scores[place];
        if scores.len() == self.memory {
            scores.pop_front();
        }
        scores.push_back(score);
    }

    /// By how much an interval has to be widened to keep the promise; `None` where too little was seen to
    /// promise anything.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    #[must_use]
    pub fn margin(&self, place: usize) -> Option<f64> {
        self.conformal(place).map(|c| c.margin)
    }

    /// The interval that keeps the promise; `None` where too little was seen to promise anything.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    #[must_use]
    pub fn widen(&self, place: usize, low: f64, high: f64) -> Option<(f64, f64)> {
        Some(self.conformal(place)?.widen(low, high))
    }

    fn conformal(&self, place: usize) -> Option<Conformal> {
        let scores: Vec<f64> = self.scores[place].iter().copied().collect();
        Conformal::from_scores(&scores, self.confidence).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_as_promised_after_enough_scores_and_follows_what_changes() {
        let mut calibrator = Calibrator::new(2, 0.9);
        let noise = |i: usize| ((i * 7919) % 1000) as f64 / 1000.0;
        let mut inside = [0, 0];
        for i in 0..2000 {
            // After a thousand values the spread doubles.
            let truth = noise(i) * if i < 1000 { 1.0 } else { 2.0 };
            if let Some((low, high)) = calibrator.widen(1, 0.4, 0.6) {
                inside[i / 1000] += usize::from((low..=high).contains(&truth));
            }
            calibrator.learn(1, truth, 0.4, 0.6);
        }
        assert!((880..=920).contains(&inside[0]), "{inside:?}");
        assert!((840..=920).contains(&inside[1]), "{inside:?}");
        assert_eq!(calibrator.widen(0, 0.4, 0.6), None, "nothing was seen there");
        assert!(calibrator.scores[1].len() <= MEMORY);
    }
}
