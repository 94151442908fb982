//! Short training after something was taken away, so that the program gives again what it gave.
//!
//! The teacher is the program as it was. Nothing is known of families or of their losses: every output of
//! the student is pulled to that of the teacher, each in the unit of its own spread. So it is
//! distillation too, where the student is another program with the same ports.

use std::{collections::BTreeSet, ops::ControlFlow};

use mote_format::{
    Array, Op, Program, Tensors, ValueId, Verified,
    program::{Binary, Port, Reduction, Unary, Value},
};
use mote_runtime::{Adam, Instance, Learner, Level, Loaded};

use crate::{
    Error, Found, Ports, Sample,
    adapters::{Adapted, begins_at_zero},
    integers::layers,
    ranges::{fill, fill_first},
    spread::units,
};

/// How a program is repaired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repair {
    /// Steps of the optimizer.
    pub steps: usize,
    /// Samples for each step.
    pub batch: usize,
    /// The rate of the first steps; it falls to nothing along a cosine.
    pub rate: f32,
    /// Which numbers learn.
    pub update: Update,
    /// What samples are drawn by.
    pub seed: u64,
}

/// Which numbers learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// Weights, biases and gains.
    #[default]
    All,
    /// Biases and gains: a small share, for which the optimizer needs a small share of the memory (Ben Zaken et
    /// al. 2021, BitFit, arXiv 2106.10199; Cai et al. 2020, TinyTL, arXiv 2007.11622).
    Biases,
    /// Biases, gains, and for each layer two thin matrices of this rank, at least one, which are merged into its
    /// weights in the end (Hu et al. 2021, LoRA, arXiv 2106.09685).
    Adapters(usize),
}

impl Default for Repair {
    /// As long as a short training, at the rate of one: it takes seconds.
    fn default() -> Self {
        Self { steps: 2000, batch: 16, rate: 2e-3, update: Update::All, seed: 0 }
    }
}

/// What a repair did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repaired {
    /// The loss on samples that were not trained on: before.
    pub before: f64,
    /// And after; the tensors are those with the lesser of both.
    pub after: f64,
    /// Bytes that training took.
    pub bytes: usize,
}

/// What a program is repaired by.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// The program that it should be like, with its tensors.
    pub teacher: (&'a Verified, &'a Found<'a>),
    /// Samples of that program.
    pub samples: &'a [Sample],
    /// What is left of its ports.
    pub ports: &'a Ports,
}

/// Every so many samples one is held back.
const HELD: usize = 8;

/// Whether weights of a layer are zero: then they were taken out, or are never to be there, as in a flow whose values
/// are told in an order (all of a layer, where there is but one value to tell). They stay zero in every pass.
pub(crate) fn is_masked(w: &[f32]) -> bool {
    w.contains(&0.0)
}

