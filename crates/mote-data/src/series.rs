//! Runs of samples in memory: what training, scoring and evaluation work on.

use std::sync::Arc;

use mote_format::Schema;

use crate::{
    align::{Aligner, Gaps, Rules, Sample},
    error::{Error, ErrorKind},
    record::Record,
    scaling::Scaling,
    time::Timestamp,
};

/// The samples of one file or recording, row major, with the way back to its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    features: usize,
    /// `(samples, features)`, row major; 0 where missing
    values: Vec<f32>,
    /// `(samples, features)`, row major; 1 where measured, 0 where missing
    mask: Vec<f32>,
    /// `(samples,)`
    times: Option<Vec<Timestamp>>,
    /// `(samples,)`
    labels: Option<Vec<bool>>,
    /// Where unbroken stretches start; the first is 0, ascending.
    segments: Vec<usize>,
    /// Where recordings start, each at the start of a stretch; the first is 0, ascending.
    recordings: Vec<usize>,
    /// `(rows,)` of the file, also of those that lie outside this part of it.
    sample_of_row: Vec<Option<usize>>,
    /// `(rows,)`
    row_labels: Option<Vec<bool>>,
    gaps: Gaps,
}

impl Series {
    /// Aligns records, which are numbered as rows from 0 in this order and need not be sorted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Empty`] without a record, [`ErrorKind::Label`] where some records have a label
    /// and some have none.
    ///
    /// # Panics
    ///
    /// If a record does not have one value for each feature of the schema.
    pub fn from_records(
        name: impl Into<String>,
        schema: &Schema,
        rules: Rules,
        records: Vec<Record>,
    ) -> Result<Self, Error> {
        Self::from_recordings(name, schema, rules, records, None)
    }

    /// The same for rows of several recordings: `recordings` tells for each record which one it
    /// belongs to, counted from 0. Each is aligned by itself.
    ///
    /// # Errors
    ///
    /// As [`Self::from_records`].
    ///
    /// # Panics
    ///
    /// As [`Self::from_records`], and if there is not one recording for each record.
    pub fn from_recordings(
        name: impl Into<String>,
        schema: &Schema,
        rules: Rules,
        records: Vec<Record>,
        recordings: Option<&[usize]>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let row_labels = row_labels(&records).map_err(|e| e.in_file(&name))?;
        let count = records.len();
        let mut parts: Vec<Vec<(u64, Record)>> = Vec::new();
        assert!(recordings.is_none_or(|r| r.len() == count), "a recording for each record");
        for (row, record) in records.into_iter().enumerate() {
            let recording = recordings.map_or(0, |r| r[row]);
            parts.resize_with(parts.len().max(recording + 1), Vec::new);
            parts[recording].push((row as u64, record));
        }
        let (mut samples, mut starts, mut gaps) =
            (Vec::with_capacity(count), Vec::new(), Gaps::default());
        for mut rows in parts {
            let start = samples.len();
            if rules.pace != crate::align::Pace::Rows {
                // Stable, so that among records of one time the last in the file stays the last.
                rows.sort_by_key(|(_, record)| record.time);
            }
            // Sorted rows wait for nothing, but of two with one time the last must win.
            let mut aligner = Aligner::new(schema, Rules { lateness: 1, ..rules });
            for (row, record) in rows {
                aligner.push(row, record, &mut samples);
            }
            aligner.finish(&mut samples);
            if samples.len() > start {
                starts.push(start);
            }
            samples[start..].iter_mut().for_each(|s| s.segment += gaps.segments);
            gaps = gaps + aligner.gaps();
        }
        Self::from_samples(name, schema, &samples, count, row_labels, (starts, gaps))
    }

