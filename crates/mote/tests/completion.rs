//! What models complete, through the command: holes, futures, windows that never were, noise taken out,
//! and places in a latent space.

mod support;

#[path = "support/waves.rs"]
mod waves;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use support::{mote, printed, run, said, succeeds};
use waves::{PERIOD, cells, csv, noise, number, table, time, wave};

/// A folder with `filler.mote`, a diffusion model for holes and futures; made once.
fn filler() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let family = ["--model", "diffusion", "--for", "impute,forecast", "--steps", "400"];
        waves::train(&folder, "filler.mote", &family);
        folder
    })
}

/// A folder with `vae.mote`, a VAE that generates; made once.
fn generator() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let family = ["--model", "vae", "--for", "generate,impute", "--steps", "600"];
        waves::train(&folder, "vae.mote", &family);
        folder
    })
}

fn lines(output: &Output) -> Vec<Value> {
    printed(output).lines().map(|l| serde_json::from_str(l).expect("an object a line")).collect()
}

/// Runs a command on lines of standard input.
fn run_on(folder: &Path, arguments: &[&str], text: String) -> Output {
    let mut child = mote(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with the tests");
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("written");
    output
}

/// Samples as JSON messages; `hides` says which values are null, by sample and column.
fn messages(samples: std::ops::Range<usize>, hides: impl Fn(usize, usize) -> bool) -> String {
    let message = |t: usize| {
        let [level, flow, mode] = cells(t);
        let cells = [number(&level).into(), number(&flow).into(), Value::from(mode)];
        let shown = |(i, v): (usize, Value)| if hides(t, i) { Value::Null } else { v };
        let [level, flow, mode]: [Value; 3] = {
            let shown: Vec<Value> = cells.into_iter().enumerate().map(shown).collect();
            shown.try_into().expect("three columns")
        };
        let all =
            serde_json::json!({ "time": time(t), "level": level, "flow": flow, "mode": mode });
        all.to_string() + "\n"
    };
    samples.map(message).collect()
}

/// Stretches of nine samples, in which a straight line knows nothing of a wave of twelve.
fn in_a_long_hole(t: usize, column: usize) -> bool {
    t > 1440 && t < 1780 && (t + 20 * column) % 40 < 9
}

#[test]
fn long_holes_of_waves_are_filled_better_than_by_lines() {
    let folder = filler();
    fs::write(folder.join("holes.csv"), csv(1400..1800, in_a_long_hole)).expect("written");
    let arguments = ["impute", "filler.mote", "holes.csv", "--intervals", "0.9"];
    let output = run(folder, &arguments);
    succeeds(&output);
    let (names, rows) = table(&printed(&output));
    let wanted = "time,level,flow,mode,level_lower,level_upper,flow_lower,flow_upper";
    assert!(names.join(",").starts_with(wanted), "{names:?}");
    assert_eq!(rows.len(), 400);

    let (mut ours, mut line, mut inside, mut count) = (0.0, 0.0, 0, 0);
    for (row, t) in rows.iter().zip(1400..) {
        assert_eq!(row[0], time(t));
        if !in_a_long_hole(t, 0) {
            assert_eq!(number(&row[1]), number(&cells(t)[0]), "what was observed stays as it was");
            assert_eq!([&*row[4], &*row[5]], ["", ""], "and has no range");
            continue;
        }
        let known = |step: isize| {
            let mut at = t as isize;
            while in_a_long_hole(at as usize, 0) {
                at += step;
            }
            (at as f64, number(&cells(at as usize)[0]))
        };
        let ((left, low), (right, high)) = (known(-1), known(1));
        let straight = low + (high - low) * (t as f64 - left) / (right - left);
        let truth = number(&cells(t)[0]);
        ours += (number(&row[1]) - truth).abs();
        line += (straight - truth).abs();
        inside += usize::from((number(&row[4])..=number(&row[5])).contains(&truth));
        count += 1;
    }
    assert!(count > 60, "{count} values were hidden");
    assert!(
        ours < 0.4 * line,
        "mean error {} of ours, {} of lines",
        ours / count as f64,
        line / count as f64
    );
    assert!(100 * inside > 80 * count, "{inside} of {count} in the range of 90 %");
    let right = rows.iter().zip(1400..).filter(|(row, t)| row[3] == cells(*t)[2]).count();
    assert!(right > 380, "{right} of 400 words");
    // The same seed gives the same table.
    assert_eq!(printed(&run(folder, &arguments)), printed(&output));
}

#[test]
fn hidden_values_are_compared_with_what_they_were() {
    let folder = filler();
    fs::write(folder.join("whole.csv"), csv(1400..1700, |_, _| false)).expect("written");
    let output = run(
        folder,
        &["impute", "filler.mote", "whole.csv", "--hide", "0.3", "--block", "8", "--json"],
    );
    succeeds(&output);
    let errors = &lines(&output)[0]["errors"];
    let mae = |name: &str| errors[name]["mae"].as_f64().expect("a number");
    assert!(mae("model") < mae("linear interpolation"), "{errors}");
    assert!(mae("model") < mae("Kalman, trend"), "{errors}");
}

/// Forecasts along `samples`, every five of them: promised intervals and what became true of them.
fn coverage(calibrate: &[&str]) -> (f64, f64) {
    let folder = filler();
    fs::write(folder.join("next.csv"), csv(1400..2000, |_, _| false)).expect("written");
    let mut arguments =
        vec!["forecast", "filler.mote", "next.csv", "--horizon", "12", "--every", "5", "--json"];
    arguments.extend(calibrate);
    let output = run(folder, &arguments);
    succeeds(&output);
    assert!(!said(&output).contains("note"), "{}", said(&output));
    let (mut inside, mut width, mut count) = (0, 0.0, 0);
    for forecast in lines(&output) {
        let after = forecast["after"].as_u64().expect("a sample") as usize;
        for h in (0..12).filter(|h| after + h + 1 < 600) {
            let level =
                |name: &str| forecast["columns"]["level"][name][h].as_f64().expect("a number");
            let truth = number(&cells(1400 + after + h + 1)[0]);
            inside += usize::from((level("0.05")..=level("0.95")).contains(&truth));
            width += level("0.95") - level("0.05");
            count += 1;
        }
    }
    assert!(count > 1000, "{count}");
    (f64::from(inside as u32) / f64::from(count), width / f64::from(count))
}

#[test]
fn intervals_of_forecasts_cover_what_they_promise() {
    let (inside, width) = coverage(&[]);
    assert!((0.86..=0.96).contains(&inside), "{inside} as measured in training");
    // The noise alone takes 5.4 units; a wave that nobody knew would take 60.
    assert!(width < 20.0, "{width}");
    fs::write(filler().join("later.csv"), csv(2000..2400, |_, _| false)).expect("written");
    let (inside, width) = coverage(&["--calibrate", "later.csv"]);
    assert!((0.86..=0.96).contains(&inside), "{inside} as measured on another file");
    assert!(width < 20.0, "{width}");
}

#[test]
fn times_go_on_and_columns_are_in_order() {
    let folder = filler();
    fs::write(folder.join("past.csv"), csv(1400..1500, |_, _| false)).expect("written");
    let arguments =
        ["forecast", "filler.mote", "past.csv", "--horizon", "30", "--quantiles", "0.1,0.5,0.9"];
    let output = run(folder, &arguments);
    succeeds(&output);
    // Of windows of 24 no more than half is measured in training; the rest is said.
    assert!(
        said(&output).contains("note: beyond 12 samples, intervals are those of the draws"),
        "{}",
        said(&output)
    );
    let (names, rows) = table(&printed(&output));
    assert_eq!(names.join(","), "file,after,step,time,column,q0.1,q0.5,q0.9,level,share");
    assert_eq!(rows.len(), 30 * 3);
    for (i, row) in rows.iter().enumerate() {
        let (step, column) = (i / 3, ["level", "flow", "mode"][i % 3]);
        assert_eq!([&*row[0], &*row[1]], ["past.csv", "99"]);
        assert_eq!([&row[2], &row[3]], [&(step + 1).to_string(), &time(1500 + step)]);
        assert_eq!(row[4], column);
        if column == "level" {
            let quantiles = row[5..8].iter().map(|c| number(c));
            assert!(quantiles.is_sorted(), "{row:?}");
            let off = number(&row[6]) - wave(1500 + step);
            assert!(off.abs() < 15.0, "{off} at step {step}");
        }
    }
    assert_eq!(rows[2][8], cells(1500)[2], "a word that follows from the wave");
}

#[test]
fn a_stream_is_forecast_as_its_file_is() {
    let folder = filler();
    fs::write(folder.join("live.csv"), csv(1400..1440, |_, _| false)).expect("written");
    let common = ["forecast", "filler.mote", "--horizon", "6", "--every", "1", "--json"];
    let output = run(folder, &[&common[..], &["live.csv"]].concat());
    succeeds(&output);
    let mut of_file = lines(&output);
    assert!(of_file.len() > 10);
    for forecast in &mut of_file {
        forecast.as_object_mut().expect("an object").remove("file");
    }
    let stream = [&common[..], &["--from", "stdin"]].concat();
    let output = run_on(folder, &stream, messages(1400..1440, |_, _| false));
    succeeds(&output);
    assert_eq!(lines(&output), of_file);
}

#[test]
fn forecasts_that_will_come_late_are_announced() {
    let folder = filler();
    let common = ["forecast", "filler.mote", "--horizon", "6", "--from", "stdin", "--json"];
    // Samples come every ten minutes: in time, unless thousands of futures are drawn of each.
    let output = run_on(folder, &common, messages(1400..1410, |_, _| false));
    succeeds(&output);
    assert!(!said(&output).contains("come late"), "{}", said(&output));
    // The same waves, as if every millisecond.
    let mut text = String::from("time,level\n");
    (0..400).for_each(|t| text += &format!("{:.3},{}\n", t as f64 * 1e-3, cells(t)[0]));
    fs::write(folder.join("fast.csv"), text).expect("written");
    let train = ["train", "fast.csv", "--model", "vae", "--for", "forecast", "--steps", "5"];
    succeeds(&run(folder, &[&train[..], &["--window", "16", "--out", "fast.mote"]].concat()));
    let common = ["forecast", "fast.mote", "--horizon", "8", "--from", "stdin", "--json"];
    let many = ["--draws", "20000", "--calibrate", "none"];
    let output = run_on(folder, &[&common[..], &many].concat(), String::new());
    assert!(said(&output).contains("come late. --every"), "{}", said(&output));
}

#[test]
fn holes_of_a_stream_are_filled_as_it_passes() {
    let folder = filler();
    let hides = |t: usize, column: usize| t > 1430 && (t + 20 * column) % 40 < 9;
    let arguments = ["impute", "filler.mote", "--from", "stdin", "--json"];
    let output = run_on(folder, &arguments, messages(1400..1600, hides));
    succeeds(&output);
    let filled = lines(&output);
    assert_eq!(filled.len(), 200);
    let (mut off, mut count) = (0.0, 0);
    for (sample, t) in filled.iter().zip(1400..) {
        assert!(sample["time"].as_str().expect("a time").starts_with(&time(t)[..19]));
        let level = sample["level"].as_f64().expect("no hole is left");
        let truth = number(&cells(t)[0]);
        if hides(t, 0) {
            let range = &sample["imputed"]["level"];
            let end = |name: &str| range[name].as_f64().expect("a range");
            assert!((end("lower")..=end("upper")).contains(&level), "{sample}");
            off += (level - truth).abs();
            count += 1;
        } else {
            assert!((level - truth).abs() < 1e-3, "{sample}");
            assert!(sample["imputed"].get("level").is_none(), "{sample}");
        }
    }
    assert!(count > 30, "{count}");
    assert!(off / f64::from(count) < 8.0, "a mean error of {}", off / f64::from(count));
}

#[test]
fn windows_are_drawn_by_seed_in_the_units_of_the_file() {
    let folder = generator();
    let draw = |seed: &str| {
        let output = run(folder, &["generate", "vae.mote", "-n", "50", "--seed", seed]);
        succeeds(&output);
        printed(&output)
    };
    let text = draw("7");
    assert_eq!(text, draw("7"));
    assert_ne!(text, draw("8"));
    let (names, rows) = table(&text);
    assert_eq!(names, ["window", "step", "level", "flow", "mode"]);
    assert_eq!(rows.len(), 50 * 24);
    let mut swings = 0;
    for (i, window) in rows.chunks(24).enumerate() {
        for (step, row) in window.iter().enumerate() {
            assert_eq!(row[..2], [(i + 1).to_string(), (step + 1).to_string()]);
            assert!((100.0..300.0).contains(&number(&row[2])), "{row:?}");
            assert!((1.0..3.0).contains(&number(&row[3])), "{row:?}");
            assert!(["high", "low"].contains(&&*row[4]), "{row:?}");
        }
        // Half a wave later the level is on the other side.
        let level = |t: usize| number(&window[t][2]) - 200.0;
        swings += (0..12).filter(|&t| level(t) * level(t + PERIOD / 2) < 0.0).count();
    }
    assert!(swings > 50 * 12 * 7 / 10, "{swings} of {} swing", 50 * 12);
}

#[test]
fn what_is_given_stays_and_the_rest_goes_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    // Two kinds of work, a hundred samples each: the level says which.
    let mut text = String::from("level,kind\n");
    for t in 0..3000 {
        let (kind, middle) = if t / 100 % 2 == 0 { ("idle", 170.0) } else { ("busy", 230.0) };
        text += &format!("{:.3},{kind}\n", middle + 0.3 * (wave(t) - 200.0) + noise(t as u64));
    }
    fs::write(folder.join("kinds.csv"), text).expect("written");
    for family in ["vae", "diffusion"] {
        let train = ["train", "kinds.csv", "--model", family, "--for", "generate"];
        let more = ["--window", "16", "--steps", "500", "--out", "kinds.mote"];
        succeeds(&run(folder, &[&train[..], &more].concat()));
        let mean_level = |kind: &str| {
            let given = format!("kind={kind}");
            let arguments = ["generate", "kinds.mote", "-n", "40", "--given", &given];
            let output = run(folder, &arguments);
            succeeds(&output);
            let (_, rows) = table(&printed(&output));
            assert!(rows.iter().all(|row| row[3] == kind), "{family}: {:?}", rows[0]);
            rows.iter().map(|row| number(&row[2])).sum::<f64>() / rows.len() as f64
        };
        let (idle, busy) = (mean_level("idle"), mean_level("busy"));
        assert!((160.0..180.0).contains(&idle), "{family}: an idle level of {idle}");
        assert!((220.0..240.0).contains(&busy), "{family}: a busy level of {busy}");
    }
}

