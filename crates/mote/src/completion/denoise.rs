//! What was observed, without noise: windows pass over a series as for holes, and the middle of each
//! counts.

use std::ops::ControlFlow;

use mote_data::Series;
use mote_format::Model;
use mote_runtime::{Denoiser, LoadError};

use super::{
    Asking,
    draw::{Drawer, Known, Passes},
};
use crate::Error;

/// What the observed values of a series `(samples, features)` would be without noise, in raw units. NaN
/// where nothing was observed, and in segments that are shorter than a window. `level` is the standard
/// deviation of the noise over that of the data; families that learned how much noise there is do not
/// look at it. `progress` is told how many samples are done, and may break off.
///
/// # Errors
///
/// [`Error::Usage`] if the model cannot, if no segment is as long as a window or the level
/// is negative, [`Error::Interrupted`] if it was broken off.
pub fn denoise(
    model: &Model<'_>,
    series: &Series,
    level: f32,
    asking: Asking,
    mut progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, Error> {
    let mut denoiser = match Denoiser::new(model) {
        Err(LoadError::NoProgram { .. }) => {
            let found = &model.manifest.family;
            return Err(Error::Usage(format!(
                "wanted a model that takes out noise (vae, diffusion or energy), found {found}"
            )));
        }
        denoiser => denoiser?,
    };
    if !(level >= 0.0 && level.is_finite()) {
        return Err(Error::Usage(format!("wanted a level of noise of at least 0, found {level}")));
    }
    let [length, features] = denoiser.shape();
    super::impute::long_enough(series, length)?;
    let mut drawer = match denoiser.needs_level() {
        true => Some(Drawer::new(model, 1, asking)?),
        false => None,
    };
    let mut clean = vec![f32::NAN; series.values().len()];
    let passes = Passes::across_holes(length);
    for segment in series.segments() {
        let first = segment.start;
        for (start, settles) in passes.over(segment.len()) {
            let flat = (first + start) * features..(first + start + length) * features;
            let mask = &series.mask()[flat.clone()];
            let mut window = series.values()[flat].to_vec();
            if let Some(drawer) = drawer.as_mut().filter(|_| mask.contains(&0.0)) {
                whole(drawer, &mut window, mask, (first + start) as u64);
            }
            let y = denoiser.denoise(&window, mask, level);
            for t in settles.clone() {
                let row = (t - start) * features..(t - start + 1) * features;
                let observed = y[row.clone()].iter().zip(&mask[row]);
                let to = &mut clean[(first + t) * features..][..features];
                for (to, (&y, &mask)) in to.iter_mut().zip(observed) {
                    *to = if mask == 1.0 { y } else { f32::NAN };
                }
            }
            if progress(first + settles.end).is_break() {
                return Err(Error::Interrupted(": nothing was written".into()));
            }
        }
    }
    Ok(clean)
}

/// Fills the holes of a window with a draw: a state of a path has values everywhere.
fn whole(drawer: &mut Drawer<'_>, window: &mut [f32], mask: &[f32], place: u64) {
    let known = window.to_vec();
    let [length, _] = drawer.shape();
    let mut noise = drawer.noise(place);
    let known = Known { values: &known, mask };
    drawer.complete(known, Passes::across_holes(length), &mut noise, |_, drawn| {
        window.copy_from_slice(drawn);
    });
}
