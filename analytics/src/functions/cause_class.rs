//! `cause_class`: what a response code puts a decline down to, by its profile.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use schemas::causes::{CauseClass, classify};

use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "cause_class",
        usage: "cause_class(code_profile, response_code)",
        doc: "cause class of a code alone, before its context; 'unknown' for a code no profile lists, null for an approval",
    };
    SqlFunction::new(
        doc,
        [vec![Arg::Text; 2]],
        Returns::Is(DataType::Utf8),
        kernel,
    )
}

fn cause_class(code_profile: &str, response_code: &str) -> Option<CauseClass> {
    match classify(code_profile, response_code) {
        Some(entry) => entry.cause_class,
        None => Some(CauseClass::Unknown),
    }
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = args[0]
        .as_string::<i32>()
        .iter()
        .zip(args[1].as_string::<i32>());
    let classes = rows.map(|(profile, code)| cause_class(profile?, code?).map(CauseClass::as_str));
    Ok(Arc::new(classes.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::texts;
    use super::*;

    #[test]
    fn a_code_means_what_its_profile_says() {
        let profiles = texts(["unionpay", "gicc", "unionpay", "nobody"].map(Some));
        let codes = texts(["57", "57", "not a code", "57"].map(Some));
        let classes = kernel(&[profiles, codes]).expect("no error");
        let expected = ["card_or_legal", "merchant_config", "unknown", "unknown"];
        assert_eq!(&classes, &texts(expected.map(Some)));
    }
}
