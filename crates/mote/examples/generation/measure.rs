//! One model of one seed: trained, drawn from, judged.

use std::{ops::ControlFlow, time::Instant};

use mote::{
    Error,
    completion::{Asking, generate},
    source::Source,
    training::{Model, Recipe, Report, run},
};
use mote_eval::{
    Windows,
    generation::{
        Closeness, JudgeConfig, autocorrelation_error, cross_correlation_error,
        discriminative_score, marginal_distance, memorization, predictive_score, support,
    },
};
use mote_learn::{
    device::Device,
    families::DiffusionConfig,
    judge::{ContextConfig, context_fid},
    train::Progress,
};

use crate::{
    sets::{Scaled, Set},
    store::Values,
};

/// Steps of the diffusion model, and half as many of its student: some three minutes of a processor
/// for windows of 24 samples.
const STEPS: u64 = 2400;
/// Evaluations of the network for a window, of Diffusion-TS, and windows that are timed.
const EVALUATIONS: usize = 500;
const TIMED: usize = 64;
/// The share of the data by which models other than the diffusion choose their best moment and their threshold: of all
/// windows, and of blocks, of which it has to hold some.
const HELD_BACK: f64 = 0.05;
const HELD_BACK_OF_BLOCKS: f64 = 0.15;
/// Windows whose neighbourhoods are compared, of each kind.
const NEIGHBOURS: usize = 2000;

/// Scores of one model of one seed.
pub(crate) fn measure(set: &Set, model: &str, seed: u64) -> Result<Values, Error> {
    let features = set.source.runs.schema().features();
    let mut values = Values::new();
    let mut tell = |name: &str, value: f64| values.insert(name.to_owned(), value);

    let cpu = cpu_seconds();
    let file = train(&set.source, set, HELD_BACK, model, seed)?;
    if let (Some(before), Some(after)) = (cpu, cpu_seconds()) {
        tell("training, CPU s", after - before);
    }
    tell("model, KB", file.len() as f64 / 1024.0);

    let count = set.real.data.len() / (set.length * features);
    let began = Instant::now();
    let drawn = draw(&file, count, seed, &set.real)?;
    tell("windows drawn a second", count as f64 / began.elapsed().as_secs_f64());

    let windows = |data| Windows::new(data, set.length, features);
    let wrong = |e| Error::evaluate("generated windows", e);
    let real = windows(&set.real.data).map_err(wrong)?;
    let drawn_windows = windows(&drawn).map_err(wrong)?;
    let mut go = |_| ControlFlow::Continue(());
    let told = JudgeConfig::tell_apart();
    let score = discriminative_score(real, drawn_windows, told, seed, &mut go).map_err(wrong)?;
    tell("discriminative score", score.score);
    let predict = JudgeConfig::predict();
    let score = predictive_score(real, drawn_windows, predict, seed, &mut go).map_err(wrong)?;
    tell("predictive score", score.score);
    let context = ContextConfig::default();
    let fid = context_fid(real, drawn_windows, &context, seed, &mut go).map_err(wrong)?;
    tell("Context-FID", fid.distance);
    let correlation = cross_correlation_error(real, drawn_windows).map_err(wrong)?;
    tell("correlation error", correlation.error);
    let autocorrelation = autocorrelation_error(real, drawn_windows).map_err(wrong)?;
    tell("autocorrelation error", autocorrelation.error);
    let marginals = marginal_distance(real, drawn_windows).map_err(wrong)?;
    tell("marginal distance", marginals.distance);
    let [some_real, some_drawn] =
        [&set.real.data, &drawn].map(|all| some(all, set.length * features));
    let both = [windows(&some_real).map_err(wrong)?, windows(&some_drawn).map_err(wrong)?];
    let support = support(both[0], both[1], 5).map_err(wrong)?;
    tell("precision", support.precision);
    tell("coverage", support.coverage);
    Ok(values)
}

