//! `rule_class` and `rule_sub`: what a rule of causes puts a failure down to.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use schemas::causes::CauseClass;
use schemas::causes::rules::CauseRule;

use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn class() -> SqlFunction {
    let doc = FunctionDoc {
        name: "rule_class",
        usage: "rule_class(cause_rule)",
        doc: "cause class that a rule gives; null where the response code says it",
    };
    function(doc, |args| {
        Ok(texts(args, |rule| rule.class().map(CauseClass::as_str)))
    })
}

pub(super) fn sub() -> SqlFunction {
    let doc = FunctionDoc {
        name: "rule_sub",
        usage: "rule_sub(cause_rule)",
        doc: "sub-cause that a rule gives; null where the response code says it",
    };
    function(doc, |args| Ok(texts(args, CauseRule::sub_cause)))
}

fn function(doc: FunctionDoc, kernel: fn(&[ArrayRef]) -> Result<ArrayRef>) -> SqlFunction {
    SqlFunction::new(doc, [vec![Arg::Text]], Returns::Is(DataType::Utf8), kernel)
}

fn texts(args: &[ArrayRef], of: fn(CauseRule) -> Option<&'static str>) -> ArrayRef {
    let rules = args[0].as_string::<i32>().iter();
    let found = rules.map(|rule| CauseRule::named(rule?).and_then(of));
    Arc::new(found.collect::<StringArray>())
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::texts;
    use super::*;

    #[test]
    fn a_rule_gives_its_class_and_a_code_its_own() {
        let rules = texts([
            Some("release_outage"),
            Some("response_code"),
            Some("weather"),
            None,
        ]);
        let class = class()
            .call(std::slice::from_ref(&rules))
            .expect("no error");
        assert_eq!(&class, &texts([Some("technical_fault"), None, None, None]));
        let sub = sub().call(&[rules]).expect("no error");
        assert_eq!(&sub, &texts([Some("upgrade"), None, None, None]));
    }
}