    fn from_samples(
        name: String,
        schema: &Schema,
        samples: &[Sample],
        rows: usize,
        row_labels: Option<Vec<bool>>,
        (recordings, gaps): (Vec<usize>, Gaps),
    ) -> Result<Self, Error> {
        if samples.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "wanted rows, found none").in_file(&name));
        }
        let features = schema.features();
        let mut series = Self {
            name,
            features,
            values: Vec::with_capacity(samples.len() * features),
            mask: Vec::with_capacity(samples.len() * features),
            times: samples.iter().map(|s| s.time).collect(),
            labels: row_labels
                .as_ref()
                .map(|_| samples.iter().map(|s| s.label.unwrap_or(false)).collect()),
            segments: Vec::new(),
            recordings,
            sample_of_row: vec![None; rows],
            row_labels,
            gaps,
        };
        let mut segment = None;
        for (i, sample) in samples.iter().enumerate() {
            series.values.extend_from_slice(&sample.values);
            series.mask.extend_from_slice(&sample.mask);
            if segment.replace(sample.segment) != Some(sample.segment) {
                series.segments.push(i);
            }
            for &row in &sample.rows {
                if let Some(of) =
                    usize::try_from(row).ok().and_then(|r| series.sample_of_row.get_mut(r))
                {
                    *of = Some(i);
                }
            }
        }
        Ok(series)
    }

    /// The name of the file or recording.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of samples, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty by construction")]
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.features).unwrap_or(0)
    }

    /// The number of features of a sample.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// `(samples, features)`, row major; 0 where missing.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// `(samples, features)`, row major; 1 where measured, 0 where missing.
    #[must_use]
    pub fn mask(&self) -> &[f32] {
        &self.mask
    }

    /// `(samples,)`, ascending within a segment; `None` where rows have no time.
    #[must_use]
    pub fn times(&self) -> Option<&[Timestamp]> {
        self.times.as_deref()
    }

    /// `(samples,)`; filled gaps count as normal. `None` where nothing is known.
    #[must_use]
    pub fn labels(&self) -> Option<&[bool]> {
        self.labels.as_deref()
    }

    /// `(rows,)`: the labels as they stand in the file.
    #[must_use]
    pub fn row_labels(&self) -> Option<&[bool]> {
        self.row_labels.as_deref()
    }

    /// `(rows,)`: for each row of the file the sample that it became, or `None` where that lies
    /// outside this part of a split.
    #[must_use]
    pub fn sample_of_row(&self) -> &[Option<usize>] {
        &self.sample_of_row
    }

    /// The unbroken stretches of samples, in order, none empty.
    pub fn segments(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let ends = self.segments.iter().skip(1).copied().chain([self.len()]);
        self.segments.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// The recordings that the samples are of, in order, none empty: one, unless rows of the file
    /// belong to several.
    pub fn recordings(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let ends = self.recordings.iter().skip(1).copied().chain([self.len()]);
        self.recordings.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// What had to be mended in the whole file.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// The samples of a range, as a series of their own; `None` if there are none.
    ///
    /// # Panics
    ///
    /// If the range is not inside the series.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Option<Self> {
        if range.is_empty() {
            return None;
        }
        let flat = range.start * self.features..range.end * self.features;
        let starts = |of: &[usize]| -> Vec<usize> {
            let inside = of.iter().filter(|&&s| range.contains(&s) && s != range.start);
            std::iter::once(0).chain(inside.map(|s| s - range.start)).collect()
        };
        Some(Self {
            name: self.name.clone(),
            features: self.features,
            values: self.values[flat.clone()].to_vec(),
            mask: self.mask[flat].to_vec(),
            times: self.times.as_ref().map(|t| t[range.clone()].to_vec()),
            labels: self.labels.as_ref().map(|l| l[range.clone()].to_vec()),
            segments: starts(&self.segments),
            recordings: starts(&self.recordings),
            sample_of_row: self
                .sample_of_row
                .iter()
                .map(|of| of.filter(|s| range.contains(s)).map(|s| s - range.start))
                .collect(),
            row_labels: self.row_labels.clone(),
            gaps: self.gaps,
        })
    }

    /// The samples that are not labelled as anomalies; where some are left out, a new segment
    /// starts. `None` if none is left.
    #[must_use]
    pub fn normal(&self) -> Option<Self> {
        let Some(labels) = &self.labels else { return Some(self.clone()) };
        self.filtered(|sample| !labels[sample])
    }

    /// The samples for which `kept` holds; where some are left out, a new segment starts. `None` if
    /// none is left.
    #[must_use]
    pub fn filtered(&self, kept: impl Fn(usize) -> bool) -> Option<Self> {
        let kept: Vec<usize> = (0..self.len()).filter(|&i| kept(i)).collect();
        if kept.is_empty() {
            return None;
        }
        let rows = |flat: &[f32]| -> Vec<f32> {
            kept.iter()
                .flat_map(|&i| &flat[i * self.features..][..self.features])
                .copied()
                .collect()
        };
        // A stretch or recording may have lost its first samples: it starts at the first that is left.
        let part = |of: &[usize], sample: usize| of.partition_point(|&start| start <= sample);
        let starts = |of: &[usize], also_breaks: bool| -> Vec<usize> {
            let starts = kept.windows(2).enumerate().filter(|(_, pair)| {
                (also_breaks && pair[1] != pair[0] + 1) || part(of, pair[0]) != part(of, pair[1])
            });
            std::iter::once(0).chain(starts.map(|(i, _)| i + 1)).collect()
        };
        let mut new_place = vec![None; self.len()];
        for (new, &old) in kept.iter().enumerate() {
            new_place[old] = Some(new);
        }
        Some(Self {
            name: self.name.clone(),
            features: self.features,
            values: rows(&self.values),
            mask: rows(&self.mask),
            times: self.times.as_ref().map(|t| kept.iter().map(|&i| t[i]).collect()),
            labels: self.labels.as_ref().map(|l| kept.iter().map(|&i| l[i]).collect()),
            segments: starts(&self.segments, true),
            recordings: starts(&self.recordings, false),
            sample_of_row: self
                .sample_of_row
                .iter()
                .map(|of| of.and_then(|s| new_place[s]))
                .collect(),
            row_labels: self.row_labels.clone(),
            gaps: self.gaps,
        })
    }

    /// One value a sample, such as a score, spread to the rows of the file: rows outside this part
    /// of a split get `None`.
    ///
    /// # Panics
    ///
    /// If there is not one value for each sample.
    #[must_use]
    pub fn to_rows(&self, values: &[f32]) -> Vec<Option<f32>> {
        assert_eq!(values.len(), self.len(), "one value a sample");
        self.sample_of_row.iter().map(|of| of.map(|sample| values[sample])).collect()
    }
}

