//! The training loop learns, stops, resumes to the same bits, and says what is wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use mote_format::{Column, Kind, Schema};
use mote_learn::{
    families::{
        Autoregressive, AutoregressiveConfig, Family, Maf, MafConfig, TimeVae, TimeVaeConfig,
        Transformer, TransformerConfig,
    },
    layout::Layout,
    random::{Purpose, Random},
    train::{Checkpoint, End, Progress, TrainConfig, TrainError, Trained, Windows, train},
};

/// Windows of two coupled sine waves with noise.
struct Waves {
    windows: usize,
    length: usize,
    seed: u64,
}

impl Windows for Waves {
    fn len(&self) -> usize {
        self.windows
    }

    fn shape(&self) -> [usize; 2] {
        [self.length, 2]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let mut rng = Random::new(self.seed, Purpose::Noise, i as u64);
        let phase = 6.0 * rng.unit();
        for (t, row) in values.chunks_exact_mut(2).enumerate() {
            let noise = rng.normal(2);
            let wave = (phase + 0.4 * t as f32).sin() * 1.4;
            row.copy_from_slice(&[wave + 0.1 * noise[0], -wave + 0.1 * noise[1]]);
        }
        mask.fill(1.0);
    }
}

fn waves(windows: usize) -> Waves {
    Waves { windows, length: 16, seed: 3 }
}

fn config(steps: u64) -> TrainConfig {
    TrainConfig { steps, batch: 32, evaluate_every: 20, seed: 5, ..TrainConfig::default() }
}

fn vae() -> TimeVae {
    let config = TimeVaeConfig { hidden: 16, latent: 4, halvings: 2, ..TimeVaeConfig::default() };
    TimeVae::new(&config, 16, 2, &mut Random::new(5, Purpose::Weights, 0), &Device::flex())
}

fn maf() -> Maf {
    let config = MafConfig { hidden: 16, convolutions: 3, ..MafConfig::default() };
    Maf::new(&config, 2, &mut Random::new(5, Purpose::Weights, 0), &Device::flex())
}

