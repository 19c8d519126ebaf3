//! Plants what a scenario asks for at places the seed chooses, and remembers it for the answer key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use h3o::LatLng;
use schemas::lake::ANALYSIS_RESOLUTION;

use crate::answer_key::{Area, BranchPhase, Planted, Sound, Tally, Truth};
use crate::catalog::{PositionSource, Refusal, find_model, refusal_answers};
use crate::dice::{self, Dice};
use crate::engine::SimError;
use crate::scenario::{self, Scenario};
use crate::sites::Plane;
use crate::world::{Access, Effect, PlantedEffect, Terminal, World};

/// Places tried before the best of them is taken.
const PLACES_TRIED: usize = 400;
const HOUR_MS: i64 = 3_600_000;
/// Planted places keep at least this distance from each other's edges, km.
const GAP_KM: f64 = 3.0;

/// A truth and the effects that make it.
pub struct Plantation {
    /// Index of its effects in [`World::plants`].
    pub effects: Range<usize>,
    planted: Planted,
}

/// Plants everything into the world.
///
/// # Errors
/// When there is no place, terminal or merchant for a plant.
pub fn plant(scenario: &Scenario, world: &mut World) -> Result<Vec<Plantation>, SimError> {
    let mut planter = Planter {
        scenario,
        plane: Plane::of(&world.towns),
        world,
        areas: Vec::new(),
        done: Vec::new(),
        taken: BTreeSet::new(),
        taken_merchants: BTreeSet::new(),
    };
    planter.plant_all()?;
    Ok(planter.done)
}

/// Turns plantations, the tallies of their effects, and what terminals with a fault would have failed
/// without it, into the truths of the answer key.
pub fn truths(
    plantations: Vec<Plantation>,
    tallies: &[Tally],
    sound_by_id: &BTreeMap<String, Sound>,
) -> Vec<Planted> {
    let finish = |plantation: Plantation| {
        let mut planted = plantation.planted;
        let tallies = &tallies[plantation.effects];
        planted.inside = sum(tallies);
        if let Truth::RemoteBranch { phases, .. } = &mut planted.truth {
            for (phase, tally) in phases.iter_mut().zip(tallies) {
                phase.tally = *tally;
            }
        }
        if let Truth::BadTerminals {
            terminal_ids,
            sound,
            ..
        } = &mut planted.truth
        {
            let of = |id: &String| sound_by_id.get(id).copied().unwrap_or_default();
            *sound = terminal_ids.iter().map(of).collect();
        }
        planted
    };
    plantations.into_iter().map(finish).collect()
}

fn sum(tallies: &[Tally]) -> Tally {
    tallies.iter().fold(Tally::default(), |sum, tally| Tally {
        attempts: sum.attempts + tally.attempts,
        out_of_range: sum.out_of_range + tally.out_of_range,
        caused: sum.caused + tally.caused,
    })
}

struct Planter<'a> {
    scenario: &'a Scenario,
    world: &'a mut World,
    plane: Plane,
    areas: Vec<Circle>,
    done: Vec<Plantation>,
    taken: BTreeSet<u32>,
    taken_merchants: BTreeSet<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Circle {
    lat: f64,
    lon: f64,
    radius_km: f64,
}

/// When a plant holds.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Span {
    fn on_the_hour(self) -> Self {
        let nearest = |time: DateTime<Utc>| {
            let hours = (time.timestamp_millis() + HOUR_MS / 2).div_euclid(HOUR_MS);
            DateTime::from_timestamp_millis(hours * HOUR_MS).unwrap_or(time)
        };
        Self {
            from: nearest(self.from),
            to: nearest(self.to),
        }
    }
}

