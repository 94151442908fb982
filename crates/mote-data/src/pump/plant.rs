//! The machine as ordinary differential equations, in SI units.
//!
//! Motor, pump, pipe and tank by textbook relations: the equivalent circuit of a permanent-magnet
//! machine, the affinity laws of centrifugal pumps, Darcy and Weisbach's pipe friction with
//! Haaland's factor, an equal-percentage valve, lumped heat capacities.

use serde::{Deserialize, Serialize};

use super::fault::Wear;

/// The constants of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plant {
    /// Supply, V
    pub supply_v: f64,
    /// Mean ambient temperature, °C
    pub ambient_mean_c: f64,
    /// How far it swings to both sides over a day, K
    pub ambient_swing_k: f64,
    /// Resistance of the winding at 20 °C, Ω
    pub resistance_ohm: f64,
    /// Inductance of the winding, H
    pub inductance_h: f64,
    /// Volts a rad/s of back-EMF, and newton metres an ampere of torque
    pub motor_constant: f64,
    /// Inertia of rotor and impeller, kg m²
    pub inertia: f64,
    /// Speed to which the pump's curve belongs, rad/s
    pub rated_speed: f64,
    /// Head at rated speed without flow, m
    pub shutoff_head_m: f64,
    /// Loss of head with the square of flow, m/(m³/s)²
    pub head_slope: f64,
    /// Torque of the impeller at rated speed without flow, N m
    pub idle_torque: f64,
    /// More torque with flow, at rated speed, N m/(m³/s)
    pub flow_torque: f64,
    /// Friction of the bearings that does not depend on speed, N m
    pub bearing_torque: f64,
    /// Friction of the bearings with speed, N m/(rad/s)
    pub bearing_slope: f64,
    /// Loss of the suction line, Pa/(m³/s)²
    pub suction_loss: f64,
    /// Length and inner diameter of the pipe, m
    pub pipe_m: [f64; 2],
    /// Roughness of the pipe's wall, m
    pub roughness_m: f64,
    /// Flow through the open valve, (m³/s)/√Pa
    pub valve_flow: f64,
    /// Height of the pipe's outlet over the pump, m
    pub outlet_m: f64,
    /// Area of the tank, m²
    pub tank_m2: f64,
    /// Level that the make-up valve holds, m over the pump
    pub level_m: f64,
    /// Heat capacity of winding, bearing and water, J/K
    pub capacity: [f64; 3],
    /// Heat that winding, bearing and water give to the air, W/K
    pub cooling: [f64; 3],
}

impl Default for Plant {
    /// A 500 W circulation pump: about 60 l/min at 1.7 bar and 2 A.
    fn default() -> Self {
        Self {
            supply_v: 230.0,
            ambient_mean_c: 22.0,
            ambient_swing_k: 2.0,
            resistance_ohm: 8.0,
            inductance_h: 0.08,
            motor_constant: 0.7,
            inertia: 0.003,
            rated_speed: 300.0,
            shutoff_head_m: 25.0,
            head_slope: 7.0e6,
            idle_torque: 0.7,
            flow_torque: 600.0,
            bearing_torque: 0.05,
            bearing_slope: 2.0e-4,
            suction_loss: 2.0e9,
            pipe_m: [12.0, 0.025],
            roughness_m: 1.5e-6,
            valve_flow: 6.5e-6,
            outlet_m: 1.5,
            tank_m2: 0.5,
            level_m: 0.8,
            capacity: [900.0, 400.0, 400.0 * 4180.0],
            cooling: [1.5, 1.2, 25.0],
        }
    }
}

/// Density of water, kg/m³, and its weight, N/m³.
const DENSITY: f64 = 998.0;
const WEIGHT: f64 = DENSITY * 9.81;
/// Kinematic viscosity of water at 20 °C, m²/s.
const VISCOSITY: f64 = 1.0e-6;
/// Heat capacity of a cubic metre of water, J/(m³ K).
const WATER_HEAT: f64 = DENSITY * 4180.0;
const ATMOSPHERE_PA: f64 = 101_325.0;
/// Ratio of the valve's greatest to its least flow.
const RANGEABILITY: f64 = 20.0;
/// How fast the valve follows, and how fast cavitation builds up, s.
const VALVE_S: f64 = 2.0;
const CAVITATION_S: f64 = 0.5;
/// The share of the head that full cavitation costs.
const CAVITATION_HEAD: f64 = 0.35;
/// Temperature coefficient of copper, 1/K.
const COPPER: f64 = 0.0039;