/// A model of `source`, which is the `set` or a part of it.
fn train(
    source: &Source,
    set: &Set,
    held_back: f64,
    model: &str,
    seed: u64,
) -> Result<Vec<u8>, Error> {
    let (_, family) = Model::all()
        .into_iter()
        .find(|(name, family)| *name == model && family.completes())
        .unwrap_or_else(|| panic!("wanted a model that draws windows, found {model}"));
    let mut reading = set.reading.clone();
    if model != "diffusion" {
        reading.dataset.split.validation = held_back;
    }
    let mut recipe = Recipe::new(reading, source, family)?;
    recipe.window = Some(set.length);
    recipe.train.seed = seed;
    recipe.train.hide = 0.0;
    recipe.train.hide_future = 0.0;
    // Nothing is known of what is drawn; some learn from whole windows at any rate.
    recipe.train.hide_all = if recipe.train.hide_all > 0.0 { 1.0 } else { 0.0 };
    if model == "diffusion" {
        recipe.train.steps = STEPS;
        recipe.train.evaluate_every = STEPS / 4;
    }
    let finished = run(source, &recipe, Device::default(), None, &mut |report| {
        if let Report::Progress(Progress::Look { look, .. }) = report {
            eprintln!("  step {} validation {:.4}", look.step, look.validation);
        }
        ControlFlow::Continue(())
    })?;
    Ok(finished.file)
}

fn draw(file: &[u8], count: usize, seed: u64, scale: &Scaled) -> Result<Vec<f32>, Error> {
    let model = mote_format::Model::open(file).expect("written a moment ago");
    let mut drawn = generate(&model, count, &[], Asking { seed, ..Default::default() }, |_| {
        ControlFlow::Continue(())
    })?;
    scale.scale(&mut drawn);
    Ok(drawn)
}

/// Whether a model that was trained without some blocks of each run draws windows that are nearer to what
/// it has seen than those blocks are: the chance, and the share of copies.
pub(crate) fn memorizing(set: &Set, model: &str, seed: u64) -> Result<Values, Error> {
    let features = set.source.runs.schema().features();
    let (source, unseen) = set.parts();
    let in_blocks = source.runs.series().iter().any(|series| series.len() > set.length);
    let held_back = if in_blocks { HELD_BACK_OF_BLOCKS } else { HELD_BACK };
    let file = train(&source, set, held_back, model, seed)?;
    let wrong = |e| Error::evaluate("memorization", e);
    let windows = |runs: &mote_data::Runs| -> Result<Vec<f32>, Error> {
        let cuts = mote_data::Windows::new(runs, mote_data::windows::Cut::new(set.length))?;
        let mut data: Vec<f32> =
            (0..cuts.len()).flat_map(|i| cuts.get(i).values).copied().collect();
        set.real.scale(&mut data);
        Ok(data)
    };
    let seen = windows(&source.runs)?;
    let unseen = some(&windows(&unseen)?, set.length * features);
    let drawn = draw(&file, NEIGHBOURS, seed, &set.real)?;
    let cut = |data| Windows::new(data, set.length, features).map_err(wrong);
    let found = memorization(cut(&drawn)?, cut(&seen)?, cut(&unseen)?).map_err(wrong)?;
    if found.verdict == Closeness::Copies {
        eprintln!("  {}", found.explanation());
    }
    Ok(Values::from([
        ("nearer than unseen windows, chance".into(), found.nearer_chance),
        ("copies, share".into(), found.close_share),
    ]))
}

/// How many windows a second the diffusion model draws where nothing shortens its way: with as many
/// evaluations as the published ones take.
pub(crate) fn undistilled(set: &Set) -> Result<Values, Error> {
    let mut recipe = Recipe::new(
        set.reading.clone(),
        &set.source,
        Model::Diffusion(DiffusionConfig { strides: None, ..Default::default() }),
    )?;
    recipe.window = Some(set.length);
    // How well it draws does not matter here.
    recipe.train.steps = 10;
    let finished =
        run(&set.source, &recipe, Device::default(), None, &mut |_| ControlFlow::Continue(()))?;
    let began = Instant::now();
    let asking = Asking { evaluations: Some(EVALUATIONS), ..Default::default() };
    let model = mote_format::Model::open(&finished.file).expect("written a moment ago");
    generate(&model, TIMED, &[], asking, |_| ControlFlow::Continue(()))?;
    let speed = TIMED as f64 / began.elapsed().as_secs_f64();
    Ok(Values::from([("windows drawn a second in 500 evaluations".into(), speed)]))
}

/// An even choice of windows of so many values.
fn some(all: &[f32], width: usize) -> Vec<f32> {
    let count = all.len() / width;
    let wanted = count.min(NEIGHBOURS);
    (0..wanted).flat_map(|i| &all[i * count / wanted * width..][..width]).copied().collect()
}

/// Seconds of processor time of this process, where Linux says.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(") ").next()?.split(' ').collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
