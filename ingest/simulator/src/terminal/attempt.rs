//! One attempt at a sale: whether it is answered, how it breaks, and what follows.

use schemas::causes::CauseClass;

use super::{CAUSES, Context, NEVER, Retry, State};
use crate::catalog::{
    Answer, DEFECT_UNIONPAY, OFFLINE_APPROVED, OFFLINE_DECLINED, Refusal, ordinary_answers,
    refusal_answers,
};
use crate::dice::{self, Dice};
use crate::link::{Break, Fault};
use crate::measure;
use crate::row::{DeclineRow, LastSignal, Outcome, Payload};
use crate::sales::Sale;
use crate::scenario::CodeProfile;
use crate::world::{Access, Effect, Terminal};

/// Share of answered attempts that hosts decline for the card's sake.
const ORDINARY_DECLINES: f64 = 0.035;
/// Share of approvals that lack a part, where the profile knows such.
const DEFECTS: f64 = 0.001;
/// Probability that an attempt over the shop's own line fails.
const FIXED_ACCESS_FAILURE: f64 = 0.004;
/// A QR payment needs one short message that the host repeats.
const QR_FAILURE_FACTOR: f64 = 0.25;
/// Share of unanswered attempts that are tried again, and how often at most.
const RETRY_SHARE: f64 = 0.72;
const MOST_RETRIES: u8 = 3;
/// Share of unanswered small chip payments that a terminal with a limit approves offline.
const OFFLINE_SHARE: f64 = 0.30;
/// Share of the other unanswered chip payments where the card's own decision is kept.
const OFFLINE_DECLINED_SHARE: f64 = 0.10;
/// Share of attempts whose last signal reading the terminal quotes.
const QUOTED_SIGNAL_SHARE: f64 = 0.93;

/// What becomes of an attempt.
enum Fate {
    Unanswered {
        broken: Break,
        cause: CauseClass,
        plant: Option<usize>,
    },
    Refused {
        answer: &'static Answer,
        plant: Option<usize>,
    },
    Defect,
    Approved,
}

/// An attempt in the making.
#[derive(Clone, Copy)]
struct Attempt {
    at_ms: i64,
    number: u32,
    retry_no: u8,
    sale: Sale,
}

impl State {
    pub(super) fn sale(&mut self, context: &mut Context<'_>, at_ms: i64) {
        self.draw_next_sale(at_ms);
        context.counts.sales += 1;
        let terminal = &context.world.terminals[self.index as usize];
        let qr_share = context
            .world
            .plants_at(terminal, at_ms)
            .map(|(_, effect)| match effect {
                Effect::Branch { qr_share, .. } => *qr_share,
                _ => 0.0,
            });
        let qr_share = qr_share.fold(0.0, f64::max);
        let number = self.attempts;
        self.attempts += 1;
        let sale = Sale::draw(&mut self.dice, context.world.code_profile, qr_share);
        self.attempt(
            context,
            Attempt {
                at_ms,
                number,
                retry_no: 0,
                sale,
            },
        );
    }

    pub(super) fn retry(&mut self, context: &mut Context<'_>, at_ms: i64) {
        self.retry_ms = NEVER;
        if let Some(sale) = self.retry.sale.take() {
            let (number, retry_no) = (self.retry.attempt, self.retry.retry_no);
            self.attempt(
                context,
                Attempt {
                    at_ms,
                    number,
                    retry_no,
                    sale,
                },
            );
        }
    }

    fn attempt(&mut self, context: &mut Context<'_>, attempt: Attempt) {
        context.counts.attempts += 1;
        self.counters.attempts += 1;
        let terminal = &context.world.terminals[self.index as usize];
        let fate = self.fate(context, terminal, attempt);
        tally(context, terminal, attempt.at_ms, &fate, self.radio_failure);
        self.expect_sound(context, terminal, attempt.at_ms);
        match fate {
            Fate::Approved => {
                context.counts.approvals += 1;
                self.counters.approvals += 1;
            }
            Fate::Defect => self.approve_with_defect(context, attempt),
            Fate::Refused { answer, .. } => self.decline(context, attempt, answer),
            Fate::Unanswered { broken, cause, .. } => {
                self.break_off(context, attempt, broken, cause);
            }
        }
    }