/// What acts on the machine from outside during one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive {
    pub(super) volts: f64,
    /// Wanted opening of the valve, 0 to 1
    pub(super) valve: f64,
    pub(super) ambient_c: f64,
    pub(super) wear: Wear,
}

/// What the equations integrate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State {
    /// A
    pub(super) current: f64,
    /// rad/s
    pub(super) speed: f64,
    /// Through pipe and valve, m³/s, never backwards: there is a check valve
    pub(super) flow: f64,
    /// Opening of the valve, 0 to 1
    pub(super) valve: f64,
    /// Level of the tank over the pump, m
    pub(super) level: f64,
    /// From none to full, 0 to 1
    pub(super) cavitation: f64,
    /// Winding, bearing, water, °C
    pub(super) heat_c: [f64; 3],
}

/// What sensors see, before noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outputs {
    pub(super) vibration_pump: f64,
    pub(super) vibration_motor: f64,
    pub(super) current: f64,
    pub(super) volts: f64,
    pub(super) speed: f64,
    pub(super) pressure_pa: f64,
    pub(super) flow: f64,
    pub(super) level: f64,
    pub(super) heat_c: [f64; 3],
    pub(super) valve: f64,
}

/// Pressure behind the pump and what leaks out there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Discharge {
    /// Over the atmosphere, Pa
    pub(super) pressure: f64,
    /// m³/s
    pub(super) leak: f64,
}

impl State {
    /// Everything still and as warm as the air; the valve stands where it should.
    pub(super) fn at_rest(plant: &Plant, drive: &Drive) -> Self {
        Self {
            current: 0.0,
            speed: 0.0,
            flow: 0.0,
            valve: drive.valve,
            level: plant.level_m,
            cavitation: 0.0,
            heat_c: [drive.ambient_c; 3],
        }
    }

    /// `self + h · slope`, for the integrator.
    fn moved(&self, slope: &Self, h: f64) -> Self {
        Self {
            current: self.current + h * slope.current,
            speed: (self.speed + h * slope.speed).max(0.0),
            flow: (self.flow + h * slope.flow).max(0.0),
            valve: self.valve + h * slope.valve,
            level: (self.level + h * slope.level).max(0.0),
            cavitation: self.cavitation + h * slope.cavitation,
            heat_c: [0, 1, 2].map(|i| self.heat_c[i] + h * slope.heat_c[i]),
        }
    }
}

impl Plant {
    /// The temperature of the air, which swings over a day.
    pub(super) fn ambient_c(&self, second: f64) -> f64 {
        self.ambient_mean_c
            + self.ambient_swing_k * (second / 86_400.0 * std::f64::consts::TAU).sin()
    }

    /// One step of the classical Runge-Kutta method of fourth order.
    pub(super) fn advance(&self, state: &State, drive: &Drive, h: f64) -> State {
        let a = self.slope(state, drive);
        let b = self.slope(&state.moved(&a, h / 2.0), drive);
        let c = self.slope(&state.moved(&b, h / 2.0), drive);
        let d = self.slope(&state.moved(&c, h), drive);
        let sixth = h / 6.0;
        state.moved(&a, sixth).moved(&b, 2.0 * sixth).moved(&c, 2.0 * sixth).moved(&d, sixth)
    }

