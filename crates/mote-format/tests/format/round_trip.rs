//! What is written is what is opened, by us and by the `safetensors` crate.

use std::collections::BTreeMap;

use mote_format::{
    Array, Manifest, Model, Op, Parsed, Tensors, ValueId, container, manifest::Lineage, model,
};
use proptest::prelude::*;
use safetensors::SafeTensors;

use crate::sample::{self, NO_DIGEST};

/// Our reader and the `safetensors` crate find `tensors` in `file`, and nothing else.
#[track_caller]
fn check_tensors(file: &[u8], tensors: &Tensors) {
    let ours = container::parse(file).unwrap();
    let theirs = SafeTensors::deserialize(file).unwrap();
    assert_eq!(ours.tensors.len(), tensors.len());
    assert_eq!(theirs.len(), tensors.len());
    for (name, array) in tensors {
        let wanted = array.tensor();
        // Bytes are compared, so that `-0` and NaN count.
        assert_eq!(ours.tensors[name], wanted, "{name}");
        let tensor = theirs.tensor(name).unwrap();
        assert_eq!(format!("{:?}", tensor.dtype()), format!("{:?}", wanted.dtype), "{name}");
        assert_eq!(tensor.shape(), wanted.shape, "{name}");
        assert_eq!(tensor.data(), wanted.bytes, "{name}");
    }
}

#[test]
fn opens_what_was_written() {
    let file = sample::file();
    let model = Model::open(&file).unwrap();
    let mut wanted = sample::manifest();
    let programs = std::mem::take(&mut wanted.programs);
    assert_eq!(model.manifest, wanted);
    assert_eq!(model.programs.len(), programs.len());
    for program in programs {
        assert_eq!(*model.programs[&program.name], program);
    }
    assert_eq!(model.tensor_bytes(), 4 * 7);
    check_tensors(&file, &sample::tensors());
}

#[test]
fn equal_models_give_equal_bytes_even_after_a_round_trip() {
    let file = sample::file();
    assert_eq!(sample::file(), file);
    let model = Model::open(&file).unwrap();
    let mut manifest = model.manifest.clone();
    manifest.programs = model.programs.into_values().map(|p| p.into_inner()).collect();
    assert_eq!(model::write(&manifest, &sample::tensors()), file);
}

/// The manifest of the sample as version 1 wrote it.
const MANIFEST_OF_VERSION_ONE: &str = r#"{
    "family": "TimeVae",
    "density": "bound",
    "schema": {
        "columns": [
            {"name": "flow \"l/s\" µ", "kind": "numeric"},
            {"name": "pressure", "kind": "numeric"}
        ],
        "period_s": 0.1
    },
    "window": {"length": 3, "tail": 1},
    "detector": {
        "threshold": 0.3333333333333333,
        "false_alarm_rate": 0.001,
        "feature_mean": [0.1, -0.2],
        "feature_deviation": [1e-6, 3.5],
        "score_quantiles": [-1.25, 0.0, 7.5]
    },
    "programs": [{
        "name": "score",
        "values": [
            {"shape": [3, 2]},
            {"shape": [2, 2], "tensor": "dense.w"},
            {"shape": [2], "tensor": "dense.b"},
            {"shape": [3, 2]},
            {"shape": [3, 2]}
        ],
        "inputs": [{"name": "x", "value": 0}],
        "outputs": [{"name": "nll", "value": 4}],
        "ops": [
            {"op": "linear", "x": 0, "w": 1, "bias": 2, "y": 3},
            {"op": "unary", "x": 3, "y": 4, "f": "relu"}
        ]
    }],
    "lineage": {
        "made_by": "mote 0.1.0",
        "data_digest": "abababababababababababababababababababababababababababababababab",
        "files": ["pump.csv"],
        "config": {"epochs": 3, "rates": [0.1, 1e-7], "note": null},
        "seed": 18446744073709551615,
        "metrics": {"validation_loss": 0.30000000000000004}
    }
}"#;

