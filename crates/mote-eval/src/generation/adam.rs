//! Adam (Kingma and Ba, 2015) with the defaults of TensorFlow and PyTorch.

/// Step size, the decay of both moments, and what keeps the division finite.
const RATE: f64 = 1e-3;
const DECAY: [f64; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

/// The moments of a flat slice of weights.
#[derive(Debug)]
pub(crate) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(weights: usize) -> Self {
        Self { first: vec![0.0; weights], second: vec![0.0; weights], steps: 0 }
    }

    /// Moves weights against their gradients.
    pub(crate) fn step(&mut self, weights: &mut [f32], gradients: &[f32]) {
        self.steps += 1;
        let [c1, c2] = DECAY.map(|decay| 1.0 - decay.powi(self.steps));
        let (rate, root) = ((RATE / c1) as f32, (1.0 / c2.sqrt()) as f32);
        let [d1, d2] = DECAY.map(|decay| decay as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((w, &g), (m, v)) in weights.iter_mut().zip(gradients).zip(moments) {
            *m = d1 * *m + (1.0 - d1) * g;
            *v = d2 * *v + (1.0 - d2) * g * g;
            *w -= rate * *m / (v.sqrt() * root + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_step_is_the_rate_in_the_direction_of_the_gradient() {
        let mut weights = [1.0, 2.0, 3.0];
        Adam::new(3).step(&mut weights, &[0.5, -20.0, 0.0]);
        for (w, wanted) in weights.iter().zip([0.999, 2.001, 3.0]) {
            assert!((w - wanted).abs() < 1e-6);
        }
    }

    #[test]
    fn finds_the_bottom_of_a_bowl() {
        let (mut w, mut adam) = ([0.4f32], Adam::new(1));
        for _ in 0..3000 {
            let gradient = [2.0 * (w[0] - 0.1)];
            adam.step(&mut w, &gradient);
        }
        assert!((w[0] - 0.1).abs() < 1e-3);
    }
}
