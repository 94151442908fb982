//! The kernels that are fast: layers as products of packed matrices, on the vector registers that
//! this machine has.
//!
//! Every one has a plain version in [`crate::kernels`] that it equals: bit for bit in integers, and
//! within rounding in `f32`, because sums run in another order and with fused multiply-adds.

mod aligned;
mod attention;
mod bytes;
pub(crate) mod chain;
mod elements;
mod geometry;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
mod normalize;
mod pack;
mod panels;
pub mod peak;
mod product;
mod registers;
mod rows;
mod threads;
mod tile;
mod turn;
mod unary;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use aligned::Aligned;
pub use attention::attends_along_time;
pub(crate) use attention::attention;
pub(crate) use elements::{Blocks, product};
pub use level::Level;
pub(crate) use normalize::{layer_norm, softmax};
pub(crate) use product::{Beside, Product};
pub(crate) use rows::{cumulative_sum, reduce};
pub use threads::{Part, Threads};
pub(crate) use turn::{turn_bytes, turn_real};
pub(crate) use unary::{slope, unary_in_place};
