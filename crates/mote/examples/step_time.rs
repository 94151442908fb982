//! Times training steps on windows from a file: one half of `bench/training.py`.
//!
//! Arguments: family (`vae`, `flow` or `diffusion`), a file of little-endian `f32` `(windows, length, features)`,
//! length, features, batch, steps and, where it is not the usual one, the number of hidden channels.
//! Prints one JSON object.

use std::{ops::ControlFlow, time::Instant};

use mote_learn::{
    cpu,
    device::Device,
    families::{Diffusion, DiffusionConfig, Family, Maf, MafConfig, TimeVae, TimeVaeConfig},
    random::{Purpose, Random},
    train::{Progress, TrainConfig, Windows, train},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Stored {
    values: Vec<f32>,
    shape: [usize; 2],
}

impl Windows for Stored {
    fn len(&self) -> usize {
        self.values.len() / (self.shape[0] * self.shape[1])
    }

    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let n = self.shape[0] * self.shape[1];
        values.copy_from_slice(&self.values[i * n..(i + 1) * n]);
        mask.fill(1.0);
    }
}

fn time<M: Family>(family: &str, model: M, windows: &Stored, batch: usize, steps: u64) {
    // No look at held-back data within the measured steps: both sides time steps alone.
    let config = TrainConfig {
        batch,
        steps,
        evaluate_every: steps,
        validation_windows: 1,
        hide: 0.0,
        // What diffusion learns to generate by; the others have no use for it.
        hide_all: if family == "diffusion" { 1.0 } else { 0.0 },
        ..TrainConfig::default()
    };
    let parameters = model.num_params();
    let mut last = Instant::now();
    let mut times = Vec::new();
    let mut losses = Vec::new();
    train(model, Device::Cpu, windows, windows, &config, None, |progress| {
        if let Progress::Step { loss, .. } = progress {
            times.push(last.elapsed().as_secs_f64() * 1e3);
            losses.push(loss);
        }
        last = Instant::now();
        ControlFlow::Continue(())
    })
    .expect("random windows can be learned");
    // The first steps fill caches and buffers.
    let mut warm = times.split_off(times.len() / 5);
    warm.sort_by(f64::total_cmp);
    let median = warm[warm.len() / 2];
    println!(
        "{{\"median_ms\": {median:.4}, \"parameters\": {parameters}, \"first_loss\": {:.4}, \"last_loss\": {:.4}}}",
        losses[0],
        losses[losses.len() - 1]
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [family, file, length, features, batch, steps, hidden @ ..] = &arguments[..] else {
        panic!("wanted: family file length features batch steps [hidden]");
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let hidden = hidden.first().map(number);
    let (length, features) = (number(length), number(features));
    let bytes = std::fs::read(file).expect("the file of windows");
    let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let windows = Stored { values: values.collect(), shape: [length, features] };
    let mut rng = Random::new(0, Purpose::Weights, 0);
    let (batch, steps) = (number(batch), number(steps) as u64);
    match family.as_str() {
        "vae" => {
            let usual = TimeVaeConfig::default();
            let config = TimeVaeConfig { hidden: hidden.unwrap_or(usual.hidden), ..usual };
            let model = TimeVae::new(&config, length, features, &mut rng, &cpu());
            time(family, model, &windows, batch, steps);
        }
        "flow" => {
            let usual = MafConfig::default();
            let config = MafConfig { hidden: hidden.unwrap_or(usual.hidden), ..usual };
            time(family, Maf::new(&config, features, &mut rng, &cpu()), &windows, batch, steps);
        }
        "diffusion" => {
            let usual = DiffusionConfig::default();
            let config = DiffusionConfig { hidden: hidden.unwrap_or(usual.hidden), ..usual };
            let model = Diffusion::new(&config, length, features, &mut rng, &cpu());
            time(family, model, &windows, batch, steps);
        }
        other => panic!("wanted vae, flow or diffusion, found {other}"),
    }
}