/// Every operation as version 1 wrote it.
const OPERATIONS_OF_VERSION_ONE: &str = r#"[
    {"op": "linear", "x": 0, "w": 1, "bias": null, "y": 2},
    {"op": "conv1d", "x": 0, "w": 1, "bias": 3, "y": 2, "stride": 1, "dilation": 2, "padding": [3, 4]},
    {"op": "conv_transpose1d", "x": 0, "w": 1, "bias": null, "y": 2, "stride": 2, "trim": [0, 1]},
    {"op": "layer_norm", "x": 0, "gain": 1, "bias": null, "y": 2, "epsilon": 0.00001},
    {"op": "softmax", "x": 0, "y": 1},
    {"op": "unary", "x": 0, "y": 1, "f": "relu"},
    {"op": "affine", "x": 0, "y": 1, "scale": 2.0, "offset": -0.5},
    {"op": "clamp", "x": 0, "y": 1, "low": -1.0, "high": 1.0},
    {"op": "binary", "a": 0, "b": 1, "y": 2, "f": "add"},
    {"op": "reduce", "x": 0, "y": 1, "f": "mean", "axis": 1},
    {"op": "slice", "x": 0, "y": 1, "axis": 0, "start": 1, "end": 3},
    {"op": "concat", "xs": [0, 1], "y": 2, "axis": 1},
    {"op": "reshape", "x": 0, "y": 1},
    {"op": "permute", "x": 0, "y": 1, "axes": [1, 0]}
]"#;

/// What was written once has to stay readable: where this fails, `model::VERSION` has to change.
#[test]
fn a_file_of_version_one_stays_readable() {
    let text = serde_json::to_string(MANIFEST_OF_VERSION_ONE).unwrap();
    let header = format!(
        "{{\"__metadata__\":{{{NO_DIGEST},\"mote.manifest\":{text},\"mote.version\":\"1\"}},\
         \"dense.b\":{{\"data_offsets\":[0,8],\"dtype\":\"F32\",\"shape\":[2]}},\
         \"dense.w\":{{\"data_offsets\":[8,24],\"dtype\":\"F32\",\"shape\":[2,2]}}}}"
    );
    let data: Vec<u8> = (0..24).collect();
    let file = sample::sealed(header.as_bytes(), &data);
    let model = Model::open(&file).unwrap();
    let mut wanted = sample::manifest();
    // They came later, and files without them mean that there are none.
    let detector = wanted.detector.as_mut().unwrap();
    (detector.tracking, detector.typical) = (None, None);
    wanted.generator = None;
    wanted.margins = None;
    assert_eq!(Manifest { programs: vec![sample::program()], ..model.manifest }, wanted);
    assert_eq!(*model.programs["score"], sample::program());
    assert_eq!(model.tensors["dense.w"].bytes, &data[8..]);
}

#[test]
fn operations_of_version_one_stay_readable() {
    let ops: Vec<Op> = serde_json::from_str(OPERATIONS_OF_VERSION_ONE).unwrap();
    let json: serde_json::Value = serde_json::from_str(OPERATIONS_OF_VERSION_ONE).unwrap();
    assert_eq!(ops.len(), 14);
    for (op, json) in ops.iter().zip(json.as_array().unwrap()) {
        assert_eq!(op.name(), json["op"]);
    }
    let again: Vec<Op> = serde_json::from_str(&serde_json::to_string(&ops).unwrap()).unwrap();
    assert_eq!(again, ops);
}

#[test]
fn safetensors_sees_the_same_metadata_and_the_digest_beside_it() {
    let file = sample::file();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let mut theirs: BTreeMap<String, String> =
        header.metadata().clone().unwrap().into_iter().collect();
    let digest = theirs.remove("mote.digest").unwrap();
    assert_eq!(theirs, container::parse(&file).unwrap().metadata);
    assert_eq!(theirs["mote.version"], "1");

    let mut blank = file.clone();
    let place = file.windows(64).position(|w| w == digest.as_bytes()).unwrap();
    blank[place..place + 64].fill(b'0');
    assert_eq!(blake3::hash(&blank).to_hex().as_str(), digest);
}

#[test]
fn tensors_begin_at_a_multiple_of_64_bytes_and_are_read_in_place() {
    for pad in 0..70 {
        let mut manifest = sample::manifest();
        manifest.family = "x".repeat(pad);
        let file = model::write(&manifest, &sample::tensors());
        let header = u64::from_le_bytes(file[..8].try_into().unwrap());
        assert_eq!((8 + header) % 64, 0);
        let container = container::parse(&file).unwrap();
        for tensor in container.tensors.values() {
            assert!(
                file.as_ptr_range().contains(&tensor.bytes.as_ptr()) || tensor.bytes.is_empty()
            );
        }
    }
}

