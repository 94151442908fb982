//! What a draft goes through: transposes that cancel, biases that fuse, weights that fold, dead ends.

use std::collections::{HashMap, HashSet};

use mote_format::{
    Dtype, Op, Program, Stored, ValueId, Verified,
    container::Tensor,
    program::{Binary, Port},
};
use mote_runtime::{Level, Loaded};

use super::draft::Draft;

/// Removes transposes and slices without effect, and moves added vectors into the layers before.
pub(super) fn simplify(draft: &mut Draft) {
    cancel_permutes(draft);
    prune(draft);
    while sink_permute(draft) {}
    cancel_permutes(draft);
    fuse_biases(draft);
    // What nobody reads any more must not count as a reader.
    prune(draft);
    fuse_trims(draft);
    fuse_activations(draft);
    prune(draft);
}

/// A transpose of a transpose is one transpose, and perhaps none.
fn cancel_permutes(draft: &mut Draft) {
    let mut sources: HashMap<ValueId, (ValueId, Vec<usize>)> = HashMap::new();
    let mut same: HashMap<ValueId, ValueId> = HashMap::new();
    for op in &mut draft.program.ops {
        op.for_each_operand_mut(|id| *id = same.get(id).copied().unwrap_or(*id));
        if let Op::Permute { x, y, axes } = op {
            if let Some((source, inner)) = sources.get(x) {
                *axes = axes.iter().map(|&a| inner[a]).collect();
                *x = *source;
            }
            if axes.iter().enumerate().all(|(i, &a)| i == a) {
                same.insert(*y, *x);
            } else {
                sources.insert(*y, (*x, axes.clone()));
            }
        }
    }
    for port in &mut draft.program.outputs {
        port.value = same.get(&port.value).copied().unwrap_or(port.value);
    }
}

/// Moves one transpose behind the slice or function of one number that follows it, where it may meet
/// another transpose. Says whether it found one.
fn sink_permute(draft: &mut Draft) -> bool {
    let uses = draft.uses();
    let program = &mut draft.program;
    let producers: HashMap<ValueId, usize> =
        program.ops.iter().enumerate().map(|(i, op)| (op.result(), i)).collect();
    for i in 0..program.ops.len() {
        let mut operand = None;
        if let Op::Slice { x, .. } | Op::Unary { x, .. } | Op::Affine { x, .. } = &program.ops[i] {
            operand = Some(*x);
        }
        let Some((before, at)) = operand.and_then(|x| Some((x, *producers.get(&x)?))) else {
            continue;
        };
        let Op::Permute { x: source, axes, .. } = &program.ops[at] else { continue };
        if uses.get(&before) != Some(&1) || program.values[source.index()].tensor.is_some() {
            continue;
        }
        let (source, axes) = (*source, axes.clone());
        // `source → permute → before → op → after` becomes `source → op → before → permute → after`.
        let after = program.ops[i].result();
        let mut shape = program.shape(source).to_vec();
        if let Op::Slice { axis, start, end, .. } = &mut program.ops[i] {
            *axis = axes[*axis];
            shape[*axis] = *end - *start;
        }
        program.values[before.index()].shape = shape;
        program.ops[i].for_each_operand_mut(|x| *x = source);
        *program.ops[i].result_mut() = before;
        let permute = Op::Permute { x: before, y: after, axes };
        let op = std::mem::replace(&mut program.ops[i], permute);
        program.ops.remove(at);
        program.ops.insert(i - 1, op);
        return true;
    }
    false
}

/// Rows that are cut off behind a transposed convolution need not be computed.
fn fuse_trims(draft: &mut Draft) {
    let uses = draft.uses();
    let program = &mut draft.program;
    let producers: HashMap<ValueId, usize> =
        program.ops.iter().enumerate().map(|(i, op)| (op.result(), i)).collect();
    let mut gone = HashSet::new();
    for i in 0..program.ops.len() {
        let Op::Slice { x, y, axis: 0, start, end } = program.ops[i] else { continue };
        let (Some(&at), rows) = (producers.get(&x), program.shape(x)[0]) else { continue };
        if uses.get(&x) != Some(&1) {
            continue;
        }
        if let Op::ConvTranspose1d { trim, y: out, .. } = &mut program.ops[at] {
            *trim = [trim[0] + start, trim[1] + rows - end];
            *out = y;
            gone.insert(i);
        }
    }
    let mut i = 0;
    program.ops.retain(|_| (!gone.contains(&i), i += 1).0);
}

