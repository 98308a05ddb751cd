//! One field of a form on a page, with what is wrong about it.

use crate::FieldProblem;

/// What goes into a field: how a browser offers help with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A code from a mail.
    Code,
    /// An address.
    Email,
    /// A telephone number.
    Phone,
    /// Anything else.
    Text,
}

/// One field of a form. `Debug` leaves out what was typed.
#[derive(Clone)]
pub struct Field {
    /// Its name, in the form and in the page.
    pub id: String,
    /// What to type.
    pub label: String,
    /// What helps to find it.
    pub hint: String,
    /// What goes into it.
    pub kind: FieldKind,
    /// What was typed.
    pub value: String,
    /// What to correct.
    pub complaint: Option<String>,
}

impl FieldKind {
    /// The type of the input.
    pub const fn html_type(self) -> &'static str {
        match self {
            Self::Code | Self::Text => "text",
            Self::Email => "email",
            Self::Phone => "tel",
        }
    }

    /// What the browser may fill in.
    pub const fn autocomplete(self) -> &'static str {
        match self {
            Self::Code => "one-time-code",
            Self::Email => "email",
            Self::Phone => "tel",
            Self::Text => "off",
        }
    }

    /// Whether it is a code.
    pub fn is_code(self) -> bool {
        self == Self::Code
    }
}

impl Field {
    /// An empty field.
    pub fn new(id: &str, kind: FieldKind, label: &str, hint: &str) -> Self {
        Self {
            id: id.to_owned(),
            label: label.to_owned(),
            hint: hint.to_owned(),
            kind,
            value: String::new(),
            complaint: None,
        }
    }

    /// The field for a code that was mailed.
    pub fn code() -> Self {
        let hint = "Eight letters and digits, such as 4F7K-92QX. You can paste it. Capital or small \
                    letters, with or without the hyphen.";
        Self::new("code", FieldKind::Code, "Code from our mail", hint)
    }

    /// The field for the address of a request.
    pub fn address() -> Self {
        let hint = "The one you gave when you sent the request.";
        Self::new("email", FieldKind::Email, "Email address", hint)
    }

    /// Keeps what was typed.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// Says what to correct.
    #[must_use]
    pub fn wrong(mut self, complaint: impl Into<String>) -> Self {
        self.complaint = Some(complaint.into());
        self
    }

    /// What a screen reader reads with the field.
    pub fn described_by(&self) -> Option<String> {
        let parts = [
            ("hint", !self.hint.is_empty()),
            ("error", self.complaint.is_some()),
        ];
        let ids: Vec<String> = parts
            .into_iter()
            .filter(|(_, is_there)| *is_there)
            .map(|(part, _)| format!("{}-{part}", self.id))
            .collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    /// Lists what is wrong, for the top of the page.
    pub fn problems<'a>(fields: impl IntoIterator<Item = &'a Self>) -> Vec<FieldProblem> {
        let wrong = fields.into_iter().filter_map(|field| {
            let message = field.complaint.clone()?;
            let field = field.id.clone();
            Some(FieldProblem { field, message })
        });
        wrong.collect()
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
