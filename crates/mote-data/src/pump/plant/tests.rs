//! The equations against physics: balances, closed forms, and the direction of every fault.

use super::*;

fn drive(wear: Wear) -> Drive {
    Drive { volts: 220.0, valve: 0.7, ambient_c: 22.0, wear }
}

/// The state after some seconds, in steps of 5 ms.
fn after(plant: &Plant, drive: &Drive, seconds: usize) -> State {
    let mut state = State::at_rest(plant, drive);
    for _ in 0..seconds * 200 {
        state = plant.advance(&state, drive, 0.005);
    }
    state
}

#[track_caller]
fn near(found: f64, wanted: f64, relative: f64) {
    assert!((found - wanted).abs() <= relative * wanted.abs(), "wanted {wanted}, found {found}");
}

#[test]
fn steady_state_meets_the_closed_form() {
    let plant = Plant::default();
    let drive = drive(Wear::default());
    let s = after(&plant, &drive, 60);
    // Motor: voltage splits into resistance and back-EMF, torque into impeller and bearings.
    let resistance = plant.resistance_ohm * (1.0 + 0.0039 * (s.heat_c[0] - 20.0));
    near(resistance * s.current + plant.motor_constant * s.speed, drive.volts, 1e-3);
    let load = plant.pump_torque(s.speed, s.flow) + plant.friction_torque(s.speed, &drive.wear);
    near(plant.motor_constant * s.current, load, 1e-3);
    // Water: the pump's pressure is used up by height, pipe and valve. All losses but the pipe's
    // friction factor are quadratic, so the flow is a square root once the factor is known.
    let n = s.speed / plant.rated_speed;
    let area = area(plant.pipe_m[1]);
    let factor = friction_factor(
        s.flow / area * plant.pipe_m[1] / VISCOSITY,
        plant.roughness_m / plant.pipe_m[1],
    );
    let pipe = factor * plant.pipe_m[0] / plant.pipe_m[1] * DENSITY / (2.0 * area * area);
    let valve = 1.0 / (plant.valve_flow * RANGEABILITY.powf(0.7 - 1.0)).powi(2);
    let losses = WEIGHT * plant.head_slope + plant.suction_loss + pipe + valve;
    let head = plant.shutoff_head_m * n * n + plant.level_m - plant.outlet_m;
    near(s.flow, (WEIGHT * head / losses).sqrt(), 1e-3);
}

#[test]
fn a_finer_step_gives_the_same_motion() {
    let plant = Plant::default();
    let drive = drive(Wear::default());
    let coarse = after(&plant, &drive, 2);
    let mut fine = State::at_rest(&plant, &drive);
    for _ in 0..2 * 2000 {
        fine = plant.advance(&fine, &drive, 0.0005);
    }
    near(coarse.speed, fine.speed, 1e-4);
    near(coarse.current, fine.current, 1e-4);
    near(coarse.flow, fine.flow, 1e-4);
}

#[test]
fn power_is_lost_on_the_way_and_never_gained() {
    let plant = Plant::default();
    for valve in [0.1, 0.4, 0.7, 1.0] {
        let drive = Drive { valve, ..drive(Wear::default()) };
        let s = after(&plant, &drive, 30);
        let electric = drive.volts * s.current;
        let shaft = plant.motor_constant * s.current * s.speed;
        let impeller = plant.pump_torque(s.speed, s.flow) * s.speed;
        let discharge = plant.discharge(&s, &drive.wear);
        let water = (discharge.pressure - WEIGHT * s.level) * s.flow;
        assert!(electric > shaft && shaft > impeller && impeller > water && water > 0.0);
    }
}

#[test]
fn heat_comes_to_balance_with_the_air() {
    let plant = Plant::default();
    let drive = drive(Wear::default());
    let warm = plant.warmed(&after(&plant, &drive, 30), &drive);
    let slope = plant.slope(&warm, &drive).heat_c;
    assert!(slope[0].abs() < 1e-9 && slope[1].abs() < 1e-9, "in balance: {slope:?}");
    let hotter = State { heat_c: warm.heat_c.map(|t| t + 10.0), ..warm };
    assert!(plant.slope(&hotter, &drive).heat_c[1] < 0.0, "what is too hot cools");
    // 10 W of friction at 1.2 W/K and so on: plausible and above the air, below boiling.
    assert!(warm.heat_c[0] > 30.0 && warm.heat_c[0] < 100.0, "winding {}", warm.heat_c[0]);
}

#[test]
fn friction_follows_moodys_chart() {
    // Laminar, then two points of the Colebrook equation: smooth at Re 1e5 0.0180, and
    // relative roughness 0.001 at Re 1e6 0.0199; Haaland's formula is within 2 % of it.
    near(friction_factor(1000.0, 0.0), 0.064, 1e-12);
    near(friction_factor(1e5, 0.0), 0.0180, 0.02);
    near(friction_factor(1e6, 0.001), 0.0199, 0.02);
}

#[test]
fn each_fault_moves_what_it_should() {
    let plant = Plant::default();
    let run = |wear: Wear| {
        let drive = drive(wear);
        let s = plant.warmed(&after(&plant, &drive, 60), &drive);
        plant.outputs(&s, &drive)
    };
    let well = run(Wear::default());
    let leak = run(Wear { leak: 4e-7, ..Wear::default() });
    assert!(
        leak.pressure_pa < well.pressure_pa && leak.flow < well.flow && leak.level < well.level
    );
    let closed = run(Wear { valve_closed: 0.6, ..Wear::default() });
    assert!(closed.flow < 0.5 * well.flow && closed.pressure_pa > well.pressure_pa);
    assert!(closed.current < well.current, "less flow is less work");
    let worn = run(Wear { bearing: 4.0, ..Wear::default() });
    assert!(worn.current > well.current && worn.heat_c[1] > well.heat_c[1] + 10.0);
    assert!(worn.vibration_motor > 1.5 * well.vibration_motor && worn.speed < well.speed);
    let clogged = run(Wear { suction: 60.0, ..Wear::default() });
    assert!(clogged.vibration_pump > well.vibration_pump + 0.5, "bubbles are heard");
    assert!(clogged.flow < well.flow && clogged.pressure_pa < well.pressure_pa);
    let unbalanced = run(Wear { imbalance: 3.0, ..Wear::default() });
    assert!(unbalanced.vibration_pump > 2.0 * well.vibration_pump);
    assert_eq!(unbalanced.flow, well.flow, "imbalance does not touch the water");
}
