//! A simulated pump testbed: data of any length whose truth is known to the second.
//!
//! A motor drives a centrifugal pump that moves water from a tank through a pipe and a valve back
//! to the tank. The physics is integrated far finer than it is sampled; set-points wander, sensors
//! are noisy, and faults of ten kinds can be planned. The same configuration gives the same bytes.
//!
//! ```
//! use mote_data::pump::{self, Config};
//!
//! let config = Config { samples: 300, ..Config::default() }.with_random_faults(2);
//! let simulation = pump::simulate(&config);
//! assert_eq!(simulation.records.len(), 300);
//! assert!(simulation.csv().starts_with("time,vibration_pump_mm_s"));
//! ```

use std::fmt::Write as _;

use mote_format::{Column, Kind, Schema};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

use crate::{
    record::Record,
    time::{SECOND, Timestamp},
};

mod demand;
mod fault;
mod plant;
mod random;
mod sensor;

pub use fault::{Fault, FaultKind};
pub use plant::Plant;
pub use sensor::Sensor;

use demand::Demand;
use plant::{Drive, State};
use sensor::Sensors;

/// What is simulated; the defaults are a small circulation pump over an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Chooses set-points, noise and random faults.
    pub seed: u64,
    /// Samples at 1 Hz. An hour by default: long enough for the motor to warm up (its slowest time
    /// constant but for the water's is ten minutes) and for a dozen set-points.
    pub samples: usize,
    /// The time of the first sample.
    pub start: Timestamp,
    /// Factor on the noise of all sensors and of the supply; 0 for none.
    pub noise: f64,
    /// Whether set-points wander; otherwise they stay at their nominal values.
    pub wander: bool,
    /// The machine.
    pub plant: Plant,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            samples: 3600,
            // 2024-01-01T00:00:00Z
            start: Timestamp(1_704_067_200 * SECOND),
            noise: 1.0,
            wander: true,
            plant: Plant::default(),
            faults: Vec::new(),
        }
    }
}

impl Config {
    /// Adds so many faults of random kinds at random times, one after another, in the last two
    /// thirds of the run; the first third stays normal, to train on. Fewer are added where there
    /// is no room for all of them.
    #[must_use]
    pub fn with_random_faults(mut self, count: usize) -> Self {
        self.faults.extend(fault::random(self.seed, self.samples, count));
        self
    }
}

/// A run of the testbed.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// One a second, with one value for each of [`Sensor::ALL`] and a label.
    pub records: Vec<Record>,
    /// What went wrong, as configured.
    pub faults: Vec<Fault>,
}

impl Simulation {
    /// The columns of the records; names end with units.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let column = |s: &Sensor| Column { name: s.name().into(), kind: Kind::Numeric };
        Schema { columns: Sensor::ALL.iter().map(column).collect(), period_s: Some(1.0) }
    }

    /// The run as a CSV file with columns `time`, the sensors and `anomaly`.
    #[must_use]
    pub fn csv(&self) -> String {
        let names: Vec<&str> = Sensor::ALL.iter().map(|s| s.name()).collect();
        let mut text = format!("time,{},anomaly\n", names.join(","));
        for record in &self.records {
            // Writing into a string cannot fail.
            let _ = write!(text, "{}", record.time.unwrap_or_default());
            for value in &record.values {
                let _ = match value.is_finite() {
                    true => write!(text, ",{value}"),
                    false => write!(text, ","),
                };
            }
            let _ = writeln!(text, ",{}", u8::from(record.label == Some(true)));
        }
        text
    }
}

/// Integration steps a second. The fastest motion, the current in the motor's coil, has a time
/// constant of 10 ms; steps of 5 ms integrate it well with a method of fourth order.
const STEPS: usize = 200;

/// Runs the testbed. It starts warm, with the pump turning.
///
/// Cost: about 0.1 ms for each sample.
#[must_use]
pub fn simulate(config: &Config) -> Simulation {
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let demands = demand::plan(config, &mut rng);
    let mut supply = demand::Supply::default();
    let mut sensors = Sensors::new(config.noise);
    let plant = &config.plant;
    let mut state = settled(plant, demands.first().copied().unwrap_or_default());
    let mut records = Vec::with_capacity(config.samples);
    for (second, demand) in demands.into_iter().enumerate() {
        let active: Vec<&Fault> = config.faults.iter().filter(|f| f.is_active(second)).collect();
        let wear = fault::wear(&active);
        let mains = plant.supply_v * supply.step(config.noise, &mut rng) * (1.0 - wear.sag);
        let drive = Drive {
            volts: demand.drive * mains,
            valve: demand.valve,
            ambient_c: plant.ambient_c(second as f64),
            wear,
        };
        for _ in 0..STEPS {
            state = plant.advance(&state, &drive, 1.0 / STEPS as f64);
        }
        let truth = plant.outputs(&state, &drive);
        let values = sensors.read(&truth, &active, second, &mut rng);
        records.push(Record {
            time: Some(Timestamp(config.start.0.saturating_add(second as i64 * SECOND))),
            values: values.iter().map(|&v| v as f32).collect(),
            label: Some(!active.is_empty()),
        });
    }
    Simulation { records, faults: config.faults.clone() }
}

/// The state after a long time at one set-point.
fn settled(plant: &Plant, demand: Demand) -> State {
    /// Long against the coil, the rotor, the water in the pipe and the valve, which settle within
    /// seconds; heat is put into balance directly.
    const SECONDS: usize = 30;
    let drive = Drive {
        volts: demand.drive * plant.supply_v,
        valve: demand.valve,
        ambient_c: plant.ambient_c(0.0),
        wear: fault::Wear::default(),
    };
    let mut state = State::at_rest(plant, &drive);
    for _ in 0..2 {
        for _ in 0..SECONDS * STEPS {
            state = plant.advance(&state, &drive, 1.0 / STEPS as f64);
        }
        state = plant.warmed(&state, &drive);
    }
    state
}
