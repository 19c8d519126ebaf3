//! What an operator should hear of the messages of a topic: fields that nobody knows, and that none of
//! them can be used.

use std::collections::{BTreeMap, BTreeSet};

use schemas::EventKind;
use schemas::quarantine::Reason;

use crate::config::TopicConfig;
use crate::decode::remarks::OTHERS;
use crate::observe::Progress;
use crate::validate::unknown_field;

/// Names of unknown fields that a topic is told of; the others are counted together.
const NAMES_MAX: usize = 64;
/// Messages refused one after the other from which the topic, not the message, is at fault.
const ALL_REFUSED: u64 = 10;

/// What became of the messages of a flush.
pub(super) struct Fate<'a> {
    pub(super) rows: usize,
    pub(super) refused: &'a [Reason],
    pub(super) unknown_fields: &'a BTreeMap<String, u64>,
}

/// What was heard of one topic.
#[derive(Debug, Default)]
pub(crate) struct Heeded {
    fields: BTreeSet<String>,
    refused_since_a_row: u64,
}

impl Heeded {
    /// Takes in what became of messages.
    pub(super) fn heed(
        &mut self,
        kind: EventKind,
        topic: &TopicConfig,
        fate: &Fate<'_>,
        progress: &Progress,
    ) {
        self.unknown(kind, topic, fate.unknown_fields);
        if fate.rows > 0 {
            self.refused_since_a_row = 0;
            progress.set_refusing(kind, None);
            return;
        }
        let before = self.refused_since_a_row;
        self.refused_since_a_row += fate.refused.len() as u64;
        if self.refused_since_a_row < ALL_REFUSED {
            return;
        }
        let most = most(fate.refused);
        let reason = most.map_or("unknown", Reason::as_str);
        let question = match most {
            Some(Reason::TimeBeyondRetention) => {
                "is validation.retention as long as the topic's events are old?".to_owned()
            }
            Some(Reason::TimeInFuture) => "are the clocks right, here and there?".to_owned(),
            Some(Reason::UnknownField) => "should validation.unknown_fields be count?".to_owned(),
            _ => format!(
                "is its encoding {}, and does it carry {kind} events?",
                topic.encoding
            ),
        };
        let said = format!(
            "every one of the last {} messages of topic {} was refused, most of them as {reason}: {question}",
            self.refused_since_a_row, topic.name
        );
        if before < ALL_REFUSED {
            tracing::warn!(topic = topic.name, reason, "{said}");
        }
        progress.set_refusing(kind, Some(said));
    }

    fn unknown(&mut self, kind: EventKind, topic: &TopicConfig, fields: &BTreeMap<String, u64>) {
        for (field, messages) in fields {
            let is_new = !self.fields.contains(field);
            let counted = match !is_new || self.fields.len() < NAMES_MAX {
                true => field.as_str(),
                false => OTHERS,
            };
            metrics::counter!(
                "notspot_ingest_unknown_fields_total",
                "topic" => topic.name.clone(), "field" => counted.to_owned()
            )
            .increment(*messages);
            if is_new && counted == field {
                self.fields.insert(field.clone());
                tracing::warn!(
                    topic = topic.name,
                    field,
                    messages,
                    "{}",
                    unknown_field(kind, field)
                );
            }
        }
    }
}

/// Returns the reason most messages were refused for.
fn most(refused: &[Reason]) -> Option<Reason> {
    let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
    for reason in refused {
        *counts.entry(*reason).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(reason, _)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Encoding;

    #[test]
    fn a_topic_of_which_nothing_can_be_used_is_told_until_a_row_comes() {
        let topic = TopicConfig {
            name: "terminal.signal".into(),
            encoding: Encoding::Json,
        };
        let (progress, mut heeded) = (Progress::default(), Heeded::default());
        let nothing = BTreeMap::new();
        let mut heed = |rows, refused: &[Reason]| {
            let fate = Fate {
                rows,
                refused,
                unknown_fields: &nothing,
            };
            heeded.heed(EventKind::Signal, &topic, &fate, &progress);
            progress.refusing()
        };
        assert_eq!(heed(0, &[Reason::Undecodable; 9]), None);
        let said = heed(
            0,
            &[Reason::CardData, Reason::Undecodable, Reason::Undecodable],
        );
        let said = said.expect("ten messages and more were refused");
        assert!(
            said.contains("the last 12 messages of topic terminal.signal"),
            "{said}"
        );
        assert!(
            said.contains("undecodable") && said.contains("json"),
            "{said}"
        );
        assert_eq!(heed(1, &[Reason::Undecodable; 40]), None);
    }
}