/// `Linear + vector` is a linear layer with a bias, if nobody else reads the sum's operand.
fn fuse_biases(draft: &mut Draft) {
    let uses = draft.uses();
    let producers: HashMap<ValueId, usize> =
        draft.program.ops.iter().enumerate().map(|(i, op)| (op.result(), i)).collect();
    let computed = computed_from_tensors(&draft.program);
    let mut reshapes: Vec<(usize, Op)> = Vec::new();
    let mut gone = HashSet::new();
    for i in 0..draft.program.ops.len() {
        let Op::Binary { a, b, y, f: Binary::Add } = draft.program.ops[i] else { continue };
        for (sum, vector) in [(a, b), (b, a)] {
            let Some(&at) = producers.get(&sum) else { continue };
            let width = *draft.program.shape(sum).last().unwrap_or(&0);
            let is_vector = draft.program.elements(vector) == width
                && draft.program.shape(vector).last() == Some(&width)
                && draft.program.shape(sum) == draft.program.shape(y)
                && computed.contains(&vector);
            let Op::Linear { bias: None, activation: None, .. } = draft.program.ops[at] else {
                continue;
            };
            if !is_vector || uses.get(&sum) != Some(&1) {
                continue;
            }
            let flat = draft.value(vec![width]);
            reshapes.push((at, Op::Reshape { x: vector, y: flat }));
            if let Op::Linear { bias, y: out, .. } = &mut draft.program.ops[at] {
                *bias = Some(flat);
                *out = y;
            }
            gone.insert(i);
            break;
        }
    }
    let mut ops = Vec::new();
    // The vector may be computed after the layer, so everything that needs no input goes first.
    let (early, late): (Vec<_>, Vec<_>) = std::mem::take(&mut draft.program.ops)
        .into_iter()
        .enumerate()
        .filter(|(i, _)| !gone.contains(i))
        .partition(|(_, op)| computed.contains(&op.result()));
    ops.extend(early.into_iter().map(|(_, op)| op));
    ops.extend(reshapes.into_iter().map(|(_, op)| op));
    ops.extend(late.into_iter().map(|(_, op)| op));
    draft.program.ops = ops;
}

/// A function of one number after a layer, perhaps moved in between, is part of the layer, if nobody
/// else reads what the layer gives.
fn fuse_activations(draft: &mut Draft) {
    let uses = draft.uses();
    let program = &mut draft.program;
    let producers: HashMap<ValueId, usize> =
        program.ops.iter().enumerate().map(|(i, op)| (op.result(), i)).collect();
    let mut same: HashMap<ValueId, ValueId> = HashMap::new();
    for i in 0..program.ops.len() {
        let Op::Unary { x, y, f } = program.ops[i] else { continue };
        let mut at = x;
        while uses.get(&at) == Some(&1)
            && let Some(&producer) = producers.get(&at)
        {
            match &mut program.ops[producer] {
                Op::Reshape { x, .. } | Op::Permute { x, .. } => at = *x,
                Op::Linear { activation: activation @ None, .. }
                | Op::Conv1d { activation: activation @ None, .. }
                | Op::ConvTranspose1d { activation: activation @ None, .. } => {
                    *activation = Some(f);
                    same.insert(y, x);
                    break;
                }
                _ => break,
            }
        }
    }
    program.ops.retain(|op| !same.contains_key(&op.result()));
    let last = |mut id: ValueId| {
        while let Some(&earlier) = same.get(&id) {
            id = earlier;
        }
        id
    };
    for op in &mut program.ops {
        op.for_each_operand_mut(|id| *id = last(*id));
    }
    for port in &mut program.outputs {
        port.value = last(port.value);
    }
}

/// The values that depend on tensors alone.
fn computed_from_tensors(program: &Program) -> HashSet<ValueId> {
    let mut known: HashSet<ValueId> = (0..program.values.len())
        .filter(|&i| program.values[i].tensor.is_some())
        .map(|i| ValueId(i as u32))
        .collect();
    for op in &program.ops {
        let mut all = true;
        op.for_each_operand(|x| all &= known.contains(&x));
        if all {
            known.insert(op.result());
        }
    }
    known
}

