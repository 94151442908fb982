//! `mote inspect`: what is in a model file, and what it needs to run.

use std::path::PathBuf;

use clap::Args;
use mote::{Error, device::Device, files::Mapped};
use mote_format::{Kind, Model, manifest::Generator};
use mote_runtime::{Detector, Loaded, Plan};
use serde_json::json;

use super::{Style, say, say_json};

#[derive(Args)]
pub(super) struct Inspect {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// Also every operation
    #[arg(long)]
    ops: bool,
    /// Also what it takes on a board or processor, such as cortex-m4 or nrf52840
    #[arg(long, value_name = "NAME", value_parser = Device::named)]
    device: Option<Device>,
}

impl Inspect {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        match style {
            Style::Json => self.as_json(&model, mapped.len()),
            Style::People => self.as_text(&model, mapped.len()),
        }
    }

    fn as_text(&self, model: &Model<'_>, bytes: usize) -> Result<(), Error> {
        let m = &model.manifest;
        say(format_args!(
            "{}  {bytes} bytes, {} of them weights",
            self.model.display(),
            model.tensor_bytes()
        ))?;
        say(format_args!(
            "family     {} ({:?} density), made by {}",
            m.family, m.density, m.lineage.made_by
        ))?;
        let period = m.schema.period_s.map_or("no period".into(), |p| format!("every {p} s"));
        say(format_args!(
            "input      {} columns, {period}, windows of {} samples",
            m.schema.columns.len(),
            m.window.length
        ))?;
        for column in &m.schema.columns {
            match &column.kind {
                Kind::Numeric => say(format_args!("             {}", column.name))?,
                Kind::Categorical { levels } => {
                    say(format_args!(
                        "             {} (one of {} words)",
                        column.name,
                        levels.len()
                    ))?;
                }
            }
        }
        detector(model)?;
        completion(model)?;
        for program in model.programs.values() {
            let loaded = Loaded::new(model, &program.name)?;
            say(format_args!(
                "program    {}: {} operations, {} multiply-adds, arena {} bytes (at least {})",
                program.name,
                program.ops.len(),
                program.multiply_adds(),
                loaded.arena_bytes(),
                Plan::lower_bound(program),
            ))?;
            if self.ops {
                for (i, op) in program.ops.iter().enumerate() {
                    say(format_args!("  {i:4} {:17} {:?}", op.name(), program.shape(op.result())))?;
                }
            }
        }
        if let Some(device) = self.device {
            say(format_args!("firmware   on {}", device.fit(model)?.told()))?;
        }
        say(format_args!(
            "trained    on {} (seed {})",
            m.lineage.files.join(", "),
            m.lineage.seed
        ))?;
        say(format_args!("data       BLAKE3 {}", m.lineage.data_digest))?;
        for (name, value) in &m.lineage.metrics {
            say(format_args!("measured   {name} {value:.4}"))?;
        }
        Ok(())
    }

    fn as_json(&self, model: &Model<'_>, bytes: usize) -> Result<(), Error> {
        let mut programs = Vec::new();
        for program in model.programs.values() {
            programs.push(json!({
                "name": program.name,
                "operations": program.ops.len(),
                "multiply_adds": program.multiply_adds(),
                "arena_bytes": Loaded::new(model, &program.name)?.arena_bytes(),
                "arena_bytes_lower_bound": Plan::lower_bound(program),
            }));
        }
        let m = &model.manifest;
        let detector_bytes = Detector::new(model).ok().map(|d| d.memory_bytes());
        say_json(&json!({
            "bytes": bytes,
            "tensor_bytes": model.tensor_bytes(),
            "family": m.family,
            "density": m.density,
            "schema": m.schema,
            "window": m.window,
            "detector": m.detector,
            "detector_memory_bytes": detector_bytes,
            "generator": m.generator,
            "margins": m.margins,
            "programs": programs,
            "firmware": self.device.map(|device| device.fit(model)).transpose()?,
            "lineage": m.lineage,
        }))
    }
}

fn detector(model: &Model<'_>) -> Result<(), Error> {
    let m = &model.manifest;
    let Some(d) = &m.detector else { return Ok(()) };
    say(format_args!(
        "detector   alarms above {:.4} nats ({} of 1000 normal samples), score of the newest {} samples",
        d.threshold,
        1000.0 * d.false_alarm_rate,
        m.window.tail
    ))?;
    if let Some(t) = &d.tracking {
        say(format_args!(
            "           at first; then {:.2} deviations above the scores of the last {} samples",
            t.threshold, t.memory
        ))?;
    }
    say(format_args!(
        "memory     {} bytes beside the weights",
        Detector::new(model)?.memory_bytes()
    ))?;
    Ok(())
}

/// How windows are completed, and what forecasts promise.
fn completion(model: &Model<'_>) -> Result<(), Error> {
    let m = &model.manifest;
    match &m.generator {
        None => return Ok(()),
        Some(Generator::Direct) => say("completes  windows in one evaluation")?,
        Some(Generator::Sequential) => say("completes  windows sample by sample")?,
        Some(Generator::Iterative { evaluations, .. }) => {
            say(format_args!("completes  windows in {evaluations} evaluations"))?;
        }
    }
    let Some(margins) = &m.margins else { return Ok(()) };
    let coverages: Vec<String> =
        margins.coverages.iter().map(|c| format!("{:.0} %", 100.0 * c)).collect();
    say(format_args!(
        "forecasts  of up to {} samples cover {} as promised, measured on held-back data",
        margins.horizon,
        coverages.join(", ")
    ))
}
