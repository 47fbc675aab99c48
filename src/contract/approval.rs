//! Approvals: what a person has to allow before it is done.
//!
//! An approval is a call that no worker does. A turn waits for it as for any other call, and goes on when a person has answered
//! or the time that the graph gives for it is over.

use super::time::time_ms;
use super::{Button, CallId, Code, Name, Source, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes of what is to be approved. A tool's call that is longer is not made, a node's request is shown up to here.
pub const APPROVAL_BYTES_MAX: usize = 32 << 10;

/// The actions of the control that shows an approval.
pub const APPROVE: &str = "approve";
pub const DECLINE: &str = "decline";

/// What is to be approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub node: Arc<str>,
    /// The tool that the node is about to call; none where the node itself is about to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Arc<str>>,
    pub format: Format,
    /// What is to be done, in full.
    pub text: String,
    /// In wall time, so that it holds over a restart.
    #[serde(with = "time_ms")]
    pub expires_at: Time,
}

/// What the text of an approval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Sql,
    Json,
    Text,
}

/// What became of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Approved,
    Declined,
    Expired,
}

impl Verdict {
    /// As the wire names it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Approved => "approved",
            Verdict::Declined => "declined",
            Verdict::Expired => "expired",
        }
    }

    /// Why nothing is done; none where it is approved.
    pub fn code(self) -> Option<Code> {
        match self {
            Verdict::Approved => None,
            Verdict::Declined => Some(Code::ApprovalDeclined),
            Verdict::Expired => Some(Code::ApprovalExpired),
        }
    }

    /// For the user, of a turn that ends with it.
    pub fn sentence(self) -> &'static str {
        match self {
            Verdict::Approved => "It was approved.",
            Verdict::Declined => "This step needs an approval, and it was declined. Nothing was done.",
            Verdict::Expired => "This step needs an approval, and nobody gave it in time. Nothing was done. Please ask again.",
        }
    }

    /// For a model, of a call that was not made.
    pub fn outcome(self) -> &'static str {
        match self {
            Verdict::Approved => "approved",
            Verdict::Declined => "declined: a person did not approve this call, so it was not made; do not make it again",
            Verdict::Expired => "expired: nobody approved this call in time, so it was not made; do not make it again",
        }
    }
}

/// Who answered an approval, and when, in wall time: a restart may lie between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    pub verdict: Verdict,
    /// None where it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(with = "time_ms")]
    pub asked_at: Time,
    #[serde(with = "time_ms")]
    pub decided_at: Time,
}

/// An approval as a control: what is to be done, and a button for each answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalControl {
    #[serde(rename = "type")]
    kind: ApprovalTag,
    pub source: Source,
    #[serde(flatten)]
    pub approval: Approval,
    pub buttons: Vec<Button>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ApprovalTag {
    #[default]
    Approval,
}

impl ApprovalControl {
    pub fn new(call: CallId, approval: &Approval) -> ApprovalControl {
        let source = Source::Approval(call);
        let button = |label, action| {
            let mut button = Button::new(label, action);
            button.source = source.clone();
            button
        };
        let buttons = vec![button("Approve", APPROVE), button("Decline", DECLINE)];
        ApprovalControl { kind: ApprovalTag::Approval, buttons, approval: approval.clone(), source }
    }
}
