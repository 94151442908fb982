//! What a generative model is asked for: windows that never were, holes filled, futures.
//!
//! All three are one question to the model, "complete this window", with more or less of it known.
//! Many draws are made for each window, so that what is not certain comes as a range.

use mote_format::{Kind, Model};
use mote_runtime::{Completer, Noise};

use crate::Error;

/// Windows completed at once: enough for the products to be large, few enough to stay in a cache.
const BATCH: usize = 64;

/// How a model is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking {
    /// What all randomness is drawn from.
    pub seed: u64,
    /// Evaluations for a window, where the model takes several; `None` for its usual number.
    pub evaluations: Option<usize>,
}

/// Draws `count` windows `(count, length, features)` in raw units. `given` are values that columns of
/// the schema are to have throughout.
///
/// # Errors
///
/// [`Error::Load`] if the model completes no windows, [`Error::Usage`] if there is no such column or
/// the column cannot have the value.
pub fn generate(
    model: &Model<'_>,
    count: usize,
    given: &[(String, String)],
    asking: Asking,
    mut progress: impl FnMut(usize),
) -> Result<Vec<f32>, Error> {
    let features = given_features(model, given)?;
    let mut drawn = Drawer::new(model, asking)?;
    let [length, width] = drawn.completer.shape();
    let (mut x, mut mask) = (vec![0.0; length * width], vec![0.0; length * width]);
    for (feature, value) in features {
        for t in 0..length {
            x[t * width + feature] = value;
            mask[t * width + feature] = 1.0;
        }
    }
    let mut windows = Vec::with_capacity(count * length * width);
    while windows.len() < count * x.len() {
        let wanted = (count - windows.len() / x.len()).min(BATCH);
        windows.extend_from_slice(drawn.draw(wanted, |_| (&x, &mask)));
        progress(windows.len() / x.len());
    }
    Ok(windows)
}

/// Features and the values that they have where columns have the `given` ones.
fn given_features(
    model: &Model<'_>,
    given: &[(String, String)],
) -> Result<Vec<(usize, f32)>, Error> {
    let mut features = Vec::new();
    let names = || {
        let names: Vec<&str> =
            model.manifest.schema.columns.iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    };
    for (name, value) in given {
        let mut feature = 0;
        let mut found = None;
        for column in &model.manifest.schema.columns {
            if column.name == *name {
                found = Some(&column.kind);
                break;
            }
            feature += column.kind.features();
        }
        let kind = found.ok_or_else(|| {
            Error::Usage(format!("wanted one of the columns {}, found `{name}`", names()))
        })?;
        match kind {
            Kind::Numeric => {
                let number: f32 =
                    value.parse().ok().filter(|v: &f32| v.is_finite()).ok_or_else(|| {
                        Error::Usage(format!("column `{name}`: wanted a number, found `{value}`"))
                    })?;
                features.push((feature, number));
            }
            Kind::Categorical { levels } => {
                let at = levels.iter().position(|l| l == value).ok_or_else(|| {
                    let known = levels.join(", ");
                    Error::Usage(format!("column `{name}`: wanted one of {known}, found `{value}`"))
                })?;
                let level = |i| if i == at { 1.0 } else { 0.0 };
                features.extend((0..levels.len()).map(|i| (feature + i, level(i))));
            }
        }
    }
    Ok(features)
}

/// Draws batches of windows, each with its own part known.
struct Drawer<'m> {
    completer: Completer<'m>,
    noise: Noise,
    /// `(BATCH, length, features)`
    x: Vec<f32>,
    mask: Vec<f32>,
    y: Vec<f32>,
}

impl<'m> Drawer<'m> {
    fn new(model: &'m Model<'m>, asking: Asking) -> Result<Self, Error> {
        let completer = Completer::new(model, BATCH, asking.evaluations)?;
        let [length, features] = completer.shape();
        let zeros = vec![0.0; BATCH * length * features];
        let noise = Noise::new(asking.seed, 0);
        Ok(Self { completer, noise, x: zeros.clone(), mask: zeros.clone(), y: zeros })
    }

    /// Completes `count` windows, at most [`BATCH`]; `known` tells values and mask of each.
    fn draw<'k>(
        &mut self,
        count: usize,
        known: impl Fn(usize) -> (&'k [f32], &'k [f32]),
    ) -> &[f32] {
        let n = self.x.len() / BATCH;
        for i in 0..count {
            let (x, mask) = known(i);
            self.x[i * n..(i + 1) * n].copy_from_slice(x);
            self.mask[i * n..(i + 1) * n].copy_from_slice(mask);
        }
        self.completer.complete(&self.x, &self.mask, &mut self.noise, &mut self.y);
        &self.y[..count * n]
    }
}
