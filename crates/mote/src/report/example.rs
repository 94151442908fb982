//! A made-up plant for tests: sensors with noise and daily cycles, and faults that grow in two.

use mote_eval::{
    Posterior, Tail,
    events::{Confusion, event_counts, point_adjusted},
    rank::{Alternative, BlockBootstrap, Labelled, auroc_interval, mann_whitney, shift_test},
};

use super::{
    Clock, Column, ColumnKind, Data, Event, File, Header, Latent, LossAxis, LowDensity, Method,
    Metric, MetricUnit, Projection, Report, Run, Sensor, SpaceTest, Threshold, Training,
};

/// How large the plant is.
#[derive(Clone, Copy)]
pub(crate) struct Plant {
    pub(crate) runs: usize,
    pub(crate) samples: usize,
    pub(crate) sensors: usize,
    pub(crate) labelled: bool,
}

const NAMES: [(&str, &str); 8] = [
    ("Bearing temperature", "°C"),
    ("Discharge pressure", "bar"),
    ("Volume flow", "L/min"),
    ("Motor current", "A"),
    ("Accelerometer 1 RMS", "g"),
    ("Accelerometer 2 RMS", "g"),
    ("Supply voltage", "V"),
    ("Tank level", "m"),
];
const TAIL: usize = 10;
/// 2024-03-11 06:00.
const START: f64 = 1_710_136_800.0;

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn gauss(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A report with every part filled in.
pub(crate) fn report(plant: Plant) -> Report {
    let mut noise = Noise(11);
    let sensors = sensors(plant.sensors);
    let mut columns = vec![Vec::new(); plant.sensors];
    let mut runs: Vec<Run> =
        (0..plant.runs).map(|r| run(r, plant, &mut noise, &mut columns)).collect();
    let calm = |run: &Run| -> Vec<f64> {
        let labels = run.labels.clone().unwrap_or_default();
        // The score of a sample speaks of those before it too.
        let near = |i: usize| labels[i.saturating_sub(TAIL)..=i].contains(&true);
        let normal = |i: &usize| run.scores[*i].is_finite() && !near(*i);
        (0..run.scores.len()).filter(normal).map(|i| run.scores[i]).collect()
    };
    let scores: Vec<f64> = runs.iter().flat_map(calm).collect();
    let value = Tail::fit(&scores, 0.98).and_then(|t| t.threshold(0.001)).expect("calm scores");
    for run in &mut runs {
        run.events = events(run, value, &sensors);
        if !plant.labelled {
            run.labels = None;
        }
    }
    let threshold = Threshold {
        value,
        how: "It was chosen by peaks over threshold: a generalized Pareto tail was fitted to the \
              highest 2 % of the scores of held-back normal data."
            .into(),
        rate_asked: Some(0.001),
        rate_measured: Some(0.0012),
        measured_on: format!("{} held-back normal samples", scores.len() / 1000 * 1000),
    };
    let mut report = Report {
        header: header(),
        data: data(plant, columns),
        training: Some(training(&mut noise)),
        sensors,
        score_unit: "nats per value".into(),
        threshold: Some(threshold),
        runs,
        latent: Some(latent(&mut noise, plant.labelled)),
        method: method(),
        ..Report::default()
    };
    if plant.labelled {
        measure(&mut report, value);
    }
    report
}

fn sensors(count: usize) -> Vec<Sensor> {
    let name = |i: usize| match (NAMES.get(i), i) {
        (Some((name, _)), _) => (*name).to_string(),
        (None, 9) => "line_4/pump_skid_B/redundant_outlet_valve_position_feedback_percent".into(),
        (None, i) => format!("cpu_load_{i}"),
    };
    let usual = 0.5 / count as f64;
    (0..count)
        .map(|i| Sensor { name: name(i), usual_mean: usual, usual_deviation: usual * 0.5 })
        .collect()
}

fn run(r: usize, plant: Plant, noise: &mut Noise, columns: &mut [Vec<f64>]) -> Run {
    let (samples, sensors) = (plant.samples, plant.sensors);
    let faults = faults(r, plant);
    let mut labels = vec![false; samples];
    faults.iter().for_each(|f| labels[f.0..f.1].fill(true));
    let mut residual = vec![0.0; sensors];
    let mut energy: Vec<Vec<f64>> = vec![Vec::new(); sensors];
    for t in 0..samples {
        for s in 0..sensors {
            residual[s] = 0.6 * residual[s] + 0.8 * noise.gauss();
            let fault = faults.iter().filter(|f| (f.0..f.1).contains(&t));
            let push: f64 = fault.map(|f| f.push(t, s, sensors)).sum();
            let z = residual[s] + push;
            energy[s].push(0.5 * z * z / sensors as f64);
            let cycle = (t as f64 / 2900.0 + s as f64).sin() * 2.0;
            columns[s].push(20.0 * (s + 1) as f64 + cycle + z);
        }
    }
    let tail = |s: usize, t: usize| energy[s][t + 1 - TAIL..=t].iter().sum::<f64>() / TAIL as f64;
    let mut contributions = vec![f32::NAN; samples * sensors];
    let mut scores = vec![f64::NAN; samples];
    for t in 63..samples {
        let shares: Vec<f64> = (0..sensors).map(|s| tail(s, t)).collect();
        scores[t] = shares.iter().sum::<f64>() - 0.2;
        for (to, share) in contributions[t * sensors..].iter_mut().zip(shares) {
            *to = share as f32;
        }
    }
    // A break of an hour, as when a logger was restarted.
    let gap = |t: usize| if t > samples * 2 / 3 && r == 0 { 3600.0 } else { 0.0 };
    Run {
        name: format!("line 4, day {}", r + 1),
        clock: Clock::Dated,
        times: (0..samples)
            .map(|t| START + r as f64 * 86_400.0 + t as f64 * 2.0 + gap(t))
            .collect(),
        scores,
        labels: Some(labels),
        judged_from: samples / 8,
        events: Vec::new(),
        contributions,
    }
}

/// When something breaks, from one sample to another, and how.
struct Fault(usize, usize, usize);

impl Fault {
    /// What it does to a sensor, in standard deviations.
    fn push(&self, t: usize, sensor: usize, sensors: usize) -> f64 {
        let grown = (t - self.0) as f64 / (self.1 - self.0) as f64;
        let place = (sensor + sensors - self.2 % sensors) % sensors;
        match (self.2 % 3, place) {
            (0, 0) => 9.0 * grown,
            (0, 1) => 5.0 * grown,
            (1, 0) => 30.0 * (grown * std::f64::consts::PI).sin(),
            (1, 2) => -4.0,
            (2, 0) => 2.6,
            _ => 0.0,
        }
    }
}

fn faults(r: usize, plant: Plant) -> Vec<Fault> {
    let at = |share: f64| (plant.samples as f64 * share) as usize;
    let kinds = [(0.3, 0.36, 0), (0.52, 0.535, 4), (0.8, 0.86, 2), (0.92, 0.925, 1)];
    let kept = kinds.iter().enumerate().filter(|(i, _)| (i + r) % 5 != 2);
    kept.map(|(_, &(from, to, kind))| Fault(at(from), at(to) + 1, kind + r)).collect()
}

fn events(run: &Run, threshold: f64, sensors: &[Sensor]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (t, &score) in run.scores.iter().enumerate().filter(|(_, score)| **score > threshold) {
        match events.last_mut() {
            Some(open) if t - open.end <= 5 => {
                open.end = t;
                if score > open.peak_score {
                    (open.peak, open.peak_score) = (t, score);
                }
            }
            _ => events.push(Event {
                start: t,
                end: t,
                peak: t,
                peak_score: score,
                calm: false,
                cause: vec![],
            }),
        }
    }
    for event in &mut events {
        let row = &run.contributions[event.peak * sensors.len()..][..sensors.len()];
        let cause = row.iter().zip(sensors);
        event.cause =
            cause.map(|(&c, s)| (f64::from(c) - s.usual_mean) / s.usual_deviation).collect();
    }
    events
}

fn header() -> Header {
    Header {
        title: "Line 4: five days in March".into(),
        family: "TimeVae".into(),
        density: "a bound on the log-density (ELBO)".into(),
        made_at: "2024-03-18 09:41".into(),
        command: "mote report line4.mote data/line4/*.csv --label fault --out line4.html".into(),
        version: "mote 0.1.0".into(),
        seed: 7,
    }
}

fn data(plant: Plant, columns: Vec<Vec<f64>>) -> Data {
    let file = |r: usize| File {
        name: format!("day_{}.csv", r + 1),
        role: if r == 0 { "training and test".into() } else { "test".into() },
        rows: plant.samples,
        duration_s: Some(plant.samples as f64 * 2.0),
        period_s: Some(2.0),
        missing_share: 0.0031 * r as f64,
        gaps_inserted: 17 * r,
        duplicates: r,
    };
    let sensors = sensors(plant.sensors);
    let column = |(i, values): (usize, Vec<f64>)| Column {
        name: sensors[i].name.clone(),
        unit: NAMES.get(i).map_or("", |(_, unit)| unit).into(),
        kind: ColumnKind::Numeric,
        why: "All of its values are numbers and most of them differ.".into(),
        missing_share: 0.002,
        values,
    };
    let special = |name: &str, kind, why: &str| Column {
        name: name.into(),
        kind,
        why: why.into(),
        ..Column::default()
    };
    let mut all =
        vec![special("timestamp", ColumnKind::Time, "Its values are ISO dates that rise.")];
    all.extend(columns.into_iter().enumerate().map(column));
    all.push(special("valve mode", ColumnKind::Categorical, "Its values are 3 words."));
    all.push(special("site", ColumnKind::Constant, "It holds one value, `line 4`."));
    all.push(special("fault", ColumnKind::Label, "Named with --label; it holds 0 and 1."));
    Data {
        files: (0..plant.runs).map(file).collect(),
        columns: all,
        notes: vec!["Rows come every 2 s; steps of more than 20 s start a new segment.".into()],
    }
}

fn training(noise: &mut Noise) -> Training {
    let train = |noise: &mut Noise, s: f64| 0.42 + 2.4 * (-s / 500.0).exp() + 0.03 * noise.gauss();
    let validation = |noise: &mut Noise, s: f64| {
        0.5 + 2.3 * (-s / 480.0).exp() + (s - 2600.0).max(0.0) * 4e-5 + 0.006 * noise.gauss()
    };
    let warm = |s: f64| {
        1e-3 * (s / 200.0).min(1.0) * (0.5 + 0.5 * (s / 4000.0 * std::f64::consts::PI).cos())
    };
    let steps = |every: usize| (0..=4000).step_by(every).map(|s| s as f64);
    let (width, rows) = (8, 400);
    let spread = |j: usize| if j < 5 { 1.3 - 0.2 * j as f64 } else { 0.02 };
    let means = (0..rows * width).map(|i| spread(i % width) * noise.gauss()).collect::<Vec<_>>();
    let spreads: Vec<f64> = (0..rows * width)
        .map(|i| if i % width < 5 { -2.2 + 0.3 * (i % width) as f64 } else { -0.01 })
        .collect();
    Training {
        train_loss: steps(10).map(|s| (s, train(noise, s))).collect(),
        validation_loss: steps(100).map(|s| (s, validation(noise, s))).collect(),
        loss_unit: "nats per value".into(),
        loss_axis: LossAxis::Auto,
        learning_rate: steps(20).map(|s| (s, warm(s))).collect(),
        best_step: Some(2700.0),
        stopped: "The validation loss did not improve for 1,300 steps.".into(),
        duration_s: Some(412.0),
        parameters: Some(48_213),
        device: "CPU, 2 threads".into(),
        posterior: Posterior::of(&means, &spreads, width).ok(),
        signs: Vec::new(),
    }
}

fn latent(noise: &mut Noise, labelled: bool) -> Latent {
    let mut point = |x: f64, y: f64, spread: f64| {
        let (a, b) = (noise.gauss(), noise.gauss());
        [x + spread * a, y + spread * (0.6 * b + 0.25 * a * a)]
    };
    let normal =
        (0..6000).map(|i| if i % 3 == 0 { point(3.0, 1.5, 0.7) } else { point(-0.5, -0.4, 1.0) });
    let normal = normal.collect();
    let anomalous = (0..if labelled { 700 } else { 0 }).map(|i| match i % 10 {
        0..3 => point(-0.3, -0.2, 1.1),
        3..9 => point(1.5 + f64::from(i) / 150.0, -3.5, 0.6),
        _ => point(40.0, 2.0, 1.0),
    });
    let anomalous = anomalous.collect();
    let projection = Projection::Principal { width: 8, variance_share: [0.443, 0.214] };
    Latent { projection, normal, anomalous }
}

fn method() -> Method {
    Method {
        window: 64,
        tail: TAIL,
        settings: vec![
            ("Scaling".into(), "mean 0, standard deviation 1, from the training part".into()),
            ("Format".into(), "f32".into()),
        ],
        limits: vec![
            "The model was trained on one day; a season it has not seen may look strange to it."
                .into(),
        ],
        reproduce: vec![
            "mote train data/line4/day_1.csv --label fault --seed 7 --out line4.mote".into(),
            "mote report line4.mote data/line4/*.csv --label fault --out line4.html".into(),
        ],
    }
}

/// Measures the made-up scores as the command would.
fn measure(report: &mut Report, threshold: f64) {
    let judged = |run: &Run| -> (Vec<f64>, Vec<bool>) {
        let labels = run.labels.clone().unwrap_or_default();
        let kept = (run.judged_from..run.scores.len()).filter(|&i| run.scores[i].is_finite());
        kept.map(|i| (run.scores[i], labels[i])).unzip()
    };
    let parts: Vec<(Vec<f64>, Vec<bool>)> = report.runs.iter().map(judged).collect();
    let series: Vec<Labelled<'_>> =
        parts.iter().map(|(scores, labels)| Labelled { scores, labels }).collect();
    let scores: Vec<f64> = parts.iter().flat_map(|p| p.0.clone()).collect();
    let labels: Vec<bool> = parts.iter().flat_map(|p| p.1.clone()).collect();
    let alarms: Vec<bool> = scores.iter().map(|s| *s > threshold).collect();
    let class = |wanted: bool| -> Vec<f64> {
        scores.iter().zip(&labels).filter(|(_, l)| **l == wanted).map(|(s, _)| *s).collect()
    };
    let config = BlockBootstrap { resamples: 100, ..BlockBootstrap::default() };
    let interval = auroc_interval(&series, config).ok();
    let rank = mann_whitney(&class(true), &class(false), Alternative::Greater).ok();
    let shift = shift_test(&series, Alternative::Greater, 999, 7).ok();
    let auroc = rank.map_or(0.5, |r| r.auroc);
    let test = |density: &str| SpaceTest { density: density.into(), auroc, interval, rank, shift };
    let latent = test("Gaussian kernels around 6,000 normal posterior means");
    let mut data = test("the model's bound");
    // The data space is made a little worse, so that both answers can be seen.
    data.auroc -= 0.28;
    data.interval = interval.map(|mut i| {
        (i.low, i.high, i.auroc) = (i.low - 0.38, i.high - 0.2, i.auroc - 0.28);
        i
    });
    data.shift = shift.map(|mut s| {
        s.p = 0.083;
        s
    });
    report.low_density = Some(LowDensity { latent: Some(latent), data: Some(data) });
    report.metrics = metrics(&labels, &alarms, rank.map_or(f64::NAN, |r| r.auroc));
    report.metrics[0].interval = interval.map(Into::into);
    report.f1 = point_adjusted(&labels, &alarms).ok();
}

fn metrics(labels: &[bool], alarms: &[bool], auroc: f64) -> Vec<Metric> {
    let counts = Confusion::of(labels, alarms).unwrap_or_default();
    let events = event_counts(labels, alarms).unwrap_or_default();
    let metric = |name: &str, value, unit, explanation: &str| Metric {
        name: name.into(),
        value,
        unit,
        interval: None,
        explanation: explanation.into(),
    };
    let alarmed = counts.false_alarm_percent().map_or(f64::NAN, |p| p / 100.0);
    let (ratio, percent) = (MetricUnit::Ratio, MetricUnit::Percent);
    vec![
        metric("AUROC", auroc, ratio, "An anomalous sample scores above a normal one so often."),
        metric("Event recall", events.recall(), ratio, "Labelled anomalies with an alarm."),
        metric("Event precision", events.precision(), ratio, "Alarm runs that touch an anomaly."),
        metric("False alarm rate", alarmed, percent, "Normal samples that raise an alarm."),
    ]
}
