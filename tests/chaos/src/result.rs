//! What a world came to: the same, however it got there.

use std::collections::{BTreeMap, BTreeSet};

use quittance_core::id::{LeafId, RequestId};
use quittance_core::outcome::ResidualKind;
use quittance_engine::ledger::Item;

use crate::world::World;

impl World {
    /// Draws what must be the same however the world got there: customers' data, what each request
    /// came to, what each task counted, what the receipt says of each store, which mails the person
    /// got, and how many identifiers are suppressed.
    pub fn result(&self) -> BTreeMap<String, String> {
        let mut result = BTreeMap::new();
        for ((store, key), row) in self.stores.everything() {
            result.insert(format!("row {store} {key}"), format!("{row:?}"));
        }
        for ((store, key), object) in self.records.everything() {
            result.insert(
                format!("object {store} {key}"),
                format!("{:?}", object.rows),
            );
        }
        for ask in Self::asks() {
            let Some(request) = self.request_of(ask) else {
                continue;
            };
            let name = format!("{} {}", ask.person, ask.right);
            result.insert(format!("request {name}"), format!("{:?}", request.stage));
            result.insert(format!("receipt {name}"), self.told(request.id));
            let mails = self.mailer.to(&Self::email(ask.person)).into_iter();
            let kinds: BTreeSet<String> = mails
                .filter_map(|mail| {
                    let kind = mail.id.strip_prefix(&format!("{}.", request.id))?;
                    // Codes are asked for as often as they get lost; answers name a state of keyed hashes.
                    (!kind.starts_with("code-")).then(|| kind.chars().take(16).collect())
                })
                .collect();
            result.insert(format!("mails {name}"), format!("{kinds:?}"));
            for task in self.tasks(request.id) {
                let outcome = &task.outcome;
                let counts = [
                    outcome.matched,
                    outcome.deleted,
                    outcome.redacted,
                    outcome.exported,
                    outcome.flagged,
                    outcome.exempt.as_ref().map_or(0, |exempt| exempt.count),
                    outcome.evidence_count,
                ];
                let left: Vec<ResidualKind> =
                    outcome.residuals.iter().map(|(what, _)| what).collect();
                let names = outcome.pseudonymised;
                let line = format!("{:?} {counts:?} {names} {left:?}", task.stage);
                result.insert(format!("task {name} {}", task.store), line);
            }
        }
        for batch in self.requests() {
            let Some(members) = batch.members() else {
                continue;
            };
            let name = format!("batch {}", batch.right);
            let line = format!("{:?} {members:?}", batch.stage);
            result.insert(name.clone(), line);
            result.insert(format!("receipt {name}"), self.told(batch.id));
        }
        let items = self.ledger.everything().into_iter();
        let suppressed = items.filter(|stored| matches!(stored.item, Item::Suppression(_)));
        result.insert("suppressed".to_owned(), suppressed.count().to_string());
        result
    }

    /// What the sealed outcome says of each store, without dates and keyed hashes.
    /// Returns the statement of what became of a request.
    ///
    /// # Panics
    /// When there is none.
    pub fn outcome_statement(&self, id: RequestId) -> Vec<u8> {
        self.statement_of(id).expect("an outcome")
    }

    fn statement_of(&self, id: RequestId) -> Option<Vec<u8>> {
        let leaf = self.ledger.everything().into_iter().find_map(|stored| {
            if let Item::Leaf(leaf) = stored.item {
                (leaf.id == LeafId::Outcome(id)).then_some(leaf)
            } else {
                None
            }
        });
        let path = quittance_engine::sequencer::paths::statement(&leaf?.statement);
        let bytes = self.evidence.everything().remove(&path);
        Some(bytes.expect("a statement"))
    }

    fn told(&self, id: RequestId) -> String {
        let Some(bytes) = self.statement_of(id) else {
            return "nothing".to_owned();
        };
        let mut statement: serde_json::Value =
            serde_json::from_slice(&bytes).expect("a statement is JSON");
        let mut stores = statement["predicate"]["stores"].take();
        for store in stores.as_array_mut().into_iter().flatten() {
            if let Some(store) = store.as_object_mut() {
                store.remove("evidence_root");
                for copy in store["residuals"].as_array_mut().into_iter().flatten() {
                    // A later look back, a later end.
                    copy.as_object_mut().map(|copy| copy.remove("until"));
                }
                if let Some(attested) = store.get_mut("attested") {
                    *attested = true.into();
                }
                for exempt in store["exempt"].as_array_mut().into_iter().flatten() {
                    if let Some(until) = exempt["until"].as_str() {
                        // A period counts from the acceptance, which is some minutes sooner or later.
                        exempt["until"] = until.split('T').next().into();
                    }
                }
                if let Some(check) = store
                    .get_mut("check")
                    .and_then(|check| check.as_object_mut())
                {
                    check.retain(|name, _| name != "at" && name != "as_of");
                }
            }
        }
        stores.to_string()
    }
}
