//! Headers that are well sealed and still wrong, each with the sentence that it is refused with.

use mote_format::{Error, Model, container, limits, model};

use crate::sample::{self, NO_DIGEST};

/// A container with these entries beside the metadata, and that many bytes of data.
fn container_of(entries: &str, data: usize) -> Vec<u8> {
    let header = format!("{{\"__metadata__\":{{{NO_DIGEST}}}{entries}}}");
    sample::sealed(header.as_bytes(), &vec![0; data])
}

#[track_caller]
fn check(file: &[u8], wanted: &str) {
    let error = container::parse(file).unwrap_err();
    assert_eq!(error.to_string(), wanted);
}

/// For sentences that end in the words of the JSON reader, which are not ours to pin.
#[track_caller]
fn check_json(header: impl AsRef<[u8]>, part: &str) {
    let error = container::parse(&sample::sealed(header.as_ref(), &[])).unwrap_err();
    assert!(matches!(error, Error::Header { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("wanted a safetensors header in JSON, found "), "{text}");
    assert!(text.contains(part), "`{part}` is not in: {text}");
}

/// One entry of a header.
fn entry(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
    format!(
        ",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{offsets}]}}"
    )
}

fn pair(a: &str, b: &str) -> String {
    entry("a", "F32", "2", a) + &entry("b", "F32", "2", b)
}

#[test]
fn accepts_tensors_that_fill_the_data_in_any_order() {
    for (entries, bytes) in [
        (String::new(), 0),
        (pair("0,8", "8,16"), 16),
        (pair("8,16", "0,8"), 16),
        (pair("0,8", "8,16") + &entry("c", "F32", "0,3", "8,8"), 16),
        (entry("a", "F32", "", "0,4"), 4),
        (entry("a", "F32", "1,1,1,1", "0,4"), 4),
    ] {
        assert!(container::parse(&container_of(&entries, bytes)).is_ok(), "{entries}");
    }
}

#[test]
fn refuses_lengths_that_cannot_be() {
    check(&[], "wanted 8 bytes for the header length, found 0");
    check(&[0; 7], "wanted 8 bytes for the header length, found 7");
    check(&[255; 8], "wanted at most 16777216 bytes of header, found 18446744073709551615");
    let large = (limits::HEADER_BYTES as u64 + 1).to_le_bytes();
    check(&large, "wanted at most 16777216 bytes of header, found 16777217");
    let short = [&9u64.to_le_bytes()[..], b"{}"].concat();
    check(&short, "wanted 17 bytes for the header, found 10");
    check(&container_of("", 1), "wanted 0 bytes for the tensors, found 1");
    check(&container_of(&pair("0,8", "8,16"), 15), "wanted 16 bytes for the tensors, found 15");
    check(&container_of(&pair("0,8", "8,16"), 17), "wanted 16 bytes for the tensors, found 17");
}

#[test]
fn refuses_tensors_that_overlap_leave_gaps_or_contradict_their_shape() {
    let a = "tensor `a`: wanted bytes 0..8 for shape [2], found";
    let b = "tensor `b`: wanted bytes 8..16 for shape [2], found";
    check(&container_of(&pair("0,8", "4,12"), 16), &format!("{b} 4..12"));
    check(&container_of(&pair("0,8", "0,8"), 16), &format!("{b} 0..8"));
    check(&container_of(&pair("0,8", "9,17"), 17), &format!("{b} 9..17"));
    check(&container_of(&pair("4,12", "12,20"), 20), &format!("{a} 4..12"));
    check(&container_of(&pair("0,4", "4,12"), 12), &format!("{a} 0..4"));
    check(&container_of(&pair("0,12", "12,20"), 20), &format!("{a} 0..12"));
    check(&container_of(&pair("8,0", "8,16"), 16), &format!("{a} 8..0"));
    let huge = "0,18446744073709551615";
    check(&container_of(&pair(huge, "8,16"), 16), &format!("{a} 0..18446744073709551615"));
}

#[test]
fn refuses_shapes_and_types_beyond_the_limits() {
    let shape = |shape: &str| container_of(&entry("a", "F32", shape, "0,4"), 4);
    check(&shape("1,1,1,1,1"), "wanted at most 4 axes of a tensor, found 5");
    for s in ["268435457", "4294967296, 4294967296", "18446744073709551615, 2", "0, 268435457"] {
        check(&shape(s), &format!("tensor `a`: wanted a shape within the limits, found [{s}]"));
    }
    let dtype = |dtype: &str| container_of(&entry("a", dtype, "1", "0,4"), 4);
    for d in ["BF16", "f32", "I64", ""] {
        let wanted =
            format!("tensor `a`: wanted a known data type (F32, F16, I32, I8, U8), found \"{d}\"");
        check(&dtype(d), &wanted);
    }
    let many: String =
        (0..=limits::TENSORS).map(|i| entry(&format!("t{i}"), "F32", "0", "0,0")).collect();
    check(&container_of(&many, 0), "wanted at most 65536 tensors, found 65537");
}

#[test]
fn refuses_names_that_stand_twice() {
    let a = entry("a", "F32", "1", "0,4");
    let twice = "wanted a safetensors header in JSON, found the name";
    let error =
        |entries: &str| container::parse(&container_of(entries, 4)).unwrap_err().to_string();
    assert!(error(&(a.clone() + &a)).starts_with(&format!("{twice} `a` twice")));
    assert!(
        error(&(a + ",\"__metadata__\":{}")).starts_with(&format!("{twice} `__metadata__` twice"))
    );
    let keys = format!("{{\"__metadata__\":{{{NO_DIGEST},\"k\":\"1\",\"\\u006b\":\"2\"}}}}");
    check_json(keys, "the name `k` twice");
    check_json(format!("{{\"__metadata__\":{{{NO_DIGEST},{NO_DIGEST}}}}}"), "`mote.digest` twice");
}

#[test]
fn refuses_text_as_such() {
    let wanted = "wanted a safetensors header in JSON, found text that begins with \"time,a,b\"";
    check(b"time,a,b\n1,2,3\n", wanted);
}

#[test]
fn refuses_what_is_not_a_header() {
    check_json("", "EOF");
    check_json(" ", "EOF");
    check_json("[]", "expected an object of tensors");
    check_json("null", "expected an object of tensors");
    check_json("{", "EOF");
    check_json("{}}", "trailing characters");
    check_json(b"{\"\xff\":1}", "invalid unicode");
    check_json("{\"a\":3}", "expected struct Entry");
    check_json("{\"a\":{}}", "missing field `dtype`");
    check_json("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "missing field `data_offsets`");
    check_json("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", "duplicate field `dtype`");
    check_json("{\"a\":{\"strides\":[1]}}", "unknown field `strides`");
    check_json("{\"a\":{\"shape\":[-1]}}", "invalid value");
    check_json("{\"a\":{\"shape\":[1.5]}}", "invalid type");
    check_json("{\"a\":{\"shape\":[18446744073709551616]}}", "invalid type");
    check_json("{\"a\":{\"data_offsets\":[0]}}", "invalid length 1");
    check_json("{\"a\":{\"data_offsets\":[0,4,8]}}", "trailing characters");
    check_json("{\"__metadata__\":{\"k\":1}}", "expected a string");
    check_json("{\"__metadata__\":[]}", "expected an object of strings");
    check_json("[".repeat(1 << 20), "expected an object of tensors");
    check_json("{\"a\":".repeat(1 << 20), "expected");
}

#[test]
fn refuses_safetensors_of_other_people() {
    let foreign = "wanted a `.mote` file, found safetensors without the metadata";
    check(&sample::sealed(b"{}", &[]), &format!("{foreign} `mote.digest`"));
    check(
        &sample::sealed(b"{\"__metadata__\":{\"format\":\"pt\"}}", &[]),
        &format!("{foreign} `mote.digest`"),
    );
    let digits = "{\"__metadata__\":{\"mote.digest\":\"zz\"}}";
    check(&sample::sealed(digits.as_bytes(), &[]), &format!("{foreign} `mote.digest`"));
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let file = safetensors::serialize([("w", view)], None).unwrap();
    check(&file, &format!("{foreign} `mote.digest`"));
}

#[test]
fn states_both_digests_where_they_differ() {
    let mut file = sample::file();
    let last = file.len() - 1;
    file[last] ^= 1;
    let error = Model::open(&file).unwrap_err();
    let Error::Digest { wanted, found } = &error else { panic!("{error}") };
    assert_eq!((wanted.len(), found.len()), (16, 16));
    let text = format!("the contents do not match their digest: wanted {wanted}, found {found}");
    assert_eq!(error.to_string(), text);
}

/// A sealed file with this metadata and the tensors of the sample.
#[track_caller]
fn check_metadata(entries: &[(&str, &str)], wanted: &str) {
    let metadata = entries.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let file = container::write(&sample::tensors(), &metadata);
    let text = Model::open(&file).unwrap_err().to_string();
    assert!(text.starts_with(wanted), "{text}");
}

#[test]
fn refuses_other_versions_and_manifests_that_cannot_be_read() {
    let json = serde_json::to_string(&sample::manifest()).unwrap();
    let version = ("mote.version", "1");
    let foreign = "wanted a `.mote` file, found safetensors without the metadata";
    check_metadata(&[], &format!("{foreign} `mote.version`"));
    check_metadata(&[version], &format!("{foreign} `mote.manifest`"));
    check_metadata(&[("mote.manifest", &json)], &format!("{foreign} `mote.version`"));
    for (text, wanted) in [
        ("0", "wanted format version 1, found 0"),
        ("2", "wanted format version 1, found 2"),
        ("", "manifest: version `` is not a number"),
        ("-1", "manifest: version `-1` is not a number"),
        ("4294967296", "manifest: version `4294967296` is not a number"),
    ] {
        check_metadata(&[("mote.version", text), ("mote.manifest", &json)], wanted);
    }
    let manifest =
        |json: &str, wanted: &str| check_metadata(&[version, ("mote.manifest", json)], wanted);
    manifest("", "manifest: EOF");
    manifest("{}", "manifest: missing field `family`");
    manifest(&json.replace("\"bound\"", "\"certain\""), "manifest: unknown variant `certain`");
    manifest(&json.replace("\"relu\"", "\"swoosh\""), "manifest: unknown variant `swoosh`");
    manifest(&json.replace("\"linear\"", "\"dense\""), "manifest: unknown variant `dense`");
    manifest(&json.replace("\"y\":4", "\"y\":4,\"z\":1"), "manifest: unknown field `z`");
    manifest(&json.replace("\"y\":4", "\"y\":-4"), "manifest: invalid value: integer `-4`");
    manifest(
        &json.replace("\"y\":4", "\"y\":4294967296"),
        "manifest: invalid value: integer `4294967296`",
    );
    manifest(
        &json.replace("\"tail\":1", "\"tail\":1,\"tail\":1"),
        "manifest: duplicate field `tail`",
    );
    manifest(&json.replace("0.001", "1e999"), "manifest: number out of range");
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    manifest(&json.replace("null", &deep), "manifest: recursion limit exceeded");
}

#[test]
fn numbers_that_json_does_not_have_are_refused_when_read() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut manifest = sample::manifest();
        manifest.detector.as_mut().unwrap().threshold = number;
        let file = model::write(&manifest, &sample::tensors());
        let error = Model::open(&file).unwrap_err().to_string();
        assert!(error.starts_with("manifest: invalid type: null, expected f64"), "{error}");
    }
}