impl Planter<'_> {
    fn plant_all(&mut self) -> Result<(), SimError> {
        let plant = &self.scenario.plant;
        // The branches' merchants were built first, and places keep clear of them.
        for (at, branch) in plant.remote_branch.iter().enumerate() {
            self.remote_branch(at, branch);
        }
        for zone in &plant.weak_zone {
            self.weak_zone(zone)?;
        }
        for spot in &plant.not_spot {
            self.not_spot(spot)?;
        }
        for outage in &plant.carrier_outage {
            self.carrier_outage(outage)?;
        }
        for outage in &plant.host_outage {
            self.host_outage(outage)?;
        }
        for release in &plant.bad_release {
            self.bad_release(release);
        }
        for model in &plant.bad_model {
            self.bad_model(model)?;
        }
        for region in &plant.region_not_open {
            self.region_not_open(region)?;
        }
        for bad in &plant.bad_terminals {
            self.bad_terminals(bad)?;
        }
        for moved in &plant.moved_terminals {
            self.moved_terminals(moved)?;
        }
        for config in &plant.merchant_config {
            self.merchant_config(config)?;
        }
        for limit in &plant.card_limit {
            self.card_limit(limit)?;
        }
        Ok(())
    }

    fn weak_zone(&mut self, zone: &scenario::WeakZone) -> Result<(), SimError> {
        let mut dice = self.dice();
        let carrier = self.carrier(&mut dice, zone.plmn.as_deref());
        let on_carrier = |terminal: &Terminal| terminal.carrier == carrier && is_cellular(terminal);
        let circle = self.dense_circle(
            &mut dice,
            "weak_zone",
            zone.radius_km,
            zone.min_terminals,
            on_carrier,
        )?;
        let span = self.span(zone.from_day, zone.to_day);
        let effect = self.effect(
            span,
            Effect::Attenuation {
                carrier: Some(carrier),
                db: zone.attenuation_db,
            },
        );
        // Scans of other carriers' terminals hear the weak carrier too.
        self.apply(effect, self.in_circle(circle));
        let plmn = self.world.carriers[usize::from(carrier)].plmn.clone();
        let area = self.area(circle, on_carrier);
        self.finish(
            "weak-zone",
            effect..effect + 1,
            span,
            Truth::WeakZone { plmn, area },
        );
        Ok(())
    }

    fn not_spot(&mut self, spot: &scenario::NotSpot) -> Result<(), SimError> {
        let mut dice = self.dice();
        let circle = self.dense_circle(
            &mut dice,
            "not_spot",
            spot.radius_km,
            spot.min_terminals,
            is_cellular,
        )?;
        let span = self.span(spot.from_day, spot.to_day);
        let effect = self.effect(
            span,
            Effect::Attenuation {
                carrier: None,
                db: spot.attenuation_db,
            },
        );
        self.apply(effect, self.in_circle(circle));
        let area = self.area(circle, is_cellular);
        self.finish(
            "not-spot",
            effect..effect + 1,
            span,
            Truth::NotSpot { area },
        );
        Ok(())
    }

    fn carrier_outage(&mut self, outage: &scenario::CarrierOutage) -> Result<(), SimError> {
        let mut dice = self.dice();
        let carrier = self.carrier(&mut dice, outage.plmn.as_deref());
        // Around one of the larger towns, where an outage is felt.
        let mut towns: Vec<usize> = (0..self.world.towns.len()).collect();
        towns.sort_by(|one, other| {
            self.world.towns[*other]
                .population
                .total_cmp(&self.world.towns[*one].population)
        });
        let town = &self.world.towns[towns[dice.index(towns.len().min(12))]];
        let circle = Circle {
            lat: town.lat,
            lon: town.lon,
            radius_km: outage.radius_km,
        };
        let on_carrier = |terminal: &Terminal| terminal.carrier == carrier && is_cellular(terminal);
        let concerned = self.in_circle(circle);
        let concerned = self.only(concerned, on_carrier);
        self.some("carrier_outage", &concerned)?;
        let span = self.lasting(outage.day, outage.duration_min);
        let effect = self.effect(span, Effect::NoService);
        self.apply(effect, concerned);
        let plmn = self.world.carriers[usize::from(carrier)].plmn.clone();
        let area = self.area(circle, on_carrier);
        self.finish(
            "carrier-outage",
            effect..effect + 1,
            span,
            Truth::CarrierOutage { plmn, area },
        );
        Ok(())
    }

    fn host_outage(&mut self, outage: &scenario::HostOutage) -> Result<(), SimError> {
        let mut dice = self.dice();
        let hosts: Vec<String> = match &outage.host {
            Some(host) => vec![host.clone()],
            None => {
                let acquirers = self.world.acquirers.iter();
                acquirers
                    .flat_map(|acquirer| acquirer.hosts.clone())
                    .collect()
            }
        };
        let host_id = hosts[dice.index(hosts.len())].clone();
        let concerned = self.terminals(|world, terminal| world.host_of(terminal) == host_id);
        self.some("host_outage", &concerned)?;
        let span = self.lasting(outage.day, outage.duration_min);
        let effect = self.effect(
            span,
            Effect::HostDown {
                share: outage.failure_share,
            },
        );
        let terminals = self.apply(effect, concerned);
        self.finish(
            "host-outage",
            effect..effect + 1,
            span,
            Truth::HostOutage { host_id, terminals },
        );
        Ok(())
    }

    fn bad_release(&mut self, release: &scenario::BadRelease) {
        let salt = self.dice().bits();
        let concerned = (0..self.world.terminals.len() as u32).filter(|terminal| {
            dice::unit(dice::hash(&[salt, u64::from(*terminal)])) < release.terminal_share
        });
        let concerned: Vec<u32> = concerned.collect();
        // Terminals take up and give back an application at the full hour, as their events show.
        let span = self.span(release.day, release.to_day).on_the_hour();
        let effect = self.effect(
            span,
            Effect::Release {
                app_version: release.app_version.clone(),
                share: release.failure_share,
            },
        );
        let terminals = self.apply(effect, concerned);
        let app_version = release.app_version.clone();
        self.finish(
            "bad-release",
            effect..effect + 1,
            span,
            Truth::BadRelease {
                app_version,
                terminals,
            },
        );
    }

    fn bad_model(&mut self, bad: &scenario::BadModel) -> Result<(), SimError> {
        let Some((model, firmware)) = find_model(&bad.model, &bad.firmware) else {
            return Err(SimError::UnknownModel {
                model: bad.model.clone(),
                firmware: bad.firmware.clone(),
            });
        };
        let concerned = self.terminals(|_, terminal| {
            terminal.model == model && terminal.firmware == firmware && is_cellular(terminal)
        });
        self.some("bad_model", &concerned)?;
        let span = self.span(0.0, None);
        let effect = self.effect(
            span,
            Effect::Device {
                multiplier: bad.multiplier,
                antenna_loss_db: bad.antenna_loss_db,
            },
        );
        let terminals = self.apply(effect, concerned);
        let truth = Truth::BadModel {
            model: bad.model.clone(),
            firmware: bad.firmware.clone(),
            multiplier: bad.multiplier,
            antenna_loss_db: bad.antenna_loss_db,
            terminals,
        };
        self.finish("bad-model", effect..effect + 1, span, truth);
        Ok(())
    }

    fn region_not_open(&mut self, region: &scenario::RegionNotOpen) -> Result<(), SimError> {
        let mut dice = self.dice();
        let acquirer = match &region.acquirer {
            Some(id) => self
                .world
                .acquirers
                .iter()
                .position(|acquirer| acquirer.id == *id),
            None => Some(dice.weighted(self.world.acquirers.iter().map(|acquirer| acquirer.share))),
        };
        let none = || SimError::NoRoom {
            plant: "region_not_open",
        };
        let acquirer = acquirer.ok_or_else(none)? as u8;
        let code = self
            .region_of(acquirer, region.min_terminals)
            .ok_or_else(none)?;
        let concerned = self.terminals(|world, terminal| {
            let merchant = world.merchant_of(terminal);
            merchant.acquirer == acquirer && world.towns[merchant.town as usize].admin1 == code
        });
        self.some("region_not_open", &concerned)?;
        let span = self.span(0.0, None);
        let effect = self.refusal(span, Refusal::RegionNotOpen, region.refusal_share, None);
        let terminals = self.apply(effect, concerned);
        let truth = Truth::RegionNotOpen {
            acquirer_id: self.world.acquirers[usize::from(acquirer)].id.clone(),
            region_code: code,
            terminals,
            codes: self.codes(Refusal::RegionNotOpen),
        };
        self.finish("region-not-open", effect..effect + 1, span, truth);
        Ok(())
    }

    /// The smallest region where the acquirer has terminals enough, else the one where it has most.
    fn region_of(&self, acquirer: u8, min_terminals: u32) -> Option<String> {
        let mut counts = std::collections::BTreeMap::<&str, u32>::new();
        for merchant in self
            .world
            .merchants
            .iter()
            .filter(|merchant| merchant.acquirer == acquirer)
        {
            let region = self.world.towns[merchant.town as usize].admin1.as_str();
            *counts.entry(region).or_default() += u32::from(merchant.terminals);
        }
        let enough = counts.iter().filter(|(_, count)| **count >= min_terminals);
        let smallest = enough.min_by_key(|(_, count)| **count);
        let chosen = smallest.or_else(|| counts.iter().max_by_key(|(_, count)| **count));
        chosen.map(|(region, _)| (*region).to_owned())
    }

    fn bad_terminals(&mut self, bad: &scenario::BadTerminals) -> Result<(), SimError> {
        let chosen = self.free_terminals("bad_terminals", bad.count, is_cellular)?;
        let span = self.span(bad.from_day, None);
        let effect = self.effect(
            span,
            Effect::Device {
                multiplier: bad.multiplier,
                antenna_loss_db: bad.antenna_loss_db,
            },
        );
        let terminal_ids = self.ids(&chosen);
        self.apply(effect, chosen);
        let truth = Truth::BadTerminals {
            terminal_ids,
            multiplier: bad.multiplier,
            antenna_loss_db: bad.antenna_loss_db,
            sound: Vec::new(),
        };
        self.finish("bad-terminals", effect..effect + 1, span, truth);
        Ok(())
    }

    fn moved_terminals(&mut self, moved: &scenario::MovedTerminals) -> Result<(), SimError> {
        // Only a terminal that measures its position shows that it has moved.
        let measures = |terminal: &Terminal| {
            is_cellular(terminal) && terminal.model().position == PositionSource::Gnss
        };
        let chosen = self.free_terminals("moved_terminals", moved.count, measures)?;
        let span = self.span(moved.day, None);
        let first = self.world.plants.len();
        for terminal in &chosen {
            let to = self.elsewhere(*terminal, moved.min_distance_km)?;
            let effect = self.effect(
                span,
                Effect::Moved {
                    to,
                    refusal_share: moved.refusal_share,
                },
            );
            self.apply(effect, vec![*terminal]);
        }
        let truth = Truth::MovedTerminals {
            terminal_ids: self.ids(&chosen),
            codes: self.codes(Refusal::Moved),
        };
        self.finish("moved-terminals", first..first + chosen.len(), span, truth);
        Ok(())
    }

    /// Another terminal of the same carrier, far enough away; the moved one then stands beside it.
    fn elsewhere(&self, terminal: u32, min_distance_km: f64) -> Result<u32, SimError> {
        let mut dice = Dice::new(&[self.world.seed, 0x307e, u64::from(terminal)]);
        let from = &self.world.terminals[terminal as usize];
        for _ in 0..10_000 {
            let at = dice.index(self.world.terminals.len());
            let other = &self.world.terminals[at];
            let distance_km = self
                .plane
                .distance_km((from.lat, from.lon), (other.lat, other.lon));
            if distance_km >= min_distance_km
                && other.carrier == from.carrier
                && other.is_unplanted()
            {
                return Ok(at as u32);
            }
        }
        Err(SimError::NoRoom {
            plant: "moved_terminals",
        })
    }

    fn merchant_config(&mut self, config: &scenario::MerchantConfig) -> Result<(), SimError> {
        let merchants = self.free_merchants("merchant_config", config.count)?;
        let span = self.span(config.day, None);
        let effect = self.refusal(span, Refusal::MerchantConfig, config.refusal_share, None);
        self.apply(effect, self.terminals_of(&merchants));
        let truth = Truth::MerchantConfig {
            merchant_ids: self.merchant_ids(&merchants),
            codes: self.codes(Refusal::MerchantConfig),
        };
        self.finish("merchant-config", effect..effect + 1, span, truth);
        Ok(())
    }

    fn card_limit(&mut self, limit: &scenario::CardLimit) -> Result<(), SimError> {
        let merchants = self.free_merchants("card_limit", limit.count)?;
        let span = self.span(0.0, None);
        let card_type = Some(limit.card_type.clone());
        let effect = self.refusal(span, Refusal::CardLimit, 1.0, card_type);
        self.apply(effect, self.terminals_of(&merchants));
        let truth = Truth::CardLimit {
            merchant_ids: self.merchant_ids(&merchants),
            card_type: limit.card_type.clone(),
            codes: self.codes(Refusal::CardLimit),
        };
        self.finish("card-limit", effect..effect + 1, span, truth);
        Ok(())
    }

    fn remote_branch(&mut self, merchant: usize, branch: &scenario::RemoteBranch) {
        let bounds = [
            0.0,
            branch.carrier_fix_day,
            branch.qr_day,
            branch.maintenance_day,
        ];
        let names = [
            "before",
            "after_carrier_fix",
            "after_qr",
            "after_maintenance",
        ];
        let first = self.world.plants.len();
        let terminals = self.terminals_of(&[merchant as u32]);
        let mut phases = Vec::new();
        for (step, name) in names.into_iter().enumerate() {
            let span = self.span(bounds[step], bounds.get(step + 1).copied());
            let effect = self.effect(
                span,
                Effect::Branch {
                    attenuation_db: if step < 1 { branch.attenuation_db } else { 0.0 },
                    qr_share: if step < 2 { 0.0 } else { branch.qr_share },
                    multiplier: if step < 3 { branch.multiplier } else { 1.0 },
                },
            );
            self.apply(effect, terminals.clone());
            phases.push(BranchPhase {
                name: name.to_owned(),
                from: span.from,
                to: span.to,
                tally: Tally::default(),
            });
        }
        self.taken.extend(&terminals);
        self.taken_merchants.insert(merchant as u32);
        let place = &self.world.merchants[merchant];
        self.areas.push(Circle {
            lat: place.lat,
            lon: place.lon,
            radius_km: 1.0,
        });
        let carrier = self.world.terminals[place.first_terminal as usize].carrier;
        let truth = Truth::RemoteBranch {
            merchant_id: self.world.merchant_id(merchant as u32),
            terminal_ids: self.ids(&terminals),
            plmn: self.world.carriers[usize::from(carrier)].plmn.clone(),
            phases,
        };
        let whole = self.span(0.0, None);
        self.finish("remote-branch", first..first + names.len(), whole, truth);
    }

    fn dice(&self) -> Dice {
        Dice::new(&[self.world.seed, 0x7247, self.done.len() as u64])
    }

    fn carrier(&self, dice: &mut Dice, plmn: Option<&str>) -> u8 {
        let carriers = &self.world.carriers;
        let named = plmn.and_then(|plmn| carriers.iter().position(|carrier| carrier.plmn == plmn));
        let drawn = dice.weighted(carriers.iter().map(|carrier| carrier.sim_share));
        named.unwrap_or(drawn) as u8
    }

    /// A circle with terminals enough of several merchants, apart from all others; else the fullest tried.
    fn dense_circle(
        &self,
        dice: &mut Dice,
        plant: &'static str,
        radius_km: f64,
        min_terminals: u32,
        concerned: impl Fn(&Terminal) -> bool,
    ) -> Result<Circle, SimError> {
        let mut best: Option<(usize, Circle)> = None;
        for _ in 0..PLACES_TRIED {
            let middle = &self.world.terminals[dice.index(self.world.terminals.len())];
            let circle = Circle {
                lat: middle.lat,
                lon: middle.lon,
                radius_km,
            };
            if !concerned(middle) || self.is_near_another(circle) {
                continue;
            }
            let inside = self.in_circle(circle);
            let inside = self.only(inside, |terminal| concerned(terminal));
            let enough = inside.len() >= min_terminals as usize;
            let too_many = inside.len() > 5 * min_terminals as usize;
            if enough && !too_many {
                return Ok(circle);
            }
            if best.as_ref().is_none_or(|(count, _)| inside.len() > *count) {
                best = Some((inside.len(), circle));
            }
        }
        let found = best
            .filter(|(count, _)| *count > 0)
            .map(|(_, circle)| circle);
        found.ok_or(SimError::NoRoom { plant })
    }

    fn is_near_another(&self, circle: Circle) -> bool {
        self.areas.iter().any(|area| {
            let apart_km = self
                .plane
                .distance_km((circle.lat, circle.lon), (area.lat, area.lon));
            apart_km < circle.radius_km + area.radius_km + GAP_KM
        })
    }

    fn in_circle(&self, circle: Circle) -> Vec<u32> {
        self.terminals(|_, terminal| {
            let place = (terminal.lat, terminal.lon);
            self.plane.distance_km(place, (circle.lat, circle.lon)) <= circle.radius_km
        })
    }

    fn terminals(&self, concerned: impl Fn(&World, &Terminal) -> bool) -> Vec<u32> {
        let all = self.world.terminals.iter().enumerate();
        let concerned = all.filter(|(_, terminal)| concerned(self.world, terminal));
        concerned.map(|(at, _)| at as u32).collect()
    }

    fn only(&self, terminals: Vec<u32>, concerned: impl Fn(&Terminal) -> bool) -> Vec<u32> {
        let mut terminals = terminals;
        terminals.retain(|terminal| concerned(&self.world.terminals[*terminal as usize]));
        terminals
    }

    fn some(&self, plant: &'static str, terminals: &[u32]) -> Result<(), SimError> {
        if terminals.is_empty() {
            return Err(SimError::NoRoom { plant });
        }
        Ok(())
    }

    /// Terminals nothing else is planted at by id, in no planted place, with merchants of their own.
    fn free_terminals(
        &mut self,
        plant: &'static str,
        count: u32,
        suits: impl Fn(&Terminal) -> bool,
    ) -> Result<Vec<u32>, SimError> {
        let mut dice = self.dice();
        let mut chosen = Vec::new();
        for _ in 0..200_000 {
            if chosen.len() == count as usize {
                break;
            }
            let at = dice.index(self.world.terminals.len()) as u32;
            let terminal = &self.world.terminals[at as usize];
            let apart =
                !self.taken.contains(&at) && !self.taken_merchants.contains(&terminal.merchant);
            if apart && suits(terminal) && !self.in_planted_place(terminal) {
                self.taken.insert(at);
                self.taken_merchants.insert(terminal.merchant);
                chosen.push(at);
            }
        }
        if chosen.len() < count as usize {
            return Err(SimError::NoRoom { plant });
        }
        chosen.sort_unstable();
        Ok(chosen)
    }

    fn in_planted_place(&self, terminal: &Terminal) -> bool {
        self.areas.iter().any(|area| {
            let place = (terminal.lat, terminal.lon);
            self.plane.distance_km(place, (area.lat, area.lon)) <= area.radius_km
        })
    }

    fn free_merchants(&mut self, plant: &'static str, count: u32) -> Result<Vec<u32>, SimError> {
        let terminals = self.free_terminals(plant, count, |_| true)?;
        let merchant = |at: &u32| self.world.terminals[*at as usize].merchant;
        Ok(terminals.iter().map(merchant).collect())
    }

    fn terminals_of(&self, merchants: &[u32]) -> Vec<u32> {
        let terminals = merchants.iter().flat_map(|merchant| {
            let merchant = &self.world.merchants[*merchant as usize];
            merchant.first_terminal..merchant.first_terminal + u32::from(merchant.terminals)
        });
        terminals.collect()
    }

    fn refusal(
        &mut self,
        span: Span,
        refusal: Refusal,
        share: f64,
        card_type: Option<String>,
    ) -> usize {
        self.effect(
            span,
            Effect::Refused {
                refusal,
                share,
                card_type,
            },
        )
    }

    fn effect(&mut self, span: Span, effect: Effect) -> usize {
        self.world.plants.push(PlantedEffect {
            from_ms: span.from.timestamp_millis(),
            to_ms: span.to.timestamp_millis(),
            effect,
        });
        self.world.plants.len() - 1
    }

    /// Makes terminals part of an effect and returns how many it took.
    fn apply(&mut self, effect: usize, terminals: Vec<u32>) -> u64 {
        let mut applied = 0;
        for terminal in terminals {
            applied += u64::from(self.world.terminals[terminal as usize].add_plant(effect));
        }
        applied
    }

    fn finish(&mut self, name: &str, effects: Range<usize>, span: Span, truth: Truth) {
        let alike = self
            .done
            .iter()
            .filter(|done| done.planted.id.starts_with(name))
            .count();
        self.done.push(Plantation {
            effects,
            planted: Planted {
                id: format!("{name}-{}", alike + 1),
                from: span.from,
                to: span.to,
                inside: Tally::default(),
                truth,
            },
        });
    }

    fn area(&mut self, circle: Circle, concerned: impl Fn(&Terminal) -> bool) -> Area {
        self.areas.push(circle);
        let inside = self.in_circle(circle);
        let inside = self.only(inside, concerned);
        let merchants: BTreeSet<u32> = inside
            .iter()
            .map(|at| self.world.terminals[*at as usize].merchant)
            .collect();
        let cells: BTreeSet<String> = inside
            .iter()
            .map(|at| cell_r8(&self.world.terminals[*at as usize]))
            .collect();
        Area {
            center_lat: circle.lat,
            center_lon: circle.lon,
            radius_km: circle.radius_km,
            town: self.nearest_town(circle),
            cells: cells.into_iter().collect(),
            terminals: inside.len() as u64,
            merchants: merchants.len() as u64,
        }
    }

    fn nearest_town(&self, circle: Circle) -> String {
        let distance_km = |at: usize| {
            let town = &self.world.towns[at];
            self.plane
                .distance_km((town.lat, town.lon), (circle.lat, circle.lon))
        };
        let nearest = (0..self.world.towns.len())
            .min_by(|one, other| distance_km(*one).total_cmp(&distance_km(*other)));
        nearest.map_or_else(String::new, |at| self.world.towns[at].name.clone())
    }

    fn codes(&self, refusal: Refusal) -> Vec<String> {
        let answers = refusal_answers(refusal, self.world.code_profile);
        answers
            .iter()
            .map(|answer| answer.code.to_owned())
            .collect()
    }

    fn ids(&self, terminals: &[u32]) -> Vec<String> {
        terminals
            .iter()
            .map(|terminal| self.world.terminal_id(*terminal))
            .collect()
    }

    fn merchant_ids(&self, merchants: &[u32]) -> Vec<String> {
        merchants
            .iter()
            .map(|merchant| self.world.merchant_id(*merchant))
            .collect()
    }

    fn span(&self, from_day: f64, to_day: Option<f64>) -> Span {
        let end = self.scenario.end();
        Span {
            from: self.day(from_day),
            to: to_day.map_or(end, |day| self.day(day).min(end)),
        }
    }

    fn lasting(&self, day: f64, duration_min: f64) -> Span {
        let from = self.day(day);
        let lasting = TimeDelta::milliseconds((duration_min * 60_000.0) as i64);
        Span {
            from,
            to: (from + lasting).min(self.scenario.end()),
        }
    }

    fn day(&self, day: f64) -> DateTime<Utc> {
        self.scenario.start() + TimeDelta::milliseconds((day * 86_400_000.0) as i64)
    }
}

fn is_cellular(terminal: &Terminal) -> bool {
    terminal.access == Access::Cellular
}

fn cell_r8(terminal: &Terminal) -> String {
    let place = LatLng::new(terminal.lat, terminal.lon).expect("terminals stand on the globe");
    place.to_cell(ANALYSIS_RESOLUTION).to_string()
}