    /// The time derivative of the state.
    fn slope(&self, s: &State, drive: &Drive) -> State {
        let wear = &drive.wear;
        let discharge = self.discharge(s, wear);
        let pumped = s.flow + discharge.leak;
        let torque = self.motor_constant * s.current;
        let load = self.pump_torque(s.speed, pumped) + self.friction_torque(s.speed, wear);
        let [length, diameter] = self.pipe_m;
        let inertance = DENSITY * length / area(diameter);
        let back =
            WEIGHT * self.outlet_m + self.friction(s.flow) + self.valve_loss(s.flow, s.valve);
        let make_up = self.make_up(s.level);
        let cavitation = self.cavitation(s, pumped, wear);
        State {
            current: (drive.volts - self.resistance(s) * s.current - self.motor_constant * s.speed)
                / self.inductance_h,
            speed: (torque - load) / self.inertia,
            flow: (discharge.pressure - back) / inertance,
            valve: if wear.valve_stuck {
                0.0
            } else {
                (drive.valve * (1.0 - wear.valve_closed) - s.valve) / VALVE_S
            },
            level: (make_up - discharge.leak) / self.tank_m2,
            cavitation: (cavitation - s.cavitation) / CAVITATION_S,
            heat_c: self.heat_slope(s, drive, self.pump_torque(s.speed, pumped) * s.speed, make_up),
        }
    }

    /// Winding: copper loss. Bearing: friction. Water: all the work of the impeller, since the
    /// loop gives none of it away, less what fresh water takes.
    fn heat_slope(&self, s: &State, drive: &Drive, impeller_w: f64, make_up: f64) -> [f64; 3] {
        let fresh = WATER_HEAT * make_up * (s.heat_c[2] - drive.ambient_c);
        let gains = [
            self.resistance(s) * s.current * s.current,
            self.friction_torque(s.speed, &drive.wear) * s.speed,
            impeller_w - fresh,
        ];
        [0, 1, 2].map(|i| {
            (gains[i] - self.cooling[i] * (s.heat_c[i] - drive.ambient_c)) / self.capacity[i]
        })
    }

    /// The state with the heat of winding, bearing and water in balance: a plant that has run for
    /// days. Otherwise the water, which takes a day to warm up, would drift through every recording.
    pub(super) fn warmed(&self, s: &State, drive: &Drive) -> State {
        // Kelvin that the winding would warm up if its resistance stayed that of 20 °C. As it
        // grows with temperature, the balance is a linear equation.
        let cold = self.resistance_ohm * s.current * s.current / self.cooling[0];
        let winding = (drive.ambient_c + cold * (1.0 - 20.0 * COPPER)) / (1.0 - cold * COPPER);
        let friction = self.friction_torque(s.speed, &drive.wear) * s.speed;
        let bearing = drive.ambient_c + friction / self.cooling[1];
        let impeller_w = self.pump_torque(s.speed, s.flow) * s.speed;
        let water = drive.ambient_c + impeller_w / self.cooling[2];
        State { heat_c: [winding, bearing, water], ..*s }
    }

    fn resistance(&self, s: &State) -> f64 {
        self.resistance_ohm * (1.0 + COPPER * (s.heat_c[0] - 20.0))
    }

    /// By the affinity laws torque grows with the square of speed at flows that grow with speed.
    pub(super) fn pump_torque(&self, speed: f64, flow: f64) -> f64 {
        let n = speed / self.rated_speed;
        self.idle_torque * n * n + self.flow_torque * n * flow
    }

    pub(super) fn friction_torque(&self, speed: f64, wear: &Wear) -> f64 {
        // The constant part fades in with the first turns: dry friction has no sign at rest.
        let dry = self.bearing_torque * (speed / 5.0).min(1.0);
        (dry + self.bearing_slope * speed) * (1.0 + wear.bearing)
    }

    /// Where the pump's curve meets the pipe and the leak.
    ///
    /// With `K` the pressure without flow, `b` the loss with the square of flow and a leak of
    /// `c √p`, the pressure solves `p = K - b (flow + c √p)²`, a quadratic in `√p`.
    pub(super) fn discharge(&self, s: &State, wear: &Wear) -> Discharge {
        let n = s.speed / self.rated_speed;
        let head = self.shutoff_head_m * n * n * (1.0 - CAVITATION_HEAD * s.cavitation);
        let k = WEIGHT * (head + s.level);
        let b = WEIGHT * self.head_slope + self.suction_loss * (1.0 + wear.suction);
        let c = wear.leak;
        let without_leak = k - b * s.flow * s.flow;
        if without_leak <= 0.0 {
            return Discharge { pressure: without_leak, leak: 0.0 };
        }
        let half = b * s.flow * c;
        let lead = 1.0 + b * c * c;
        let root = ((half * half + lead * without_leak).sqrt() - half) / lead;
        Discharge { pressure: root * root, leak: c * root }
    }