#[test]
fn tensors_are_read_as_f32_only_at_a_multiple_of_four() {
    let data = [1.5f32, -2.0, 0.25];
    let bytes = bytemuck::cast_slice(&data);
    let tensor = |bytes| container::Tensor { dtype: mote_format::Dtype::F32, shape: vec![], bytes };
    assert_eq!(tensor(bytes).elements::<f32>(), Some(&data[..]));
    assert_eq!(tensor(&bytes[4..8]).elements::<f32>(), Some(&data[1..2]));
    assert_eq!(tensor(&bytes[1..5]).elements::<f32>(), None);
}

#[test]
fn a_model_may_have_no_tensors_no_programs_and_no_detector() {
    let mut manifest = sample::manifest();
    manifest.programs.clear();
    manifest.detector = None;
    manifest.margins = None;
    manifest.schema.columns.clear();
    manifest.schema.period_s = None;
    manifest.lineage = Lineage::default();
    let file = model::write(&manifest, &Tensors::new());
    let model = Model::open(&file).unwrap();
    assert_eq!(model.manifest, manifest);
    assert_eq!(model.tensor_bytes(), 0);
    assert!(SafeTensors::deserialize(&file).unwrap().is_empty());
}

#[test]
fn parsing_alone_does_not_look_at_programs() {
    let mut manifest = sample::manifest();
    manifest.programs[0].ops.clear();
    let file = model::write(&manifest, &sample::tensors());
    assert!(Parsed::new(&file).is_ok());
    assert!(Model::open(&file).is_err());
}

#[test]
#[should_panic(expected = "elements of a tensor [2, 2]")]
fn a_tensor_that_contradicts_its_shape_is_a_bug() {
    let _ = Array::new([2, 2], &[0.0f32; 3]);
}

#[test]
#[should_panic(expected = "the name of a tensor")]
fn writing_a_tensor_over_the_metadata_is_a_bug() {
    let tensors = [("__metadata__".to_owned(), Array::new([1], &[0.0f32]))].into();
    let _ = container::write(&tensors, &BTreeMap::new());
}

/// Any text, with the characters that JSON has to escape among them.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![any::<char>(), prop::char::range('\0', '\x7f')], 0..12)
        .prop_map(|chars| chars.into_iter().collect())
}

fn any_tensors() -> impl Strategy<Value = Tensors> {
    let tensor =
        (prop::collection::vec(0..4usize, 0..=4), any::<u32>()).prop_map(|(shape, seed)| {
            let n: usize = shape.iter().product();
            let numbers = (0..n as u32).map(|i| seed.wrapping_mul(2 * i + 1));
            match seed % 4 {
                0 => Array::new::<f32>(shape, &numbers.map(f32::from_bits).collect::<Vec<_>>()),
                1 => Array::new::<i32>(shape, &numbers.map(|n| n as i32).collect::<Vec<_>>()),
                2 => Array::new::<i8>(shape, &numbers.map(|n| n as i8).collect::<Vec<_>>()),
                _ => Array::new::<u8>(shape, &numbers.map(|n| n as u8).collect::<Vec<_>>()),
            }
        });
    prop::collection::btree_map(text(), tensor, 0..6)
        .prop_filter("a tensor is not the metadata", |t| !t.contains_key("__metadata__"))
}

proptest! {
    #[test]
    fn any_tensors_and_any_metadata_come_back(
        tensors in any_tensors(),
        metadata in prop::collection::btree_map(text(), text(), 0..4),
    ) {
        let file = container::write(&tensors, &metadata);
        check_tensors(&file, &tensors);
        prop_assert_eq!(container::parse(&file).unwrap().metadata, metadata);
        prop_assert_eq!(container::write(&tensors, &container::parse(&file).unwrap().metadata), file);
    }

    #[test]
    fn any_finite_number_comes_back_to_the_bit(
        wide in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        narrow in prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO,
    ) {
        let mut manifest = sample::manifest();
        let detector = manifest.detector.as_mut().unwrap();
        (detector.threshold, detector.feature_mean[0]) = (wide, narrow);
        let (x, y) = (ValueId(3), ValueId(4));
        manifest.programs[0].ops[1] = Op::Affine { x, y, scale: narrow, offset: -narrow };
        let file = model::write(&manifest, &sample::tensors());
        let model = Model::open(&file).unwrap();
        let found = model.manifest.detector.unwrap();
        prop_assert_eq!(found.threshold.to_bits(), wide.to_bits());
        prop_assert_eq!(found.feature_mean[0].to_bits(), narrow.to_bits());
        let Op::Affine { scale, offset, .. } = &model.programs["score"].ops[1] else { panic!() };
        prop_assert_eq!([scale.to_bits(), offset.to_bits()], [narrow, -narrow].map(f32::to_bits));
    }
}
