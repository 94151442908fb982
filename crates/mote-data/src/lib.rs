//! mote-data
