//! What the tests of exported firmware, and the command that counts its instructions, have in common.

pub(crate) mod bare;
#[path = "../../../mote-runtime/tests/conformance/support/draft.rs"]
pub(crate) mod draft;
pub(crate) mod export;
pub(crate) mod tools;