/// The labels of all records, or `None` where none has one.
fn row_labels(records: &[Record]) -> Result<Option<Vec<bool>>, Error> {
    let known = records.iter().filter(|r| r.label.is_some()).count();
    if known == 0 {
        return Ok(None);
    }
    if known < records.len() {
        let what = format!("wanted a label for each of {} rows, found {known}", records.len());
        return Err(Error::new(ErrorKind::Label, what));
    }
    Ok(Some(records.iter().map(|r| r.label == Some(true)).collect()))
}

/// Several series of one schema, such as the files of one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs {
    schema: Arc<Schema>,
    series: Vec<Series>,
}

impl Runs {
    /// Series that all have the features of the schema.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Empty`] without a series.
    ///
    /// # Panics
    ///
    /// If a series has another number of features than the schema.
    pub fn new(schema: impl Into<Arc<Schema>>, series: Vec<Series>) -> Result<Self, Error> {
        let schema = schema.into();
        if series.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "wanted at least one run, found none"));
        }
        assert!(series.iter().all(|s| s.features == schema.features()), "one schema");
        Ok(Self { schema, series })
    }

    /// Aligns the rows of tables, each a run of its own, or of several where a column tells them
    /// apart. Columns are found by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Columns`] naming what is missing and what was found, and those of cells and
    /// times that cannot be read.
    #[cfg(feature = "files")]
    pub fn from_tables(
        tables: &[crate::Table],
        schema: &Schema,
        rules: Rules,
        overrides: &crate::Overrides,
    ) -> Result<Self, Error> {
        let one = |table: &crate::Table| {
            let records = crate::encode::records(table, schema, overrides)?;
            let recordings = table.recordings(overrides)?;
            Series::from_recordings(table.name(), schema, rules, records, recordings.as_deref())
        };
        let series = tables.iter().map(one).collect::<Result<_, _>>()?;
        Self::new(schema.clone(), series)
    }

    /// What is measured.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The series, at least one.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The number of samples of all series together.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.series.iter().map(Series::len).sum()
    }

    /// The same runs with scaled values; missing ones stay 0, which is then the mean.
    ///
    /// # Panics
    ///
    /// If the scaling has another number of features.
    #[must_use]
    pub fn scaled(&self, scaling: &Scaling) -> Self {
        let mut runs = self.clone();
        for series in &mut runs.series {
            scaling.apply(&mut series.values, &series.mask);
        }
        runs
    }
}