    /// Adds up what a terminal with a fault of its own would have failed without it.
    fn expect_sound(&self, context: &mut Context<'_>, terminal: &Terminal, at_ms: i64) {
        let mut plants = context.world.plants_at(terminal, at_ms);
        if plants.any(|(_, effect)| matches!(effect, Effect::Device { .. })) {
            let sound = context.sound.entry(self.index).or_default();
            sound.attempts += 1;
            sound.expected_failures += f64::from(self.radio_failure);
        }
    }

    fn fate(&mut self, context: &Context<'_>, terminal: &Terminal, attempt: Attempt) -> Fate {
        if let Some(fate) = self.broken(context, terminal, attempt) {
            return fate;
        }
        if let Some(fate) = self.refused(context, terminal, attempt) {
            return fate;
        }
        let profile = context.world.code_profile;
        if self.dice.chance(ORDINARY_DECLINES) {
            let nth = self.dice.weighted(context.ordinary_weights.iter().copied());
            let answer = &ordinary_answers(profile)[nth].0;
            return Fate::Refused {
                answer,
                plant: None,
            };
        }
        if profile == CodeProfile::Unionpay && self.dice.chance(DEFECTS) {
            return Fate::Defect;
        }
        Fate::Approved
    }

    /// Draws each way to break in turn.
    fn broken(
        &mut self,
        context: &Context<'_>,
        terminal: &Terminal,
        attempt: Attempt,
    ) -> Option<Fate> {
        let cellular = terminal.access == Access::Cellular;
        if cellular && self.is_out_of_service(attempt.at_ms) {
            let plant = match self.outage_plant {
                Some(plant) => Some(usize::from(plant)),
                None => attenuating(context, terminal, attempt.at_ms, self.outage_cause),
            };
            return Some(self.unanswered(Fault::NoService, self.outage_cause, plant));
        }
        let radio = if cellular {
            f64::from(self.radio_failure) * 0.5
        } else {
            FIXED_ACCESS_FAILURE
        };
        let radio = if attempt.sale.is_qr() {
            radio * QR_FAILURE_FACTOR
        } else {
            radio
        };
        if self.dice.chance(radio) {
            return Some(self.radio_break(context, terminal, attempt, cellular));
        }
        // Absences of service count among the failures that a fault multiplies.
        self.planted_break(context, terminal, attempt, radio * 2.0)
    }

    fn radio_break(
        &mut self,
        context: &Context<'_>,
        terminal: &Terminal,
        attempt: Attempt,
        cellular: bool,
    ) -> Fate {
        if !cellular {
            return self.unanswered(Fault::FixedAccess, CauseClass::TechnicalFault, None);
        }
        let planted = self.dice.chance(f64::from(self.planted_failure_share));
        let cause = if planted {
            CauseClass::Geography
        } else {
            CauseClass::Signal
        };
        let plant = attenuating(context, terminal, attempt.at_ms, cause);
        self.unanswered(Fault::Radio, cause, plant)
    }

    fn planted_break(
        &mut self,
        context: &Context<'_>,
        terminal: &Terminal,
        attempt: Attempt,
        sound_failure: f64,
    ) -> Option<Fate> {
        for (at, effect) in context.world.plants_at(terminal, attempt.at_ms) {
            let (probability, fault, cause) = match effect {
                Effect::Device { multiplier, .. } | Effect::Branch { multiplier, .. } => {
                    let added = sound_failure * (multiplier - 1.0);
                    (added.min(0.95), Fault::Device, CauseClass::Device)
                }
                Effect::HostDown { share } => (*share, Fault::Host, CauseClass::TechnicalFault),
                Effect::Release { share, .. } => {
                    (*share, Fault::Release, CauseClass::TechnicalFault)
                }
                _ => continue,
            };
            if probability > 0.0 && self.dice.chance(probability) {
                return Some(self.unanswered(fault, cause, Some(at)));
            }
        }
        None
    }

    fn unanswered(&mut self, fault: Fault, cause: CauseClass, plant: Option<usize>) -> Fate {
        Fate::Unanswered {
            broken: fault.draw(&mut self.dice),
            cause,
            plant,
        }
    }