#[test]
fn guidance_draws_what_is_more_typical() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    // Two kinds whose levels overlap: they differ by 20, and each sample by up to 35 either way.
    let mut text = String::from("level,kind\n");
    for t in 0..3000 {
        let (kind, middle) = if t / 100 % 2 == 0 { ("idle", 190.0) } else { ("busy", 210.0) };
        text += &format!("{:.3},{kind}\n", middle + 35.0 * noise(t as u64));
    }
    fs::write(folder.join("kinds.csv"), text).expect("written");
    let train = ["train", "kinds.csv", "--model", "diffusion", "--for", "generate"];
    let more = ["--window", "16", "--steps", "500", "--out", "kinds.mote"];
    succeeds(&run(folder, &[&train[..], &more].concat()));
    let apart = |guidance: &str| {
        let mean = |kind: &str| {
            let given = format!("kind={kind}");
            let arguments = ["generate", "kinds.mote", "-n", "60", "--given", &given];
            let output = run(folder, &[&arguments[..], &["--guidance", guidance]].concat());
            succeeds(&output);
            let (_, rows) = table(&printed(&output));
            rows.iter().map(|row| number(&row[2])).sum::<f64>() / rows.len() as f64
        };
        mean("busy") - mean("idle")
    };
    let [none, learned, more] = ["0", "1", "3"].map(apart);
    assert!(none.abs() < 8.0, "{none} without a condition");
    assert!((12.0..28.0).contains(&learned), "{learned} as it was learned");
    assert!(more > 1.2 * learned, "{more} with three times as much, {learned} without");
    let output = run(generator(), &["generate", "vae.mote", "--guidance", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("go along a path"), "{}", said(&output));
}

