//! From a causal program over a window to one that advances by one sample.
//!
//! Where every operation looks back in time only, and only so far, the window need not be computed
//! again for each new sample: what an operation looks back at is kept. The program that results has
//! the ports of the first with one row each, and besides them pairs of an input and an output with
//! one name, `state.0` and so on: what comes out is to be given back in with the next sample. All
//! states begin as real zero, which is what stands before a window. So it is a pure function like any
//! other, can be quantized, exported and run anywhere, and gives what the first program gives for
//! windows that begin where the stream began.

use alloc::{format, string::String, vec, vec::Vec};

use mote_format::{
    Op, Program, ValueId, Verified,
    container::Tensor,
    program::{Port, STATE_PREFIX, Value},
};

use crate::execute::Instance;

/// Why a program cannot advance by one sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {at} ({op}) of `{program}` {why}")]
pub struct NotCausal {
    /// The program.
    pub program: String,
    /// The operation.
    pub at: usize,
    /// Its name.
    pub op: &'static str,
    /// What about it looks elsewhere than back.
    pub why: &'static str,
}

/// The program that advances `program` by one sample, under the name `name`; it uses tensors of the
/// same file. `tensor` tells the bytes of each.
///
/// # Errors
///
/// [`NotCausal`] with the first operation that looks into the future or at the window as a whole.
pub fn step<'a>(
    program: &Verified,
    name: &str,
    tensor: impl Fn(&str) -> Option<Tensor<'a>>,
) -> Result<Program, NotCausal> {
    let mut made = (**program).clone();
    made.name = name.into();
    made.ops.clear();
    made.outputs.clear();
    let time = program.inputs.first().and_then(|p| program.shape(p.value).first().copied());
    let mut stepper = Stepper {
        program,
        time: time.unwrap_or(0),
        late: vec![None; program.values.len()],
        made,
        states: Vec::new(),
        filled: &|name, zero| tensor(name).is_some_and(|t| t.bytes.iter().all(|&b| b == zero)),
    };
    stepper.shorten();
    for (at, op) in program.ops.iter().enumerate() {
        let fault = |why| NotCausal { program: program.name.clone(), at, op: op.name(), why };
        stepper.op(op).map_err(fault)?;
    }
    let Stepper { mut made, states, late, .. } = stepper;
    for port in &program.outputs {
        if late[port.value.index()].is_some() {
            let why = "is read without its newest samples";
            let at = program.ops.iter().position(|op| op.result() == port.value).unwrap_or(0);
            let op = program.ops.get(at).map_or("none", Op::name);
            return Err(NotCausal { program: program.name.clone(), at, op, why });
        }
    }
    made.outputs.extend(program.outputs.iter().cloned());
    made.outputs.extend(states);
    Ok(made)
}

struct Stepper<'p> {
    program: &'p Program,
    /// Rows of the window.
    time: usize,
    /// Where a value is another one without its newest rows: that one, and how many.
    late: Vec<Option<(ValueId, usize)>>,
    made: Program,
    /// The new states.
    states: Vec<Port>,
    /// Whether all bytes of a tensor are this one.
    filled: &'p dyn Fn(&str, u8) -> bool,
}