/// Computes now what depends on tensors alone, with the runtime's own kernels.
pub(super) fn fold(mut draft: Draft) -> Draft {
    let known = computed_from_tensors(&draft.program);
    let (early, late): (Vec<Op>, Vec<Op>) = std::mem::take(&mut draft.program.ops)
        .into_iter()
        .partition(|op| known.contains(&op.result()));
    let mut wanted = HashSet::new();
    late.iter().for_each(|op| op.for_each_operand(|x| wanted.extend([x])));
    wanted.extend(draft.program.outputs.iter().map(|p| p.value));

    let mut names = HashMap::new();
    for op in &early {
        let mut ancestors = Vec::new();
        op.for_each_operand(|x| ancestors.extend(ancestor(&draft.program, &names, x)));
        names.insert(op.result(), ancestors.first().cloned().unwrap_or_default());
    }
    let outputs: Vec<Port> = early
        .iter()
        .map(Op::result)
        .filter(|y| wanted.contains(y))
        .map(|value| Port { name: format!("{}", value.0), value })
        .collect();
    let folding = Program {
        name: "fold".into(),
        values: draft.program.values.clone(),
        inputs: Vec::new(),
        outputs: outputs.clone(),
        ops: early,
    };
    let shape_of = |t: &str| draft.tensors.get(t).map(|(shape, _)| Stored::f32(shape));
    let folding =
        Verified::new(folding, shape_of).expect("shapes were inferred when it was drafted");
    let tensors = draft.tensors.iter().map(|(name, (shape, data))| {
        let bytes = bytemuck::cast_slice(data);
        (name.clone(), Tensor { dtype: Dtype::F32, shape: shape.clone(), bytes })
    });
    let tensors = tensors.collect();
    let loaded =
        Loaded::from_parts(Level::Plain, &folding, &tensors).expect("vectors of f32 are aligned");
    let mut instance = loaded.instance();
    instance.run();
    let folded: Vec<_> =
        outputs.iter().map(|p| (p.value, instance.output(p.value).to_vec())).collect();
    drop(instance);
    drop(tensors);

    for (value, data) in folded {
        let shape = draft.program.shape(value).to_vec();
        let name = format!("{}#{}", names[&value], value.0);
        draft.tensors.insert(name.clone(), (shape, data));
        draft.program.values[value.index()].tensor = Some(name);
    }
    draft.program.ops = late;
    prune(&mut draft);
    tidy_names(&mut draft);
    draft
}

/// The name of the tensor that a value comes from.
fn ancestor(program: &Program, names: &HashMap<ValueId, String>, id: ValueId) -> Option<String> {
    let own = program.values[id.index()].tensor.clone();
    own.or_else(|| names.get(&id).cloned()).filter(|n| !n.is_empty())
}

/// Drops operations whose results nobody reads, values nobody names and tensors nobody holds.
fn prune(draft: &mut Draft) {
    let program = &mut draft.program;
    let mut needed: HashSet<ValueId> = program.outputs.iter().map(|p| p.value).collect();
    let mut kept = Vec::new();
    for op in std::mem::take(&mut program.ops).into_iter().rev() {
        if needed.contains(&op.result()) {
            op.for_each_operand(|x| needed.extend([x]));
            kept.push(op);
        }
    }
    kept.reverse();
    program.ops = kept;
    needed.extend(program.inputs.iter().map(|p| p.value));

    let mut numbers = HashMap::new();
    let mut values = Vec::new();
    for (i, value) in std::mem::take(&mut program.values).into_iter().enumerate() {
        if needed.contains(&ValueId(i as u32)) {
            numbers.insert(ValueId(i as u32), ValueId(values.len() as u32));
            values.push(value);
        }
    }
    program.values = values;
    for op in &mut program.ops {
        op.for_each_operand_mut(|id| *id = numbers[id]);
        let y = op.result_mut();
        *y = numbers[y];
    }
    for port in program.inputs.iter_mut().chain(&mut program.outputs) {
        port.value = numbers[&port.value];
    }
    let held: HashSet<&String> = program.values.iter().filter_map(|v| v.tensor.as_ref()).collect();
    draft.tensors.retain(|name, _| held.contains(name));
}

/// Takes the numbers of values back out of the names of tensors, where that leaves them different.
fn tidy_names(draft: &mut Draft) {
    let mut tidy = super::Tensors::new();
    let mut new_names = HashMap::new();
    for (name, tensor) in std::mem::take(&mut draft.tensors) {
        let base = name.split('#').next().unwrap_or_default().to_owned();
        let base = if base.is_empty() { "constant".into() } else { base };
        let fresh = (0..)
            .map(|i| if i == 0 { base.clone() } else { format!("{base}.{i}") })
            .find(|n| !tidy.contains_key(n))
            .expect("there are more numbers than tensors");
        tidy.insert(fresh.clone(), tensor);
        new_names.insert(name, fresh);
    }
    for tensor in draft.program.values.iter_mut().filter_map(|v| v.tensor.as_mut()) {
        *tensor = new_names[tensor.as_str()].clone();
    }
    draft.tensors = tidy;
}
