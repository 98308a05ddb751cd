//! Taking in a batch: a list of subjects that staff hand in, and whose identity they vouch for.
//!
//! Each line becomes a request of its own, as a draft; then the whole list is accepted in one commit.
//! Ids and secrets are derived from the list's own, so that a list that was handed in half-way and
//! is handed in again goes on where it stopped. Drafts of a list that never was accepted are
//! forgotten with it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use quittance_core::digest::{Digest, HmacKey, Tag};
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_core::regime::Regime;
use quittance_core::request::{
    Batch, Happening, MAX_MEMBERS, Member, Members, Place, Request, Right, Stage,
};
use quittance_core::subject::{IdentifierKind, Identifiers};
use quittance_tlog::hash;

use super::parse::{FieldError, Form, not_to_choose, wrong};
use super::{CONFLICTS, Intake, IntakeError, Known, Submitted, first_half};
use crate::ledger::{ClientToken, Item, Key, ReferenceEntry, Write};
use crate::papers::{Papers, to_json};
use crate::reading;

/// A list of subjects as it was read from a file; nothing in it is believed yet.
#[derive(Clone)]
pub struct List {
    /// `deletion` or `opt_out`: copies go to each person, who asks for them.
    pub right: String,
    /// The law, by id.
    pub regime: Option<String>,
    /// The same token makes one batch, however often the list is handed in.
    pub client_token: String,
    /// The subjects.
    pub members: Vec<Listed>,
}

/// One subject in a list.
#[derive(Clone)]
pub struct Listed {
    /// The line it stood on, from 1.
    pub line: u64,
    /// What whoever made the list calls this entry; comes back with its outcome.
    pub label: Option<String>,
    /// Identifiers by kind, as they stood there.
    pub identifiers: BTreeMap<String, String>,
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List")
            .field("right", &self.right)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listed")
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// A list that can be a batch.
#[derive(Debug)]
struct Checked {
    right: Right,
    regime: String,
    members: Vec<(Option<String>, Identifiers)>,
}

impl Intake {
    /// Says what would have to be corrected in a list, and how many subjects it has.
    ///
    /// # Errors
    /// [`IntakeError::Invalid`] names every line to correct.
    pub fn check_list(&self, list: &List) -> Result<usize, IntakeError> {
        let checked = self.checked(list, self.clock.now())?;
        Ok(checked.members.len())
    }

    /// Takes a list in: one request for all of them, accepted at once. The same token with the same
    /// list gives the same answer, and finishes what was left unfinished.
    ///
    /// # Errors
    /// [`IntakeError::Invalid`] names every line to correct, and nothing is taken in;
    /// [`IntakeError::TokenReused`].
    pub async fn submit_list(&self, list: &List) -> Result<Submitted, IntakeError> {
        let now = self.clock.now();
        let checked = self.checked(list, now)?;
        let name = list.client_token.as_bytes();
        let token = self.key.tag("dsr-batch-token/v1", &[name]);
        let body = self.key.tag("dsr-batch-body/v1", &[&canonical(&checked)]);
        for _ in 0..CONFLICTS {
            match self.try_list(list, &checked, token, body).await {
                // Somebody handed in the same list at the same moment: theirs counts.
                Err(IntakeError::Fault(Fault::Conflict)) => {}
                done => return done,
            }
        }
        Err(Fault::retry("intake: a list kept changing").into())
    }

    async fn try_list(
        &self,
        list: &List,
        checked: &Checked,
        token: Tag,
        body: Tag,
    ) -> Result<Submitted, IntakeError> {
        let id = match self.known(token, body).await? {
            Known::Request(id) => id,
            Known::Nothing => self.begin_list(list, checked, token, body).await?,
            Known::Stale(old) => {
                let forget = Write::Delete(Key::Token(token), old);
                self.ledger.commit(&[forget]).await?;
                return Err(Fault::Conflict.into());
            }
        };
        let (batch, version) = self.load(id).await?;
        let form = self.form_of(list, checked, Identifiers::default());
        if batch.stage != Stage::Draft {
            self.announce(&batch).await;
            return Ok(self.submitted(&batch, &form));
        }
        stream::iter((0..).zip(&checked.members))
            .map(|(n, member)| self.enlist(list, checked, &batch, n, member))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let how = Happening::Listed(count(checked));
        let batch = self.accept(batch, version, how).await?;
        Ok(self.submitted(&batch, &form))
    }

