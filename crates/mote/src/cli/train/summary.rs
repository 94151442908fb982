//! What is said when a training has ended.

use std::path::Path;

use mote::{Error, training::Finished};
use mote_format::manifest::Density;
use serde_json::{Value, json};

use crate::cli::{Style, say, say_json};

/// The result of a training, as a person or a program reads it.
pub(super) fn say_all(
    finished: &Finished,
    out: &Path,
    seconds: f64,
    style: Style,
) -> Result<(), Error> {
    let Finished { manifest, outline, calibration, history, best, .. } = finished;
    if style == Style::Json {
        return say_json(&json(finished, out, seconds));
    }
    let kib = finished.file.len() as f64 / 1024.0;
    say(format_args!(
        "{}: {} with {} numbers, {kib:.1} KiB, trained in {seconds:.1} s",
        out.display(),
        manifest.family,
        outline.parameters,
    ))?;
    if let Some(validation) = history.get(*best).map(|look| look.validation) {
        let unit = match manifest.density {
            Density::Implicit => "of what it minimizes",
            _ => "nats per value",
        };
        say(format_args!("  held-back data: {validation:.3} {unit}"))?;
    }
    if let Some(posterior) = &finished.posterior {
        say(format_args!("  latent space: {}", posterior.explanation()))?;
    }
    if let Some(codebook) = &finished.codebook {
        say(format_args!(
            "  codebook: {} of {} codes used, as much as {:.1} used alike",
            codebook.used, codebook.codes, codebook.perplexity,
        ))?;
    }
    if let Some(resemblance) = &finished.resemblance {
        say(format_args!("  drawn windows: {}", resemblance.explanation()))?;
    }
    for sign in &finished.signs {
        say(format_args!("  sign of {}: {}", sign.name, sign.words))?;
        say(format_args!("    {}", sign.repair))?;
    }
    let Some(calibration) = calibration else { return Ok(()) };
    say(format_args!(
        "  threshold: {:.3} nats, for {} false alarms in 1000 samples, from {} held-back scores ({})",
        calibration.detector.threshold,
        1000.0 * calibration.detector.false_alarm_rate,
        calibration.scores,
        calibration.method,
    ))?;
    if let Some(tracking) = &calibration.detector.tracking {
        say(format_args!(
            "  alarms follow the scores of the last {} samples ({:.1} deviations above them): {}",
            tracking.memory, tracking.threshold, "held-back data is short, or it was asked for",
        ))?;
    }
    Ok(())
}

fn json(finished: &Finished, out: &Path, seconds: f64) -> Value {
    let Finished { manifest, outline, calibration, history, best, end, .. } = finished;
    let validation = history.get(*best).map(|look| look.validation);
    json!({
        "model": out,
        "bytes": finished.file.len(),
        "family": manifest.family,
        "density": manifest.density,
        "parameters": outline.parameters,
        "window": outline.window,
        "steps": history.last().map(|look| look.step),
        "end": end,
        // What has no likelihood has no nats.
        "validation_nats": validation.filter(|_| manifest.density != Density::Implicit),
        "validation_objective": validation,
        "posterior": finished.posterior,
        "codebook": finished.codebook,
        "resemblance": finished.resemblance,
        "signs": finished.signs,
        "threshold": calibration.as_ref().map(|c| c.detector.threshold),
        "false_alarm_rate": calibration.as_ref().map(|c| c.detector.false_alarm_rate),
        "calibration": calibration,
        "stage": outline.stage,
        "seconds": seconds,
    })
}
