//! Avro bodies of the contract itself, straight into columns. What is not plainly right is left to the
//! general decoder, which says what is wrong with it.

use super::columns::{Column, Columns};

/// Reads one record into a row; `None` when the bytes are not exactly one.
pub(super) fn read(columns: &mut Columns, body: &[u8]) -> Option<()> {
    let mut body = Body(body);
    body.record(columns)?;
    body.0.is_empty().then(|| columns.end_row())
}

/// The bytes not read yet.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    /// Reads the values of a row, which is not ended yet.
    fn record(&mut self, columns: &mut Columns) -> Option<()> {
        for (field, column) in columns.fields.iter().zip(&mut columns.columns) {
            // Every union of a contract is of null and something else.
            let is_null = match field.nullable {
                true => match self.byte()? {
                    0 => true,
                    2 => false,
                    _ => return None,
                },
                false => false,
            };
            match is_null {
                true => column.push_null(),
                false => self.value(column)?,
            }
        }
        Some(())
    }

    fn value(&mut self, column: &mut Column) -> Option<()> {
        match column {
            Column::Text(texts) => texts.push(self.text()?)?,
            Column::Boolean(booleans) => booleans.push(match self.byte()? {
                0 => false,
                1 => true,
                _ => return None,
            }),
            Column::Int(numbers) => numbers.push(i32::try_from(self.long()?).ok()?),
            Column::Long(numbers) => numbers.push(self.long()?),
            Column::Float(numbers) => numbers.push(f32::from_le_bytes(self.bytes()?)),
            Column::Double(numbers) => numbers.push(f64::from_le_bytes(self.bytes()?)),
            Column::Time(numbers) => numbers.push(self.long()?),
            Column::Records(records) => {
                loop {
                    let count = match self.long()? {
                        0 => break,
                        // A negative count has the block's bytes behind it.
                        count if count < 0 => {
                            self.long()?;
                            count.checked_neg()?
                        }
                        count => count,
                    };
                    for _ in 0..count {
                        self.record(&mut records.items)?;
                        records.items.end_row();
                    }
                }
                records.end_list()?;
            }
        }
        Some(())
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    /// Reads a zig-zag number of variable length, in its shortest form of at most nine bytes; timestamps
    /// take six.
    #[inline]
    pub(super) fn long(&mut self) -> Option<i64> {
        let mut number = 0_u64;
        for (at, byte) in self.0.iter().take(9).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        None
    }
}
