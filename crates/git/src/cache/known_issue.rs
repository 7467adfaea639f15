//! Issues in the state of a repository.
//!
//! Input: the issues of a scan. Output: the form of the state file, and back. An issue whose text
//! contains a token is not converted.

use ddpatrol_detect::redact::Redactor;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::issue::ObjectName;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::{Code, Diagnostic, Issue, Run, Severity};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An issue about missing objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownGap {
    code: Code,
    message: String,
    /// The first missing object.
    object: Option<String>,
}

impl KnownGap {
    pub(crate) fn new(issue: &Issue) -> Self {
        let object = issue.object().map(|object| object.to_string());
        Self { code: issue.code(), message: issue.to_string(), object }
    }

    /// Returns the issue, to be reported again.
    pub(crate) fn issue(&self) -> Issue {
        let object = self.object.as_ref().and_then(|id| id.parse().ok()).map(ObjectName::Git);
        let (severity, code, message) = (Severity::Opaque, self.code, self.message.clone());
        Issue::Recorded { severity, code, message, object }
    }
}

/// An issue about an object or a member of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct KnownIssue {
    /// The object.
    object: String,
    kind: String,
    /// The members of archives that lead to the place, the outermost first.
    members: Vec<String>,
    /// Whether the place is the decompressed content of a compressed file.
    is_content: bool,
    severity: Severity,
    code: Code,
    message: String,
}

impl KnownIssue {
    /// Converts an issue; `None` if its text cannot be written to a state, or names no object.
    pub(crate) fn new(redactor: &Redactor, issue: &Diagnostic) -> Option<Self> {
        let synthetic = issue.git.as_ref().map(|object| &object.synthetic);
        let place = synthetic.or(issue.path.as_ref())?;
        let Place::Object(id, kind) = place.outermost() else { return None };
        let members = place.members().into_iter();
        let known = Self {
            object: id.to_string(),
            kind: kind.name().to_owned(),
            members: members.map(|it| it.to_str().map(str::to_owned)).collect::<Option<_>>()?,
            is_content: matches!(place, Place::Content(_)),
            severity: issue.severity(),
            code: issue.code(),
            message: issue.message(),
        };
        let path = place.path();
        let texts = [path.to_str()?, &*known.message];
        let is_clean = |text: &&str| redactor.clean(text.as_bytes()).as_bytes() == text.as_bytes();
        texts.iter().all(is_clean).then_some(known)
    }

    /// Returns the object that the issue is about.
    pub(crate) fn object(&self) -> Option<ObjectId> {
        self.object.parse().ok()
    }

    fn place(&self) -> Option<Place> {
        let object = Place::Object(self.object()?, Kind::from_name(self.kind.as_bytes())?);
        let place = self.members.iter().fold(object, |container, name| Place::Member {
            container: Arc::new(container),
            path: name.into(),
        });
        Some(if self.is_content { Place::Content(Arc::new(place)) } else { place })
    }

    /// Reports the issue again.
    pub(crate) fn report(&self, run: &Run) {
        run.add_diagnostic(self.diagnostic());
    }

    /// Returns the issue, without the places of its object.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let (severity, code, message) = (self.severity, self.code, self.message.clone());
        // The place names the object.
        let issue = Issue::Recorded { severity, code, message, object: None };
        Diagnostic::new(self.place(), Arc::new(issue))
    }
}