impl Stepper<'_> {
    /// Every computed value has one row.
    fn shorten(&mut self) {
        for value in self.made.values.iter_mut().filter(|v| v.tensor.is_none()) {
            if let Some(rows) = value.shape.first_mut() {
                *rows = 1;
            }
        }
    }

    fn computed(&self, id: ValueId) -> bool {
        self.program.values[id.index()].tensor.is_none()
    }

    /// Whether `id` has the time of the window in front.
    fn timed(&self, id: ValueId) -> bool {
        self.computed(id) && self.program.shape(id).first() == Some(&self.time)
    }

    fn op(&mut self, op: &Op) -> Result<(), &'static str> {
        if let Op::Concat { xs, axis: 0, y } = op {
            return self.delay(xs, *y);
        }
        if let Op::Slice { x, y, axis: 0, start: 0, end } = *op
            && self.timed(x)
        {
            self.late[y.index()] = Some((x, self.time - end));
            return Ok(());
        }
        let mut whole = true;
        op.for_each_operand(|x| whole &= !self.computed(x) || self.late[x.index()].is_none());
        if !whole || !self.timed(op.result()) {
            return Err("mixes samples of different times");
        }
        match *op {
            Op::Conv1d { stride, dilation, padding, w, .. } => {
                self.convolution(op, self.program.shape(w)[1], stride, dilation, padding)
            }
            Op::QuantizedConv1d { stride, dilation, padding, weights, .. } => {
                let kernel = self.program.shape(weights.w)[1];
                self.convolution(op, kernel, stride, dilation, padding)
            }
            Op::Attention { q, k, v, bias, y, before } => {
                // As many rows as samples: so each window ends with its own row.
                if ![q, k, v].into_iter().all(|x| self.timed(x)) {
                    return Err("attends to something else than samples");
                }
                let [k, v] = [k, v].map(|x| if before > 0 { self.history(x, before).0 } else { x });
                self.made.ops.push(Op::Attention { q, k, v, bias, y, before: 0 });
                Ok(())
            }
            Op::ConvTranspose1d { .. } | Op::QuantizedConvTranspose1d { .. } => {
                Err("spreads samples over time")
            }
            _ if op.is_adjoint() => Err("belongs to a training program"),
            Op::Reduce { axis: 0, .. } => Err("looks at all samples of the window"),
            Op::CumulativeSum { axis: 0, .. } => Err("adds up all samples of the window"),
            Op::Slice { axis: 0, .. } => Err("takes samples from the middle of the window"),
            Op::Permute { ref axes, .. } if axes.first() != Some(&0) => Err("turns time around"),
            Op::LayerNorm { x, .. } | Op::Softmax { x, .. } | Op::Linear { x, .. }
                if self.program.shape(x).len() < 2 =>
            {
                Err("looks at all samples of the window")
            }
            Op::Reshape { x, .. } if !self.timed(x) => Err("mixes samples of different times"),
            Op::Binary { .. } | Op::Concat { .. } => self.constants(op),
            _ => {
                self.made.ops.push(op.clone());
                Ok(())
            }
        }
    }

    /// Operations that read tensors as operands: they have to be the same for every sample.
    fn constants(&mut self, op: &Op) -> Result<(), &'static str> {
        let rank = self.program.shape(op.result()).len();
        let mut same = true;
        op.for_each_operand(|x| {
            let shape = self.program.shape(x);
            let varies = shape.len() == rank && shape[0] != 1;
            same &= self.timed(x) || !varies;
        });
        // What is put side by side with a sample would need as many rows as the window.
        if !same {
            return Err("reads a constant that changes over the window");
        }
        self.made.ops.push(op.clone());
        Ok(())
    }

    /// `[0, …, 0, x[0], …, x[time - n]]` is `x`, `n` samples late.
    fn delay(&mut self, xs: &[ValueId], y: ValueId) -> Result<(), &'static str> {
        const OTHER: &str = "joins samples in another way than by a delay that begins with zeros";
        let &[zeros, rest] = xs else { return Err(OTHER) };
        let (Some((x, n)), Some(name)) =
            (self.late[rest.index()], &self.program.values[zeros.index()].tensor)
        else {
            return Err(OTHER);
        };
        let zero = self.program.values[zeros.index()].quantization.map_or(0, |q| q.zero_point);
        if self.program.shape(zeros)[0] != n || !(self.filled)(name, zero as u8) {
            return Err(OTHER);
        }
        let (kept, rows) = self.history(x, n);
        let reading = Op::Slice { x: kept, y, axis: 0, start: rows - 1 - n, end: rows - n };
        self.made.ops.push(reading);
        Ok(())
    }

    fn convolution(
        &mut self,
        op: &Op,
        kernel: usize,
        stride: usize,
        dilation: usize,
        padding: [usize; 2],
    ) -> Result<(), &'static str> {
        let back = (kernel - 1) * dilation;
        if stride != 1 || padding != [back, 0] {
            return Err("is not causal: wanted stride 1 and all padding in front");
        }
        let mut op = op.clone();
        let mut first = None;
        op.for_each_operand(|x| first = first.or(Some(x)));
        let x = first.expect("a convolution reads its input");
        let kept = if back > 0 { self.history(x, back).0 } else { x };
        match &mut op {
            Op::Conv1d { x, padding, .. } | Op::QuantizedConv1d { x, padding, .. } => {
                (*x, *padding) = (kept, [0, 0]);
            }
            _ => unreachable!("only convolutions come here"),
        }
        self.made.ops.push(op);
        Ok(())
    }

    /// The newest `back` samples of `x` before this one, and this one: a value, and its rows.
    fn history(&mut self, x: ValueId, back: usize) -> (ValueId, usize) {
        let value = |rows: usize, like: &Value| {
            let shape = [&[rows], &like.shape[1..]].concat();
            Value { shape, ..like.clone() }
        };
        let like = self.made.values[x.index()].clone();
        let mut push = |value: Value| {
            self.made.values.push(value);
            ValueId(self.made.values.len() as u32 - 1)
        };
        let (before, all) = (push(value(back, &like)), push(value(back + 1, &like)));
        let after = push(value(back, &like));
        self.made.ops.push(Op::Concat { xs: vec![before, x], y: all, axis: 0 });
        let newest = Op::Slice { x: all, y: after, axis: 0, start: 1, end: back + 1 };
        self.made.ops.push(newest);
        let name = format!("{STATE_PREFIX}{}", self.states.len());
        self.made.inputs.push(Port { name: name.clone(), value: before });
        self.states.push(Port { name, value: after });
        (all, back + 1)
    }
}

/// An instance of a program that advances by one sample, with what it keeps between two.
#[derive(Clone, Debug)]
pub struct Steps<'m> {
    instance: Instance<'m>,
    /// The input and the output of each state.
    states: Vec<(ValueId, ValueId)>,
}

impl<'m> Steps<'m> {
    /// Pairs the states of `instance` by their names, and begins with zeros.
    #[must_use]
    pub fn new(instance: Instance<'m>) -> Self {
        let states = instance.program().states().collect();
        let mut steps = Self { instance, states };
        steps.reset();
        steps
    }

    /// The instance, whose inputs are to be filled before each step.
    #[must_use]
    pub fn instance(&mut self) -> &mut Instance<'m> {
        &mut self.instance
    }

    /// Bytes of the arena, states included.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.instance.arena_bytes()
    }

    /// Forgets everything, as at the beginning of a stream.
    pub fn reset(&mut self) {
        for &(input, _) in &self.states {
            self.instance.clear(input);
        }
    }

    /// Runs once; then outputs can be read, and states are those for the next sample.
    pub fn run(&mut self) {
        self.instance.run();
        for &(input, output) in &self.states {
            self.instance.carry(output, input);
        }
    }
}
