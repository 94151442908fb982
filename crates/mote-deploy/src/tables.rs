//! Tables of numbers for flash, each only once.

/// What a table holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Table {
    /// Compared as bits, so that a NaN is found again.
    F32(Vec<u32>),
    I32(Vec<i32>),
    I8(Vec<i8>),
    /// The bits of numbers of half precision, two in a word.
    Halves(Vec<u32>),
    /// Packed weights that every processor reads in one order.
    Bytes(Vec<u8>),
    /// Packed weights in the orders of different processors.
    Native(Native),
}

/// The same weights in the orders of `mote_runtime::micro`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// Plain: for `rows` or `nibbles`.
    pub rows: Vec<u8>,
    /// For DSP instructions: `dsp` or `dsp4`.
    pub dsp: Vec<u8>,
    /// For vectors: `mve` or `mve4`.
    pub mve: Vec<u8>,
}

/// The number of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableId(pub(crate) usize);

/// All tables of a firmware.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables(Vec<Table>);

impl Tables {
    /// The number of a table with this content, added where it is new.
    pub(crate) fn add(&mut self, table: Table) -> TableId {
        let found = self.0.iter().position(|t| *t == table);
        TableId(found.unwrap_or_else(|| {
            self.0.push(table);
            self.0.len() - 1
        }))
    }

    pub(crate) fn f32(&mut self, numbers: impl IntoIterator<Item = f32>) -> TableId {
        self.add(Table::F32(numbers.into_iter().map(f32::to_bits).collect()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Table)> {
        self.0.iter().enumerate()
    }
}