/// Trains the weights of `student`, but for zeros among them. `progress` is told the steps done, of how many, and may break off: then
/// what was learned so far counts.
///
/// # Errors
///
/// [`Error::NoSamples`] if there are fewer than eight, [`Error::Sample`], [`Error::Load`],
/// [`Error::NotTrainable`] if an operation has no gradient.
///
/// # Panics
///
/// If the ports are not those that the lesson says.
pub fn repair(
    student: &Verified,
    tensors: &mut Tensors,
    lesson: Lesson<'_>,
    how: Repair,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Repaired, Error> {
    match how.update {
        Update::Adapters(rank) => {
            let adapted = Adapted::new(student, tensors, rank.max(1), how.seed)?;
            adapted.repair(student, tensors, lesson, how, progress)
        }
        Update::All => learn(student, tensors, lesson, how, (&trainable(student), None), progress),
        Update::Biases => {
            let weights = weights(student);
            let others = &trainable(student) - &weights;
            learn(student, tensors, lesson, how, (&others, None), progress)
        }
    }
}

impl Adapted {
    fn repair(
        mut self,
        student: &Verified,
        tensors: &mut Tensors,
        lesson: Lesson<'_>,
        how: Repair,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Repaired, Error> {
        let before = tensors.clone();
        let mut trained = trainable(&self.program);
        let weights = weights(&self.program);
        trained.retain(|name| !weights.contains(name) || self.is_adapter(name));
        let mut learned = std::mem::take(&mut self.tensors);
        let done = learn(&self.program, &mut learned, lesson, how, (&trained, None), progress)?;
        for (name, array) in tensors.iter_mut() {
            array.clone_from(&learned[name]);
        }
        self.tensors = learned;
        self.merge(tensors);
        // Zeros that stayed zero are not what was learned: what is left is measured again.
        let check = Repair { steps: 0, ..how };
        let merged = learn(student, tensors, lesson, check, (&trainable(student), None), progress)?;
        if merged.before >= done.before {
            tensors.clone_from(&before);
        }
        Ok(Repaired { after: merged.before.min(done.before), ..done })
    }
}

/// What the numbers of a tensor are when the program runs, where that is not what is learned.
pub(crate) type Round<'r> = &'r dyn Fn(&str, &[f32]) -> Option<Vec<f32>>;

/// Trains these tensors of a program, which runs with rounded ones where it is said how.
pub(crate) fn learn(
    student: &Verified,
    tensors: &mut Tensors,
    lesson: Lesson<'_>,
    how: Repair,
    (trained, round): (&BTreeSet<String>, Option<Round<'_>>),
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Repaired, Error> {
    let Lesson { teacher, samples, .. } = lesson;
    if samples.len() < HELD {
        return Err(Error::NoSamples);
    }
    let units = units(teacher.0, teacher.1, samples)?;
    let with_loss = matching(student, &units, tensors)?;
    let stored = |name: &str| tensors.get(name).map(Array::stored);
    let training = mote_runtime::gradient(&with_loss, LOSS, |n| trained.contains(n), stored)?;
    let found = crate::found(tensors);
    let teaching = Loaded::from_parts(Level::best(), teacher.0, teacher.1)?.instance();
    let learning = Loaded::from_parts(Level::best(), &training, &found)?.instance();
    let start = |name: &str| found[name].elements().expect("trained tensors are real numbers");
    let learner = Learner::new(learning, LOSS, start);
    let mut school = School { learner, teaching, lesson, inputs: student.inputs.len() };
    let is_weight = |name: &str| tensors[name].tensor().shape.len() > 1 && !begins_at_zero(name);
    school.learner.hold_zeros(|name, w| is_weight(name) && is_masked(w));
    round.iter().for_each(|round| school.learner.round(round));
    let (held, shown): (Vec<_>, Vec<_>) = (0..samples.len()).partition(|i| i % HELD == 0);
    let before = school.error(&held)?;
    let mut state = how.seed.wrapping_mul(2).wrapping_add(1);
    let adam = Adam::default();
    for step in 0..how.steps {
        if progress(step, how.steps).is_break() {
            break;
        }
        for _ in 0..how.batch {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            school.show(shown[((state >> 33) % shown.len() as u64) as usize])?;
        }
        let turn = std::f32::consts::PI * step as f32 / how.steps as f32;
        school.learner.step(&adam, how.rate * 0.5 * (1.0 + turn.cos()));
        round.iter().for_each(|round| school.learner.round(round));
    }
    let after = school.error(&held)?;
    let bytes = school.learner.bytes();
    let kept: Option<Vec<_>> = (after < before)
        .then(|| school.learner.tensors().map(|(name, x)| (name.to_owned(), x.to_vec())).collect());
    for (name, x) in kept.into_iter().flatten() {
        let shape = tensors[&name].tensor().shape.to_vec();
        tensors.insert(name, Array::new(shape, &x));
    }
    Ok(Repaired { before, after: after.min(before), bytes })
}

struct School<'m> {
    learner: Learner<'m>,
    teaching: Instance<'m>,
    lesson: Lesson<'m>,
    /// Inputs of the student; behind them are what it should give.
    inputs: usize,
}

impl School<'_> {
    /// Runs teacher and student on sample `i`; the gradient is added to the others.
    fn show(&mut self, i: usize) -> Result<Option<f32>, Error> {
        let Lesson { samples, ports, .. } = self.lesson;
        fill(&mut self.teaching, &samples[i], i)?;
        self.teaching.run();
        let program = self.learner.instance().program();
        let sample = ports.of_inputs(&samples[i]);
        fill_first(self.learner.instance(), self.inputs, &sample, i)?;
        let outputs = self.teaching.program().outputs.iter().enumerate();
        for (port, (k, output)) in program.inputs[self.inputs..].iter().zip(outputs) {
            let wanted = ports.of_output(k, self.teaching.output(output.value));
            let input = self.learner.instance().input(port.value);
            input.iter_mut().zip(wanted).for_each(|(x, wanted)| *x = wanted);
        }
        Ok(self.learner.see())
    }

    /// The mean loss of some samples; nothing is learned from them.
    fn error(&mut self, which: &[usize]) -> Result<f64, Error> {
        let mut sum = 0.0;
        for &i in which {
            sum += self.show(i)?.map_or(f64::INFINITY, f64::from);
        }
        self.learner.forget();
        Ok(sum / which.len().max(1) as f64)
    }
}

const LOSS: &str = "loss";

/// The tensors of a program that are weights, biases or gains of layers.
pub(crate) fn trainable(program: &Program) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |id: ValueId| names.extend(program.values[id.index()].tensor.clone());
    for op in &program.ops {
        match op {
            Op::Linear { w, bias, .. }
            | Op::Conv1d { w, bias, .. }
            | Op::ConvTranspose1d { w, bias, .. }
            | Op::LayerNorm { gain: w, bias, .. } => {
                [Some(*w), *bias].into_iter().flatten().for_each(&mut add);
            }
            _ => {}
        }
    }
    names
}

/// The tensors of a program that are weights of layers.
fn weights(program: &Program) -> BTreeSet<String> {
    layers(program, program.ops.iter()).into_keys().map(str::to_owned).collect()
}

/// The program with an input for what each output should be, and the loss as one more output: `√(1 + e²) - 1`
/// of what each number of an output is off, in its unit, the mean over each output, and all of these
/// added. So small errors count as their squares, and those of numbers that are far out no more than
/// their size (Charbonnier et al. 1997): scores have long tails.
fn matching(program: &Verified, units: &[f64], tensors: &Tensors) -> Result<Verified, Error> {
    let mut made = (**program).clone();
    let push = |made: &mut Program, value: Value| {
        made.values.push(value);
        ValueId(made.values.len() as u32 - 1)
    };
    let mut losses = Vec::new();
    for (port, unit) in program.outputs.iter().zip(units) {
        let (shape, n) = (program.shape(port.value), program.elements(port.value));
        let wanted = push(&mut made, Value::f32(shape));
        made.inputs.push(Port { name: format!("wanted.{}", port.name), value: wanted });
        let [off, steps, square, more, root] = [(); 5].map(|()| push(&mut made, Value::f32(shape)));
        let flat = push(&mut made, Value::f32([n]));
        let [mean, loss] = [(); 2].map(|()| push(&mut made, Value::f32([1])));
        made.ops.extend([
            Op::Binary { a: port.value, b: wanted, y: off, f: Binary::Sub },
            Op::Affine { x: off, y: steps, scale: (1.0 / unit) as f32, offset: 0.0 },
            Op::Unary { x: steps, y: square, f: Unary::Square },
            Op::Affine { x: square, y: more, scale: 1.0, offset: 1.0 },
            Op::Unary { x: more, y: root, f: Unary::Sqrt },
            Op::Reshape { x: root, y: flat },
            Op::Reduce { x: flat, y: mean, f: Reduction::Mean, axis: 0 },
            Op::Affine { x: mean, y: loss, scale: 1.0, offset: -1.0 },
        ]);
        losses.push(loss);
    }
    let loss = add_up(&mut made, &losses);
    made.outputs.push(Port { name: LOSS.into(), value: loss });
    Ok(Verified::new(made, |name| tensors.get(name).map(Array::stored))?)
}

/// Appends the sum of values of one number.
pub(crate) fn add_up(program: &mut Program, values: &[ValueId]) -> ValueId {
    let mut sum = values[0];
    for &b in &values[1..] {
        program.values.push(Value::f32([1]));
        let y = ValueId(program.values.len() as u32 - 1);
        program.ops.push(Op::Binary { a: sum, b, y, f: Binary::Add });
        sum = y;
    }
    sum
}
