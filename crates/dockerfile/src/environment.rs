//! Variables in their order: those of a stage, and of an image.

use crate::word::Variables;

/// Names with values, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Sets a variable, which is the last one then: so a command has them.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Sets a variable. One that is set keeps its place: so an image has them.
    pub fn replace(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Bytes of names and values together.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl Variables for Environment {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl<S: AsRef<str>> FromIterator<S> for Environment {
    /// Of `NAME=value`, as an image has them.
    fn from_iter<I: IntoIterator<Item = S>>(variables: I) -> Environment {
        let mut environment = Environment::default();
        for variable in variables {
            let (name, value) = variable.as_ref().split_once('=').unwrap_or((variable.as_ref(), ""));
            environment.replace(name, value);
        }
        environment
    }
}
