//! From a form to types, or to the list of fields to correct.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use quittance_core::calendar::Zone;
use quittance_core::data_map::DataMap;
use quittance_core::digest::{HmacKey, Tag};
use quittance_core::id::RequestId;
use quittance_core::regime::{NoRegime, Regime};
use quittance_core::request::{Request, Right, Stage};
use quittance_core::subject::{IdentifierKind, Identifiers, Normalise, commitment, subject_tag};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::DRAFT_LIFE;
use crate::keys::TagKeys;
use crate::papers::Papers;
use crate::secrets;

/// A form as it arrives; nothing in it is believed yet.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// `access`, `deletion` or `opt_out`.
    pub right: String,
    /// Identifiers by kind, as typed.
    #[serde(default, deserialize_with = "each_once")]
    pub identifiers: BTreeMap<String, String>,
    /// A random token the form carries: the same token makes one request.
    #[serde(default)]
    pub client_token: String,
    /// The law, by id.
    #[serde(default)]
    pub regime: Option<String>,
    /// The person's language, a BCP 47 tag.
    #[serde(default)]
    pub locale: Option<String>,
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission")
            .field("right", &self.right)
            .finish_non_exhaustive()
    }
}

/// Reads a map whose keys must differ: of two values under one name, nobody knows which was meant.
fn each_once<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct EachOnce;

    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("identifiers by kind, each kind once")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some((kind, value)) = map.next_entry()? {
                if found.insert(kind, value).is_some() {
                    return Err(A::Error::custom("an identifier stands twice"));
                }
            }
            Ok(found)
        }
    }

    from.deserialize_map(EachOnce)
}

/// One field to correct. Never repeats what was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field, as in `identifiers.email`.
    pub field: String,
    /// What to do.
    pub message: String,
}

/// A form that can be a request.
pub(super) struct Form {
    pub(super) right: Right,
    pub(super) identifiers: Identifiers,
    pub(super) mail_to: Option<String>,
    pub(super) client_token: String,
    pub(super) regime: String,
    pub(super) time_zone: Option<Zone>,
    pub(super) locale: String,
}

impl Form {
    pub(super) fn parse(
        submission: &Submission,
        map: &DataMap,
        default_regime: &str,
        now: Timestamp,
    ) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let right = Right::parse(&submission.right);
        if right.is_none() {
            let rights = Right::ALL.map(Right::name).join(", ");
            errors.push(wrong("right", format!("choose one of: {rights}")));
        }
        let token = &submission.client_token;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !(16..=128).contains(&token.len()) || !token.chars().all(plain) {
            errors.push(wrong(
                "client_token",
                "send 16 to 128 random letters, digits, - or _; the same ones if you send the form again",
            ));
        }
        let locale = submission.locale.as_deref().unwrap_or("en");
        if locale.is_empty() || locale.len() > 35 || !locale.chars().all(plain) {
            errors.push(wrong("locale", "use a language tag such as en or pt-BR"));
        }
        let regime = submission.regime.as_deref().unwrap_or(default_regime);
        if let Some(right) = right
            && let Some(why) = not_to_choose(regime, right, now)
        {
            let choices = Regime::choices(right, now).join(", ");
            let message = format!("{why}; for this right choose one of: {choices}");
            errors.push(wrong("regime", message));
        }
        let (identifiers, mail_to) = identifiers(submission, right, map, &mut errors);
        match right {
            Some(right) if errors.is_empty() => Ok(Self {
                right,
                identifiers,
                mail_to,
                client_token: token.clone(),
                regime: regime.to_owned(),
                time_zone: map.controller.time_zone.clone(),
                locale: locale.to_owned(),
            }),
            Some(_) | None => Err(errors),
        }
    }

    /// What the token stands for: the same request whatever the spelling of the form.
    pub(super) fn canonical_body(&self) -> Vec<u8> {
        let mut body = format!("{}\0{}\0{}", self.right, self.regime, self.locale).into_bytes();
        for (kind, value) in self.identifiers.iter() {
            body.push(0);
            body.extend_from_slice(kind.as_str().as_bytes());
            body.push(0);
            body.extend_from_slice(value.expose().as_bytes());
        }
        body
    }

    /// How long a token is remembered: longer than any client repeats itself.
    pub(super) fn token_life(now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_hours(24 * 30))
            .unwrap_or(Timestamp::MAX)
    }

    /// Builds the draft.
    pub(super) fn request(
        &self,
        id: RequestId,
        papers: &Papers,
        (keys, key): (&TagKeys, &HmacKey),
        now: Timestamp,
    ) -> Request {
        let token = secrets::status_token(key, id, &self.client_token);
        let mut tags: Vec<Tag> = self
            .identifiers
            .iter()
            .map(|(kind, value)| subject_tag(&keys.subject, kind, value))
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let first = self.identifiers.iter().next();
        let commitment = first.map_or_else(
            // An opt-out may come without any identifier: then the receipt commits to nobody.
            || papers.subject_key.tag("dsr-subject/v1", &[b"nobody"]),
            |(kind, value)| commitment(&papers.subject_key, kind, value),
        );
        Request {
            id,
            right: self.right,
            stage: Stage::Draft,
            regime: self.regime.clone(),
            time_zone: self.time_zone.clone(),
            locale: self.locale.clone(),
            submitted_at: now,
            accepted_at: None,
            verified_at: None,
            due_at: None,
            extended_to: None,
            paused_at: None,
            first_effect_at: None,
            responded_at: None,
            answer: None,
            closed_at: None,
            challenge: None,
            codes_sent: 0,
            status_token: secrets::status_tag(key, &token),
            mailbox: self
                .mail_to
                .as_deref()
                .map(|address| secrets::mailbox_tag(key, address)),
            commitment,
            subject_tags: tags,
            plan: None,
            hold: None,
            gate: None,
            ending: None,
            partial_at: None,
            events: 0,
            amendments: 0,
            wake_at: Some(now.saturating_add(DRAFT_LIFE).unwrap_or(Timestamp::MAX)),
            purged_at: None,
            attempts: 0,
            block: None,
            reminded: None,
            batch: None,
        }
    }
}