#[test]
fn formats_hold_the_same_and_files_appear_whole() {
    let folder = generator();
    for name in ["drawn.csv", "drawn.jsonl", "drawn.parquet"] {
        let output = run(folder, &["generate", "vae.mote", "-n", "3", "--out", name, "--json"]);
        succeeds(&output);
        assert_eq!(lines(&output)[0]["windows"], 3);
    }
    let csv = fs::read_to_string(folder.join("drawn.csv")).expect("written");
    let (names, rows) = table(&csv);
    let json = fs::read_to_string(folder.join("drawn.jsonl")).expect("written");
    let objects: Vec<Value> =
        json.lines().map(|l| serde_json::from_str(l).expect("an object")).collect();
    assert_eq!(objects.len(), rows.len());
    for (object, row) in objects.iter().zip(&rows) {
        for (name, cell) in names.iter().zip(row) {
            match &object[name] {
                Value::String(word) => assert_eq!(word, cell),
                value => assert_eq!(value.as_f64(), Some(number(cell)), "{name}"),
            }
        }
    }
    let parquet = fs::read(folder.join("drawn.parquet")).expect("written");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

/// How far the level of a denoised file is from the wave, over how far the file is.
fn noise_left(folder: &Path, model: &str, more: &[&str]) -> f64 {
    let loud = |t: usize| wave(t) + 15.0 * noise(9_000 + t as u64);
    let mut text = String::from("time,level,flow,mode\n");
    for t in 1400..1700 {
        let [_, flow, mode] = cells(t);
        text += &format!("{},{:.3},{flow},{mode}\n", time(t), loud(t));
    }
    fs::write(folder.join("loud.csv"), text).expect("written");
    let output = run(folder, &[&["denoise", model, "loud.csv"], more].concat());
    succeeds(&output);
    let (names, rows) = table(&printed(&output));
    assert_eq!(names, ["time", "level", "flow", "mode"]);
    assert_eq!(rows.len(), 300);
    let (mut left, mut was) = (0.0, 0.0);
    for (row, t) in rows.iter().zip(1400..) {
        left += (number(&row[1]) - wave(t)).abs();
        was += (loud(t) - wave(t)).abs();
    }
    left / was
}

#[test]
fn noise_is_taken_out() {
    let vae = noise_left(generator(), "vae.mote", &[]);
    assert!(vae < 0.75, "{vae} is left by the VAE");
    let diffusion = noise_left(filler(), "filler.mote", &["--noise", "0.4"]);
    assert!(diffusion < 0.9, "{diffusion} is left by the diffusion model");
}

#[test]
fn windows_have_a_place_in_the_latent_space() {
    let folder = generator();
    fs::write(folder.join("where.csv"), csv(1400..1460, |_, _| false)).expect("written");
    let output = run(folder, &["embed", "vae.mote", "where.csv", "--stride", "3"]);
    succeeds(&output);
    let (names, rows) = table(&printed(&output));
    assert_eq!(names[..4], ["file", "sample", "time", "z1"]);
    assert_eq!(rows.len(), (60 - 24) / 3 + 1);
    let place = |row: &Vec<String>| row[3..].iter().map(|c| number(c)).collect::<Vec<_>>();
    let between =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
    // A whole wave later, four windows on, the place is nearly the same; half a wave later it is not.
    let (first, half, whole) = (place(&rows[0]), place(&rows[2]), place(&rows[4]));
    assert!(between(&first, &whole) < between(&first, &half), "{rows:?}");
    assert_eq!(rows[0][1..3], ["23".to_owned(), time(1423)]);
}
