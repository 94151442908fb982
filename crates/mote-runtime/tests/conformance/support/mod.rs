//! What cases are written with; `mote-deploy` has a module of the same form.

pub(crate) mod draft;
