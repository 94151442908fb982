//! Says how surprising a score is beside the scores of late, so that the alarm follows drift.
//!
//! Scores of a likelihood grow with the square of a deviation, so they are compared as levels, on a
//! logarithmic scale that held-back data fixed. A level that lies far out moves what is usual only
//! as if it lay `clip` deviations away: a fault has to last before it becomes the usual.

use mote_format::manifest::Tracking;

/// The usual deviation never falls below this share of that on held-back data: after an hour of
/// standstill the first move of a machine is no fault.
const LEAST_DEVIATION: f64 = 0.1;

/// Mean and deviation of the levels of late; two numbers, whatever the memory.
#[derive(Clone, Debug)]
pub struct Tracker {
    settings: Tracking,
    mean: f64,
    variance: f64,
}

impl Tracker {
    /// Begins with what was usual on held-back data.
    #[must_use]
    pub fn new(settings: Tracking) -> Self {
        Self { settings, mean: settings.mean, variance: settings.deviation * settings.deviation }
    }

    /// Surprises above it are alarms.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.settings.threshold
    }

    /// How many usual deviations `score`, a finite number, lies above the usual. Only then it is
    /// learned.
    pub fn surprise(&mut self, score: f64) -> f64 {
        let Tracking { memory, clip, floor, unit, deviation, .. } = self.settings;
        let level = libm::log1p((score - floor).max(0.0) / unit);
        let usual = libm::sqrt(self.variance).max(LEAST_DEVIATION * deviation);
        let surprise = (level - self.mean) / usual;

        let share = 1.0 / memory;
        let step = surprise.clamp(-clip, clip) * usual;
        self.mean += share * step;
        self.variance = (1.0 - share) * (self.variance + share * step * step);
        surprise
    }
}
