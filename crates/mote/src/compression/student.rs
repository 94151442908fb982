//! A thinner model of the same family, that learns from nothing the answers of a whole one.

use std::ops::ControlFlow;

use mote_compress::{Lesson, Ports, Repair, Repaired, join, repair, side_by_side};
use mote_data::Scaling;
use mote_format::{Tensors, Verified, container::Tensor, model};
use mote_learn::{layout::Layout, parts::Standardize};

use super::{ground::Ground, shown};
use crate::{
    Error,
    training::{Recipe, blank},
};

/// How a student is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Student {
    /// About the share of the weights that it has, more than 0 and less than 1.
    pub share: f64,
    /// How it is taught.
    pub lessons: Repair,
}

/// A student that was taught.
pub(super) struct Taught {
    /// The model file, without detector and margins.
    pub(super) file: Vec<u8>,
    pub(super) repaired: Repaired,
}

/// Teaches a student what the programs of a model give that remember nothing. Those that do share its
/// weights: they are the same function, sample by sample.
pub(super) fn teach(
    ground: &Ground<'_>,
    how: Student,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Taught, Error> {
    let Student { share, lessons } = how;
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Usage(format!(
            "wanted a share of weights between 0 and 1 for a student, found {share}"
        )));
    }
    let whole = ground.model;
    let recipe = Recipe { model: ground.recipe.model.thinner(share), ..ground.recipe.clone() };
    let schema = &whole.manifest.schema;
    let scaling = Scaling::fit(&ground.train, Default::default());
    let standardize = Standardize { mean: scaling.mean, scale: scaling.scale };
    let shape = [whole.manifest.window.length, schema.features()];
    let entries = blank(&recipe, &Layout::of(schema), &standardize, shape)?;
    let mut tensors = entries.arrays();

    let (mut teachers, mut students, mut samples) = (Vec::new(), Vec::new(), Vec::new());
    for program in &entries.programs {
        let Some(teacher) = ground.programs.iter().find(|p| p.name == program.name) else {
            continue;
        };
        if teacher.states().next().is_none() {
            samples.push(shown::samples(whole, teacher, &ground.windows)?);
            teachers.push(&***teacher);
            students.push(program);
        }
    }
    let arrays = |(name, tensor): (&String, &Tensor<'_>)| (name.clone(), tensor.to_array());
    let teacher: Tensors = whole.tensors.iter().map(arrays).collect();
    let teacher = join(teachers, &teacher)?;
    let student = join(students, &tensors)?;
    same_ports(&teacher, &student)?;
    let samples = side_by_side(&samples);
    let ports = Ports::default();
    let lesson = Lesson { teacher: (&teacher, &whole.tensors), samples: &samples, ports: &ports };
    let repaired = repair(&student, &mut tensors, lesson, lessons, progress)?;

    let mut manifest = whole.manifest.clone();
    manifest.programs = entries.programs;
    manifest.lineage.config = serde_json::to_value(&recipe).expect("recipes have no odd keys");
    (manifest.detector, manifest.margins) = (None, None);
    Ok(Taught { file: model::write(&manifest, &tensors), repaired })
}

/// What a student answers is what it is asked for.
fn same_ports(teacher: &Verified, student: &Verified) -> Result<(), Error> {
    let ports = |program: &Verified| -> Vec<(String, Vec<usize>)> {
        let all = program.inputs.iter().chain(&program.outputs);
        all.map(|port| (port.name.clone(), program.shape(port.value).to_vec())).collect()
    };
    let (wanted, found) = (ports(teacher), ports(student));
    if let Some((wanted, found)) = wanted.iter().zip(&found).find(|(a, b)| a != b) {
        return Err(Error::Usage(format!(
            "a student of this model would have other ports: wanted {wanted:?}, found {found:?}"
        )));
    }
    Ok(())
}
