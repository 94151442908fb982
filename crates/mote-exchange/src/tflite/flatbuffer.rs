//! Flatbuffers, read in place: every offset is checked when it is followed.
//!
//! Written by ourselves because a verifier is generated from a schema by a compiler that a build
//! would then need, and because all that is read is a dozen tables.
//! Source: <https://flatbuffers.dev/internals/>.

/// Bytes that are no such table.
pub(super) type Result<T> = std::result::Result<T, String>;

/// A table at a place of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
}

/// A list of numbers or of offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    file: &'a [u8],
    at: usize,
    /// How many elements there are.
    pub(super) len: usize,
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N]> {
    let end = at.checked_add(N);
    let found = end.and_then(|end| file.get(at..end)).and_then(|b| b.try_into().ok());
    found.ok_or_else(|| format!("wanted {N} bytes at {at}, the file ends at {}", file.len()))
}

fn u32_at(file: &[u8], at: usize) -> Result<usize> {
    Ok(u32::from_le_bytes(bytes(file, at)?) as usize)
}

/// Follows the offset that stands at `at`.
fn follow(file: &[u8], at: usize) -> Result<usize> {
    let offset = u32_at(file, at)?;
    at.checked_add(offset).filter(|&to| to < file.len()).ok_or_else(|| {
        format!("an offset of {offset} at {at} leads beyond the end at {}", file.len())
    })
}

impl<'a> Table<'a> {
    /// The table that the file is.
    pub(super) fn root(file: &'a [u8]) -> Result<Self> {
        Ok(Self { file, at: follow(file, 0)? })
    }

    /// Where a field is, or `None` where it has its default.
    fn field(&self, field: usize) -> Result<Option<usize>> {
        let back = i64::from(i32::from_le_bytes(bytes(self.file, self.at)?));
        let list = usize::try_from(self.at as i64 - back).map_err(|_| "a table before the file")?;
        let length = usize::from(u16::from_le_bytes(bytes(self.file, list)?));
        let slot = 4 + 2 * field;
        if slot + 2 > length {
            return Ok(None);
        }
        let slot = list.checked_add(slot).ok_or("a table beyond the file")?;
        let offset = usize::from(u16::from_le_bytes(bytes(self.file, slot)?));
        Ok((offset != 0).then_some(self.at + offset))
    }

    pub(super) fn byte(&self, field: usize) -> Result<u8> {
        Ok(match self.field(field)? {
            Some(at) => bytes::<1>(self.file, at)?[0],
            None => 0,
        })
    }

    pub(super) fn int(&self, field: usize, default: i32) -> Result<i32> {
        Ok(match self.field(field)? {
            Some(at) => i32::from_le_bytes(bytes(self.file, at)?),
            None => default,
        })
    }

    pub(super) fn float(&self, field: usize, default: f32) -> Result<f32> {
        Ok(match self.field(field)? {
            Some(at) => f32::from_le_bytes(bytes(self.file, at)?),
            None => default,
        })
    }

    pub(super) fn table(&self, field: usize) -> Result<Option<Self>> {
        let Some(at) = self.field(field)? else { return Ok(None) };
        Ok(Some(Self { file: self.file, at: follow(self.file, at)? }))
    }

    /// A list whose elements have `size` bytes; empty where there is none.
    pub(super) fn list(&self, field: usize, size: usize) -> Result<List<'a>> {
        let Some(at) = self.field(field)? else {
            return Ok(List { file: self.file, at: 0, len: 0 });
        };
        let at = follow(self.file, at)?;
        let len = u32_at(self.file, at)?;
        let end = len.checked_mul(size).and_then(|n| n.checked_add(at + 4));
        if end.is_none_or(|end| end > self.file.len()) {
            return Err(format!("a list of {len} elements at {at} leaves the file"));
        }
        Ok(List { file: self.file, at: at + 4, len })
    }

    pub(super) fn text(&self, field: usize) -> Result<String> {
        Ok(String::from_utf8_lossy(self.list(field, 1)?.raw()).into_owned())
    }

    pub(super) fn tables(&self, field: usize) -> Result<Vec<Table<'a>>> {
        let list = self.list(field, 4)?;
        let table = |i| Ok(Table { file: list.file, at: follow(list.file, list.at + 4 * i)? });
        (0..list.len).map(table).collect()
    }

    pub(super) fn ints(&self, field: usize) -> Result<Vec<i32>> {
        let list = self.list(field, 4)?;
        (0..list.len).map(|i| Ok(i32::from_le_bytes(bytes(list.file, list.at + 4 * i)?))).collect()
    }

    pub(super) fn longs(&self, field: usize) -> Result<Vec<i64>> {
        let list = self.list(field, 8)?;
        (0..list.len).map(|i| Ok(i64::from_le_bytes(bytes(list.file, list.at + 8 * i)?))).collect()
    }

    pub(super) fn floats(&self, field: usize) -> Result<Vec<f32>> {
        let list = self.list(field, 4)?;
        (0..list.len).map(|i| Ok(f32::from_le_bytes(bytes(list.file, list.at + 4 * i)?))).collect()
    }
}

impl<'a> List<'a> {
    /// The bytes of a list of bytes, in place.
    pub(super) fn raw(&self) -> &'a [u8] {
        self.file.get(self.at..self.at + self.len).unwrap_or_default()
    }
}
