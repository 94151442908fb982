//! What a person, or a program, is told of models that became smaller.

use std::path::Path;

use mote::{
    Error,
    compression::{Budget, Candidate, Compressed, Quality},
    device::{self, Device},
};
use mote_deploy::Footprint;
use serde_json::json;

use super::super::{bench::time, say, say_json};

/// Everything, as one object.
pub(super) fn json(
    out: &Path,
    tried: &[Candidate],
    best: usize,
    made: &Compressed,
) -> Result<(), Error> {
    say_json(&json!({
        "model": out,
        "tried": tried,
        "best": tried.get(best),
        "bytes": made.file.len(),
        "tensor_bytes": made.tensor_bytes[1],
        "tensor_bytes_before": made.tensor_bytes[0],
        "programs": made.programs,
        "repairs": made.repairs,
        "quality": made.qualities,
        "firmware": made.firmware,
        "calibration": made.calibration,
    }))
}

/// What became of the model.
pub(super) fn people(out: &Path, made: &Compressed) -> Result<(), Error> {
    let [before, after] = made.tensor_bytes;
    say(format_args!(
        "{}: {after} bytes of weights, {before} before ({:.0} %)",
        out.display(),
        100.0 * after as f64 / before as f64
    ))?;
    for [before, after] in &made.repairs {
        say(format_args!(
            "  repaired: the loss on samples that it did not learn from was {before:.3}, now {after:.3}"
        ))?;
    }
    for change in &made.programs {
        let near: Vec<String> = change
            .signal_to_noise_db
            .iter()
            .map(|(output, db)| format!("{output} {db:.1} dB"))
            .collect();
        let near = match near.is_empty() {
            true => String::new(),
            false => format!("; signal over noise on held-back windows: {}", near.join(", ")),
        };
        say(format_args!(
            "  {}: {} multiplications, {} before; arena {} bytes, {} before{near}",
            change.program,
            change.multiply_adds[1],
            change.multiply_adds[0],
            change.arena_bytes[1],
            change.arena_bytes[0],
        ))?;
        if let Some([before, after]) = change.predicted_ns {
            let (before, after) = (time(before), time(after));
            say(format_args!("    predicted to take {after}, {before} before"))?;
        }
    }
    if let Some(fit) = &made.firmware {
        say(format_args!("  on {}", fit.told()))?;
    }
    for Quality { metric, before, after, loss } in &made.qualities {
        let loss = 100.0 * loss;
        say(format_args!(
            "  {}: {after:.3}, {before:.3} before ({loss:+.1} % lost)",
            metric.name()
        ))?;
    }
    if let Some(calibration) = &made.calibration {
        say(format_args!(
            "  threshold: {:.3} nats, from {} held-back scores",
            calibration.detector.threshold, calibration.scores
        ))?;
    }
    Ok(())
}

/// What is smaller than all that loses less.
pub(super) fn front(tried: &[Candidate]) -> Result<(), Error> {
    let Some(first) = tried.first() else { return Ok(()) };
    say(format_args!(
        "  student  pruned  low rank  bits   weights, bytes  arena, bytes  multiplications {}{} lost, % of {}",
        if first.predicted_ns.is_some() { " predicted " } else { "" },
        if first.firmware.is_some() { " tables, memory " } else { "" },
        first.metric.name()
    ))?;
    let fronts = || tried.iter().filter(|one| one.front);
    let most = fronts().map(|one| one.flash_bytes).max().unwrap_or(1);
    for one in fronts() {
        // A bar as long as the weights are large.
        let bar = "▪".repeat((24 * one.flash_bytes).div_ceil(most.max(1)));
        say(format_args!(
            "{} {:>7}  {:>6}  {:>8}  {:4}  {:15}  {:12}  {:15} {}{} {:+7.1}  {bar}",
            if one.fits { "*" } else { " " },
            percent(one.student),
            percent((one.pruned > 0.0).then_some(one.pruned)),
            percent((one.low_rank > 0.0).then_some(one.low_rank)),
            one.bits,
            one.flash_bytes,
            one.ram_bytes,
            one.multiply_adds,
            one.predicted_ns.map_or_else(String::new, |ns| format!("{:>11}", time(ns))),
            one.firmware.map_or_else(String::new, |f| format!("{:>7}, {:>6} ", f.tables, f.memory)),
            100.0 * one.loss
        ))?;
    }
    say(
        "  * within the budget; other ways that were tried are worse than one of these in everything",
    )
}

/// A share, or nothing.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share))
}

/// How near the search came to a budget that nothing fits.
pub(super) fn nearest(tried: &[Candidate], budget: Budget) -> String {
    let least = |of: &dyn Fn(&Candidate) -> f64| tried.iter().map(of).fold(f64::INFINITY, f64::min);
    let firmware = match budget.device {
        Some(device) => {
            let of = |of: &dyn Fn(Footprint) -> usize| {
                least(&|one| one.firmware.map_or(f64::INFINITY, |firmware| of(firmware) as f64))
            };
            let (tables, memory) = (of(&|f| f.tables), of(&|f| f.memory));
            let Device { name, flash, ram, .. } = device;
            format!(
                "; in firmware {tables} bytes of tables and {memory} of memory, where {name} has room for {} and {}",
                flash - device::CODE,
                ram - device::STACK
            )
        }
        None => String::new(),
    };
    let small = match budget.flash_bytes {
        Some(most) => {
            let within = tried.iter().filter(|one| one.flash_bytes <= most);
            match within.map(|one| one.loss).min_by(f64::total_cmp) {
                Some(loss) => {
                    format!("; what has so few weights loses {:.1} % or more", 100.0 * loss)
                }
                None => "; no way has so few weights".into(),
            }
        }
        None => String::new(),
    };
    format!(
        "the least of {} ways: {} bytes of weights, {} bytes of arena, {} multiplications, {}a loss of {:.1} %\
         {small}{firmware}",
        tried.len(),
        least(&|one| one.flash_bytes as f64),
        least(&|one| one.ram_bytes as f64),
        least(&|one| one.multiply_adds as f64),
        match least(&|one| one.predicted_ns.unwrap_or(f64::INFINITY)) {
            ns if ns.is_finite() => format!("{} predicted, ", time(ns)),
            _ => String::new(),
        },
        100.0 * least(&|one| one.loss)
    )
}
