//! How well holes are filled.

use std::{collections::BTreeMap, ops::ControlFlow};

use mote::{
    Error,
    completion::{
        Asking, calibrated,
        draw::Drawer,
        judge::{Comparison, Errors, Hiding, Trial},
    },
};
use mote_data::Runs;
use mote_format::Model;

use super::{CONFIDENCE, DRAWS};

/// The names of what is hidden, with the share and the samples in a row.
const HIDDEN: [(&str, f64, usize); 6] = [
    ("10 % missing", 0.1, 1),
    ("30 % missing", 0.3, 1),
    ("50 % missing", 0.5, 1),
    ("70 % missing", 0.7, 1),
    ("90 % missing", 0.9, 1),
    ("25 % missing in blocks of 24", 0.25, 24),
];
/// The newest samples of a part are judged: more would only take time.
const JUDGED: usize = 3500;

pub(super) fn errors(
    model: &Model<'_>,
    judge: &Runs,
    units: &[f64],
    seed: u64,
) -> Result<BTreeMap<String, BTreeMap<String, Errors>>, Error> {
    let mut drawer = Drawer::new(model, DRAWS, Asking { seed, ..Default::default() })?;
    let schema = &model.manifest.schema;
    let mut found = BTreeMap::new();
    for (name, share, block) in HIDDEN {
        let hiding = Hiding { share, block, seed };
        let mut all = Comparison::default();
        for series in judge.series() {
            let longest = series.segments().map(|s| s.len()).max().unwrap_or(0);
            if longest < drawer.shape()[0] {
                continue;
            }
            let newest = series.len().saturating_sub(JUDGED);
            let series = series.slice(newest..series.len()).expect("not empty");
            let mask = hiding.apply(&series, schema)?;
            let trial = Trial { series: &series, mask: &mask, units };
            let go = &mut |_| ControlFlow::Continue(());
            let calibrator = calibrated(&mut drawer, &series, &mask, CONFIDENCE, go)?;
            all.join(trial.run(&mut drawer, &calibrator, go)?);
        }
        found.insert(name.to_owned(), all.errors());
    }
    Ok(found)
}
