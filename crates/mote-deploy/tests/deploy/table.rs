//! The table of operations that every implementation has to pass, as few programs: the cases of one
//! operation side by side, those that are exact apart from those that are near.

use std::collections::BTreeMap;

use mote_deploy::{Error, Files, Language};
use mote_format::{Op, ValueId};

use crate::{
    cases,
    operations::{self, Case},
    support::draft::Draft,
    tolerance::Tolerance,
};

/// What firmware does not do, and refuses: gradients.
fn missing(draft: &Draft) -> bool {
    draft.program.ops.iter().any(Op::is_adjoint)
}

/// All cases that have elements and that firmware can do, by names that say what they hold.
pub(crate) fn all() -> Vec<(String, Draft)> {
    let mut programs: BTreeMap<String, Draft> = BTreeMap::new();
    let cases = operations::all().into_iter();
    for case in cases.filter(|case| !empty(&case.draft) && !missing(&case.draft)) {
        let kind = if case.tolerance == Tolerance::Exact { "exact" } else { "near" };
        let name = format!("{}_{kind}", case.draft.program.ops[0].name());
        let draft = programs.entry(name).or_insert_with(|| Draft::new("table"));
        append(draft, case);
    }
    programs.into_iter().collect()
}

/// The networks and the table, exported under their names.
pub(crate) fn exported(language: Language) -> Vec<(String, Files)> {
    let networks = cases::all().into_iter().map(|(name, draft)| (name.to_string(), draft));
    let exported = |(name, draft): (String, Draft)| {
        let files = draft.export_as(language, &name);
        (name, files)
    };
    networks.chain(all()).map(exported).collect()
}

fn empty(draft: &Draft) -> bool {
    draft.program.values.iter().any(|value| value.shape.contains(&0))
}

/// Puts a case beside those that are there.
fn append(to: &mut Draft, Case { draft, .. }: Case) {
    let (first, prefix) = (to.program.values.len() as u32, to.program.outputs.len());
    let moved = |id: ValueId| ValueId(id.0 + first);
    for mut value in draft.program.values {
        value.tensor = value.tensor.map(|name| format!("{prefix}.{name}"));
        to.program.values.push(value);
    }
    for mut op in draft.program.ops {
        op.for_each_operand_mut(|id| *id = moved(*id));
        *op.result_mut() = moved(op.result());
        to.program.ops.push(op);
    }
    let port = |mut port: mote_format::program::Port| {
        port.name = format!("{prefix}.{}", port.name);
        port.value = moved(port.value);
        port
    };
    to.program.inputs.extend(draft.program.inputs.into_iter().map(port));
    to.program.outputs.extend(draft.program.outputs.into_iter().map(port));
    to.tensors.extend(draft.tensors.into_iter().map(|(name, x)| (format!("{prefix}.{name}"), x)));
}

#[test]
fn cases_without_elements_are_refused() {
    let cases = operations::all();
    let refused = cases.iter().filter(|case| empty(&case.draft));
    let count = refused
        .inspect(|case| {
            let error = case.draft.try_export(Language::Rust, "model");
            assert!(matches!(error, Err(Error::Empty { .. })), "{}: {error:?}", case.name);
        })
        .count();
    assert!(count > 40 && count < cases.len() / 3, "{count} of {}", cases.len());
}

#[test]
fn what_firmware_cannot_do_is_refused_by_name() {
    let cases = operations::all();
    let refused = cases.iter().filter(|case| missing(&case.draft) && !empty(&case.draft));
    let count = refused
        .inspect(|case| {
            let error = case.draft.try_export(Language::C, "model");
            let Err(Error::Unsupported { op, .. }) = &error else {
                panic!("{}: {error:?}", case.name)
            };
            assert!(case.draft.program.ops.iter().any(|one| one.name() == *op), "{}", case.name);
        })
        .count();
    assert!(count > 0);
}
