//! Model families on Burn, the training loop, capture to programs.
//!
//! A [`families::Family`] is a Burn module composed of [`parts`]. [`train`] fits it to windows in
//! standard units, [`entries`] records what it can do as programs, and from then on nobody needs to
//! know which family it was. This is the only crate that knows Burn.
//!
//! [`judge`] trains an encoder to compare generated windows with real ones, [`baseline`] a classifier that
//! tells what they are worth.
//!
//! It reads no files and no clock; progress goes to an observer, which may also end the training.

pub mod baseline;
pub mod compile;
pub mod device;
pub mod diagnose;
pub mod entries;
pub mod families;
pub mod judge;
pub mod layout;
pub mod parts;
pub mod random;
mod rouse;
pub mod train;

pub use rouse::roused;

/// The processor: where models are made, and where they go once trained.
#[must_use]
pub fn cpu() -> burn::tensor::Device {
    burn::tensor::Device::flex()
}