    /// Darcy and Weisbach's loss, Pa.
    pub(super) fn friction(&self, flow: f64) -> f64 {
        let [length, diameter] = self.pipe_m;
        let velocity = flow / area(diameter);
        friction_factor(velocity * diameter / VISCOSITY, self.roughness_m / diameter) * length
            / diameter
            * DENSITY
            * velocity
            * velocity
            / 2.0
    }

    /// Loss of a valve whose flow falls by equal shares as it closes, Pa.
    pub(super) fn valve_loss(&self, flow: f64, opening: f64) -> f64 {
        (flow / (self.valve_flow * RANGEABILITY.powf(opening - 1.0))).powi(2)
    }

    /// What the float valve lets in, m³/s.
    fn make_up(&self, level: f64) -> f64 {
        const PER_METRE: f64 = 2.0e-3;
        const MOST: f64 = 2.0e-4;
        (PER_METRE * (self.level_m - level)).clamp(0.0, MOST)
    }

    /// How far the suction head falls short of what the impeller needs, 0 to 1.
    fn cavitation(&self, s: &State, pumped: f64, wear: &Wear) -> f64 {
        let suction = self.suction_loss * (1.0 + wear.suction) * pumped * pumped;
        let absolute = ATMOSPHERE_PA + WEIGHT * s.level - suction - vapour_pa(s.heat_c[2]);
        let available_m = absolute / WEIGHT;
        let needed_m = 2.0 + 4.0e6 * pumped * pumped;
        ((needed_m - available_m) / needed_m).clamp(0.0, 1.0)
    }

    /// What can be measured. Vibration is the root of the sum of squares of independent sources:
    /// imbalance pulls with the square of speed, bearings with speed, bubbles with cavitation.
    pub(super) fn outputs(&self, s: &State, drive: &Drive) -> Outputs {
        let n = s.speed / self.rated_speed;
        let wear = &drive.wear;
        let sources =
            [1.2 * n, (0.5 + wear.imbalance) * n * n, 0.7 * wear.bearing * n, 6.0 * s.cavitation];
        let felt = |gain: [f64; 4]| {
            sources.iter().zip(gain).map(|(v, g)| (v * g).powi(2)).sum::<f64>().sqrt()
        };
        Outputs {
            vibration_pump: felt([1.0, 1.0, 0.6, 1.0]),
            vibration_motor: felt([0.8, 0.7, 1.0, 0.3]),
            current: s.current,
            volts: drive.volts,
            speed: s.speed,
            pressure_pa: self.discharge(s, wear).pressure,
            flow: s.flow,
            level: s.level,
            heat_c: s.heat_c,
            valve: drive.valve,
        }
    }
}

fn area(diameter: f64) -> f64 {
    std::f64::consts::FRAC_PI_4 * diameter * diameter
}

/// 64/Re in laminar flow, Haaland's formula in turbulent flow, and a line between them.
pub(super) fn friction_factor(reynolds: f64, relative_roughness: f64) -> f64 {
    const LAMINAR: f64 = 2300.0;
    const TURBULENT: f64 = 4000.0;
    let haaland = |re: f64| {
        let inner = (relative_roughness / 3.7).powf(1.11) + 6.9 / re;
        (-1.8 * inner.log10()).powi(-2)
    };
    if reynolds < LAMINAR {
        // Without flow there is no loss, whatever the factor.
        return 64.0 / reynolds.max(1.0);
    }
    if reynolds > TURBULENT {
        return haaland(reynolds);
    }
    let share = (reynolds - LAMINAR) / (TURBULENT - LAMINAR);
    64.0 / LAMINAR * (1.0 - share) + haaland(TURBULENT) * share
}

/// Magnus' formula for water, Pa.
fn vapour_pa(celsius: f64) -> f64 {
    611.2 * (17.62 * celsius / (243.12 + celsius)).exp()
}

#[cfg(test)]
mod tests;
