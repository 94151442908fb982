//! Records an entry point on Burn's capture device and compiles what was recorded.

use std::collections::HashMap;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor},
};
use burn_capture::{CaptureBackend, TensorId};
use mote_format::{Program, Stored, Verified};

use super::{BATCH, CompileError, Tensors, draft::Draft, lower::lower, passes};

/// An input of an entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name of the port.
    pub name: &'static str,
    /// Its shape per sample: `(time, features)`.
    pub shape: [usize; 2],
}

/// Records `entry` and compiles it to a verified program and its tensors.
///
/// `entry` gets the module on the capture device and one tensor `(batch, time, features)` for each
/// input, and answers with named outputs of any rank, whose first axis is the batch.
///
/// # Errors
///
/// [`CompileError`] if an operation has no counterpart or mixes samples of the batch.
pub fn capture<M: Module>(
    module: &M,
    name: &str,
    inputs: &[Input],
    entry: impl FnOnce(&M, &[Tensor<3>], &Device) -> Vec<(&'static str, Output)>,
) -> Result<(Program, Tensors), CompileError> {
    let device = Device::capture();
    let mut ports = Ports::default();
    let captured = device
        .capture_scope(|scope| {
            let module = module.clone().to_device(&device);
            module.visit(&mut Names { names: &mut ports.names, path: Vec::new() });
            let tensors: Vec<_> = inputs
                .iter()
                .map(|i| {
                    let [time, features] = i.shape;
                    Tensor::<3>::zeros([BATCH, time, features], &Device::flex()).to_device(&device)
                })
                .collect();
            ports.inputs = inputs.iter().zip(&tensors).map(|(i, t)| (i.name, id(t))).collect();
            let outputs = entry(&module, &tensors, &device);
            ports.outputs = outputs.iter().map(|(name, o)| (*name, o.id)).collect();
            let ids = |p: &[(&str, TensorId)]| p.iter().map(|(_, id)| *id).collect::<Vec<_>>();
            let token = scope.complete(ids(&ports.inputs), ids(&ports.outputs));
            // Outputs must outlive the scope, or the graph would record that they were dropped.
            drop(outputs);
            token
        })
        .map_err(|e| CompileError::Capture { entry: name.into(), why: e.to_string() })?;
    let mut draft = lower(name, &captured, &ports)?;
    passes::simplify(&mut draft);
    let Draft { program, tensors } = passes::fold(draft);
    let verified = Verified::new(program, |t| tensors.get(t).map(|(shape, _)| Stored::f32(shape)))
        .map_err(|e| CompileError::Invalid { entry: name.into(), why: e.to_string() })?;
    Ok((verified.into_inner(), tensors))
}

/// A tensor that leaves an entry point.
#[derive(Debug)]
pub struct Output {
    id: TensorId,
    /// Keeps the recorded tensor alive until the capture is complete.
    _held: Box<dyn std::any::Any>,
}

impl<const D: usize> From<Tensor<D>> for Output {
    fn from(tensor: Tensor<D>) -> Self {
        Self { id: id(&tensor), _held: Box::new(tensor) }
    }
}

/// What the recorded tensors are called.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pub(super) inputs: Vec<(&'static str, TensorId)>,
    pub(super) outputs: Vec<(&'static str, TensorId)>,
    /// The path of each parameter in its module.
    pub(super) names: HashMap<TensorId, String>,
}

fn id<const D: usize>(tensor: &Tensor<D>) -> TensorId {
    let primitive = tensor.clone().try_into_primitive::<CaptureBackend>();
    primitive.expect("entry points compute on the capture device that they are given").id()
}

/// Whether what is computed with `tensor` is recorded instead.
pub(crate) fn is_recorded<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.clone().try_into_primitive::<CaptureBackend>().is_ok()
}

struct Names<'n> {
    names: &'n mut HashMap<TensorId, String>,
    path: Vec<String>,
}

impl ModuleVisitor for Names<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.insert(id(&param.val()), self.path.join("."));
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}