    fn refused(
        &mut self,
        context: &Context<'_>,
        terminal: &Terminal,
        attempt: Attempt,
    ) -> Option<Fate> {
        for (at, effect) in context.world.plants_at(terminal, attempt.at_ms) {
            let (refusal, share) = match effect {
                Effect::Moved { refusal_share, .. } => (Refusal::Moved, *refusal_share),
                Effect::Refused {
                    refusal,
                    share,
                    card_type,
                } => {
                    let concerned =
                        card_type.is_none() || card_type.as_deref() == attempt.sale.card_type();
                    (*refusal, if concerned { *share } else { 0.0 })
                }
                _ => continue,
            };
            if share > 0.0 && self.dice.chance(share) {
                let answers = refusal_answers(refusal, context.world.code_profile);
                let merchant = u64::from(terminal.merchant);
                let nth =
                    dice::hash(&[context.world.seed, 0xc0de, merchant]) % answers.len() as u64;
                return Some(Fate::Refused {
                    answer: &answers[nth as usize],
                    plant: Some(at),
                });
            }
        }
        None
    }

    fn approve_with_defect(&mut self, context: &mut Context<'_>, attempt: Attempt) {
        context.counts.approvals += 1;
        self.counters.approvals += 1;
        let latency_ms = latency_ms(&mut self.dice);
        let row = DeclineRow {
            answer: Some(&DEFECT_UNIONPAY),
            cause: DEFECT_UNIONPAY.cause,
            ..self.decline_row(context, attempt, Outcome::ApprovedWithDefect, latency_ms)
        };
        self.emit_decline(context, attempt.at_ms, latency_ms, row);
    }

    fn decline(&mut self, context: &mut Context<'_>, attempt: Attempt, answer: &'static Answer) {
        context.counts.declined += 1;
        context.counts.sales_lost += 1;
        context.declined_by_cause[answer.cause as usize] += 1;
        let latency_ms = latency_ms(&mut self.dice);
        let row = DeclineRow {
            answer: Some(answer),
            cause: answer.cause,
            phase: Some("host"),
            ..self.decline_row(context, attempt, Outcome::Declined, latency_ms)
        };
        self.emit_decline(context, attempt.at_ms, latency_ms, row);
    }

    fn break_off(
        &mut self,
        context: &mut Context<'_>,
        attempt: Attempt,
        broken: Break,
        cause: CauseClass,
    ) {
        context.out_of_range_by_cause[cause as usize] += 1;
        let model = context.world.terminals[self.index as usize].model();
        let offline =
            model.offline_limit && attempt.sale.may_go_offline() && self.dice.chance(OFFLINE_SHARE);
        let refused_by_card = attempt.sale.is_chip() && self.dice.chance(OFFLINE_DECLINED_SHARE);
        let (outcome, answer) = if offline {
            context.counts.offline_approved += 1;
            self.counters.offline_approved += 1;
            (Outcome::OfflineApproved, Some(&OFFLINE_APPROVED))
        } else {
            context.counts.no_answer += 1;
            self.counters.no_answer += 1;
            (
                Outcome::NoAnswer,
                refused_by_card.then_some(&OFFLINE_DECLINED),
            )
        };
        let row = DeclineRow {
            answer,
            cause,
            phase: Some(broken.phase),
            local_error: Some(broken.local_error),
            ..self.decline_row(context, attempt, outcome, broken.latency_ms)
        };
        self.emit_decline(context, attempt.at_ms, broken.latency_ms, row);
        if broken.needs_reversal() && !offline {
            self.reverse(context, attempt, broken, row);
        }
        if !offline && !self.plan_retry(attempt, broken) {
            context.counts.sales_lost += 1;
        }
    }

    /// The host may have booked the sale: the terminal takes it back.
    fn reverse(
        &mut self,
        context: &mut Context<'_>,
        attempt: Attempt,
        broken: Break,
        row: DeclineRow,
    ) {
        context.counts.reversals += 1;
        let at_ms =
            attempt.at_ms + i64::from(broken.latency_ms) + 1_000 + self.dice.index(4_000) as i64;
        let latency_ms = latency_ms(&mut self.dice);
        let row = DeclineRow {
            phase: None,
            local_error: None,
            answer: None,
            outcome: Outcome::Reversed,
            latency_ms,
            ..row
        };
        self.emit_decline(context, at_ms, latency_ms, row);
    }