    /// Commits the batch as a draft: from there on it exists, and waits for its members.
    async fn begin_list(
        &self,
        list: &List,
        checked: &Checked,
        token: Tag,
        body: Tag,
    ) -> Result<RequestId, Fault> {
        let now = self.clock.now();
        let [id, subject_key, evidence_key] = [(); 3].map(|()| self.clock.random());
        let id = RequestId::new(first_half(id));
        let papers = Papers {
            v: 1,
            identifiers: Identifiers::default(),
            mail_to: None,
            label: None,
            subject_key: HmacKey::new(subject_key),
            evidence_key: HmacKey::new(evidence_key),
        };
        self.deposit.deposit(id, &to_json(&papers)?).await?;
        let form = self.form_of(list, checked, Identifiers::default());
        let mut batch = form.request(id, &papers, (&self.keys, &self.key), now);
        // Whom the batch is about: the root over its members' own commitments, in order.
        let members = (0..).zip(&checked.members);
        let leaves: Vec<hash::Hash> = members
            .map(|(n, (label, identifiers))| {
                let (member, papers) = self.member(id, n, label.clone(), identifiers.clone());
                let form = self.form_of(list, checked, identifiers.clone());
                let request = form.request(member, &papers, (&self.keys, &self.key), now);
                hash::leaf_hash(request.commitment.as_bytes())
            })
            .collect();
        let root = Digest::new(*hash::tree_root(&leaves).as_bytes());
        batch.commitment = Tag::from(root);
        batch.batch = Some(Batch::Whole(Members::new(count(checked))));
        self.ledger
            .commit(&[
                Write::Create(Item::Token(ClientToken {
                    token,
                    request: id,
                    body,
                    expires_at: Form::token_life(now),
                })),
                Write::Create(Item::Reference(ReferenceEntry {
                    reference: id.reference(),
                    request: id,
                })),
                Write::Create(Item::Request(batch)),
            ])
            .await?;
        Ok(id)
    }

