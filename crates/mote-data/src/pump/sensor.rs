//! Sensors: units, noise, and their own faults.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    fault::{Fault, FaultKind},
    plant::Outputs,
    random::normal,
};

/// The sensors of the testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensor {
    /// Vibration of the pump, RMS
    VibrationPump,
    /// Vibration of the motor, RMS
    VibrationMotor,
    /// Current of the motor
    Current,
    /// Voltage at the motor
    Voltage,
    /// Speed of the shaft
    Speed,
    /// Pressure behind the pump, over the atmosphere
    Pressure,
    /// Flow through the valve
    Flow,
    /// Level of the tank
    Level,
    /// Temperature of the winding
    TemperatureMotor,
    /// Temperature of the bearing
    TemperatureBearing,
    /// Temperature of the water
    TemperatureWater,
    /// Set-point of the valve
    Valve,
}

/// For each sensor its name with the unit, the unit, and the deviation of its noise in that unit.
/// The noise is what good industrial sensors of that kind have: about half a per cent.
const TABLE: [(Sensor, &str, &str, f64); 12] = [
    (Sensor::VibrationPump, "vibration_pump_mm_s", "mm/s", 0.05),
    (Sensor::VibrationMotor, "vibration_motor_mm_s", "mm/s", 0.05),
    (Sensor::Current, "current_a", "A", 0.02),
    (Sensor::Voltage, "voltage_v", "V", 0.8),
    (Sensor::Speed, "speed_rpm", "rpm", 6.0),
    (Sensor::Pressure, "pressure_bar", "bar", 0.01),
    (Sensor::Flow, "flow_l_min", "l/min", 0.3),
    (Sensor::Level, "level_m", "m", 0.001),
    (Sensor::TemperatureMotor, "temperature_motor_c", "°C", 0.1),
    (Sensor::TemperatureBearing, "temperature_bearing_c", "°C", 0.1),
    (Sensor::TemperatureWater, "temperature_water_c", "°C", 0.05),
    (Sensor::Valve, "valve_percent", "%", 0.1),
];

impl Sensor {
    /// All sensors in the order of a record's values.
    pub const ALL: [Self; 12] = {
        let mut all = [Self::VibrationPump; 12];
        let mut i = 0;
        while i < all.len() {
            all[i] = TABLE[i].0;
            i += 1;
        }
        all
    };

    /// The name of its column, which ends with the unit.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The unit of its readings.
    #[must_use]
    pub fn unit(self) -> &'static str {
        TABLE[self as usize].2
    }

    /// A list of only this sensor.
    pub(super) fn alone(self) -> &'static [Self] {
        const ALL: [Sensor; 12] = Sensor::ALL;
        static LIST: [Sensor; 12] = ALL;
        std::slice::from_ref(&LIST[self as usize])
    }

    /// What it reads, in its unit, without noise.
    fn truth(self, out: &Outputs) -> f64 {
        match self {
            Self::VibrationPump => out.vibration_pump,
            Self::VibrationMotor => out.vibration_motor,
            Self::Current => out.current,
            Self::Voltage => out.volts,
            Self::Speed => out.speed * 60.0 / std::f64::consts::TAU,
            Self::Pressure => out.pressure_pa / 1e5,
            Self::Flow => out.flow * 60_000.0,
            Self::Level => out.level,
            Self::TemperatureMotor => out.heat_c[0],
            Self::TemperatureBearing => out.heat_c[1],
            Self::TemperatureWater => out.heat_c[2],
            Self::Valve => out.valve * 100.0,
        }
    }
}

/// All sensors with the readings that stuck ones repeat.
pub(super) struct Sensors {
    noise: f64,
    last: [f64; 12],
}

impl Sensors {
    pub(super) fn new(noise: f64) -> Self {
        Self { noise, last: [0.0; 12] }
    }

    /// One reading of each; NaN from one that sends nothing. The number of random values taken
    /// does not depend on faults, so a run with a fault is its twin without it until the fault.
    pub(super) fn read(
        &mut self,
        out: &Outputs,
        active: &[&Fault],
        second: usize,
        rng: &mut ChaCha8Rng,
    ) -> [f64; 12] {
        let mut readings = [0.0; 12];
        for (i, (sensor, _, _, deviation)) in TABLE.into_iter().enumerate() {
            let fresh = sensor.truth(out) + self.noise * deviation * normal(rng);
            readings[i] = fresh;
            let mut stuck = false;
            for fault in active {
                match fault.kind {
                    FaultKind::SensorDrift(s) if s == sensor => {
                        // At severity 1 it ends up off by a hundred times its noise: about half of
                        // what the reading usually is, and unnoticeable at first.
                        let length = (fault.end - fault.start).max(1) as f64;
                        let share = (second - fault.start + 1) as f64 / length;
                        readings[i] += 100.0 * deviation * fault.severity * share;
                    }
                    FaultKind::SensorStuck(s) if s == sensor => {
                        readings[i] = self.last[i];
                        stuck = true;
                    }
                    FaultKind::SensorDropout(s) if s == sensor => readings[i] = f64::NAN,
                    _ => {}
                }
            }
            if !stuck {
                self.last[i] = fresh;
            }
        }
        readings
    }
}
