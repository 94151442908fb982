//! Files and streams in, aligned and scaled windows out.
//!
//! Data takes one way through this crate, whether it comes from a file, a message or the built-in
//! simulator:
//!
//! ```text
//! bytes → Table → Plan (decisions) ─┐
//!                                   ├→ Record → Aligner → Series → split, Scaling → Windows
//! message → payload ────────────────┘
//! ```
//!
//! A [`Table`] is what a file holds. A [`Plan`] is what training decides from it: which column is
//! the time, which the label, which are inputs, and at which pace rows come; every decision has a
//! reason to print and a setting in [`Overrides`] to overrule it. The plan's schema and rules are
//! stored with a model, and from then on columns are found by name. An [`align::Aligner`] turns
//! rows into evenly counted samples; files and streams go through the same one, so that a model
//! meets in service what it met in training. Every original row keeps its way to its sample.
//!
//! Not here: no data set has code of its own (a [`Dataset`] is a small TOML file), nothing learns,
//! and nothing prints. The clock and the seed of everything random are arguments. Without the
//! feature `files` no file is read and Arrow is not linked, which is what a device needs.
//!
//! ```
//! use mote_data::{Overrides, Plan, Runs, Scaling, Table, Windows, source::Limits, windows::Cut};
//!
//! # fn main() -> Result<(), mote_data::Error> {
//! let csv = "time,flow,pressure\n\
//!     2024-05-01 08:00:00,31.9,1.71\n\
//!     2024-05-01 08:00:01,32.1,1.70\n\
//!     2024-05-01 08:00:03,32.0,1.72\n";
//! let overrides = Overrides::default();
//! let tables = [Table::parse("pump.csv", csv.into(), &overrides, &Limits::default())?];
//! let plan = Plan::of(&tables, &overrides)?;
//! let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, &overrides)?;
//! let scaled = runs.scaled(&Scaling::fit(&runs, Default::default()));
//! assert_eq!(scaled.samples(), 4, "the second that is missing was filled in");
//! assert_eq!(Windows::new(&scaled, Cut::new(2))?.len(), 3);
//! # Ok(())
//! # }
//! ```

pub mod align;
#[cfg(feature = "files")]
pub mod dataset;
#[cfg(feature = "files")]
mod encode;
pub mod error;
#[cfg(feature = "files")]
pub mod fill;
#[cfg(feature = "files")]
mod formats;
#[cfg(feature = "files")]
pub mod infer;
#[cfg(feature = "mqtt")]
pub mod mqtt;
pub mod overrides;
pub mod payload;
pub mod pump;
pub mod record;
pub mod scaling;
pub mod series;
#[cfg(feature = "files")]
pub mod source;
pub mod split;
#[cfg(feature = "files")]
pub mod table;
pub mod time;
#[cfg(feature = "files")]
mod wide;
pub mod windows;
#[cfg(feature = "files")]
pub mod write;

#[cfg(feature = "files")]
pub use dataset::Dataset;
#[cfg(feature = "files")]
pub use encode::records;
pub use error::{Error, ErrorKind};
#[cfg(feature = "files")]
pub use infer::Plan;
pub use overrides::Overrides;
pub use record::Record;
pub use scaling::Scaling;
pub use series::{Runs, Series};
#[cfg(feature = "files")]
pub use table::Table;
pub use time::{TimeFormat, Timestamp};
pub use windows::Windows;
