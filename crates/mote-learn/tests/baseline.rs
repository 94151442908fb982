//! The classifier learns what there is to learn, and nothing where there is nothing.

use mote_learn::{
    baseline::{Classifier, ClassifierConfig, Labelled},
    random::{Purpose, Random},
};

const SHAPE: [usize; 2] = [16, 2];

/// Sines of three paces and random phase in noise; the class is the pace.
fn sines(count: usize, seed: u64) -> Labelled {
    let mut rng = Random::new(seed, Purpose::Order, 1);
    let mut data = Labelled::default();
    for i in 0..count {
        let (class, phase) = (i % 3, 6.3 * rng.unit());
        for t in 0..SHAPE[0] {
            let angle = [0.3, 0.8, 1.6][class] * t as f32 + phase;
            data.windows.extend([angle.sin(), angle.cos()].map(|v| v + 0.3 * (rng.unit() - 0.5)));
        }
        data.classes.push(class);
    }
    data
}

fn accuracy(model: &Classifier, data: &Labelled) -> f64 {
    let found = model.predict(&data.windows);
    let right = found.iter().zip(&data.classes).filter(|(f, c)| f == c).count();
    right as f64 / data.classes.len() as f64
}

#[test]
fn paces_are_told_apart_and_shuffled_classes_are_not() {
    let (seen, mut unseen) = (sines(300, 0), sines(300, 1));
    let config = ClassifierConfig { steps: 200, ..Default::default() };
    let model = Classifier::fit(&seen, SHAPE, 3, &config, 0, &mut |_, _| {});
    assert!(accuracy(&model, &unseen) > 0.95);
    let again = Classifier::fit(&seen, SHAPE, 3, &config, 0, &mut |_, _| {});
    assert_eq!(model.predict(&unseen.windows), again.predict(&unseen.windows));
    unseen.classes.rotate_right(1);
    assert!(accuracy(&model, &unseen) < 0.05, "each window has the class of another");
}

#[test]
fn who_learned_in_noise_works_in_noise() {
    let noise = |window: &mut [f32], rng: &mut Random| {
        let noise = rng.normal(window.len());
        window.iter_mut().zip(noise).for_each(|(v, n)| *v += 1.5 * n);
    };
    let (seen, mut unseen) = (sines(300, 0), sines(300, 1));
    let config = ClassifierConfig { steps: 300, ..Default::default() };
    let clean = Classifier::fit(&seen, SHAPE, 3, &config, 0, &mut |_, _| {});
    let hardened = Classifier::fit(&seen, SHAPE, 3, &config, 0, &mut { noise });
    let mut rng = Random::new(7, Purpose::Noise, 0);
    unseen.windows.chunks_exact_mut(SHAPE[0] * SHAPE[1]).for_each(|w| noise(w, &mut rng));
    let [clean, hardened] = [clean, hardened].map(|model| accuracy(&model, &unseen));
    assert!(hardened > clean + 0.05, "{hardened} after noise, {clean} without");
}
