//! What of a window a model has to do without in a step: the ways in which data goes missing, and those
//! in which it is asked for.

use super::TrainConfig;
use crate::random::Random;

/// Hides nothing, everything, the future, or parts of a window `(time, features)`, in the shares that
/// `config` says.
pub(super) fn hide(config: &TrainConfig, shown: &mut [f32], features: usize, rng: &mut Random) {
    let drawn = rng.unit();
    let length = shown.len() / features;
    let (all, future) = (config.hide_all, config.hide_all + config.hide_future);
    if drawn < all {
        let given = given(config, rng);
        for (i, shown) in shown.iter_mut().enumerate() {
            if !given.iter().any(|&[from, to]| (from..to).contains(&(i % features))) {
                *shown = 0.0;
            }
        }
    } else if drawn < future {
        let from = 1 + (rng.unit() * (length - 1) as f32) as usize;
        shown[from.min(length) * features..].fill(0.0);
    } else if drawn < future + config.hide {
        parts(config.hide_share, shown, length, features, rng);
    }
}

/// The columns that stay: none half of the time, otherwise one and perhaps others.
fn given(config: &TrainConfig, rng: &mut Random) -> Vec<[usize; 2]> {
    let count = config.given.len();
    if count == 0 || rng.unit() < 0.5 {
        return Vec::new();
    }
    let sure = ((rng.unit() * count as f32) as usize).min(count - 1);
    let mut stays = |i: &usize| *i == sure || rng.unit() < 0.5;
    (0..count).filter(|i| stays(i)).map(|i| config.given[i]).collect()
}

/// Hides single values, up to a share `most` of them, or a stretch of time of some features.
fn parts(most: f32, shown: &mut [f32], length: usize, features: usize, rng: &mut Random) {
    if rng.unit() < 0.5 {
        let share = most * rng.unit();
        for v in shown {
            if rng.unit() < share {
                *v = 0.0;
            }
        }
        return;
    }
    let span = 1 + (rng.unit() * length as f32 / 4.0) as usize;
    let start = (rng.unit() * (length - span.min(length - 1)) as f32) as usize;
    for c in 0..features {
        if rng.unit() < 0.5 {
            for t in start..(start + span).min(length) {
                shown[t * features + c] = 0.0;
            }
        }
    }
}
