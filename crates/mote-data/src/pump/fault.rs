//! What can go wrong, how bad it is, and which sensors show the cause.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use super::{random::uniform, sensor::Sensor};

/// A fault in its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The first sample with it.
    pub start: usize,
    /// The first sample after it.
    pub end: usize,
    /// From 0, harmless, to 1, as bad as the testbed can be.
    pub severity: f64,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The valve no longer follows its set-point.
    ValveStuck,
    /// The valve closes though it should not.
    ValveClosing,
    /// Water is lost behind the pump.
    Leak,
    /// Worn bearings: friction, heat, vibration.
    BearingWear,
    /// A clogged suction line lets the water boil in the impeller.
    Cavitation,
    /// A mass out of the centre of the rotor.
    Imbalance,
    /// The supply's voltage breaks down.
    PowerSag,
    /// A sensor's reading wanders off.
    SensorDrift(Sensor),
    /// A sensor repeats one reading.
    SensorStuck(Sensor),
    /// A sensor sends nothing.
    SensorDropout(Sensor),
}

impl FaultKind {
    /// The sensors that show the cause first and most, as a person at the testbed would name them.
    #[must_use]
    pub fn sensors(self) -> &'static [Sensor] {
        use Sensor as S;
        match self {
            Self::ValveStuck | Self::ValveClosing => &[S::Flow, S::Pressure, S::Current],
            Self::Leak => &[S::Pressure, S::Flow, S::Level],
            Self::BearingWear => {
                &[S::VibrationMotor, S::VibrationPump, S::TemperatureBearing, S::Current]
            }
            Self::Cavitation => &[S::VibrationPump, S::Pressure, S::Flow],
            Self::Imbalance => &[S::VibrationPump, S::VibrationMotor],
            Self::PowerSag => &[S::Voltage, S::Speed, S::Current],
            Self::SensorDrift(s) | Self::SensorStuck(s) | Self::SensorDropout(s) => s.alone(),
        }
    }
}

impl Fault {
    /// Whether it acts at a sample.
    #[must_use]
    pub fn is_active(&self, sample: usize) -> bool {
        (self.start..self.end).contains(&sample)
    }
}

/// What faults do to the machine at one moment; all 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wear {
    pub(super) valve_stuck: bool,
    /// Share by which the valve is closed beyond its set-point
    pub(super) valve_closed: f64,
    /// Flow out of the leak, (m³/s)/√Pa
    pub(super) leak: f64,
    /// Friction of the bearings beyond normal, as a multiple
    pub(super) bearing: f64,
    /// Loss of the suction line beyond normal, as a multiple
    pub(super) suction: f64,
    /// Vibration at rated speed beyond normal, mm/s
    pub(super) imbalance: f64,
    /// Share of the voltage that is lost
    pub(super) sag: f64,
}

/// The effect of all active faults together.
pub(super) fn wear(active: &[&Fault]) -> Wear {
    let mut wear = Wear::default();
    for fault in active {
        let s = fault.severity;
        match fault.kind {
            FaultKind::ValveStuck => wear.valve_stuck = true,
            FaultKind::ValveClosing => wear.valve_closed = (wear.valve_closed + 0.9 * s).min(1.0),
            FaultKind::Leak => wear.leak += 8.0e-7 * s,
            FaultKind::BearingWear => wear.bearing += 6.0 * s,
            FaultKind::Cavitation => wear.suction += 150.0 * s,
            FaultKind::Imbalance => wear.imbalance += 5.0 * s,
            FaultKind::PowerSag => wear.sag = (wear.sag + 0.4 * s).min(1.0),
            FaultKind::SensorDrift(_) | FaultKind::SensorStuck(_) | FaultKind::SensorDropout(_) => {
            }
        }
    }
    wear
}

/// Faults one after another in the last two thirds of a run, with room between them.
pub(super) fn random(seed: u64, samples: usize, count: usize) -> Vec<Fault> {
    /// Shorter than this, heat and level cannot show anything.
    const SHORTEST: usize = 20;
    // A stream of its own, so that faults do not change the set-points of the run.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let first = samples / 3;
    let room = (samples - first) / count.max(1);
    if room < 2 * SHORTEST {
        return if count > 1 { random(seed, samples, count - 1) } else { Vec::new() };
    }
    (0..count)
        .map(|i| {
            let length = uniform(&mut rng, SHORTEST as f64, room as f64 * 0.6) as usize;
            let start = first + i * room + uniform(&mut rng, 0.0, (room - length) as f64) as usize;
            let severity = uniform(&mut rng, 0.3, 1.0);
            Fault { kind: kind(&mut rng), start, end: start + length, severity }
        })
        .collect()
}

fn kind(rng: &mut ChaCha8Rng) -> FaultKind {
    let sensor = Sensor::ALL[rng.next_u64() as usize % Sensor::ALL.len()];
    let kinds = [
        FaultKind::ValveStuck,
        FaultKind::ValveClosing,
        FaultKind::Leak,
        FaultKind::BearingWear,
        FaultKind::Cavitation,
        FaultKind::Imbalance,
        FaultKind::PowerSag,
        FaultKind::SensorDrift(sensor),
        FaultKind::SensorStuck(sensor),
        FaultKind::SensorDropout(sensor),
    ];
    kinds[rng.next_u64() as usize % kinds.len()]
}
