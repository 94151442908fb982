//! Lines that enclose a given share of a cloud of points.
//!
//! The points are counted on a grid and blurred with Scott's bandwidth; a line is then drawn at the
//! density above which the wanted share of the points lies (a highest-density region, Hyndman
//! 1996), by marching squares.

/// Cells of the grid along each side.
const CELLS: usize = 56;
/// The blur is cut off after so many standard deviations.
const REACH: f64 = 3.5;

/// A blurred count of points, over a box.
#[derive(Clone, Debug)]
pub(super) struct Cloud {
    low: [f64; 2],
    step: [f64; 2],
    /// `(CELLS, CELLS)`, row major, the second coordinate being the row.
    density: Vec<f64>,
    /// `(points,)` the density at each point, rising.
    at_points: Vec<f64>,
}

impl Cloud {
    /// Counts finite points; `None` if there are fewer than ten, or no spread.
    pub(super) fn of(points: &[[f64; 2]]) -> Option<Self> {
        let points: Vec<[f64; 2]> =
            points.iter().copied().filter(|p| p.iter().all(|v| v.is_finite())).collect();
        if points.len() < 10 {
            return None;
        }
        let n = points.len() as f64;
        let scott = n.powf(-1.0 / 6.0);
        let (mut low, mut step, mut blur) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        for axis in 0..2 {
            let values = || points.iter().map(|p| p[axis]);
            let mean = values().sum::<f64>() / n;
            let deviation = (values().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let (least, most) = super::scale::extent(values())?;
            if deviation <= 0.0 || !deviation.is_finite() {
                return None;
            }
            // Beyond six deviations lie single points, which no line of these shares encloses.
            let least = least.max(mean - 6.0 * deviation) - REACH * scott * deviation;
            let most = most.min(mean + 6.0 * deviation) + REACH * scott * deviation;
            low[axis] = least;
            step[axis] = (most - least) / CELLS as f64;
            blur[axis] = scott * deviation / step[axis];
        }
        let mut cloud =
            Self { low, step, density: vec![0.0; CELLS * CELLS], at_points: Vec::new() };
        let cells: Vec<Option<usize>> = points.iter().map(|p| cloud.cell(p)).collect();
        for cell in cells.iter().flatten() {
            cloud.density[*cell] += 1.0;
        }
        cloud.blur(blur);
        let at = cells.iter().map(|cell| cell.map_or(0.0, |cell| cloud.density[cell]));
        cloud.at_points = at.collect();
        cloud.at_points.sort_unstable_by(f64::total_cmp);
        Some(cloud)
    }

    /// Closed lines that together enclose about `share` of the points.
    pub(super) fn enclosing(&self, share: f64) -> Vec<Vec<[f64; 2]>> {
        let rank = ((1.0 - share) * self.at_points.len() as f64) as usize;
        let level = self.at_points[rank.min(self.at_points.len() - 1)];
        let centre = |axis: usize, i: f64| self.low[axis] + self.step[axis] * (i + 0.5);
        let lines = trace(&self.density, level);
        let place = |[x, y]: [f64; 2]| [centre(0, x), centre(1, y)];
        lines.into_iter().map(|line| line.into_iter().map(place).collect()).collect()
    }

    fn cell(&self, point: &[f64; 2]) -> Option<usize> {
        let index = |axis: usize| {
            let i = ((point[axis] - self.low[axis]) / self.step[axis]).floor();
            (0.0..CELLS as f64).contains(&i).then_some(i as usize)
        };
        Some(index(1)? * CELLS + index(0)?)
    }

    /// A Gaussian along each axis in turn; `deviations` in cells.
    fn blur(&mut self, deviations: [f64; 2]) {
        for (axis, deviation) in deviations.into_iter().enumerate() {
            let reach = (REACH * deviation).ceil() as isize;
            let weight = |d: isize| (-0.5 * (d as f64 / deviation).powi(2)).exp();
            let total: f64 = (-reach..=reach).map(weight).sum();
            let stride = if axis == 0 { 1 } else { CELLS };
            let other = if axis == 0 { CELLS } else { 1 };
            let from = self.density.clone();
            for line in 0..CELLS {
                for i in 0..CELLS {
                    let near = (-reach..=reach).filter_map(|d| {
                        let j = usize::try_from(i as isize + d).ok().filter(|&j| j < CELLS)?;
                        Some(weight(d) * from[line * other + j * stride])
                    });
                    self.density[line * other + i * stride] = near.sum::<f64>() / total;
                }
            }
        }
    }
}

/// Marching squares: closed lines around what lies at or above `level`, in cells.
///
/// Outside of the grid counts as below, so every line closes. An edge between two neighbours, one
/// inside and one outside, is crossed by exactly one line, which keeps the inside at its left; so
/// each edge leads to exactly one other.
fn trace(grid: &[f64], level: f64) -> Vec<Vec<[f64; 2]>> {
    // Corners are shifted by one, so that a border of zeros surrounds the grid.
    const SIDE: usize = CELLS + 2;
    let value = |x: usize, y: usize| {
        let inside = (1..=CELLS).contains(&x) && (1..=CELLS).contains(&y);
        if inside { grid[(y - 1) * CELLS + x - 1] } else { 0.0 }
    };
    let high = |x: usize, y: usize| value(x, y) >= level && value(x, y) > 0.0;
    // Edges along x have even numbers, those along y odd ones.
    let along_x = |x: usize, y: usize| 2 * (y * SIDE + x);
    let along_y = |x: usize, y: usize| 2 * (y * SIDE + x) + 1;
    let mut next: Vec<Option<usize>> = vec![None; 2 * SIDE * SIDE];
    for y in 0..SIDE - 1 {
        for x in 0..SIDE - 1 {
            let (bottom, top) = (along_x(x, y), along_x(x, y + 1));
            let (left, right) = (along_y(x, y), along_y(x + 1, y));
            // Around the cell from its corner at the origin, against the clock.
            let corners = [high(x, y), high(x + 1, y), high(x + 1, y + 1), high(x, y + 1)];
            let edges = [bottom, right, top, left];
            for i in 0..4 {
                // The line enters where the inside begins and leaves where it ends.
                if !corners[i] && corners[(i + 1) % 4] {
                    let ends = (1..4).map(|k| (i + k) % 4);
                    let leave = ends.into_iter().find(|&e| corners[e] && !corners[(e + 1) % 4]);
                    next[edges[leave.unwrap_or(i)]] = Some(edges[i]);
                }
            }
        }
    }
    let crossing = |edge: usize| {
        let (x, y) = (edge / 2 % SIDE, edge / 2 / SIDE);
        let (dx, dy) = if edge.is_multiple_of(2) { (1, 0) } else { (0, 1) };
        let (a, b) = (value(x, y), value(x + dx, y + dy));
        let t = if a == b { 0.5 } else { ((level - a) / (b - a)).clamp(0.0, 1.0) };
        [x as f64 + t * dx as f64 - 1.0, y as f64 + t * dy as f64 - 1.0]
    };
    let mut lines = Vec::new();
    for start in 0..next.len() {
        let mut line = Vec::new();
        let mut edge = start;
        while let Some(following) = next[edge].take() {
            line.push(crossing(edge));
            edge = following;
        }
        if line.len() > 2 {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points that are about normally distributed around two centres.
    fn two_clouds() -> Vec<[f64; 2]> {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut gauss = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        (0..4000).map(|i| [gauss() + if i % 2 == 0 { 8.0 } else { -8.0 }, gauss() * 0.1]).collect()
    }

    /// Twice the signed area is positive against the clock.
    fn area(line: &[[f64; 2]]) -> f64 {
        let next = line.iter().cycle().skip(1);
        line.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
    }

    fn inside(line: &[[f64; 2]], p: &[f64; 2]) -> bool {
        let next = line.iter().cycle().skip(1);
        let crossings = line.iter().zip(next).filter(|(a, b)| {
            (a[1] > p[1]) != (b[1] > p[1])
                && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0]
        });
        crossings.count() % 2 == 1
    }

    #[test]
    fn lines_enclose_the_share_that_they_say() {
        let points = two_clouds();
        let cloud = Cloud::of(&points).expect("spread");
        for share in [0.5, 0.8, 0.95] {
            let lines = cloud.enclosing(share);
            assert_eq!(lines.len(), 2, "one for each centre at {share}");
            let held = points.iter().filter(|p| lines.iter().any(|line| inside(line, p))).count();
            let held = held as f64 / points.len() as f64;
            assert!((held - share).abs() < 0.03, "{held} for {share}");
        }
    }

    #[test]
    fn larger_shares_enclose_more() {
        let cloud = Cloud::of(&two_clouds()).expect("spread");
        let covered = |share| cloud.enclosing(share).iter().map(|l| area(l).abs()).sum::<f64>();
        assert!(covered(0.5) < covered(0.8) && covered(0.8) < covered(0.95));
    }

    #[test]
    fn all_inside_and_all_outside_are_no_trouble() {
        let full = trace(&vec![1.0; CELLS * CELLS], 0.5);
        assert_eq!(full.len(), 1);
        assert_eq!(full[0].len(), 4 * CELLS);
        assert!(trace(&vec![0.0; CELLS * CELLS], 0.0).is_empty());
        let mut saddle = vec![0.0; CELLS * CELLS];
        (saddle[5 * CELLS + 5], saddle[6 * CELLS + 6]) = (1.0, 1.0);
        let length: usize = trace(&saddle, 0.5).iter().map(Vec::len).sum();
        assert_eq!(length, 8);
    }

    #[test]
    fn clouds_without_spread_have_no_lines() {
        assert!(Cloud::of(&[[1.0, 2.0]; 50]).is_none());
        assert!(Cloud::of(&[[f64::NAN, 2.0]; 50]).is_none());
        assert!(Cloud::of(&[[0.0, 1.0], [2.0, 3.0]]).is_none());
    }
}
