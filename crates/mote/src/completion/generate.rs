//! Windows that never were: a stretch of one window of which nothing is known, or a column.

use std::ops::ControlFlow;

use mote_format::{Kind, Model, Schema};

use super::{
    Asking,
    draw::{Drawer, Known, Passes},
};
use crate::Error;

/// Windows between two looks at whether to go on.
const PIECE: usize = 64;

/// Draws `count` windows `(count, length, features)` in raw units; of the features of a word one is 1.
/// `given` are values that columns of the schema are to have throughout. `progress` is told how many
/// windows there are, and may break off.
///
/// # Errors
///
/// As [`Drawer::new`]; [`Error::Usage`] if there is no such column or
/// the column cannot have the value, [`Error::Interrupted`] if it was broken off.
pub fn generate(
    model: &Model<'_>,
    count: usize,
    given: &[(String, String)],
    asking: Asking,
    mut progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, Error> {
    let features = given_features(&model.manifest.schema, given)?;
    let mut drawer = Drawer::new(model, count.min(PIECE), asking)?;
    let [length, width] = drawer.shape();
    let n = length * width;
    let (mut values, mut mask) = (vec![0.0; n], vec![0.0; n]);
    for (feature, value) in features {
        for t in 0..length {
            values[t * width + feature] = value;
            mask[t * width + feature] = 1.0;
        }
    }
    let passes = Passes::across_holes(length);
    let (all, mut windows) = (count.saturating_mul(n), Vec::new());
    windows.try_reserve_exact(all).map_err(|_| {
        Error::Usage(format!("wanted windows that fit into memory, found {count} of {n} values"))
    })?;
    let mut noise = drawer.noise(0);
    while windows.len() < all {
        let known = Known { values: &values, mask: &mask };
        drawer.complete(known, passes, &mut noise, |_, drawn| windows.extend_from_slice(drawn));
        windows.truncate(all);
        if progress(windows.len() / n).is_break() {
            return Err(Error::Interrupted(": nothing was written".into()));
        }
    }
    Ok(windows)
}

/// Features and the values that they have where columns have the `given` ones.
fn given_features(schema: &Schema, given: &[(String, String)]) -> Result<Vec<(usize, f32)>, Error> {
    let mut features = Vec::new();
    for (name, value) in given {
        let columns = &schema.columns;
        let Some(at) = columns.iter().position(|c| c.name == *name) else {
            let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            let names = names.join(", ");
            return Err(Error::Usage(format!("wanted one of the columns {names}, found `{name}`")));
        };
        let first: usize = columns[..at].iter().map(|c| c.kind.features()).sum();
        let wanted =
            |what: &str| Error::Usage(format!("column `{name}`: wanted {what}, found `{value}`"));
        match &columns[at].kind {
            Kind::Numeric => {
                let number = value.parse().ok().filter(|v: &f32| v.is_finite());
                features.push((first, number.ok_or_else(|| wanted("a number"))?));
            }
            Kind::Categorical { levels } => {
                let chosen = levels.iter().position(|l| l == value);
                let known = format!("one of {}", levels.join(", "));
                let chosen = chosen.ok_or_else(|| wanted(&known))?;
                let level = |i| if i == chosen { 1.0 } else { 0.0 };
                features.extend((0..levels.len()).map(|i| (first + i, level(i))));
            }
        }
    }
    Ok(features)
}
