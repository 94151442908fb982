//! A set of equally long windows, checked once.

use crate::{Error, Result, input};

/// Windows of a multivariate series: at least one, all of one shape, every value finite.
///
/// Borrowed and cheap to copy. What is judged should be in standard or min-max units: distances add
/// features up, and a feature in large units drowns the others.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// `(windows, length, features)`
    data: &'a [f32],
    length: usize,
    features: usize,
}

impl<'a> Windows<'a> {
    /// Takes `(windows, length, features)`, row major.
    ///
    /// # Errors
    ///
    /// No value, a length or a number of features of zero, values that are no whole number of
    /// windows, NaN or infinities.
    pub fn new(data: &'a [f32], length: usize, features: usize) -> Result<Self> {
        input::some("windows", data)?;
        let width = length.checked_mul(features).unwrap_or(0);
        if width == 0 || !data.len().is_multiple_of(width) {
            return Err(Error::Ragged { what: "windows", len: data.len(), width });
        }
        if let Some(index) = data.iter().position(|v| !v.is_finite()) {
            let value = f64::from(data[index]);
            return Err(Error::BadValue {
                what: "windows",
                index,
                value,
                wanted: "a finite number",
            });
        }
        Ok(Self { data, length, features })
    }

    /// Takes points `(points, width)`, row major: windows of one sample.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn points(data: &'a [f32], width: usize) -> Result<Self> {
        Self::new(data, 1, width)
    }

    /// How many windows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.data.len() / self.width()
    }

    /// Samples of a window.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Values of a sample.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Values of a window.
    #[must_use]
    pub fn width(&self) -> usize {
        self.length * self.features
    }

    /// All values, `(windows, length, features)`.
    #[must_use]
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// One window, `(length, features)`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn window(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.width()..][..self.width()]
    }

    /// All values of one feature, in the order of windows and time.
    pub(crate) fn feature(&self, j: usize) -> Vec<f64> {
        self.data.iter().skip(j).step_by(self.features).map(|&v| f64::from(v)).collect()
    }

    /// Refuses to compare windows of different shape.
    pub(crate) fn same_shape(&self, other: &Self) -> Result<()> {
        let (left, right) = ((self.length, self.features), (other.length, other.features));
        if left == right {
            return Ok(());
        }
        Err(Error::Shapes { left, right })
    }
}
