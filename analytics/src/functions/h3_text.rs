//! `h3_h3_to_string` and `h3_string_to_h3`: a cell as number and as text.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::cells::{cell_numbers, cells};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn to_text() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_h3_to_string",
        usage: "h3_h3_to_string(cell)",
        doc: "the cell as 15 hexadecimal digits",
    };
    let text = Returns::Is(DataType::Utf8);
    SqlFunction::new(doc, [vec![Arg::Cell]], text, |args| {
        let texts = cells(&args[0]).map(|cell| cell.map(|cell| cell.to_string()));
        Ok(Arc::new(texts.collect::<StringArray>()))
    })
}

pub(super) fn from_text() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_string_to_h3",
        usage: "h3_string_to_h3(text)",
        doc: "the cell of its hexadecimal text; null when the text is no cell",
    };
    SqlFunction::new(doc, [vec![Arg::Text]], Returns::Is(DataType::Int64), number)
}

fn number(args: &[ArrayRef]) -> Result<ArrayRef> {
    Ok(cell_numbers(cells(&args[0])))
}

#[cfg(test)]
mod tests {
    use super::super::cells::int64s;
    use super::super::cells::test_columns::{SAN_FRANCISCO, texts};
    use super::*;

    #[test]
    fn text_and_number_are_the_same_cell() {
        let text = texts([
            Some(SAN_FRANCISCO),
            Some("0x8928308280fffff"),
            Some("not a cell"),
        ]);
        let numbers = from_text().call(&[text]).expect("no error");
        let number = 0x0892_8308_280f_ffff;
        assert_eq!(
            int64s(&numbers).collect::<Vec<_>>(),
            [Some(number), Some(number), None]
        );
        let back = to_text().call(&[numbers]).expect("no error");
        assert_eq!(
            &back,
            &texts([Some(SAN_FRANCISCO), Some(SAN_FRANCISCO), None])
        );
    }
}
