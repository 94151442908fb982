//! What cases are written with; the tests of `mote-deploy` use it as well.

pub(crate) mod draft;
