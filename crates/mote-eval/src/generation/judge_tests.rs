//! Gradients against finite differences, and that the network learns.

use super::*;

fn random(n: usize, rng: &mut SplitMix) -> Vec<f32> {
    (0..n).map(|_| rng.normal() as f32 * 0.7).collect()
}

/// Largest difference of a gradient from the slope between two losses, over the largest gradient.
fn gradient_error(task: Task, inputs: usize, hidden: usize, time: usize, count: usize) -> f64 {
    let mut rng = SplitMix::new(3);
    let mut judge = Judge::new(inputs, hidden, task, &mut rng);
    let mut batch = judge.batch(time, count);
    batch.tape.x = random(batch.tape.x.len(), &mut rng);
    match task {
        Task::TellApart => batch.targets[..count / 3 + 1].fill(1.0),
        Task::Predict => batch.targets.fill_with(|| rng.unit() as f32),
    }
    judge.differentiate(&mut batch);
    let gradients = judge.gradients.clone();
    let largest = gradients.iter().fold(0.0f32, |a, g| a.max(g.abs()));
    let mut worst = 0.0f64;
    for (i, gradient) in gradients.iter().enumerate() {
        let (step, weight) = (4e-3, judge.weights[i]);
        let mut loss = |by: f32| {
            judge.weights[i] = weight + by;
            let loss = judge.differentiate(&mut batch);
            judge.weights[i] = weight;
            loss
        };
        let slope = (loss(step) - loss(-step)) / (2.0 * f64::from(step));
        worst = worst.max((slope - f64::from(*gradient)).abs() / f64::from(largest));
    }
    worst
}

#[test]
fn gradients_equal_finite_differences() {
    for (inputs, hidden, time, count) in [(1, 1, 1, 4), (2, 3, 5, 7), (5, 4, 3, 19), (1, 16, 9, 3)]
    {
        let error = gradient_error(Task::TellApart, inputs, hidden, time, count);
        assert!(error < 2e-3, "telling apart: {error}");
        // An absolute error has a kink, which a difference may straddle.
        let error = gradient_error(Task::Predict, inputs, hidden, time, count);
        assert!(error < 2e-2, "predicting: {error}");
    }
}

#[test]
fn loss_of_a_fixed_batch_falls() {
    let mut rng = SplitMix::new(5);
    let mut judge = Judge::new(2, 4, Task::TellApart, &mut rng);
    let mut batch = judge.batch(6, 20);
    batch.tape.x = random(batch.tape.x.len(), &mut rng);
    batch.targets[..10].fill(1.0);
    let first = judge.step(&mut batch);
    let last = (0..2000).map(|_| judge.step(&mut batch)).last().unwrap();
    assert!(last < 0.5 * first, "{first} and then {last}");
}

#[test]
fn gathers_the_chosen_windows() {
    let data: Vec<f32> = (0..40 * 6).map(|v| v as f32).collect();
    let windows = Windows::new(&data, 3, 2).unwrap();
    let judge = Judge::new(1, 2, Task::Predict, &mut SplitMix::new(0));
    let chosen: Vec<usize> = (0..20).map(|i| 39 - i).collect();
    let mut batch = judge.batch(2, 20);
    batch.gather(windows, &chosen, 0);
    batch.aim_at_next(windows, &chosen);
    for (b, &window) in chosen.iter().enumerate() {
        for t in 0..2 {
            assert_eq!(batch.tape.x[t * 32 + b], windows.window(window)[2 * t]);
            assert_eq!(batch.targets[t * 32 + b], windows.window(window)[2 * t + 3]);
        }
    }
}