/// Why a form cannot choose a law. What was typed is not repeated: the form is a stranger's.
pub(super) fn not_to_choose(law: &str, right: Right, now: Timestamp) -> Option<&'static str> {
    match Regime::find(law, right, now) {
        Ok(regime) if regime.confidence.is_verified() => None,
        Ok(_) => {
            Some("nobody has confirmed the times of this law: write to support to have it applied")
        }
        Err(NoRegime::UnknownLaw(_)) => Some("this law is not known"),
        Err(NoRegime::OtherRights(_)) => Some("this law sets no time for this right"),
        Err(NoRegime::NotInForce { .. }) => Some("this law does not apply today"),
    }
}

/// The address to mail to when somebody who comes back types one that is the request's own: its
/// normalised text, which is the one that was proven.
pub(super) fn own_address(
    request: &Request,
    typed: &str,
    map: &DataMap,
    key: &HmacKey,
) -> Option<String> {
    let own = request.mailbox?;
    map.provable_kinds().into_iter().find_map(|kind| {
        let value = map.identifiers.get(&kind)?.normalise(typed).ok()?;
        secrets::same(&own, &secrets::mailbox_tag(key, value.expose()))
            .then(|| value.expose().to_owned())
    })
}

fn identifiers(
    submission: &Submission,
    right: Option<Right>,
    map: &DataMap,
    errors: &mut Vec<FieldError>,
) -> (Identifiers, Option<String>) {
    let provable = map.provable_kinds();
    let needs_proof = right.is_none_or(Right::needs_proof);
    let mut found = Identifiers::default();
    let mut mail_to = None;
    for (name, typed) in &submission.identifiers {
        let field = format!("identifiers.{}", printable(name));
        let kind = IdentifierKind::parse(name);
        let Some((kind, rule)) = kind.and_then(|kind| {
            map.identifiers
                .get(&kind)
                .filter(|rule| rule.asked)
                .map(|rule| (kind.clone(), rule))
        }) else {
            let asked: Vec<String> = map.asked_kinds().iter().map(ToString::to_string).collect();
            errors.push(wrong(field, format!("give one of: {}", asked.join(", "))));
            continue;
        };
        if needs_proof && !provable.contains(&kind) {
            // What nobody proved must not decide whose data is shown or deleted.
            errors.push(wrong(
                field,
                "leave this out: it cannot be confirmed by a code",
            ));
            continue;
        }
        match rule.normalise(typed) {
            Ok(value) => {
                if rule.normalise == Normalise::Email {
                    // What is mailed is what is looked up: a code proves exactly that mailbox.
                    mail_to = Some(value.expose().to_owned());
                }
                found.insert(kind, value);
            }
            Err(error) => errors.push(wrong(field, error.to_string())),
        }
    }
    if needs_proof && found.len() > 1 {
        // One code proves one mailbox; nobody is asked about the other one.
        errors.push(wrong(
            "identifiers",
            "give one address only: send one request per mailbox",
        ));
    }
    if needs_proof && mail_to.is_none() && errors.is_empty() {
        let kinds: Vec<String> = provable.iter().map(ToString::to_string).collect();
        errors.push(wrong(
            "identifiers",
            format!("give {} so that we can send a code", kinds.join(" or ")),
        ));
    }
    if !needs_proof && found.is_empty() && errors.is_empty() {
        let asked: Vec<String> = map.asked_kinds().iter().map(ToString::to_string).collect();
        errors.push(wrong(
            "identifiers",
            format!("give at least one of: {}", asked.join(", ")),
        ));
    }
    (found, mail_to)
}

pub(super) fn wrong(field: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError {
        field: field.into(),
        message: message.into(),
    }
}

/// A field's name as it may be repeated in an answer.
pub(super) fn printable(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_confirmed_laws_in_force_can_be_chosen() {
        let now: Timestamp = "2025-12-01T12:00:00Z".parse().unwrap();
        for (law, right, why) in [
            ("eu_gdpr", Right::Access, None),
            ("us_tn_tipa", Right::OptOut, None),
            ("atlantis", Right::Access, Some("this law is not known")),
            (
                "hk_pdpo",
                Right::Deletion,
                Some("this law sets no time for this right"),
            ),
            (
                "us_ky_kcdpa",
                Right::Access,
                Some("this law does not apply today"),
            ),
            (
                "mx_lfpdppp",
                Right::Access,
                Some(
                    "nobody has confirmed the times of this law: write to support to have it \
                     applied",
                ),
            ),
        ] {
            assert_eq!(not_to_choose(law, right, now), why, "{law}");
        }
    }
}
