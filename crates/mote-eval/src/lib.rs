//! mote-eval
