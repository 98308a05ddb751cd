//! The deployment's template: what must hold of it, over `infra/translated.json`, so that no Python is needed.
//!
//! That this file is what `infra/template.yaml` says is checked by `infra/check`. Every rule runs over the
//! template, and over the template with a fault planted in it, which it must find.

mod calls;
mod functions;
mod roles;
mod settings;
mod state;
mod witness;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tree::{Finding, Tree, require_none};

/// The translated template.
#[derive(Clone, Debug)]
pub(crate) struct Template(Value);

/// One function and what runs it: the name of its folder, and of its resource.
pub(crate) const FUNCTIONS: [(&str, &str); 8] = [
    ("access", "Access"),
    ("clock", "Clock"),
    ("deletion", "Deletion"),
    ("download", "Download"),
    ("intake", "Intake"),
    ("opt-out", "OptOut"),
    ("published", "Published"),
    ("receipts", "Receipts"),
];

impl Template {
    pub(crate) fn read() -> Self {
        Self::at("infra/translated.json")
    }

    /// The template for an auditor's account.
    fn witness() -> Self {
        Self::at("infra/witness.json")
    }

    fn at(path: &str) -> Self {
        let text = &Tree::read().texts[path];
        Self(serde_json::from_str(text).unwrap())
    }

    /// Returns the template with another value at a place below `Resources`, as a JSON pointer; `null`
    /// takes the place away.
    fn planted(mut self, place: &str, value: Value) -> Self {
        let (parent, name) = place.rsplit_once('/').unwrap();
        let parent = self.0.pointer_mut(&format!("/Resources/{parent}"));
        let parent = parent.unwrap_or_else(|| panic!("nothing is at {place}"));
        match (parent, value) {
            (Value::Object(object), Value::Null) => {
                assert!(object.remove(name).is_some(), "nothing is at {place}");
            }
            (Value::Object(object), value) => {
                object.insert(name.to_owned(), value);
            }
            (Value::Array(list), value) if name == "-" => list.push(value),
            (Value::Array(list), value) => list[name.parse::<usize>().unwrap()] = value,
            (other, _) => panic!("{place}: {other}"),
        }
        self
    }

    /// Lists the resources of a type.
    fn of(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.0["Resources"].as_object().unwrap().iter();
        resources
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), resource))
            .collect()
    }

    /// Returns a resource's properties.
    fn properties(&self, name: &str) -> &Value {
        &self.0["Resources"][name]["Properties"]
    }
}

/// One rule, and where to plant what it must find.
struct Rule {
    says: &'static str,
    finds: fn(&Template) -> Vec<Finding>,
    faults: Vec<(&'static str, Value)>,
}

fn rules() -> Vec<Rule> {
    let mut rules = state::rules();
    rules.extend(functions::rules());
    rules.extend(roles::rules());
    rules
}

#[test]
fn every_rule_holds() {
    let template = Template::read();
    for rule in rules() {
        require_none(rule.says, &(rule.finds)(&template));
    }
}

#[test]
fn every_rule_finds_what_is_planted() {
    for rule in rules() {
        assert!(!rule.faults.is_empty(), "{}: nothing is planted", rule.says);
        for (place, value) in rule.faults {
            let planted = Template::read().planted(place, value);
            let findings = (rule.finds)(&planted);
            assert!(!findings.is_empty(), "{}: not found at {place}", rule.says);
        }
    }
}

/// Writes a value with references as one text: `<Vault>`, `<Vault.Arn>/papers/*`.
pub(crate) fn text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(name) = value.get("Ref").and_then(Value::as_str) {
        return format!("<{name}>");
    }
    // In YAML it may be one text, translated it is a list.
    if let Some(parts) = value["Fn::GetAtt"].as_array() {
        let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
        return format!("<{}>", parts.join("."));
    }
    if let Some(text) = value["Fn::Sub"].as_str() {
        return text.replace("${", "<").replace('}', ">");
    }
    value.to_string()
}

/// A value or a list of them, as texts.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    if let Some(list) = value.as_array() {
        return list.iter().map(text).collect();
    }
    if value.is_null() {
        Vec::new()
    } else {
        vec![text(value)]
    }
}

/// The name inside a reference.
fn name(reference: &Value) -> String {
    let text = text(reference);
    let inside = text.trim_start_matches('<').trim_end_matches('>');
    inside.split('.').next().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
