//! Results as people read them.

use std::{collections::BTreeMap, path::Path};

use mote::Error;

use super::Outcome;

pub(super) fn say(outcome: &Outcome) {
    for (task, of) in &outcome.errors {
        eprintln!("  {task}");
        let mut of: Vec<_> = of.iter().collect();
        of.sort_by(|a, b| a.1.crps.total_cmp(&b.1.crps));
        for (method, e) in of {
            let coverage = e.coverage.map_or("    -".into(), |c| format!("{:5.1}", 100.0 * c));
            eprintln!("    {method:26} MAE {:.4}  RMSE {:.4}  CRPS {:.4}  {coverage}", e.mae, e.rmse, e.crps);
        }
    }
}

pub(super) fn make(_store: &Path) -> Result<String, Error> {
    let _: BTreeMap<(), ()> = BTreeMap::new();
    Ok(String::new())
}
