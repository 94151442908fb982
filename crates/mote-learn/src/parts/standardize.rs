//! The first step of every captured program: raw units to numbers near zero.

use burn::tensor::{Device, Tensor, TensorData};

/// Standard deviations beyond which a value counts no more: a broken wire must not become an
/// infinity, and by then the score is far above any threshold.
const CLIP: f32 = 20.0;

/// Per feature: `(x - mean) / scale`, clipped, and zero where nothing was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardize {
    /// `(features,)`
    pub mean: Vec<f32>,
    /// `(features,)`, above zero.
    pub scale: Vec<f32>,
}

impl Standardize {
    /// `x` and `mask` `(batch, time, features)`, both on `device`.
    ///
    /// # Panics
    ///
    /// If `x` does not have as many features as there are means.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, mask: Tensor<3>, device: &Device) -> Tensor<3> {
        let row = |v: Vec<f32>| {
            let n = v.len();
            Tensor::<3>::from_data(TensorData::new(v, [1, 1, n]), device)
        };
        let inverse = self.scale.iter().map(|s| 1.0 / s).collect();
        Self::clip((x - row(self.mean.clone())) * row(inverse)) * mask
    }

    /// Standard units within what [`Self::forward`] gives.
    #[must_use]
    pub fn clip(x: Tensor<3>) -> Tensor<3> {
        x.clamp(-CLIP, CLIP)
    }

    /// The way back: standard units to raw ones.
    #[must_use]
    pub fn restore(&self, x: Tensor<3>, device: &Device) -> Tensor<3> {
        let row = |v: &[f32]| {
            let data = TensorData::new(v.to_vec(), [1, 1, v.len()]);
            Tensor::<3>::from_data(data, device)
        };
        x * row(&self.scale) + row(&self.mean)
    }

    /// What [`Self::forward`] does, on rows of numbers in place.
    ///
    /// # Panics
    ///
    /// If the lengths are no multiple of the number of features.
    pub fn apply(&self, values: &mut [f32], mask: &[f32]) {
        let n = self.mean.len();
        assert!(
            values.len().is_multiple_of(n) && values.len() == mask.len(),
            "rows of {n} features"
        );
        for (row, mask) in values.chunks_exact_mut(n).zip(mask.chunks_exact(n)) {
            for (i, v) in row.iter_mut().enumerate() {
                *v = ((*v - self.mean[i]) * (1.0 / self.scale[i])).clamp(-CLIP, CLIP) * mask[i];
            }
        }
    }
}
