//! A whole model file: bytes become [`Parsed`], then [`Model`], which the runtime may load.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    container::{self, Container, Tensor, Tensors},
    error::Error,
    limits,
    manifest::{Density, Generator, Manifest, Margins, Tracking, Typical},
    verify::{Verified, limit},
};

/// The version that this crate reads and writes.
pub const VERSION: u32 = 1;

const MANIFEST_KEY: &str = "mote.manifest";
const VERSION_KEY: &str = "mote.version";

/// Intact bytes with a manifest that can be read; nothing is known of its programs yet.
#[derive(Clone, Debug)]
pub struct Parsed<'a> {
    container: Container<'a>,
    manifest: Manifest,
}

/// A model whose programs are proven to be well formed.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// What it says of itself; its programs are in `programs`.
    pub manifest: Manifest,
    /// The entry points, by name.
    pub programs: BTreeMap<String, Verified>,
    /// The tensors, in place.
    pub tensors: BTreeMap<String, Tensor<'a>>,
}

/// The bytes of a model file. The same input gives the same bytes.
///
/// Every number in the manifest has to be finite, because JSON has no other: what is not is read
/// back as an error.
///
/// # Panics
///
/// As [`container::write`].
#[must_use]
pub fn write(manifest: &Manifest, tensors: &Tensors) -> Vec<u8> {
    let json = serde_json::to_string(manifest)
        .expect("a manifest has no maps with keys that are not strings");
    let metadata = [(MANIFEST_KEY, json), (VERSION_KEY, VERSION.to_string())];
    container::write(tensors, &metadata.map(|(k, v)| (k.to_string(), v)).into())
}

impl<'a> Parsed<'a> {
    /// Reads the container, checks its digest and version, and reads the manifest.
    ///
    /// # Errors
    ///
    /// Any [`Error`] but [`Error::Program`].
    pub fn new(file: &'a [u8]) -> Result<Self, Error> {
        let container = container::parse(file)?;
        let entry = |key: &'static str| container.metadata.get(key).ok_or(Error::Foreign { key });
        let version = entry(VERSION_KEY)?;
        let version: u32 = version
            .parse()
            .map_err(|_| Error::Manifest { why: format!("version `{version}` is not a number") })?;
        if version != VERSION {
            return Err(Error::Version { wanted: VERSION, found: version });
        }
        let manifest = serde_json::from_str(entry(MANIFEST_KEY)?)
            .map_err(|e| Error::Manifest { why: e.to_string() })?;
        Ok(Self { container, manifest })
    }

    /// Checks the manifest against itself and its programs against the tensors.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`], [`Error::Program`], [`Error::Tensor`] or [`Error::Limit`].
    pub fn verify(mut self) -> Result<Model<'a>, Error> {
        check(&self.manifest)?;
        let tensors = self.container.tensors;
        let mut programs = BTreeMap::new();
        for program in core::mem::take(&mut self.manifest.programs) {
            let name = program.name.clone();
            let program = Verified::new(program, |t| tensors.get(t).map(Tensor::stored))?;
            if programs.insert(name.clone(), program).is_some() {
                return Err(Error::Manifest { why: format!("two programs are named `{name}`") });
            }
        }
        Ok(Model { manifest: self.manifest, programs, tensors })
    }
}

impl<'a> Model<'a> {
    /// Reads and verifies a file.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub fn open(file: &'a [u8]) -> Result<Self, Error> {
        Parsed::new(file)?.verify()
    }

    /// The bytes of all tensors: what the model needs of flash.
    #[must_use]
    pub fn tensor_bytes(&self) -> usize {
        self.tensors.values().map(|t| t.bytes.len()).sum()
    }
}

fn check(manifest: &Manifest) -> Result<(), Error> {
    let rule = |holds: bool, why: String| if holds { Ok(()) } else { Err(Error::Manifest { why }) };
    limit("programs", limits::PROGRAMS, manifest.programs.len())?;
    limit("columns", limits::COLUMNS, manifest.schema.columns.len())?;
    let names: BTreeSet<_> = manifest.schema.columns.iter().map(|c| &c.name).collect();
    rule(names.len() == manifest.schema.columns.len(), "two columns have one name".into())?;
    let window = manifest.window;
    rule(
        window.length > 0 && (1..=window.length).contains(&window.tail),
        format!("a tail of {} samples in a window of {}", window.tail, window.length),
    )?;
    if let Some(period) = manifest.schema.period_s {
        rule(period.is_finite() && period > 0.0, format!("a period of {period} s"))?;
    }
    if let Some(Generator::Iterative { evaluations, .. }) = manifest.generator {
        limit("evaluations", limits::EVALUATIONS, evaluations)?;
        rule(evaluations > 0, "a generator without an evaluation".into())?;
    }
    if let Some(margins) = &manifest.margins {
        rule(
            kept(margins, manifest.schema.features()),
            "margins of forecasts that promise nothing".into(),
        )?;
    }
    if let Some(detector) = &manifest.detector {
        rule(manifest.density != Density::Implicit, "a detector without a density".into())?;
        let features = manifest.schema.features();
        let lengths = [detector.feature_mean.len(), detector.feature_deviation.len()];
        rule(
            lengths == [features; 2],
            format!("baselines for {lengths:?} features, the schema has {features}"),
        )?;
        rule(
            detector.feature_deviation.iter().all(|d| *d > 0.0),
            "a deviation that is not positive".into(),
        )?;
        if let Some(Typical { least, slope }) = detector.typical {
            rule(
                least.is_finite() && slope.is_finite() && slope > 0.0,
                format!("a calmness that cannot be computed: below {least}, times {slope}"),
            )?;
        }
        if let Some(tracking) = &detector.tracking {
            rule(sound(tracking), format!("tracking that cannot be computed: {tracking:?}"))?;
        }
    }
    Ok(())
}

/// Whether there is a finite margin for each coverage, sample and feature.
fn kept(margins: &Margins, features: usize) -> bool {
    let Margins { coverages, horizon, values } = margins;
    let wanted = coverages.len().checked_mul(*horizon).and_then(|n| n.checked_mul(features));
    wanted == Some(values.len())
        && *horizon > 0
        && !coverages.is_empty()
        && coverages.iter().all(|c| *c > 0.0 && *c < 1.0)
        && coverages.is_sorted_by(|a, b| a < b)
        && values.iter().all(|v| v.is_finite())
}

/// Whether levels and surprises are numbers, whatever the scores.
fn sound(tracking: &Tracking) -> bool {
    let Tracking { memory, clip, floor, unit, mean, deviation, threshold } = *tracking;
    let numbers = [memory, clip, floor, unit, mean, deviation, threshold];
    let positive = [clip, unit, deviation];
    numbers.iter().all(|n| n.is_finite()) && positive.iter().all(|&n| n > 0.0) && memory >= 1.0
}
