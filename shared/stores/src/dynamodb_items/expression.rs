//! Expressions by placeholder: names and values are always bound, never written into the text.
//!
//! That makes reserved words harmless and keeps data out of what DynamoDB parses.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;

use super::path::Step;
use super::value::Attributes;

/// The names and values that one request's expressions refer to.
#[derive(Default)]
pub(super) struct Bindings {
    names: HashMap<String, String>,
    values: Attributes,
}

impl Bindings {
    /// Binds an attribute's name and returns its placeholder.
    pub(super) fn name(&mut self, name: &str) -> String {
        let bound = self.names.iter().find(|(_, bound)| *bound == name);
        if let Some((placeholder, _)) = bound {
            return placeholder.clone();
        }
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    /// Binds every name of a place and returns the place's text.
    pub(super) fn place(&mut self, steps: &[Step]) -> String {
        let mut text = String::new();
        for step in steps {
            match step {
                Step::Name(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(&self.name(name));
                }
                Step::Index(index) => {
                    // Writing to a String cannot fail.
                    let _ok = write!(text, "[{index}]").is_ok();
                }
            }
        }
        text
    }

    /// Binds a value and returns its placeholder.
    pub(super) fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Returns names and values; none where there are none, because DynamoDB refuses empty ones.
    pub(super) fn finish(self) -> (Option<HashMap<String, String>>, Option<Attributes>) {
        (
            (!self.names.is_empty()).then_some(self.names),
            (!self.values.is_empty()).then_some(self.values),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_reach_the_text_and_are_bound_once() {
        let mut bindings = Bindings::default();
        let place = [
            Step::Name("date".to_owned()),
            Step::Index(2),
            Step::Name("a.b".to_owned()),
        ];
        assert_eq!(bindings.place(&place), "#n0[2].#n1");
        assert_eq!(bindings.name("date"), "#n0");
        assert_eq!(bindings.value(AttributeValue::Bool(true)), ":v0");
        let (names, values) = bindings.finish();
        assert_eq!(names.unwrap().len(), 2);
        assert_eq!(values.unwrap().len(), 1);
        assert!(Bindings::default().finish().0.is_none());
    }
}