    /// Puts one member's draft, unless it is there.
    async fn enlist(
        &self,
        list: &List,
        checked: &Checked,
        batch: &Request,
        n: u32,
        (label, identifiers): &(Option<String>, Identifiers),
    ) -> Result<(), Fault> {
        let (id, papers) = self.member(batch.id, n, label.clone(), identifiers.clone());
        if reading::request(&*self.ledger, id).await?.is_some() {
            return Ok(());
        }
        self.deposit.deposit(id, &to_json(&papers)?).await?;
        let form = self.form_of(list, checked, identifiers.clone());
        let place = Place { batch: batch.id, n };
        let request = Request {
            // In law it came when the list did.
            submitted_at: batch.submitted_at,
            wake_at: batch.wake_at,
            batch: Some(Batch::Member(place)),
            ..form.request(id, &papers, (&self.keys, &self.key), batch.submitted_at)
        };
        let writes = [
            Write::Create(Item::Reference(ReferenceEntry {
                reference: id.reference(),
                request: id,
            })),
            Write::Create(Item::Request(request)),
            Write::Create(Item::Member(Member {
                place,
                request: id,
                outcome: None,
            })),
        ];
        match self.ledger.commit(&writes).await {
            // Somebody else put the same draft.
            Ok(()) | Err(Fault::Conflict) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Derives a member's id and secrets from its place in the list.
    fn member(
        &self,
        batch: RequestId,
        n: u32,
        label: Option<String>,
        identifiers: Identifiers,
    ) -> (RequestId, Papers) {
        let (batch, n) = (batch.to_string(), n.to_string());
        let derive = |what: &str| {
            let parts = [batch.as_bytes(), n.as_bytes(), what.as_bytes()];
            *self.key.tag("dsr-batch-member/v1", &parts).as_bytes()
        };
        let papers = Papers {
            v: 1,
            identifiers,
            mail_to: None,
            label,
            subject_key: HmacKey::new(derive("subject")),
            evidence_key: HmacKey::new(derive("evidence")),
        };
        (RequestId::new(first_half(derive("id"))), papers)
    }

    fn checked(&self, list: &List, now: Timestamp) -> Result<Checked, IntakeError> {
        let mut errors = Vec::new();
        let right = Right::parse(&list.right).filter(|right| *right != Right::Access);
        if right.is_none() {
            let advice = "choose deletion or opt_out: a copy goes to its person, who asks for it";
            errors.push(wrong("right", advice));
        }
        let regime = list.regime.as_deref().unwrap_or(&self.default_regime);
        if let Some(right) = right
            && let Some(why) = not_to_choose(regime, right, now)
        {
            let choices = Regime::choices(right, now).join(", ");
            errors.push(wrong(
                "regime",
                format!("{why}; for this right choose one of: {choices}"),
            ));
        }
        if list.members.is_empty() {
            errors.push(wrong("list", "name at least one subject"));
        }
        if list.members.len() > MAX_MEMBERS {
            errors.push(wrong(
                "list",
                format!("split it: a batch has at most {MAX_MEMBERS} members"),
            ));
        }
        if self.map.stores.len() > MAX_STORES {
            errors.push(wrong(
                "list",
                format!("batches serve data maps of at most {MAX_STORES} stores"),
            ));
        }
        let mut members = Vec::with_capacity(list.members.len());
        let mut seen: BTreeMap<Identifiers, u64> = BTreeMap::new();
        let mut labels = BTreeSet::new();
        for listed in &list.members {
            let Some(identifiers) = self.identified(listed, &mut errors) else {
                continue;
            };
            if let Some(first) = seen.insert(identifiers.clone(), listed.line) {
                errors.push(at(
                    listed,
                    "",
                    format!("the same subject stands on line {first}"),
                ));
            }
            if let Some(label) = &listed.label {
                if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
                    errors.push(at(
                        listed,
                        "id",
                        format!("use at most {MAX_LABEL} printable characters"),
                    ));
                } else if !labels.insert(label.clone()) {
                    errors.push(at(listed, "id", "another line has the same id"));
                }
            }
            members.push((listed.label.clone(), identifiers));
        }
        match right {
            Some(right) if errors.is_empty() => Ok(Checked {
                right,
                regime: regime.to_owned(),
                members,
            }),
            Some(_) | None => Err(IntakeError::Invalid(errors)),
        }
    }

    fn form_of(&self, list: &List, checked: &Checked, identifiers: Identifiers) -> Form {
        Form {
            right: checked.right,
            identifiers,
            mail_to: None,
            client_token: list.client_token.clone(),
            regime: checked.regime.clone(),
            time_zone: self.map.controller.time_zone.clone(),
            locale: "en".to_owned(),
        }
    }

    fn identified(&self, listed: &Listed, errors: &mut Vec<FieldError>) -> Option<Identifiers> {
        let mut found = Identifiers::default();
        let before = errors.len();
        for (name, text) in &listed.identifiers {
            let kind = IdentifierKind::parse(name);
            let rule = kind.and_then(|kind| {
                let rule = self.map.identifiers.get(&kind)?;
                Some((kind, rule))
            });
            let Some((kind, rule)) = rule else {
                let kinds: Vec<String> = self
                    .map
                    .identifiers
                    .keys()
                    .map(ToString::to_string)
                    .collect();
                let known = kinds.join(", ");
                errors.push(at(listed, name, format!("the data map knows: {known}")));
                continue;
            };
            match rule.normalise(text) {
                Ok(value) => {
                    found.insert(kind, value);
                }
                Err(error) => errors.push(at(listed, name, error.to_string())),
            }
        }
        if found.is_empty() && errors.len() == before {
            errors.push(at(listed, "", "give at least one identifier"));
        }
        (errors.len() == before).then_some(found)
    }
}

/// What is wrong on a line; never repeats what stands there.
fn at(listed: &Listed, name: &str, message: impl Into<String>) -> FieldError {
    let name = super::parse::printable(name);
    let line = listed.line;
    let field = if name.is_empty() {
        format!("line {line}")
    } else {
        format!("line {line}, {name}")
    };
    wrong(field, message)
}

/// What the token stands for: the same batch whatever the spelling of the file.
fn canonical(checked: &Checked) -> Vec<u8> {
    let mut body = format!("{}\0{}", checked.right, checked.regime).into_bytes();
    for (label, identifiers) in &checked.members {
        body.push(1);
        body.extend_from_slice(label.as_deref().unwrap_or_default().as_bytes());
        for (kind, value) in identifiers.iter() {
            body.push(0);
            body.extend_from_slice(kind.as_str().as_bytes());
            body.push(0);
            body.extend_from_slice(value.expose().as_bytes());
        }
    }
    body
}

fn count(checked: &Checked) -> u32 {
    u32::try_from(checked.members.len()).unwrap_or(u32::MAX)
}

/// How many members are put at once.
const AT_ONCE: usize = 16;
const MAX_LABEL: usize = 128;
/// The sums over all stores and the batch change in one commit, which takes 100 writes.
const MAX_STORES: usize = 90;