fn run<M: Family>(model: M, steps: u64, resume: Option<Checkpoint>) -> Trained<M> {
    let (training, validation) = (waves(256), waves(64));
    train(model, Default::default(), &training, &validation, &config(steps), resume, |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

#[test]
fn both_families_learn() {
    for (name, history) in
        [("vae", run(vae(), 300, None).history), ("maf", run(maf(), 300, None).history)]
    {
        let (first, last) = (history[0].validation, history[history.len() - 1].validation);
        assert!(last < first - 0.3, "{name}: {first} to {last}");
    }
}

#[test]
fn equal_seeds_give_equal_weights() {
    assert_eq!(run(vae(), 40, None).history, run(vae(), 40, None).history);
}

#[test]
fn resumed_training_ends_at_the_same_bits() {
    let whole = run(vae(), 80, None);
    let mut saved = None;
    let half =
        train(vae(), Default::default(), &waves(256), &waves(64), &config(80), None, |progress| {
            match progress {
                Progress::Look { look, checkpoint, .. } if look.step == 40 => {
                    saved = Some(checkpoint().for_purpose("waves").to_bytes());
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        })
        .unwrap();
    assert_eq!(half.end, End::Interrupted);
    let checkpoint = Checkpoint::from_bytes(&saved.unwrap()).unwrap();
    assert_eq!((checkpoint.step(), checkpoint.purpose()), (40, "waves"));
    let resumed = run(vae(), 80, Some(checkpoint));
    assert_eq!(whole.history, resumed.history);
}

#[test]
fn refuses_a_checkpoint_cut_anywhere_or_of_another_training() {
    let mut saved = None;
    let _ =
        train(vae(), Default::default(), &waves(64), &waves(8), &config(20), None, |progress| {
            if let Progress::Look { checkpoint, .. } = progress {
                saved = Some(checkpoint().to_bytes());
            }
            ControlFlow::Continue(())
        });
    let bytes = saved.unwrap();
    for cut in (0..bytes.len()).step_by(bytes.len() / 50) {
        assert!(Checkpoint::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
    let error = train(
        vae(),
        Default::default(),
        &waves(64),
        &waves(8),
        &config(40),
        Some(checkpoint),
        |_| ControlFlow::Continue(()),
    )
    .unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(_)), "{error}");
}

#[test]
fn training_stops_when_nothing_improves() {
    let config = TrainConfig { patience: 2, learning_rate: 0.0, ..config(400) };
    let trained = train(vae(), Default::default(), &waves(64), &waves(16), &config, None, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(trained.end, End::Patience);
    assert!(trained.history.len() < 20);
}

#[test]
fn no_windows_and_a_diverging_loss_are_errors() {
    let none = train(vae(), Default::default(), &waves(0), &waves(1), &config(1), None, |_| {
        ControlFlow::Continue(())
    });
    assert_eq!(none.unwrap_err(), TrainError::NoWindows("training"));
    struct Broken;
    impl Windows for Broken {
        fn len(&self) -> usize {
            4
        }
        fn shape(&self) -> [usize; 2] {
            [16, 2]
        }
        fn fill(&self, _: usize, values: &mut [f32], mask: &mut [f32]) {
            values.fill(f32::NAN);
            mask.fill(1.0);
        }
    }
    let broken = train(vae(), Default::default(), &Broken, &Broken, &config(1), None, |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(broken.unwrap_err(), TrainError::Diverged { step: 0, .. }));
}

/// Trains a small VAE and looks at its latent space on held-back windows.
fn posterior_of(change: TimeVaeConfig) -> mote_eval::Posterior {
    let model_config = TimeVaeConfig { hidden: 16, latent: 4, halvings: 2, ..change };
    let mut rng = Random::new(5, Purpose::Weights, 0);
    let model = TimeVae::new(&model_config, 16, 2, &mut rng, &Device::flex());
    let trained = run(model, 300, None);
    mote_learn::diagnose::posterior(&trained.model, &waves(64)).expect("there is a latent space")
}

#[test]
fn collapse_is_found_and_free_bits_repair_it() {
    use mote_eval::Verdict;
    let healthy = posterior_of(TimeVaeConfig::default());
    assert_ne!(healthy.verdict, Verdict::Collapsed, "{}", healthy.explanation());

    let punished = TimeVaeConfig { beta: 100.0, annealing: 0.0, ..TimeVaeConfig::default() };
    let collapsed = posterior_of(punished.clone());
    assert_eq!(collapsed.verdict, Verdict::Collapsed, "{}", collapsed.explanation());

    let repaired = TimeVaeConfig { free_bits: 0.25, annealing: 0.5, ..punished };
    let repaired = posterior_of(repaired);
    assert!(repaired.active > 0, "{}", repaired.explanation());
    assert!(repaired.kl > collapsed.kl);
}

/// A chain of three words, of which the next is mostly the one after it, and a number that tells which.
struct Chain;

/// With this probability the next word follows, else it is any of the three.
const FOLLOWS: f32 = 0.7;

impl Windows for Chain {
    fn len(&self) -> usize {
        512
    }

    fn shape(&self) -> [usize; 2] {
        [16, 4]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let mut rng = Random::new(7, Purpose::Noise, i as u64);
        let mut word = 0;
        for row in values.chunks_exact_mut(4) {
            word = if rng.unit() < FOLLOWS { word + 1 } else { (3.0 * rng.unit()) as usize } % 3;
            row.fill(0.0);
            row[1 + word] = 1.0;
            row[0] = word as f32 - 1.0 + 0.1 * rng.normal(1)[0];
        }
        mask.fill(1.0);
    }
}

/// Trains on the chain, and compares with the least that a model can reach: the entropy of the next word
/// and of the noise of the number.
#[track_caller]
fn learns_the_chain<M: Family>(model: M) -> M {
    let training = TrainConfig { hide: 0.0, learning_rate: 1e-2, ..config(400) };
    let trained = train(model, Default::default(), &Chain, &Chain, &training, None, |_| {
        ControlFlow::Continue(())
    });
    let p = f64::from(FOLLOWS) + (1.0 - f64::from(FOLLOWS)) / 3.0;
    let q = (1.0 - p) / 2.0;
    let words = -p * p.ln() - 2.0 * q * q.ln();
    let number = 0.5 * (std::f64::consts::TAU * std::f64::consts::E).ln() + 0.1f64.ln();
    // Per observed value, of which there are four in a sample.
    let wanted = (words + number) / 4.0;
    let trained = trained.unwrap();
    let found = trained.history[trained.best].validation;
    assert!(found > wanted - 0.03 && found < wanted + 0.06, "{found}, the least is {wanted}");
    trained.model
}

#[test]
fn an_autoregressive_model_learns_the_chain_of_words() {
    let size = AutoregressiveConfig { hidden: 16, convolutions: 2, components: 3 };
    let mut rng = Random::new(5, Purpose::Weights, 0);
    learns_the_chain(Autoregressive::new(&size, &mixed_chain(), &mut rng, &Device::flex()));
}

#[test]
fn a_transformer_learns_the_chain_of_words_with_and_without_experts() {
    for experts in [1, 3] {
        let size = TransformerConfig {
            hidden: 16,
            heads: 2,
            blocks: 1,
            window: 4,
            experts,
            active: experts.div_ceil(2),
            components: 3,
        };
        let mut rng = Random::new(5, Purpose::Weights, 0);
        let model = Transformer::new(&size, &mixed_chain(), &mut rng, &Device::flex());
        let [x, mask] = all_of(&Chain);
        let routes = learns_the_chain(model).routes(x, mask);
        assert_eq!(routes.len(), usize::from(experts > 1));
        for routes in routes {
            let shares = routes.shares().into_data().try_to_vec::<f32>().unwrap();
            assert!(shares.iter().all(|&s| s > 0.1), "every expert is sent samples: {shares:?}");
        }
    }
}

/// All windows, and what of them is known.
fn all_of(windows: &impl Windows) -> [Tensor<3>; 2] {
    let (n, [length, features]) = (windows.len(), windows.shape());
    let width = length * features;
    let [mut values, mut mask] = [vec![0.0; n * width], vec![0.0; n * width]];
    let each = values.chunks_exact_mut(width).zip(mask.chunks_exact_mut(width));
    each.enumerate().for_each(|(i, (values, mask))| windows.fill(i, values, mask));
    let of = |all| TensorData::new(all, [n, length, features]);
    [values, mask].map(|all| Tensor::from_data(of(all), &Device::flex()))
}

fn mixed_chain() -> Layout {
    let levels = ["a", "b", "c"].map(String::from).into();
    let kinds = [Kind::Numeric, Kind::Categorical { levels }];
    let column = |(i, kind): (usize, Kind)| Column { name: i.to_string(), kind };
    let columns = kinds.into_iter().enumerate().map(column).collect();
    Layout::of(&Schema { columns, period_s: None })
}