    fn plan_retry(&mut self, attempt: Attempt, broken: Break) -> bool {
        let again = attempt.retry_no < MOST_RETRIES
            && self.retry_ms == NEVER
            && self.dice.chance(RETRY_SHARE);
        if again {
            let wait_ms = self.dice.between(8_000.0, 45_000.0) as i64;
            self.retry_ms = attempt.at_ms + i64::from(broken.latency_ms) + wait_ms;
            self.retry = Retry {
                attempt: attempt.number,
                retry_no: attempt.retry_no + 1,
                sale: Some(attempt.sale),
            };
        }
        again
    }

    fn decline_row(
        &mut self,
        context: &Context<'_>,
        attempt: Attempt,
        outcome: Outcome,
        latency_ms: u32,
    ) -> DeclineRow {
        DeclineRow {
            attempt: attempt.number,
            retry_no: attempt.retry_no,
            sale: attempt.sale,
            phase: None,
            latency_ms,
            answer: None,
            local_error: None,
            outcome,
            cause: CauseClass::Unknown,
            last_signal: self.last_signal(context, attempt.at_ms),
        }
    }

    fn last_signal(&mut self, context: &Context<'_>, at_ms: i64) -> Option<LastSignal> {
        let terminal = &context.world.terminals[self.index as usize];
        if terminal.access != Access::Cellular || !self.dice.chance(QUOTED_SIGNAL_SHARE) {
            return None;
        }
        // Without service the last reading is the one before service was lost.
        let gone_ms = if self.is_out_of_service(at_ms) {
            at_ms - self.outage_start_ms
        } else {
            0
        };
        let age_s = gone_ms / 1_000 + self.dice.index(75) as i64;
        let now = self.conditions_at(at_ms);
        let dbm = measure::quoted_strength(&mut self.dice, terminal.model(), terminal.rat, now)?;
        Some(LastSignal {
            age_s: u32::try_from(age_s).unwrap_or(0),
            rat: terminal.rat,
            dbm,
        })
    }

    fn emit_decline(
        &mut self,
        context: &mut Context<'_>,
        at_ms: i64,
        latency_ms: u32,
        row: DeclineRow,
    ) {
        self.emit(
            context,
            at_ms,
            at_ms + i64::from(latency_ms),
            Payload::Decline(row),
        );
    }
}

/// Counts an attempt for every plant that reaches the terminal, or among the unplanted.
fn tally(
    context: &mut Context<'_>,
    terminal: &Terminal,
    at_ms: i64,
    fate: &Fate,
    radio_failure: f32,
) {
    let (out_of_range, by) = match fate {
        Fate::Unanswered { plant, .. } => (1, *plant),
        Fate::Refused { plant, .. } => (0, *plant),
        Fate::Defect | Fate::Approved => (0, None),
    };
    let mut untouched = true;
    for (at, effect) in context.world.plants_at(terminal, at_ms) {
        if !effect.concerns(terminal) {
            continue;
        }
        untouched = false;
        let tally = &mut context.tallies[at];
        tally.attempts += 1;
        tally.out_of_range += out_of_range;
        tally.caused += u64::from(by == Some(at));
    }
    if untouched && terminal.access == Access::Cellular {
        let tally = &mut context.unplanted[usize::from(terminal.carrier)];
        tally.attempts += 1;
        tally.out_of_range += out_of_range;
        context.unplanted_expected_failures += f64::from(radio_failure);
    }
}

/// The planted place that weakens a terminal's signal, for failures it is to blame for.
fn attenuating(
    context: &Context<'_>,
    terminal: &Terminal,
    at_ms: i64,
    cause: CauseClass,
) -> Option<usize> {
    if cause != CauseClass::Geography {
        return None;
    }
    let mut holding = context.world.plants_at(terminal, at_ms);
    let weakens = |effect: &Effect| match effect {
        Effect::Attenuation { .. } => effect.concerns(terminal),
        Effect::Branch { attenuation_db, .. } => *attenuation_db > 0.0,
        _ => false,
    };
    holding
        .find(|(_, effect)| weakens(effect))
        .map(|(at, _)| at)
}

fn latency_ms(dice: &mut Dice) -> u32 {
    (350.0 + dice.exponential(900.0)).min(25_000.0) as u32
}

const _: () = assert!(CAUSES == 9, "by_cause arrays are indexed by class");
