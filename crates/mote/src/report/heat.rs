//! How unusual each sensor was over time, as rows of coloured boxes.

use super::{attribution::Sensor, html::Element, run::Run, svg::Path};

/// Standard deviations above usual from which each colour stands, rising. Doubling steps, because
/// faults are often ten or a hundred times what the noise does; from four on, because the highest of
/// the fifty samples in a column reaches three by chance.
pub(super) const LEVELS: [f64; 5] = [4.0, 8.0, 16.0, 32.0, 64.0];
const CLASSES: [&str; 5] = ["h1", "h2", "h3", "h4", "h5"];

/// What each colour means, for the legend.
pub(super) fn legend() -> impl Iterator<Item = (&'static str, String)> {
    (0..LEVELS.len()).map(|i| {
        let meaning = match LEVELS.get(i + 1) {
            Some(next) => format!("{}–{next}", LEVELS[i]),
            None => format!("over {}", LEVELS[i]),
        };
        (CLASSES[i], meaning)
    })
}

/// A strip on the page that belongs to one sensor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) sensor: usize,
    pub(super) top: f64,
    pub(super) height: f64,
}

/// The highest level in each column of each strip, `(strips, columns)`; 0 is usual, level `k` lies
/// above `LEVELS[k − 1]`.
pub(super) fn levels(
    run: &Run,
    sensors: &[Sensor],
    strips: &[Strip],
    columns: usize,
    bounds: (f64, f64),
) -> Vec<u8> {
    let mut found = vec![0; strips.len() * columns];
    let scale = columns as f64 / (bounds.1 - bounds.0);
    for (row, &time) in run.contributions.chunks_exact(sensors.len().max(1)).zip(&run.times) {
        let column = (((time - bounds.0) * scale) as usize).min(columns - 1);
        for (i, strip) in strips.iter().enumerate() {
            let deviation = sensors[strip.sensor].deviations(row[strip.sensor]);
            let level = LEVELS.iter().take_while(|&&l| deviation >= l).count() as u8;
            let cell = &mut found[i * columns + column];
            *cell = level.max(*cell);
        }
    }
    found
}

/// One path for each level; neighbouring columns of one level are one box.
pub(super) fn boxes(levels: &[u8], strips: &[Strip], columns: usize, width: f64) -> Vec<Element> {
    let mut paths: [Path; LEVELS.len()] = Default::default();
    let step = width / columns as f64;
    for (strip, row) in strips.iter().zip(levels.chunks_exact(columns)) {
        let mut column = 0;
        for same in row.chunk_by(|a, b| a == b) {
            if same[0] > 0 {
                let (x, wide) = (column as f64 * step, same.len() as f64 * step);
                paths[usize::from(same[0]) - 1].bar(x, strip.top, wide, strip.height);
            }
            column += same.len();
        }
    }
    let drawn = paths.iter().zip(CLASSES).filter(|(path, _)| !path.is_empty());
    drawn.map(|(path, class)| path.element(class)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(usual_mean: f64, usual_deviation: f64) -> Sensor {
        Sensor { name: "a".into(), usual_mean, usual_deviation }
    }

    #[test]
    fn the_highest_deviation_of_a_column_decides() {
        let run = Run {
            times: vec![0.0, 1.0, 2.0, 3.0],
            contributions: vec![1.0, 0.0, 4.0, 0.0, 1.0, 60.0, f32::NAN, 0.0],
            ..Run::default()
        };
        let sensors = [sensor(1.0, 1.0), sensor(0.0, 1.0)];
        let strip = |sensor| Strip { sensor, top: 0.0, height: 10.0 };
        let strips = [strip(1), strip(0)];
        assert_eq!(levels(&run, &sensors, &strips, 2, (0.0, 4.0)), [0, 4, 0, 0]);
    }

    #[test]
    fn neighbours_of_one_level_share_a_box() {
        let strips = [Strip { sensor: 0, top: 5.0, height: 10.0 }];
        let mut page = String::new();
        let drawn = boxes(&[0, 2, 2, 1], &strips, 4, 40.0);
        drawn.iter().for_each(|e| e.write(&mut page));
        assert_eq!(
            page,
            "<path class=\"h1\" d=\"m30 5h10v10h-10z\"/><path class=\"h2\" d=\"m10 5h20v10h-20z\"/>"
        );
    }
}
