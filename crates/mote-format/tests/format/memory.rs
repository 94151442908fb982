//! How much memory reading takes: in proportion to the header, and none for the tensors.
//!
//! Allocations are counted for the thread of the test alone, so other tests do not disturb.

use allocation_counter::measure;
use mote_format::{Array, Model, model};

use crate::sample::{self, NO_DIGEST};

/// Bytes that reading may hold at once for each byte of the header. The worst is a list of objects
/// with one entry: seven characters become a map with room for eleven entries.
const BYTES_PER_BYTE: u64 = 128;
/// What any file may cost beside that.
const BYTES_ALWAYS: u64 = 8 << 10;

/// Reading `file`, with so many bytes of header, takes memory in proportion to the header.
#[track_caller]
pub(crate) fn check_peak(file: &[u8], header: usize) {
    let peak = measure(|| drop(Model::open(file))).bytes_max;
    let allowed = BYTES_PER_BYTE * header as u64 + BYTES_ALWAYS;
    assert!(peak <= allowed, "{peak} bytes at once, allowed are {allowed}");
}

#[test]
fn tensors_take_no_memory() {
    let file = |n: usize| {
        let mut tensors = sample::tensors();
        tensors.insert("large".into(), Array::new([n], &vec![1.0f32; n]));
        model::write(&sample::manifest(), &tensors)
    };
    let peak = |n| {
        let file = file(n);
        measure(|| drop(Model::open(&file).unwrap())).bytes_max
    };
    // The same number of digits, so that the headers are equally long.
    assert_eq!(peak(300_000), peak(900_000));
}

#[test]
fn counts_in_a_header_are_not_believed() {
    let huge = u64::MAX;
    for entry in [
        format!("\"a\":{{\"dtype\":\"F32\",\"shape\":[{huge}],\"data_offsets\":[0,{huge}]}}"),
        "\"a\":{\"dtype\":\"F32\",\"shape\":[268435456],\"data_offsets\":[0,1073741824]}".into(),
    ] {
        let header = format!("{{\"__metadata__\":{{{NO_DIGEST}}},{entry}}}");
        check_peak(&sample::sealed(header.as_bytes(), &[0; 8]), header.len());
    }
    let length = (16u64 << 20).to_le_bytes();
    check_peak(&length, 0);
    let mut manifest = sample::manifest();
    manifest.programs[0].values[0].shape = vec![1 << 28];
    let file = model::write(&manifest, &sample::tensors());
    check_peak(&file, file.len());
}

#[test]
fn long_headers_take_memory_in_proportion() {
    const N: usize = 100_000;
    let json = serde_json::to_string(&sample::manifest()).unwrap();
    let manifest = |from: &str, to: String| {
        assert!(json.contains(from), "{from} in {json}");
        let manifest = json.replacen(from, &to, 1);
        let metadata =
            [("mote.manifest".into(), manifest), ("mote.version".into(), "1".into())].into();
        mote_format::container::write(&sample::tensors(), &metadata)
    };
    let list = |item: &str| format!("[{}{item}]", format!("{item},").repeat(N));
    for file in [
        manifest("null", list("[]")),
        manifest("null", list("0")),
        manifest("null", list("{\"\":0}")),
        manifest("[-1.25,0.0,7.5]", list("1")),
        manifest("\"ops\":[", "\"ops\":[".to_owned() + &"{},".repeat(N)),
        manifest(
            "\"ops\":[",
            format!("\"ops\":[{{\"op\":\"concat\",\"xs\":{},\"y\":0,\"axis\":0}},", list("0")),
        ),
        sample::sealed(("{\"a\":{\"shape\":".to_owned() + &list("1")).as_bytes(), &[]),
        sample::sealed("[".repeat(N).as_bytes(), &[]),
    ] {
        check_peak(&file, file.len());
    }
}
