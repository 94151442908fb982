//! What the tests of exported firmware, and the command that counts its instructions, have in common.

pub(crate) mod bare;
pub(crate) mod draft;
pub(crate) mod tools;
