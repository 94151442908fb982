//! Numbers that begin with a cache line, so that no vector of them lies across two.

use alloc::{vec, vec::Vec};
use core::ops::{Deref, DerefMut};

/// A list that begins at a multiple of [`Aligned::LINE`] bytes.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// A little longer than needed.
    storage: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: bytemuck::Pod> Aligned<T> {
    /// Bytes of a cache line, and of the widest vector.
    pub(crate) const LINE: usize = 64;

    pub(crate) fn new(numbers: &[T]) -> Self {
        let mut storage = vec![T::zeroed(); numbers.len() + Self::LINE / size_of::<T>()];
        let start = storage.as_ptr().align_offset(Self::LINE);
        // Where an address cannot be aligned, the list is merely slower.
        let start = if start <= Self::LINE / size_of::<T>() { start } else { 0 };
        storage[start..start + numbers.len()].copy_from_slice(numbers);
        Self { storage, start, length: numbers.len() }
    }
}

/// Another place in memory has another distance to a cache line.
impl<T: bytemuck::Pod> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        Self::new(self)
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.storage[self.start..self.start + self.length]
    }
}

impl<T> DerefMut for Aligned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_begin_with_a_line_also_after_a_move_and_a_copy() {
        for n in [0, 1, 15, 16, 17, 1000] {
            let numbers: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let aligned = Aligned::new(&numbers);
            let copies = [aligned.clone(), aligned.clone(), aligned];
            for copy in copies {
                assert_eq!(copy.as_ptr() as usize % Aligned::<f32>::LINE, 0);
                assert_eq!(&*copy, &numbers[..]);
            }
        }
    }
}
