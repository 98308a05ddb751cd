//! Paths as a tree, so that a row is read once for all of them.
//!
//! A path also finds keys that are spelled with its dots: `user.email` is `{"user":{"email":…}}` and
//! `{"user.email":…}`, as event collectors write it.

use quittance_core::data_map::{FieldPath, Segment};

use super::super::error::RewriteError;

/// Paths with what each stands for.
#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    /// The path up to here, for messages.
    path: FieldPath,
    names: Vec<(String, usize)>,
    each: Option<usize>,
    ends: Vec<T>,
}

impl<T> Tree<T> {
    /// Makes a tree; none without a path.
    pub(super) fn new(
        paths: impl IntoIterator<Item = (FieldPath, T)>,
    ) -> Result<Option<Self>, RewriteError> {
        let mut tree: Option<Self> = None;
        for (path, end) in paths {
            let tree = tree.get_or_insert_with(|| Self {
                nodes: vec![Node::new(path.clone())],
            });
            let mut at = ROOT;
            for segment in path.segments() {
                at = tree.step(at, segment, &path)?;
            }
            if let Some(node) = tree.nodes.get_mut(at) {
                node.path = path;
                node.ends.push(end);
            }
        }
        Ok(tree)
    }

    /// Where a key leads: over one name, or over several that it spells with dots.
    pub(super) fn down(&self, from: usize, key: &str) -> Option<usize> {
        let one = |at: usize, name: &str| {
            let names = &self.nodes.get(at)?.names;
            names.iter().find(|(n, _)| n == name).map(|(_, to)| *to)
        };
        if let Some(to) = one(from, key) {
            return Some(to);
        }
        if !key.contains('.') {
            return None;
        }
        key.split('.').try_fold(from, one)
    }

    /// Where every element of a list leads.
    pub(super) fn each(&self, from: usize) -> Option<usize> {
        self.nodes.get(from)?.each
    }

    /// What ends here.
    pub(super) fn ends(&self, at: usize) -> &[T] {
        self.nodes.get(at).map_or(&[], |node| &node.ends)
    }

    /// A path that leads here or on from here.
    pub(super) fn path(&self, at: usize) -> Option<&FieldPath> {
        self.nodes.get(at).map(|node| &node.path)
    }

    fn step(
        &mut self,
        from: usize,
        segment: &Segment,
        path: &FieldPath,
    ) -> Result<usize, RewriteError> {
        let next = self.nodes.len();
        let known = match (self.nodes.get_mut(from), segment) {
            (Some(node), Segment::Name(name)) => {
                let known = node.names.iter().find(|(n, _)| n == name);
                let known = known.map(|(_, to)| *to);
                if known.is_none() {
                    node.names.push((name.clone(), next));
                }
                known
            }
            (Some(node), Segment::Each) => {
                let known = node.each;
                node.each = known.or(Some(next));
                known
            }
            (Some(_) | None, Segment::At(_)) | (None, _) => {
                return Err(RewriteError::Position(path.clone()));
            }
        };
        if known.is_none() {
            self.nodes.push(Node::new(path.clone()));
        }
        Ok(known.unwrap_or(next))
    }
}

impl<T> Node<T> {
    const fn new(path: FieldPath) -> Self {
        Self {
            path,
            names: Vec::new(),
            each: None,
            ends: Vec::new(),
        }
    }
}

/// Where a row begins.
pub(super) const ROOT: usize = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_over_the_names_it_spells() {
        let paths = ["user.email", "user.id", "tags[]"].map(|p| FieldPath::parse(p).unwrap());
        let tree = Tree::new(paths.into_iter().zip(0..)).unwrap().unwrap();
        let user = tree.down(ROOT, "user").unwrap();
        assert_eq!(tree.down(user, "email"), tree.down(ROOT, "user.email"));
        let id = tree.down(ROOT, "user.id").unwrap();
        assert_eq!(tree.ends(id), [1]);
        assert_eq!(tree.down(ROOT, "user.name"), None);
        assert_eq!(tree.down(ROOT, "email"), None);
        let tags = tree.down(ROOT, "tags").unwrap();
        assert_eq!(tree.ends(tree.each(tags).unwrap()), [2]);
    }

    #[test]
    fn a_position_is_refused() {
        let path = FieldPath::parse("a[0]").unwrap();
        let refused = Tree::new([(path.clone(), ())]).unwrap_err();
        assert_eq!(refused, RewriteError::Position(path));
    }
}
