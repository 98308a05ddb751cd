//! Paths into an item: the data map's, and the places they lead to in one item.
//!
//! A [`Segment::Each`] leads to every element of a list; a place names one. A set is reached whole.

use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::data_map::Segment;

use super::value::Attributes;

/// One step of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// An attribute, or a map's entry.
    Name(String),
    /// A list's element.
    Index(usize),
}

/// Lists the places that a path leads to in an item.
pub(super) fn places(item: &Attributes, path: &[Segment]) -> Vec<Vec<Step>> {
    let Some((Segment::Name(name), rest)) = path.split_first() else {
        return Vec::new();
    };
    let Some(value) = item.get(name) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    descend(value, rest, vec![Step::Name(name.clone())], &mut found);
    found
}

fn descend(value: &AttributeValue, path: &[Segment], place: Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let Some((segment, rest)) = path.split_first() else {
        found.push(place);
        return;
    };
    match (value, segment) {
        (AttributeValue::M(values), Segment::Name(name)) => {
            if let Some(value) = values.get(name) {
                descend(value, rest, joined(&place, Step::Name(name.clone())), found);
            }
        }
        (AttributeValue::L(values), Segment::Each) => {
            for (index, value) in values.iter().enumerate() {
                descend(value, rest, joined(&place, Step::Index(index)), found);
            }
        }
        (AttributeValue::L(values), Segment::At(index)) => {
            if let Some(value) = values.get(*index) {
                descend(value, rest, joined(&place, Step::Index(*index)), found);
            }
        }
        (AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_), Segment::Each)
            if rest.is_empty() =>
        {
            found.push(place);
        }
        _ => {}
    }
}

/// Returns a place with one more step.
pub(super) fn joined(place: &[Step], step: Step) -> Vec<Step> {
    let mut place = place.to_vec();
    place.push(step);
    place
}

/// Whether changing what stands at one place changes what stands at the other.
pub(super) fn overlap(one: &[Step], other: &[Step]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Returns what stands at a place.
pub(super) fn look<'a>(item: &'a Attributes, place: &[Step]) -> Option<&'a AttributeValue> {
    let (Step::Name(name), rest) = place.split_first()? else {
        return None;
    };
    follow(item.get(name)?, rest)
}

fn follow<'a>(value: &'a AttributeValue, steps: &[Step]) -> Option<&'a AttributeValue> {
    steps
        .iter()
        .try_fold(value, |value, step| match (value, step) {
            (AttributeValue::M(values), Step::Name(name)) => values.get(name),
            (AttributeValue::L(values), Step::Index(index)) => values.get(*index),
            _ => None,
        })
}

/// Lists what a path leads to.
pub(super) fn values<'a>(item: &'a Attributes, path: &[Segment]) -> Vec<&'a AttributeValue> {
    places(item, path)
        .iter()
        .filter_map(|place| look(item, place))
        .collect()
}

/// Lists what a path leads to inside a value; the value itself when the path is empty.
pub(super) fn within<'a>(value: &'a AttributeValue, path: &[Segment]) -> Vec<&'a AttributeValue> {
    let mut found = Vec::new();
    descend(value, path, Vec::new(), &mut found);
    let inside = found.iter().filter_map(|place| follow(value, place));
    inside.collect()
}

/// Removes everything that a path leads to.
pub(super) fn remove(item: &mut Attributes, path: &[Segment]) {
    let Some((Segment::Name(name), rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        item.remove(name);
    } else if let Some(value) = item.get_mut(name)
        && removes_itself(value, rest)
    {
        item.remove(name);
    }
}

/// Removes within a value; says whether the value as a whole has to go.
fn removes_itself(value: &mut AttributeValue, path: &[Segment]) -> bool {
    let Some((segment, rest)) = path.split_first() else {
        return true;
    };
    match (value, segment) {
        (AttributeValue::M(values), Segment::Name(name)) => {
            if let Some(value) = values.get_mut(name)
                && removes_itself(value, rest)
            {
                values.remove(name);
            }
            false
        }
        (AttributeValue::L(values), Segment::At(index)) => {
            if values
                .get_mut(*index)
                .is_some_and(|value| removes_itself(value, rest))
            {
                values.remove(*index);
            }
            false
        }
        (AttributeValue::L(values), Segment::Each) => {
            values.retain_mut(|value| !removes_itself(value, rest));
            false
        }
        (AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_), Segment::Each) => {
            rest.is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use quittance_core::data_map::FieldPath;

    use super::*;

    fn path(text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap()
    }

    fn item() -> Attributes {
        let phone = |number: &str| {
            AttributeValue::M(HashMap::from([(
                "number".to_owned(),
                AttributeValue::S(number.to_owned()),
            )]))
        };
        let phones = AttributeValue::L(vec![phone("1"), phone("2")]);
        let profile = AttributeValue::M(HashMap::from([("phones".to_owned(), phones)]));
        let tags = AttributeValue::Ss(vec!["a".to_owned()]);
        HashMap::from([("profile".to_owned(), profile), ("tags".to_owned(), tags)])
    }

    #[test]
    fn a_path_leads_to_every_element_of_a_list() {
        let item = item();
        let numbers = values(&item, path("profile.phones[].number").segments());
        let expected = ["1", "2"].map(|number| AttributeValue::S(number.to_owned()));
        assert_eq!(numbers, expected.iter().collect::<Vec<_>>());
        assert_eq!(
            places(&item, path("tags[]").segments()),
            [[Step::Name("tags".to_owned())]]
        );
        for nowhere in [
            "nothing",
            "profile.nothing",
            "profile.phones.number",
            "tags.a",
        ] {
            assert!(
                places(&item, path(nowhere).segments()).is_empty(),
                "{nowhere}"
            );
        }
    }

    #[test]
    fn removing_takes_exactly_what_the_path_names() {
        let mut changed = item();
        remove(&mut changed, path("profile.phones[].number").segments());
        assert_eq!(
            values(&changed, path("profile.phones[]").segments()).len(),
            2
        );
        assert!(values(&changed, path("profile.phones[].number").segments()).is_empty());
        let before = changed.clone();
        remove(&mut changed, path("profile.nothing.here").segments());
        assert_eq!(changed, before);
        remove(&mut changed, path("tags[]").segments());
        remove(&mut changed, path("profile").segments());
        assert!(changed.is_empty());
    }
}
